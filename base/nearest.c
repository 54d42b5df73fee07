/* nearest - see nearest.h. */
#include "base/nearest.h"

#include <ctype.h>
#include <string.h>

enum { NEAREST_MAX_LEN = 64 };

static size_t min2(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t la, const char *b, size_t lb)
{
    size_t row[3][NEAREST_MAX_LEN + 1]; /* the last three rows of the classic table */
    for (size_t j = 0; j <= lb; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *now = row[i % 3], *before = row[(i + 2) % 3], *two_before = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            now[j] = min2(min2(before[j], now[j - 1]) + 1, before[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                cb == tolower((unsigned char)a[i - 2]))
                now[j] = min2(now[j], two_before[j - 2] + 1);
        }
    }
    return row[la % 3][lb];
}

const char *nearest_word(const char *word, const char *const *words, size_t count)
{
    const char *best = NULL;
    size_t best_distance = 0, len = strlen(word);
    if (len == 0 || len > NEAREST_MAX_LEN)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t other = strlen(words[i]);
        if (other > NEAREST_MAX_LEN)
            continue;
        size_t allowed = (len > other ? len : other) / 3;
        if (allowed < 2)
            allowed = 2;
        size_t d = distance(word, len, words[i], other);
        if (d <= allowed && d < len && (!best || d < best_distance)) {
            best = words[i];
            best_distance = d;
        }
    }
    return best;
}
