/* The client against a little server: what it sends, what it makes of answers and of none. */
#include "cmq/client.h"
#include "tests/unit/cmq/form.h"
#include "tests/unit/cmq/http_server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define SENT "{\"code\":0,\"message\":\"\",\"requestId\":\"r-1\",\"msgId\":\"m-1\"}"
#define REFUSED "{\"code\":4100,\"message\":\"(10030)authentication failed\",\"requestId\":\"r\"}"

/* The account as a test sets it. */
static const char *secret_id, *secret_key, *token;
static int reads; /* of the id */

static bool read_id(void *ctx, struct buf *out, struct err *err)
{
    (void)ctx;
    reads++;
    return secret_id ? buf_add_str(out, secret_id) : err_set(err, "no id today");
}

static bool read_key(void *ctx, struct buf *out, struct err *err)
{
    (void)ctx, (void)err;
    (void)buf_add_str(out, secret_key); /* one that is too long is for the client to find */
    return true;
}

static bool read_token(void *ctx, struct buf *out, struct err *err)
{
    (void)ctx, (void)err;
    return buf_add_str(out, token);
}

static struct http_server *server;
static struct pump *pump;

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    CHECK(setenv("no_proxy", "*", 1) == 0);
    secret_id = "AKIDtest";
    secret_key = "key";
    token = "";
    reads = 0;
    server = http_start();
    http_say(server, SENT, "");
    pump = pump_new(NULL);
    return !pump;
}

static int tear_down(void **state)
{
    (void)state;
    pump_free(pump);
    http_stop(server);
    return 0;
}

static struct cmq_client *client_of(const char *endpoint, struct err *err)
{
    const struct cmq_client_options options = {
        .endpoint = endpoint,
        .secret_id = read_id,
        .secret_key = read_key,
        .token = read_token,
        .signature = CMQ_HMAC_SHA256,
        .timeout_ms = HTTP_DEADLINE_MS,
        .tls = {.ca = "", .verify = true},
    };
    return cmq_client_new(pump, &options, err);
}

static struct cmq_client *client_at(const char *path)
{
    char endpoint[100];
    struct err err;
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u%s", server->port, path);
    struct cmq_client *client = client_of(endpoint, &err);
    if (!client)
        fail_msg("%s", err.text);
    return client;
}

struct outcome {
    int calls;
    enum cmq_verdict verdict;
    int http_status, code;
    size_t messages, ids;
    char text[256];
    bool stop;
};

static void on_reply(void *ctx, const struct cmq_reply *reply)
{
    struct outcome *outcome = ctx;
    outcome->calls++;
    outcome->verdict = reply->verdict;
    outcome->http_status = reply->http_status;
    outcome->code = reply->code;
    outcome->messages = reply->message_count;
    outcome->ids = reply->msg_id_count;
    http_copy(outcome->text, sizeof outcome->text, span_of(reply->text));
    outcome->stop = true;
}

static struct outcome call(struct cmq_client *client, const struct cmq_request *request)
{
    struct outcome outcome = {0};
    assert_non_null(cmq_client_call(client, request, on_reply, &outcome));
    assert_int_equal(outcome.calls, 0); /* never from within */
    pump_run(pump, &outcome.stop);
    assert_int_equal(outcome.calls, 1);
    return outcome;
}

static struct cmq_request one_send(void)
{
    static const struct span body = SPAN_LIT("hello & goodbye");
    return (struct cmq_request){
        .action = CMQ_SEND_MESSAGE, .name = SPAN_LIT("q"), .items = &body, .item_count = 1};
}

static struct outcome send_one(struct cmq_client *client)
{
    struct cmq_request request = one_send();
    return call(client, &request);
}

/* Whether the last request is signed with this key for this host and path, as a server checks it.
 */
static bool is_signed(const char *host, const char *path, const char *key)
{
    struct form form;
    assert_true(form_read(&form, span_of(server->body)));
    struct span sent = form_get(&form, "Signature");
    struct cmq_signer *signer = cmq_signer_new(CMQ_HMAC_SHA256, span_of(key), NULL);
    struct buf ours = BUF_INIT(44);
    assert_true(cmq_sign_params(signer, span_of("POST"), span_of(host), span_of(path), form.params,
                                form.count, &ours));
    bool equal = cmq_signature_equal(sent, buf_span(&ours));
    buf_fini(&ours);
    cmq_signer_free(signer);
    form_fini(&form);
    return equal;
}

static struct span sent_param(const char *key)
{
    static char value[200];
    struct form form;
    assert_true(form_read(&form, span_of(server->body)));
    http_copy(value, sizeof value, form_get(&form, key));
    form_fini(&form);
    return span_of(value);
}

static void a_message_is_sent_signed_for_the_host_that_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *path, *signed_path;
    } rows[] = {{"", "/v2/index.php"}, {"/", "/v2/index.php"}, {"/own/path", "/own/path"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cmq_client *client = client_at(rows[i].path);
        struct outcome outcome = send_one(client);
        assert_int_equal(outcome.verdict, CMQ_DONE);
        assert_int_equal(outcome.http_status, 200);
        assert_int_equal(outcome.ids, 1);
        assert_true(is_signed(server->host, rows[i].signed_path, "key"));
        assert_true(span_eq_str(sent_param("msgBody"), "hello & goodbye"));
        assert_true(span_eq_str(sent_param("SecretId"), "AKIDtest"));
        assert_int_equal(sent_param("Token").len, 0);
        cmq_client_free(client);
    }
}

static void a_default_port_is_not_part_of_the_signed_host(void **state)
{
    (void)state;
    /* through a proxy, the Host header can be seen of a port where nobody listens */
    char proxy[100];
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", server->port);
    CHECK(setenv("http_proxy", proxy, 1) == 0 && setenv("no_proxy", "", 1) == 0);
    static const struct {
        const char *endpoint, *host;
    } rows[] = {{"http://cmq.example:80", "cmq.example"},
                {"http://cmq.example", "cmq.example"},
                {"HTTP://cmq.example:8080/", "cmq.example:8080"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cmq_client *client = client_of(rows[i].endpoint, NULL);
        assert_non_null(client);
        assert_int_equal(send_one(client).verdict, CMQ_DONE);
        assert_string_equal(server->host, rows[i].host);
        assert_true(is_signed(rows[i].host, "/v2/index.php", "key"));
        cmq_client_free(client);
    }
    CHECK(unsetenv("http_proxy") == 0);
}

static void what_is_no_endpoint_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "127.0.0.1:8280",
        "cmq.example",
        "ftp://cmq.example",
        "file:///etc/passwd",
        "http://",
        "http://user@cmq.example",
        "http://user:secret@cmq.example",
        "http://cmq.example/?a=b",
        "http://cmq.example/#a",
        "http://cmq.example:99999",
        "http://cmq example",
        "http://cmq.example\r\nX: y",
        "http://[::1",
    };
    struct err err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        err.text[0] = '\0';
        struct cmq_client *client = client_of(rows[i], &err);
        if (client)
            fail_msg("%s was taken", rows[i]);
        assert_non_null(strstr(err.text, "cmq.endpoint"));
        assert_null(strstr(err.text, "secret@"));
    }
    assert_null(client_of(NULL, &err));
}

static void secrets_that_cannot_be_used_are_refused(void **state)
{
    (void)state;
    char long_key[4098];
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    const struct {
        const char *id, *key, *token, *why;
    } rows[] = {
        {NULL, "key", "", "no id today"},          {"", "key", "", "cmq.secret_id is empty"},
        {"id", "", "", "cmq.secret_key is empty"}, {"id", "se cret", "", "cmq.secret_key"},
        {"id", "secret\n", "", "cmq.secret_key"},  {"i\xC3\xA9", "key", "", "cmq.secret_id"},
        {"id", "key", "to\tken", "cmq.token"},     {"id", long_key, "", "4096"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err err = {""};
        secret_id = rows[i].id;
        secret_key = rows[i].key;
        token = rows[i].token;
        assert_null(client_of("http://127.0.0.1:1", &err));
        if (!strstr(err.text, rows[i].why))
            fail_msg("%s is not %s", err.text, rows[i].why);
        assert_null(strstr(err.text, "cret\n"));
        assert_null(strstr(err.text, "se cret"));
    }
}

static void a_refused_key_is_read_again_but_not_for_ever(void **state)
{
    (void)state;
    secret_key = "old";
    struct cmq_client *client = client_at("");
    assert_int_equal(reads, 1);
    int64_t start_ms = clock_mono_ms();
    http_say(server, REFUSED, "");
    secret_key = "new";
    token = "tok";
    struct outcome outcome = send_one(client);
    assert_int_equal(outcome.verdict, CMQ_HOLD);
    assert_int_equal(outcome.code, 4100);
    assert_true(is_signed(server->host, "/v2/index.php", "old"));
    assert_int_equal(reads, 2);
    for (int i = 0; i < 20; i++)
        (void)send_one(client);
    assert_in_range(reads, 2, 2 + (clock_mono_ms() - start_ms) / 1000);
    assert_true(is_signed(server->host, "/v2/index.php", "new"));
    assert_true(span_eq_str(sent_param("Token"), "tok"));

    /* one that cannot be had leaves the old one in place */
    struct err err = {""};
    secret_id = NULL;
    assert_false(cmq_client_reload_secrets(client, &err));
    assert_string_equal(err.text, "no id today");
    http_say(server, SENT, "");
    assert_int_equal(send_one(client).verdict, CMQ_DONE);
    assert_true(is_signed(server->host, "/v2/index.php", "new"));
    secret_id = "AKIDother";
    secret_key = "third";
    assert_true(cmq_client_reload_secrets(client, &err));
    (void)send_one(client);
    assert_true(is_signed(server->host, "/v2/index.php", "third"));
    cmq_client_free(client);
}

/* Configures client for a path of the server; returns whether it says that something changed. */
static bool configure(struct cmq_client *client, const char *path)
{
    char endpoint[100];
    struct err err;
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u%s", server->port, path);
    const struct cmq_client_options options = {.endpoint = endpoint,
                                               .secret_id = read_id,
                                               .secret_key = read_key,
                                               .token = read_token,
                                               .signature = CMQ_HMAC_SHA256,
                                               .timeout_ms = HTTP_DEADLINE_MS,
                                               .tls = {.ca = "", .verify = true}};
    bool changed;
    if (!cmq_client_configure(client, &options, &changed, &err))
        fail_msg("%s", err.text);
    return changed;
}

static void another_account_is_gone_on_with_and_a_change_is_seen(void **state)
{
    (void)state;
    struct cmq_client *client = client_at("");
    assert_false(configure(client, ""));
    secret_key = "other";
    assert_true(configure(client, ""));
    assert_int_equal(send_one(client).verdict, CMQ_DONE);
    assert_true(is_signed(server->host, "/v2/index.php", "other"));
    assert_false(configure(client, ""));
    token = "tok";
    assert_true(configure(client, ""));
    assert_true(configure(client, "/elsewhere"));
    assert_int_equal(send_one(client).verdict, CMQ_DONE);
    assert_true(is_signed(server->host, "/elsewhere", "other"));

    struct err err = {""};
    bool changed;
    const struct cmq_client_options wrong = {.endpoint = "ftp://nowhere",
                                             .secret_id = read_id,
                                             .secret_key = read_key,
                                             .timeout_ms = 1000};
    assert_false(cmq_client_configure(client, &wrong, &changed, &err));
    assert_non_null(strstr(err.text, "cmq.endpoint"));
    assert_int_equal(send_one(client).verdict, CMQ_DONE);
    assert_true(is_signed(server->host, "/elsewhere", "other"));
    cmq_client_free(client);
}

static void a_key_that_cannot_be_read_again_is_no_end(void **state)
{
    (void)state;
    struct cmq_client *client = client_at("");
    http_say(server, REFUSED, "");
    secret_id = NULL;
    assert_int_equal(send_one(client).verdict, CMQ_HOLD);
    http_say(server, SENT, "");
    assert_int_equal(send_one(client).verdict, CMQ_DONE);
    cmq_client_free(client);
}

static void http_date(int64_t unix_s, char out[64])
{
    struct tm tm;
    time_t at = (time_t)unix_s;
    CHECK(gmtime_r(&at, &tm) != NULL);
    CHECK(strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
}

/* How far the last request's timestamp is from our clock. */
static int64_t stamped_ahead_s(void)
{
    uint64_t stamp;
    assert_true(span_to_u64(sent_param("Timestamp"), INT64_MAX, &stamp));
    return (int64_t)stamp - clock_unix_ms() / 1000;
}

static void timestamps_follow_the_services_clock_when_ours_is_off(void **state)
{
    (void)state;
    struct cmq_client *client = client_at("");
    static const struct {
        int64_t ahead_s, expected_s;
        const char *say;
    } rows[] = {
        {10, 0, SENT},      {-10, 0, SENT},          {7200, 7200, SENT},
        {7210, 7210, SENT}, {-7200, -7200, REFUSED}, {0, 0, SENT},
    };
    char date[64];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        http_date(clock_unix_ms() / 1000 + rows[i].ahead_s, date);
        http_say(server, rows[i].say, date);
        (void)send_one(client); /* shows the clock */
        http_say(server, SENT, "");
        (void)send_one(client); /* an answer without a date says nothing */
        (void)send_one(client);
        int64_t ahead_s = stamped_ahead_s();
        assert_in_range(ahead_s - rows[i].expected_s + 1000, 1000 - 25, 1000 + 25);
    }
    /* what is no answer of the service says nothing about its clock */
    http_date(clock_unix_ms() / 1000 + 7200, date);
    http_say(server, "<html>a proxy's page</html>", date);
    assert_int_equal(send_one(client).verdict, CMQ_RETRY);
    (void)send_one(client);
    assert_in_range(stamped_ahead_s() + 1000, 1000 - 25, 1000 + 25);
    cmq_client_free(client);
}

static void a_request_that_breaks_a_limit_is_rejected_unsent(void **state)
{
    (void)state;
    struct cmq_client *client = client_at("");
    static const struct span at = SPAN_LIT("@body");
    struct cmq_request request = one_send();
    request.items = &at;
    struct outcome outcome = call(client, &request);
    assert_int_equal(outcome.verdict, CMQ_REJECT);
    assert_int_equal(outcome.http_status, 0);
    assert_non_null(strstr(outcome.text, "'@'"));
    assert_int_equal(http_accepted(server), 0);

    /* cancelled before it could be said */
    outcome = (struct outcome){0};
    struct cmq_call *pending = cmq_client_call(client, &request, on_reply, &outcome);
    cmq_client_cancel(client, pending);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.verdict, CMQ_RETRY);
    cmq_client_free(client);
}

static void every_fault_of_the_transfer_is_a_retry_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text;
        int http_status;
    } rows[] = {
        {"/close", "closed the connection before its answer was complete", 0},
        {"/garbage", "failed", 0},
        {"/half", "closed the connection", 0},
        {"/big", "larger than 262144 bytes", 0},
        {"/status/503", "HTTP status 503", 503},
        {"/status/204", "HTTP status 204", 204},
        {"/redirect", "HTTP status 302", 302},
        {"/echo", "not a JSON object", 200},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cmq_client *client = client_at(rows[i].path);
        struct outcome outcome = send_one(client);
        assert_int_equal(outcome.verdict, CMQ_RETRY);
        assert_int_equal(outcome.http_status, rows[i].http_status);
        assert_int_equal(outcome.code, -1);
        if (!strstr(outcome.text, rows[i].text))
            fail_msg("%s: %s", rows[i].path, outcome.text);
        assert_null(strstr(outcome.text, "check cmq.endpoint"));
        cmq_client_free(client);
    }
}

static void what_cannot_be_reached_says_what_to_check(void **state)
{
    (void)state;
    char endpoint[100], expected[200];
    unsigned port = http_free_port();
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", port);
    (void)snprintf(expected, sizeof expected,
                   "cannot connect to %s: Connection refused: check cmq.endpoint and that the "
                   "service is up",
                   endpoint);
    struct cmq_client *client = client_of(endpoint, NULL);
    struct outcome outcome = send_one(client);
    assert_int_equal(outcome.verdict, CMQ_RETRY);
    assert_string_equal(outcome.text, expected);
    cmq_client_free(client);

    (void)snprintf(endpoint, sizeof endpoint, "https://127.0.0.1:%u", server->port);
    client = client_of(endpoint, NULL);
    outcome = send_one(client);
    assert_int_equal(outcome.verdict, CMQ_RETRY);
    assert_non_null(strstr(outcome.text, ": check cmq.endpoint, cmq.tls and that"));
    cmq_client_free(client);
}

static struct cmq_client *impatient_client(const char *path, int64_t timeout_ms)
{
    char endpoint[100];
    (void)snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u%s", server->port, path);
    const struct cmq_client_options options = {
        .endpoint = endpoint,
        .secret_id = read_id,
        .secret_key = read_key,
        .timeout_ms = timeout_ms,
        .tls = {.verify = true},
    };
    return cmq_client_new(pump, &options, NULL);
}

static void a_long_poll_gets_its_wait_on_top_of_the_timeout(void **state)
{
    (void)state;
    struct cmq_client *client = impatient_client("/hold", 50);
    struct cmq_request request = {
        .action = CMQ_RECEIVE_MESSAGE, .name = SPAN_LIT("q"), .wait_s = 0};
    assert_non_null(strstr(call(client, &request).text, "within 50 ms"));
    request.wait_s = 1;
    assert_non_null(strstr(call(client, &request).text, "within 1050 ms"));
    request = one_send();
    assert_non_null(strstr(call(client, &request).text, "within 50 ms"));

    /* a queue's own wait can be the longest there is */
    request = (struct cmq_request){.action = CMQ_BATCH_RECEIVE_MESSAGE,
                                   .name = SPAN_LIT("q"),
                                   .wait_s = -1,
                                   .max_messages = 16};
    struct outcome outcome = {0};
    struct cmq_call *pending = cmq_client_call(client, &request, on_reply, &outcome);
    struct outcome other;
    do {
        other = send_one(client); /* ends by its 50 ms */
    } while (other.verdict != CMQ_RETRY);
    assert_int_equal(outcome.calls, 0);
    cmq_client_cancel(client, pending);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.verdict, CMQ_RETRY);
    assert_string_equal(outcome.text, "cancelled");
    cmq_client_free(client);
}

static void a_received_batch_may_be_larger_than_other_answers(void **state)
{
    (void)state;
    struct cmq_client *client = client_at("/big"); /* a megabyte of no JSON */
    struct cmq_request request = {.action = CMQ_BATCH_RECEIVE_MESSAGE,
                                  .name = SPAN_LIT("q"),
                                  .wait_s = 0,
                                  .max_messages = 16};
    assert_non_null(strstr(call(client, &request).text, "not a JSON object"));
    cmq_client_free(client);

    client = client_at("");
    http_say(server,
             "{\"code\":0,\"msgInfoList\":[{\"msgId\":\"1\",\"receiptHandle\":\"1\",\"msgBody\":"
             "\"a\"},{\"msgId\":\"2\",\"receiptHandle\":\"2\",\"msgBody\":\"b\"}]}",
             "");
    struct outcome outcome = call(client, &request);
    assert_int_equal(outcome.verdict, CMQ_DONE);
    assert_int_equal(outcome.messages, 2);
    request.max_messages = 1;
    assert_int_equal(call(client, &request).messages, 1);
    cmq_client_free(client);
}

static void stopping_the_pump_answers_every_call(void **state)
{
    (void)state;
    enum { CALLS = 20 };
    struct cmq_client *client = client_at("/hold");
    struct outcome outcomes[CALLS] = {{0}}, refused = {0};
    struct cmq_request request = one_send();
    for (int i = 0; i < CALLS; i++)
        (void)cmq_client_call(client, &request, on_reply, &outcomes[i]);
    assert_true(pump_start(pump, NULL));
    assert_true(http_wait_held(server, CALLS));
    pump_stop(pump);
    request.item_count = 0;
    (void)cmq_client_call(client, &request, on_reply, &refused);
    assert_int_equal(refused.calls, 0);
    pump_stop(pump);
    assert_int_equal(refused.calls, 1);
    assert_int_equal(refused.verdict, CMQ_REJECT);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(outcomes[i].calls, 1);
        assert_int_equal(outcomes[i].verdict, CMQ_RETRY);
        assert_string_equal(outcomes[i].text, "the gateway is stopping");
    }
    cmq_client_free(client);
    cmq_client_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_message_is_sent_signed_for_the_host_that_is_asked),
        TEST(a_default_port_is_not_part_of_the_signed_host),
        TEST(what_is_no_endpoint_is_refused),
        TEST(secrets_that_cannot_be_used_are_refused),
        TEST(a_refused_key_is_read_again_but_not_for_ever),
        TEST(another_account_is_gone_on_with_and_a_change_is_seen),
        TEST(a_key_that_cannot_be_read_again_is_no_end),
        TEST(timestamps_follow_the_services_clock_when_ours_is_off),
        TEST(a_request_that_breaks_a_limit_is_rejected_unsent),
        TEST(every_fault_of_the_transfer_is_a_retry_with_a_reason),
        TEST(what_cannot_be_reached_says_what_to_check),
        TEST(a_long_poll_gets_its_wait_on_top_of_the_timeout),
        TEST(a_received_batch_may_be_larger_than_other_answers),
        TEST(stopping_the_pump_answers_every_call),
    };
    return cmocka_run_group_tests_name("cmq/client", tests, NULL, NULL);
}
