/* form - see form.h. */
#include "local/form.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes text in place; decoding never makes it longer. */
static struct span decode(char *text, size_t len)
{
    const char *plus = memchr(text, '+', len);
    size_t to = plus ? (size_t)(plus - text) : len; /* up to here it is already as it should be */
    const char *percent = memchr(text, '%', to);
    if (percent)
        to = (size_t)(percent - text);
    for (size_t at = to; at < len; at++) {
        char c = text[at];
        if (c == '+') {
            c = ' ';
        } else if (c == '%' && len - at > 2) {
            int high = hex_digit(text[at + 1]), low = hex_digit(text[at + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                at += 2;
            }
        }
        text[to++] = c;
    }
    return span_make(text, to);
}

bool form_parse(struct form *form, char *text, size_t len)
{
    form->count = 0;
    size_t at = 0;
    while (at < len) {
        char *piece = text + at;
        char *end = memchr(piece, '&', len - at);
        size_t piece_len = end ? (size_t)(end - piece) : len - at;
        at += piece_len + 1;
        if (piece_len == 0)
            continue;
        if (form->count == FORM_MAX_PARAMS)
            return false;
        char *equals = memchr(piece, '=', piece_len);
        size_t key_len = equals ? (size_t)(equals - piece) : piece_len;
        struct cmq_param *param = &form->params[form->count++];
        param->key = decode(piece, key_len);
        param->value =
            equals ? decode(equals + 1, piece_len - key_len - 1) : span_make(piece + piece_len, 0);
    }
    return true;
}

const struct span *form_get(const struct form *form, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < form->count; i++) {
        const struct cmq_param *param = &form->params[i];
        if (param->key.len == len && memcmp(param->key.ptr, key, len) == 0)
            return &param->value;
    }
    return NULL;
}

const struct span *form_repeated(const struct form *form)
{
    for (size_t i = 1; i < form->count; i++) {
        if (span_eq(form->params[i - 1].key, form->params[i].key))
            return &form->params[i].key;
    }
    return NULL;
}

enum form_list form_list(const struct form *form, const char *name, size_t max, struct span *items,
                         size_t *count)
{
    struct span at[CMQ_MAX_BATCH + 1] = {{0}}; /* by number: 0 to max */
    bool seen[CMQ_MAX_BATCH + 1] = {false};
    size_t name_len = strlen(name), found = 0;
    bool gap = false;
    *count = 0;
    for (size_t i = 0; i < form->count; i++) {
        struct span key = form->params[i].key;
        if (key.len <= name_len || key.ptr[name_len] != '.' || memcmp(key.ptr, name, name_len) != 0)
            continue;
        struct span digits = span_slice(key, name_len + 1, key.len);
        uint64_t number;
        if (!span_to_u64(digits, UINT32_MAX, &number) || (digits.len > 1 && digits.ptr[0] == '0'))
            return FORM_LIST_BAD_KEY;
        found++;
        if (number > max) { /* more follow, or a hole lies below: the count decides which */
            gap = true;
            continue;
        }
        at[number] = form->params[i].value;
        seen[number] = true;
    }
    if (found > max)
        return FORM_LIST_TOO_MANY;
    size_t first = seen[0] ? 0 : 1;
    for (size_t i = 0; i < found; i++) {
        if (gap || first + i > max || !seen[first + i])
            return FORM_LIST_GAP;
        items[i] = at[first + i];
    }
    *count = found;
    return FORM_LIST_OK;
}
