/* Any bytes as a request to /local/: the first line is the target, the rest the body. */
#include "base/check.h"
#include "local/control.h"

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct depot_limits limits = {1 << 16, 50, 10};
    struct sabotage sabotage = {0};
    struct journal journal;
    struct store *store = store_new(&limits, 1000000);
    journal_init(&journal);
    *journal_add(&journal) = (struct journal_entry){.outcome = "answered"};
    const struct control control = {store, &sabotage, &journal};
    struct span all = span_make(data, size);
    size_t end = span_find(all, '\n');
    struct span target = span_slice(all, 0, end);
    size_t mark = span_find(target, '?');
    const char *const methods[] = {"GET", "POST"};
    for (size_t i = 0; i < 2; i++) {
        const struct control_request request = {
            .method = span_of(methods[i]),
            .path = span_slice(target, 0, mark),
            .query = span_slice(target, mark + 1, target.len),
            .body = span_slice(all, end + 1, all.len),
        };
        struct buf answer = BUF_INIT(1 << 24);
        int status = control_serve(&control, &request, 2000000, &answer);
        CHECK(status >= 200 && status < 500 && !answer.overflow);
        cJSON *json = cJSON_ParseWithOpts(buf_str(&answer), NULL, true);
        CHECK(json);
        cJSON_Delete(json);
        buf_fini(&answer);
    }
    (void)sabotage_pick(&sabotage, span_of("SendMessage"), span_of("q"), false);
    sabotage_clear(&sabotage);
    journal_fini(&journal);
    store_free(store);
    return 0;
}
