/* Bodies of requests to the admin endpoint: whatever comes is an answer or a fault that says why.
 */
#include "gateway/ask.h"

#include "base/check.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of its own, so that reading past its end is seen. */
    char *copy = check_alloc(malloc(size + 1));
    if (size > 0)
        memcpy(copy, data, size);
    struct span body = {copy, size};
    struct err err = {""};

    struct ask_explain *explain = check_alloc(malloc(sizeof *explain));
    if (ask_explain_read(explain, body, &err)) {
        CHECK(explain->queue.len > 0 || utf8_valid(explain->message.topic));
        CHECK(explain->message.qos >= 0 && explain->message.qos <= 2);
        CHECK(explain->message.user_count <= MQTT_MAX_USER_PROPERTIES);
    } else {
        CHECK(err.text[0]);
    }
    ask_explain_fini(explain);
    free(explain);

    struct ask_letters letters;
    err.text[0] = '\0';
    if (ask_letters_read(&letters, body, &err))
        CHECK((letters.id_count > 0) + (letters.rule != NULL) + letters.all == 1);
    else
        CHECK(err.text[0]);
    ask_letters_fini(&letters);
    err.text[0] = '\0';
    if (ask_listing_read(&letters, body, &err))
        CHECK(letters.limit >= 1 && letters.limit <= ASK_MAX_LIMIT);
    else
        CHECK(err.text[0]);
    ask_letters_fini(&letters);
    free(copy);
    return 0;
}
