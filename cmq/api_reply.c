/* api_reply - see api_reply.h. */
#include "cmq/api_reply.h"

#include "base/json.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

static const cJSON *field(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

__attribute__((format(printf, 2, 3))) static void nonsense(struct api_reply *reply,
                                                           const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reply->text, sizeof reply->text, format, args);
    va_end(args);
    reply->outcome = API_LOST;
    reply->code[0] = '\0';
    reply->response = NULL;
}

/* A name such as "AuthFailure.SignatureFailure" or a UUID; false when it is anything else. */
static bool get_name(const cJSON *item, char *out, size_t size)
{
    const char *text = cJSON_GetStringValue(item);
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len >= size)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)text[i]) && !strchr(".-_", text[i]))
            return false;
    }
    memcpy(out, text, len + 1);
    return true;
}

static void get_text(const cJSON *item, char *out, size_t size)
{
    const char *text = cJSON_GetStringValue(item);
    (void)snprintf(out, size, "%s", text && utf8_valid(span_of(text)) ? text : "");
}

static void read_error(struct api_reply *reply, const cJSON *error, const char *code_key,
                       const char *message_key)
{
    if (!get_name(field(error, code_key), reply->code, sizeof reply->code)) {
        nonsense(reply, "the answer is an error without a code");
        return;
    }
    get_text(field(error, message_key), reply->text, sizeof reply->text);
    /* What happened inside is not known (CMQ.md 8.4); all others say that nothing did. */
    reply->outcome = span_starts(span_of(reply->code), "InternalError") ? API_LOST : API_REFUSED;
}

void api_reply_parse(struct api_reply *reply, int http_status, struct span body)
{
    memset(reply, 0, sizeof *reply);
    if (http_status != 200) {
        nonsense(reply, "HTTP status %d", http_status);
        return;
    }
    reply->json = body.len > 0 ? cJSON_ParseWithLength(body.ptr, body.len) : NULL;
    const cJSON *response = field(reply->json, "Response");
    const cJSON *error = field(response, "Error");
    if (cJSON_IsObject(reply->json) && field(reply->json, "codeDesc")) { /* of API 2.0 */
        read_error(reply, reply->json, "codeDesc", "message");
    } else if (!cJSON_IsObject(response)) {
        nonsense(reply, "the answer is not a JSON object with a Response");
    } else if (!get_name(field(response, "RequestId"), reply->request_id,
                         sizeof reply->request_id)) {
        nonsense(reply, "the answer has no RequestId");
    } else if (error) {
        read_error(reply, error, "Code", "Message");
    } else {
        reply->outcome = API_DONE;
        reply->response = response;
    }
}

void api_reply_failed(struct api_reply *reply, enum api_outcome outcome, const char *why)
{
    memset(reply, 0, sizeof *reply);
    nonsense(reply, "%s", why);
    reply->outcome = outcome;
}

void api_reply_fini(struct api_reply *reply)
{
    cJSON_Delete(reply->json);
    reply->json = NULL;
    reply->response = NULL;
}

static bool code_is(const char *code, const char *wanted)
{
    size_t len = strlen(wanted);
    return strncmp(code, wanted, len) == 0 && (code[len] == '\0' || code[len] == '.');
}

bool api_reply_is(const struct api_reply *reply, const char *code)
{
    return reply->outcome == API_REFUSED && code_is(reply->code, code);
}

static const struct {
    const char *code, *advice;
} advices[] = {
    {"AuthFailure.SecretIdNotFound", "check cmq.secret_id"},
    {"AuthFailure.InvalidSecretId", "check cmq.secret_id"},
    {"AuthFailure.SignatureFailure", "check cmq.secret_key"},
    {"AuthFailure.SignatureExpire", "set this machine's clock"},
    {"AuthFailure.TokenFailure", "check cmq.token, and that it has not expired"},
    {"AuthFailure.UnauthorizedOperation",
     "the key lacks the right: grant it access to TDMQ for CMQ"},
    {"UnauthorizedOperation", "the key lacks the right: grant it access to TDMQ for CMQ"},
    {"AuthFailure", "check cmq.secret_id, cmq.secret_key and cmq.token"},
    {"UnsupportedRegion", "check cmq.management.region"},
    {"InvalidAction", "check cmq.management.endpoint"},
    {"NoSuchVersion", "check cmq.management.endpoint"},
    {"ActionOffline", "check cmq.management.endpoint"},
    {"RequestLimitExceeded", "others use up the account's 20 requests a second: try again later"},
    {"LimitExceeded", "delete what is not needed, or ask Tencent Cloud for a higher limit"},
    {"ResourceUnavailable.FundRequired", "the account needs funds"},
};

bool api_reply_explain(const struct api_reply *reply, const char *action, struct err *err)
{
    const char *advice = NULL;
    for (size_t i = 0; !advice && i < sizeof advices / sizeof *advices; i++) {
        if (code_is(reply->code, advices[i].code))
            advice = advices[i].advice;
    }
    return err_set(err, "%s: %s%s%s%s%s%s%s%s", action, reply->code, reply->code[0] ? ": " : "",
                   reply->text, advice ? "; " : "", advice ? advice : "",
                   reply->request_id[0] ? " (RequestId " : "", reply->request_id,
                   reply->request_id[0] ? ")" : "");
}
