/*
 * Any lines as calls of API 3.0: "ACTION {JSON}" signed with TC3, "ACTION a=b&c=d" as a signed
 * form,
 * "! TEXT" with that Authorization header, "? QUERY" as a signed GET.
 */
#include "base/check.h"
#include "cmq/tc3.h"
#include "local/api.h"

#include <cjson/cJSON.h>
#include <strings.h>

#define NOW INT64_C(1700000000)
#define TIME "1700000000"
#define ID "AKIDfuzz"
#define KEY "fuzz-key"

enum { MAX_CALLS = 20, MAX_TEXT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct api *api;
static struct buf answer = BUF_INIT(1 << 26);

struct asking {
    const char *action, *authorization;
};

static const char *header(void *ctx, const char *name)
{
    const struct asking *asking = ctx;
    return strcasecmp(name, "host") == 0             ? "tdmq.x:1"
           : strcasecmp(name, "content-type") == 0   ? "application/json"
           : strcasecmp(name, "X-TC-Action") == 0    ? asking->action
           : strcasecmp(name, "X-TC-Version") == 0   ? "2020-02-17"
           : strcasecmp(name, "X-TC-Timestamp") == 0 ? TIME
           : strcasecmp(name, "Authorization") == 0  ? asking->authorization
                                                     : NULL;
}

static void call_json(const char *method, const char *action, struct span query, struct span body,
                      const char *authorization)
{
    const struct tc3_header headers[] = {{SPAN_LIT("content-type"), SPAN_LIT("application/json")},
                                         {SPAN_LIT("host"), SPAN_LIT("tdmq.x:1")}};
    const struct tc3_request signs = {span_of(method), query, headers, 2, body};
    struct buf made = BUF_INIT(1000);
    CHECK(tc3_authorize(&signs, NOW, span_of("tdmq"), span_of(ID), span_of(KEY), &made));
    struct asking asking = {action, authorization ? authorization : buf_str(&made)};
    const struct verify3_request request = {span_of(method), query, body, &asking, header};
    struct call call = {.request_id = 1, .out = &answer};
    call_set_action(&call, span_of(action));
    (void)api_serve(api, &request, false, &call, NOW * 1000);
    buf_fini(&made);
}

static void call_form(const char *action, struct span pieces)
{
    static struct form form;
    struct buf text = BUF_INIT(MAX_TEXT), signature = BUF_INIT(100);
    struct cmq_signer *signer = cmq_signer_new(CMQ_HMAC_SHA256, span_of(KEY), NULL);
    buf_printf(&text,
               "Action=%s&Version=2020-02-17&SecretId=" ID "&Timestamp=" TIME
               "&Nonce=1&SignatureMethod=HmacSHA256&",
               action);
    buf_add(&text, pieces);
    if (form_parse(&form, text.ptr, text.len) && form.count < FORM_MAX_PARAMS) {
        const struct verify_target target = {span_of("POST"), span_of("h"), span_of("/")};
        CHECK(cmq_sign_params(signer, target.method, target.host, target.path, form.params,
                              form.count, &signature));
        form.params[form.count++] = (struct cmq_param){SPAN_LIT("Signature"), buf_span(&signature)};
        struct call call;
        call_init(&call, 2, &form, &answer);
        (void)api_serve_form(api, &target, &form, false, &call, NOW * 1000);
    }
    cmq_signer_free(signer);
    buf_fini(&text);
    buf_fini(&signature);
}

static void serve_line(struct span line)
{
    size_t end = span_find(line, ' ');
    char *action = span_dup(span_slice(line, 0, end));
    struct span rest = span_slice(line, end + 1, line.len);
    const struct span none = {"", 0};
    buf_clear(&answer);
    if (strcmp(action, "!") == 0) {
        char *authorization = span_dup(rest);
        call_json("POST", "DescribeCmqQueues", none, none, authorization);
        free(authorization);
    } else if (strcmp(action, "?") == 0) {
        call_json("GET", "DescribeCmqQueues", rest, none, NULL);
    } else if (span_starts(rest, "{")) {
        call_json("POST", action, none, rest, NULL);
    } else {
        call_form(action, rest);
    }
    CHECK(!answer.overflow);
    free(action);
    if (answer.len == 0)
        return;
    cJSON *json = cJSON_ParseWithOpts(buf_str(&answer), NULL, true);
    CHECK(cJSON_GetObjectItemCaseSensitive(json, "Response"));
    cJSON_Delete(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct depot_limits limits = {1 << 16, 50, 10};
    static const struct verify_options account = {
        .secret_id = SPAN_LIT(ID), .secret_key = SPAN_LIT(KEY), .tolerance_s = 60};
    struct sabotage sabotage = {0};
    const struct api_options options = {
        .store = store_new(&limits, NOW * 1000),
        .verifier = verifier_new(&account, NULL),
        .verifier3 = verifier3_new(account.secret_id, account.secret_key, 60),
        .sabotage = &sabotage,
        .tolerance_s = 60,
        .reuse_bar_ms = 1,
    };
    api = api_new(&options);
    struct span rest = span_make(data, size);
    for (int calls = 0; rest.len && calls < MAX_CALLS; calls++) {
        size_t end = span_find(rest, '\n');
        serve_line(span_slice(rest, 0, end));
        rest = span_slice(rest, end + 1, rest.len);
    }
    api_free(api);
    verifier3_free(options.verifier3);
    verifier_free(options.verifier);
    store_free(options.store);
    return 0;
}
