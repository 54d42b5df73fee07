/* Any bytes as a form: what is found lies inside the bytes, and lists are whole. */
#include "local/form.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct form form;
    static const char *const names[] = {"msgBody", "msgTag", "receiptHandle", "a"};
    char *text = span_dup(span_make(data, size));
    if (form_parse(&form, text, size)) {
        CHECK(form.count <= FORM_MAX_PARAMS);
        for (size_t i = 0; i < form.count; i++) {
            const struct cmq_param *p = &form.params[i];
            CHECK(p->key.ptr >= text && p->key.ptr + p->key.len <= text + size);
            CHECK(p->value.ptr >= text && p->value.ptr + p->value.len <= text + size);
        }
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            struct span items[CMQ_MAX_BATCH];
            size_t count;
            enum form_list result = form_list(&form, names[i], CMQ_MAX_BATCH, items, &count);
            CHECK(count <= CMQ_MAX_BATCH && (result == FORM_LIST_OK || count == 0));
            for (size_t k = 0; k < count; k++)
                CHECK(items[k].ptr >= text && items[k].ptr + items[k].len <= text + size);
        }
    }
    free(text);
    return 0;
}
