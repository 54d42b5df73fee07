/*
 * print - bytes from outside as text for a terminal, and as JSON
 *
 * What a device or a queue sent may hold anything, terminal commands included. Here it becomes
 * printable: valid UTF-8 as it is, control characters (C0, C1, DEL, and those that turn the
 * direction of text) as \n, \t, \x1b or \u009b, bytes that are not UTF-8 as \xff, and a backslash
 * as \\, so that the text tells the bytes exactly. One thread.
 */
#ifndef GATEWAY_PRINT_H
#define GATEWAY_PRINT_H

#include "mapping/filter.h"

#include <stdio.h>

/* Prints s in one line. */
void print_text(FILE *out, struct span s);

/*
 * Prints s, at most `most` bytes of it, in lines of `columns` characters, each but the first after
 * a newline and `indent` spaces. What is left out is counted at the end: "... 512 more bytes".
 */
void print_wrapped(FILE *out, struct span s, size_t most, int columns, int indent);

/*
 * The same for words: lines break between them, and within a word only when it is longer than a
 * line.
 */
void print_sentence(FILE *out, struct span s, int columns, int indent);

/*
 * Prints s in at most `columns` characters; what had to be cut ends in "..". Returns how many
 * characters it took.
 */
int print_cut(FILE *out, struct span s, int columns);

/* Prints a JSON string, quotes included; bytes that are not UTF-8 as json_escape shows them. */
void print_json(FILE *out, struct span s);

/* Prints before, "key": and value as a JSON string. */
void print_json_member(FILE *out, const char *before, const char *key, struct span value);

/*
 * Prints what the wildcards stood for, plain ones by number: a line "NAME = VALUE" each, indented,
 * or a JSON object.
 */
void print_captures(FILE *out, const struct filter *filter, const struct topic_captures *captures,
                    int indent);
void print_captures_json(FILE *out, const struct filter *filter,
                         const struct topic_captures *captures);

#endif
