/* api_caller - a management plane of the test's own, and signed calls to it. */
#ifndef TESTS_LOCAL_API_CALLER_H
#define TESTS_LOCAL_API_CALLER_H

#include "cmq/tc3.h"
#include "local/api.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000500)
#define ID "AKIDapitest"
#define KEY "api-test-key"
#define HOST "tdmq.local:1"

static struct store *store;
static struct verifier *verifier;
static struct verifier3 *verifier3;
static struct sabotage sabotage;
static struct api *api;
static struct api_options api_options;
static struct call call;
static struct buf answer = BUF_INIT(16 << 20);
static int64_t now_ms;
static cJSON *last; /* the answer before */

/* Makes the plane anew, with other options. */
static inline void open_api(int64_t reuse_bar_ms, uint32_t rate)
{
    api_free(api);
    api_options = (struct api_options){.store = store,
                                       .verifier = verifier,
                                       .verifier3 = verifier3,
                                       .sabotage = &sabotage,
                                       .tolerance_s = 300,
                                       .reuse_bar_ms = reuse_bar_ms,
                                       .rate = rate};
    api = api_new(&api_options);
}

static inline int open_all(void **unused)
{
    (void)unused;
    static const struct depot_limits limits = {8 << 20, 40, 20};
    static const struct verify_options account = {
        .secret_id = SPAN_LIT(ID), .secret_key = SPAN_LIT(KEY), .tolerance_s = 60};
    now_ms = NOW;
    store = store_new(&limits, now_ms);
    verifier = verifier_new(&account, NULL);
    verifier3 = verifier3_new(account.secret_id, account.secret_key, 300);
    open_api(0, 0);
    return 0;
}

static inline int close_all(void **unused)
{
    (void)unused;
    api_free(api);
    api = NULL;
    verifier_free(verifier);
    verifier3_free(verifier3);
    store_free(store);
    sabotage_clear(&sabotage);
    buf_fini(&answer);
    cJSON_Delete(last);
    last = NULL;
    return 0;
}

struct asking {
    const char *method, *action, *version, *authorization, *timestamp, *query;
};

static inline const char *asking_header(void *ctx, const char *name)
{
    const struct asking *asking = ctx;
    return strcasecmp(name, "Host") == 0             ? HOST
           : strcasecmp(name, "Content-Type") == 0   ? "application/json"
           : strcasecmp(name, "X-TC-Action") == 0    ? asking->action
           : strcasecmp(name, "X-TC-Version") == 0   ? asking->version
           : strcasecmp(name, "X-TC-Timestamp") == 0 ? asking->timestamp
           : strcasecmp(name, "Authorization") == 0  ? asking->authorization
                                                     : NULL;
}

/* What the answer holds under "Response"; the plane may decide to misbehave, which is in *result.
 */
static inline const cJSON *read_answer(void)
{
    cJSON_Delete(last);
    last = cJSON_ParseWithLength(buf_str(&answer), answer.len);
    const cJSON *response = cJSON_GetObjectItemCaseSensitive(last, "Response");
    if (!response || cJSON_GetArraySize(last) != 1)
        fail_msg("no answer: %s", buf_str(&answer));
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(response, "RequestId");
    assert_true(cJSON_IsString(id) && strlen(id->valuestring) == 36);
    return response;
}

/* Serves a call, signed with TC3 unless it has an authorization. */
static inline struct api_result serve_call(struct asking *asking, const char *body)
{
    const struct tc3_header headers[] = {{span_of("content-type"), span_of("application/json")},
                                         {span_of("host"), span_of(HOST)}};
    const struct tc3_request signs = {.method = span_of(asking->method),
                                      .query = span_of(asking->query),
                                      .headers = headers,
                                      .header_count = 2,
                                      .body = span_of(body)};
    struct buf authorization = BUF_INIT(1000);
    char timestamp[24];
    if (!asking->authorization) {
        assert_true(tc3_authorize(&signs, now_ms / 1000, span_of("tdmq"), span_of(ID), span_of(KEY),
                                  &authorization));
        asking->authorization = buf_str(&authorization);
    }
    (void)snprintf(timestamp, sizeof timestamp, "%lld", (long long)now_ms / 1000);
    asking->timestamp = timestamp;
    const struct verify3_request request = {.method = signs.method,
                                            .query = signs.query,
                                            .body = signs.body,
                                            .ctx = asking,
                                            .header = asking_header};
    call = (struct call){.request_id = 77, .out = &answer};
    call_set_action(&call, span_of(asking->action));
    buf_clear(&answer);
    struct api_result result = api_serve(api, &request, false, &call, now_ms);
    buf_fini(&authorization);
    return result;
}

/* Calls an action with a JSON body; returns what is under "Response". */
static inline const cJSON *ask(const char *action, const char *body)
{
    struct asking asking = {
        .method = "POST", .action = action, .version = "2020-02-17", .query = ""};
    assert_int_equal(serve_call(&asking, body).outcome, API_ANSWERED);
    return read_answer();
}

/* The code of an answer's error, or "ok". */
static inline const char *code_in(const cJSON *response)
{
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(response, "Error");
    if (!error) {
        assert_null(call.error);
        return "ok";
    }
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(error, "Code");
    assert_true(cJSON_IsString(code));
    assert_string_equal(call.error, code->valuestring);
    assert_true(*cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(error, "Message")) != '\0');
    return code->valuestring;
}

/* Calls an action, which must end with a code. */
static inline void expect(const char *code, const char *action, const char *body)
{
    const cJSON *response = ask(action, body);
    if (strcmp(code_in(response), code) != 0)
        fail_msg("%s %s: %s instead of %s", action, body, buf_str(&answer), code);
}

/* A member of an object, by a path such as "QueueDescribe.DeadLetterSource.0.QueueName". */
static inline const cJSON *at(const cJSON *json, const char *path)
{
    char key[64];
    while (json && *path) {
        size_t len = strcspn(path, ".");
        (void)snprintf(key, sizeof key, "%.*s", (int)len, path);
        json = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, key[0] - '0')
                                   : cJSON_GetObjectItemCaseSensitive(json, key);
        path += len + (path[len] == '.');
    }
    return json;
}

static inline double number_at(const cJSON *json, const char *path)
{
    const cJSON *item = at(json, path);
    if (!cJSON_IsNumber(item))
        fail_msg("%s is no number in %s", path, buf_str(&answer));
    return item->valuedouble;
}

static inline const char *text_at(const cJSON *json, const char *path)
{
    const cJSON *item = at(json, path);
    if (!cJSON_IsString(item))
        fail_msg("%s is no text in %s", path, buf_str(&answer));
    return item->valuestring;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

#endif
