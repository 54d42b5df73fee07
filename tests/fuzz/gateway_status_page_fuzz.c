/* What `cmqgw status` prints of answers that came over a socket: a page of printable text, or none.
 */
#include "gateway/status_page.h"

#include "base/check.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is both answers, with a line of one '|' between them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = span_make(data, size);
    const char *middle = size > 0 ? memmem(data, size, "\n|\n", 3) : NULL;
    size_t cut = middle ? (size_t)(middle - all.ptr) : size;
    char *text = NULL;
    size_t len = 0;
    FILE *out = check_alloc(open_memstream(&text, &len));
    bool printed = status_page_print(out, span_slice(all, 0, cut),
                                     middle ? span_slice(all, cut + 3, size) : all, false);
    CHECK(fclose(out) == 0);
    CHECK(printed == (len > 0));
    CHECK(utf8_valid(span_make(text, len)));
    for (size_t i = 0; i < len; i++) /* nothing that commands a terminal */
        CHECK(text[i] == '\n' || ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
    free(text);
    return 0;
}
