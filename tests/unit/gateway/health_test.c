/* What works and what does not. */
#include "gateway/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct cmq_reply done = {.verdict = CMQ_DONE, .http_status = 200};
static const struct cmq_reply away = {
    .verdict = CMQ_RETRY, .http_status = 0, .code = -1, .text = "connection refused"};
static const struct cmq_reply slow = {
    .verdict = CMQ_THROTTLE, .http_status = 200, .code = 4420, .text = "too fast"};
static const struct cmq_reply no_queue = {
    .verdict = CMQ_HOLD, .http_status = 200, .code = 4440, .text = "no such queue"};
static const struct cmq_reply broken = {
    .verdict = CMQ_RETRY, .http_status = 502, .code = -1, .text = "bad gateway"};

/* The codes of the reasons for not being ready, each with a blank after it. */
static void expect_reasons(struct health *health, const char *codes)
{
    struct health_shot shot;
    struct buf text = BUF_INIT(1024);
    health_read(health, &shot);
    for (size_t i = 0; i < shot.reason_count; i++)
        buf_printf(&text, "%s ", shot.reasons[i].code);
    assert_string_equal(buf_str(&text), codes);
    buf_fini(&text);
    health_shot_fini(&shot);
}

static struct health *connected(void)
{
    struct health *health = health_new();
    health_link(health, MQTT_LINK_CONNECTED, true, "connected");
    return health;
}

static void a_gateway_is_ready_once_it_is_connected(void **state)
{
    struct health *health = health_new();
    (void)state;
    expect_reasons(health, "mqtt_not_connected ");
    health_link(health, MQTT_LINK_CONNECTED, false, "connected");
    expect_reasons(health, ""); /* CMQ was not tried: nothing speaks against it */
    health_link(health, MQTT_LINK_AWAY, false, "the spool is full");
    health_spool(health, SPOOL_FULL, "full");
    expect_reasons(health, "mqtt_not_connected spool_full ");
    health_spool(health, SPOOL_FAILED, "no space left");
    health_link(health, MQTT_LINK_CONNECTED, true, "connected");
    expect_reasons(health, "spool_failed ");
    health_spool(health, SPOOL_ACCEPTING, "");
    health_stopping(health);
    expect_reasons(health, "stopping ");
    health_free(health);
}

static void a_refused_subscription_is_forgotten_with_its_connection(void **state)
{
    struct health *health = connected();
    struct health_shot shot;
    (void)state;
    health_refused(health, "secret/#", "not authorized");
    health_refused(health, "secret/#", "not authorized");
    expect_reasons(health, "subscription_refused ");
    health_read(health, &shot);
    assert_int_equal(shot.mqtt.refused_count, 1);
    assert_string_equal(shot.reasons[0].text, "secret/#: not authorized");
    assert_int_equal(shot.mqtt.connects, 1);
    health_shot_fini(&shot);
    health_link(health, MQTT_LINK_CONNECTING, false, "lost");
    health_link(health, MQTT_LINK_CONNECTED, true, "connected");
    expect_reasons(health, "");
    health_free(health);
}

static void goes_wrong(struct health *health, const char *destination, enum gate_health gate,
                       const struct cmq_reply *reply)
{
    health_destination(health, destination, gate, reply);
    health_answer(health, reply);
}

static enum health_cmq cmq_state(struct health *health)
{
    struct health_shot shot;
    health_read(health, &shot);
    enum health_cmq cmq = shot.cmq.state;
    health_shot_fini(&shot);
    return cmq;
}

static void cmq_fails_until_an_answer_comes(void **state)
{
    struct health *health = connected();
    (void)state;
    assert_int_equal(cmq_state(health), HEALTH_CMQ_UNTRIED);
    health_answer(health, &done);
    assert_int_equal(cmq_state(health), HEALTH_CMQ_OK);
    goes_wrong(health, "queue a", GATE_BACKING_OFF, &away);
    assert_int_equal(cmq_state(health), HEALTH_CMQ_FAILING);
    expect_reasons(health, "cmq_failing ");
    goes_wrong(health, "queue a", GATE_BACKING_OFF, &broken);
    expect_reasons(health, "cmq_failing ");
    health_destination(health, "queue a", GATE_OPEN, &done);
    health_answer(health, &done);
    assert_int_equal(cmq_state(health), HEALTH_CMQ_OK);
    expect_reasons(health, "");
    health_free(health);
}

static void a_throttled_destination_is_no_reason(void **state)
{
    struct health *health = connected();
    struct health_shot shot;
    (void)state;
    goes_wrong(health, "queue a", GATE_BACKING_OFF, &slow);
    expect_reasons(health, "");
    health_read(health, &shot);
    assert_int_equal(shot.cmq.trouble_count, 1); /* but it shows */
    assert_int_equal(shot.cmq.troubles[0].code, 4420);
    health_shot_fini(&shot);
    health_free(health);
}

static void one_wrong_name_is_a_reason_while_others_work(void **state)
{
    struct health *health = connected();
    struct health_shot shot;
    (void)state;
    goes_wrong(health, "queue a", GATE_BACKING_OFF, &away);
    goes_wrong(health, "queue nope", GATE_HOLDING, &no_queue);
    health_answer(health, &done);
    expect_reasons(health, "cmq_held ");
    health_read(health, &shot);
    assert_non_null(strstr(shot.reasons[0].text, "queue nope: CMQ says 4440 no such queue"));
    assert_int_equal(shot.cmq.trouble_count, 2);
    assert_int_equal(shot.cmq.troubles[0].code, -1); /* nobody answered */
    health_shot_fini(&shot);
    health_destination(health, "queue nope", GATE_OPEN, NULL); /* nothing is bound for it now */
    expect_reasons(health, "");
    health_free(health);
}

static void what_nobody_waits_for_any_more_is_no_trouble(void **state)
{
    struct health *health = connected();
    (void)state;
    goes_wrong(health, "queue a", GATE_BACKING_OFF, &away);
    expect_reasons(health, "cmq_failing ");
    health_destination(health, "queue a", GATE_OPEN, NULL);
    expect_reasons(health, "");
    assert_int_equal(cmq_state(health), HEALTH_CMQ_UNTRIED);
    health_free(health);
}

static void many_troubles_are_counted_and_not_all_shown(void **state)
{
    struct health *health = connected();
    struct health_shot shot;
    char name[32];
    (void)state;
    for (int i = 0; i < HEALTH_MAX_TROUBLES + 5; i++) {
        (void)snprintf(name, sizeof name, "queue q%d", i);
        health_destination(health, name, GATE_BACKING_OFF, &away);
    }
    health_read(health, &shot);
    assert_int_equal(shot.cmq.trouble_count, HEALTH_MAX_TROUBLES);
    assert_int_equal(shot.cmq.left_out, 5);
    health_shot_fini(&shot);
    health_free(health);
}

static void the_last_reload_is_kept(void **state)
{
    struct health *health = connected();
    struct health_shot shot;
    (void)state;
    health_read(health, &shot);
    assert_int_equal(shot.reload.count, 0);
    health_shot_fini(&shot);
    health_reload(health, false, "1 error", "[{\"line\":3}]");
    health_reload(health, true, "+ forward r", "");
    health_reload(health, false, "2 errors", "[]");
    health_read(health, &shot);
    assert_int_equal(shot.reload.count, 3);
    assert_int_equal(shot.reload.failed, 2);
    assert_false(shot.reload.ok);
    assert_string_equal(shot.reload.summary, "2 errors");
    health_shot_fini(&shot);
    expect_reasons(health, ""); /* the old rules work */
    health_free(health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateway_is_ready_once_it_is_connected),
        cmocka_unit_test(a_refused_subscription_is_forgotten_with_its_connection),
        cmocka_unit_test(cmq_fails_until_an_answer_comes),
        cmocka_unit_test(a_throttled_destination_is_no_reason),
        cmocka_unit_test(one_wrong_name_is_a_reason_while_others_work),
        cmocka_unit_test(what_nobody_waits_for_any_more_is_no_trouble),
        cmocka_unit_test(many_troubles_are_counted_and_not_all_shown),
        cmocka_unit_test(the_last_reload_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
