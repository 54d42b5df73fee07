/* Headers that decide who is answered: nobody gets in who should not, whatever they look like. */
#include "admin/guard.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line of *rest, or a header that is not there when the line is "-". */
static struct span next_line(struct span *rest)
{
    size_t end = span_find(*rest, '\n');
    struct span line = span_slice(*rest, 0, end);
    *rest = span_slice(*rest, end + 1, rest->len);
    return span_eq_str(line, "-") ? (struct span){NULL, 0} : line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char secret[] = "s3cret";
    struct span rest = span_make(data, size);
    struct guard_request request;
    request.host = next_line(&rest);
    request.origin = next_line(&rest);
    request.fetch_site = next_line(&rest);
    request.authorization = next_line(&rest);

    struct guard *guard = guard_new("0.0.0.0:9780", span_of(secret));
    if (guard_judge(guard, &request, false) == GUARD_PASS) {
        size_t len = strlen(secret);
        struct span shown = request.authorization;
        CHECK(shown.len > len && span_eq_str(span_slice(shown, shown.len - len, len), secret));
    }
    guard_free(guard);

    guard = guard_new("127.0.0.1:9780", span_of(""));
    if (guard_judge(guard, &request, false) == GUARD_PASS) {
        char first = request.host.len > 0 ? request.host.ptr[0] : '\0';
        CHECK(first == '1' || first == '[' || first == 'l' || first == 'L');
        CHECK(!request.origin.ptr || span_starts(request.origin, "http"));
    }
    guard_free(guard);
    return 0;
}
