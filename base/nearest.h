/* nearest - the known word that a mistyped one most likely meant. Pure; any thread. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/*
 * Returns the one of count words with the smallest edit distance to word (Levenshtein, with a swap
 * of neighbours counted once), or NULL when none is near enough to be worth naming: more than a
 * third of the longer word's letters differ, at least two allowed.
 */
const char *nearest_word(const char *word, const char *const *words, size_t count);

#endif
