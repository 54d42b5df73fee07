/*
 * Whole requests on one store: each line is a form, served one after the other, a second apart.
 * Whatever is asked, an answer is one JSON object with a code, or a queue to wait for. "{h}" in a
 * form becomes the last receipt handle, so that deletes can succeed.
 */
#include "base/check.h"
#include "local/actions.h"

#include <cjson/cJSON.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *make_store(void)
{
    static const struct depot_limits limits = {1 << 16, 50, 10};
    static const struct queue_attributes frail = {.visibility_s = 2,
                                                  .retention_s = 30,
                                                  .max_size_bytes = 1024,
                                                  .max_receive = 2},
                                         plain = QUEUE_DEFAULTS;
    static const struct topic_attributes by_tag = {.retention_s = 60, .max_size_bytes = 1024},
                                         by_route = {.by_route = true,
                                                     .retention_s = 60,
                                                     .max_size_bytes = 1024};
    const struct span tag = SPAN_LIT("t"), key = SPAN_LIT("a.#");
    const struct subscription_spec tagged = {
        .name = SPAN_LIT("s"), .queue = SPAN_LIT("q"), .filters = &tag, .filter_count = 1};
    const struct subscription_spec routed = {
        .name = SPAN_LIT("s"), .queue = SPAN_LIT("d"), .filters = &key, .filter_count = 1};
    struct store *store = store_new(&limits, 1000000);
    struct queue *queue = store_add_queue(store, span_of("q"), &frail, NULL);
    CHECK(queue && store_add_queue(store, span_of("d"), &plain, NULL));
    CHECK(store_bind_dead_letter(store, queue, span_of("d"), NULL));
    CHECK(
        store_subscribe(store, store_add_topic(store, span_of("t"), &by_tag, NULL), &tagged, NULL));
    CHECK(store_subscribe(store, store_add_topic(store, span_of("r"), &by_route, NULL), &routed,
                          NULL));
    return store;
}

static void keep_handle(const struct buf *answer, struct buf *handle)
{
    static const char mark[] = "\"receiptHandle\":\"";
    const char *found = strstr(buf_str(answer), mark);
    if (!found)
        return;
    buf_clear(handle);
    buf_add(handle, span_make(found + sizeof mark - 1, strcspn(found + sizeof mark - 1, "\"")));
}

static void put_line(struct span line, const struct buf *handle, struct buf *text)
{
    buf_clear(text);
    for (size_t i = 0; i < line.len; i++) {
        if (line.len - i >= 3 && memcmp(line.ptr + i, "{h}", 3) == 0) {
            buf_add(text, buf_span(handle));
            i += 2;
        } else {
            buf_add_char(text, line.ptr[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct form form;
    struct store *store = make_store();
    const struct service service = {.store = store, .address = "127.0.0.1:1"};
    struct buf answer = BUF_INIT(1 << 24), text = BUF_INIT(1 << 20), handle = BUF_INIT(4096);
    struct span rest = span_make(data, size);
    int64_t now_ms = 1000000;
    buf_add_str(&text, ""); /* never NULL */
    while (rest.len > 0) {
        size_t end = span_find(rest, '\n');
        put_line(span_slice(rest, 0, end), &handle, &text);
        rest = span_slice(rest, end + 1, rest.len);
        now_ms += 1000;
        store_advance(store, now_ms);
        if (!form_parse(&form, text.ptr, text.len))
            continue;
        struct call call;
        call_init(&call, 1, &form, &answer);
        buf_clear(&answer);
        struct action_wait wait = actions_serve(&service, &call, &form, now_ms);
        if (wait.queue)
            actions_receive(&call, wait.queue, now_ms + wait.wait_ms);
        CHECK(!answer.overflow);
        cJSON *json = cJSON_ParseWithOpts(buf_str(&answer), NULL, true);
        CHECK(cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(json, "code")));
        cJSON_Delete(json);
        keep_handle(&answer, &handle);
    }
    buf_fini(&answer);
    buf_fini(&text);
    buf_fini(&handle);
    store_free(store);
    return 0;
}
