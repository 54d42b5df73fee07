/* codes - CMQ's error codes and their texts, word for word (CMQ.md 7). Pure; any thread. */
#ifndef LOCAL_CODES_H
#define LOCAL_CODES_H

/* A pair of code and module code: only both together mean something. */
struct code {
    int code;
    int module;
    const char *text; /* may hold one %s for the name at fault */
};

/* The entry of a pair, or of a code alone when module is 0 (its first one); NULL: not CMQ's. */
const struct code *code_find(int code, int module);

#endif
