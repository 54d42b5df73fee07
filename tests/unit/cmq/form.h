/* form - for tests: reads a form back the way a server does (CMQ.md 2.4). */
#ifndef TESTS_CMQ_FORM_H
#define TESTS_CMQ_FORM_H

#include "base/buf.h"
#include "cmq/sign.h"

enum { FORM_MAX_PARAMS = 64 };

struct form {
    struct cmq_param params[FORM_MAX_PARAMS];
    size_t count;
    struct buf bytes; /* what the params point into */
};

static inline int form_hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

static inline bool form_decode(struct buf *out, struct span text, struct span *value)
{
    size_t start = out->len;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (i + 2 >= text.len || form_hex(text.ptr[i + 1]) < 0 || form_hex(text.ptr[i + 2]) < 0)
                return false;
            c = (char)(form_hex(text.ptr[i + 1]) * 16 + form_hex(text.ptr[i + 2]));
            i += 2;
        }
        if (!buf_add_char(out, c))
            return false;
    }
    *value = span_slice(buf_span(out), start, out->len - start);
    return true;
}

/* False when text is not a form. Free with form_fini either way. */
static inline bool form_read(struct form *form, struct span text)
{
    form->count = 0;
    buf_init(&form->bytes, 2 * text.len + 1);
    CHECK(buf_reserve(&form->bytes, 2 * text.len + 1)); /* so that it never moves */
    while (text.len > 0) {
        struct span pair = span_slice(text, 0, span_find(text, '&'));
        text = span_slice(text, pair.len + 1, text.len);
        size_t equals = span_find(pair, '=');
        struct cmq_param *param = &form->params[form->count];
        if (equals == pair.len || form->count++ == FORM_MAX_PARAMS ||
            !form_decode(&form->bytes, span_slice(pair, 0, equals), &param->key) ||
            !form_decode(&form->bytes, span_slice(pair, equals + 1, pair.len), &param->value))
            return false;
    }
    return true;
}

static inline void form_fini(struct form *form)
{
    buf_fini(&form->bytes);
}

/* The value of key; a span with a NULL ptr when there is none. */
static inline struct span form_get(const struct form *form, const char *key)
{
    for (size_t i = 0; i < form->count; i++) {
        if (span_eq_str(form->params[i].key, key))
            return form->params[i].value;
    }
    return (struct span){NULL, 0};
}

#endif
