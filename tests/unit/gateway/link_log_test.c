/* What the log says of the session with the broker. */
#include "gateway/link_log.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

struct turn {
    enum mqtt_link_state state;
    const char *why;
    bool logged;
};

static const struct turn turns[] = {
    {MQTT_LINK_CONNECTING, "tcp://a refuses; trying again in 0.1 s", true},
    {MQTT_LINK_CONNECTING, "tcp://a refuses; trying again in 0.3 s", false},
    {MQTT_LINK_CONNECTING, "tcp://b is away; trying the next server", true}, /* another cause */
    {MQTT_LINK_CONNECTING, "tcp://a refuses; trying again in 1.3 s", false},
    {MQTT_LINK_CONNECTING, "tcp://b is away; trying again in 2.0 s", false},
    {MQTT_LINK_CONNECTED, "connected to tcp://a", true},
    {MQTT_LINK_CONNECTING, "tcp://a refuses; trying again in 0.1 s", true}, /* it worked between */
    {MQTT_LINK_AWAY, "the spool is full", true},
    {MQTT_LINK_CONNECTING, "", true},
    {MQTT_LINK_CONNECTING, "tcp://a refuses; trying again in 0.1 s", true},
    {MQTT_LINK_CONNECTING, "tcp://a refuses; trying again in 0.1 s", false},
};

static size_t count_lines(FILE *file)
{
    char line[4096];
    size_t count = 0;
    rewind(file);
    while (fgets(line, sizeof line, file))
        count++;
    return count;
}

static void a_cause_that_goes_on_is_told_once(void **state)
{
    struct link_log log = {0};
    FILE *file = tmpfile();
    int saved = dup(STDERR_FILENO);
    size_t expected = 0;
    (void)state;
    assert_true(file && saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    size_t counts[sizeof turns / sizeof *turns];
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        link_log_state(&log, turns[i].state, false, turns[i].why);
        counts[i] = count_lines(file);
        (void)fseek(file, 0, SEEK_END);
    }
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    (void)fclose(file);
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        expected += turns[i].logged;
        if (counts[i] != expected)
            fail_msg("turn %zu: %zu lines, not %zu", i, counts[i], expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cause_that_goes_on_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
