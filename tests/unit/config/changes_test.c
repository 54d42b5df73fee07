/* What is told of two configurations, and what a running gateway refuses to change. */
#include "config/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define MAIN(more)                                                                                 \
    "gateway = { id = \"g\"; state_dir = \"s\"; };\n"                                              \
    "mqtt = { servers = [ \"tcp://127.0.0.1:1883\" ]; };\n"                                        \
    "cmq = { endpoint = \"http://127.0.0.1:1\"; secret_id = \"i\"; secret_key = \"k\"; };\n" more

static const struct config *load(const char *text)
{
    struct faults faults = {0};
    const struct config *config = config_load_text("g.cfg", span_of(text), &faults);
    if (!config) {
        struct buf out = BUF_INIT(1 << 16);
        faults_print(&faults, false, &out);
        fail_msg("%s", buf_str(&out));
    }
    faults_fini(&faults);
    return config;
}

static void add(void *ctx, const struct config_change *change)
{
    buf_printf(ctx, "%c %s %s%s%s%s%s\n", "+-~"[change->kind], change -> what, change -> name,
               change -> before ? " " : "", change->before ? change->before : "",
               change->before ? " > " : "", change->before ? change->after : "");
}

static void expect(const char *from_text, const char *to_text, const char *expected)
{
    const struct config *from = load(from_text), *to = load(to_text);
    struct buf out = BUF_INIT(1 << 16);
    config_changes(from, to, add, &out);
    assert_string_equal(buf_str(&out), expected);
    buf_fini(&out);
    config_free(from);
    config_free(to);
}

#define RULE(name, filter)                                                                         \
    "{ name = \"" name "\"; from = \"" filter "\"; to = { queue = \"q\"; }; }"

static void every_change_is_told_once(void **state)
{
    static const struct {
        const char *from, *to, *changes;
    } rows[] = {
        {MAIN(""), MAIN(""), ""},
        {MAIN(""), MAIN("log = { level = \"info\"; };"), ""}, /* the default, written out */
        {MAIN(""), MAIN("log = { level = \"debug\"; };"),
         "~ setting log.level \"info\" > \"debug\"\n"},
        {MAIN("push = { listen = \"127.0.0.1:1\"; };"), MAIN(""),
         "~ setting push.listen \"127.0.0.1:1\" > \"\"\n"},
        {MAIN("forward = (" RULE("a", "a") ");"), MAIN("forward = (" RULE("b", "b") ");"),
         "- forward rule a\n+ forward rule b\n"},
        {MAIN("forward = (" RULE("a", "a") ");"), MAIN("\n\nforward = (" RULE("a", "a") ");"), ""},
        {MAIN("forward = (" RULE("a", "a") ");"), MAIN("forward = (" RULE("a", "b") ");"),
         "~ forward rule a\n"},
        {MAIN("forward = (" RULE("a", "a") "," RULE("b", "b") "," RULE("c", "c") ");"),
         MAIN("forward = (" RULE("c", "c") "," RULE("b", "b") ");"),
         "- forward rule a\n~ order of the forward rules \n"},
        {MAIN("reverse = ({ name = \"r\"; from = { queue = \"q\"; }; to = \"t\"; });"),
         MAIN("reverse = ({ name = \"r\"; from = { queue = \"q\"; }; to = \"t\"; qos = 0; });"),
         "~ reverse rule r\n"},
        {MAIN("resources = { queues = ({ name = \"q\"; }); };"),
         MAIN("resources = { queues = ({ name = \"p\"; }); };"), "~ resources \n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i].from, rows[i].to, rows[i].changes);
}

static void a_secret_is_told_and_not_shown(void **state)
{
    (void)state;
    expect(MAIN("admin = { token = \"one-secret-of-ours\"; };"),
           MAIN("admin = { token = \"another-secret-of-ours\"; };"),
           "~ setting admin.token \"********\" > \"********\"\n");
}

static void what_cannot_change_is_refused_with_its_line(void **state)
{
    (void)state;
    const struct config *from = load(MAIN(""));
    const struct config *to = load("gateway = { id = \"h\";\n state_dir = \"t\"; };\n"
                                   "mqtt = { servers = [ \"tcp://127.0.0.1:1883\" ];\n"
                                   "version = \"3.1.1\"; };\n"
                                   "spool = {\n max_size = \"2GiB\";\n sync = \"crash\"; };\n"
                                   "admin = {\n listen = \"127.0.0.1:1\";\n token = \"abc\"; };\n");
    struct faults faults = {0};
    config_check_fixed(from, from, &faults);
    assert_int_equal(faults.count, 0);
    config_check_fixed(from, to, &faults);
    struct buf out = BUF_INIT(1 << 16);
    faults_print(&faults, false, &out);
    assert_string_equal(
        buf_str(&out),
        "g.cfg:1: error: gateway.id cannot change while the gateway runs: restart it\n"
        "g.cfg:2: error: gateway.state_dir cannot change while the gateway runs: restart it\n"
        "g.cfg:4: error: mqtt.version cannot change while the gateway runs: restart it\n"
        "g.cfg:6: error: spool.max_size cannot change while the gateway runs: restart it\n"
        "g.cfg:7: error: spool.sync cannot change while the gateway runs: restart it\n"
        "g.cfg:9: error: admin.listen cannot change while the gateway runs: restart it\n"
        "g.cfg:10: error: admin.token cannot change while the gateway runs: restart it\n");
    buf_fini(&out);
    faults_fini(&faults);
    config_free(from);
    config_free(to);
}

static void the_last_holder_frees(void **state)
{
    (void)state;
    const struct config *config = load(MAIN(""));
    assert_ptr_equal(config_hold(config), config);
    config_free(config);
    assert_string_equal(config->gateway.id, "g");
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_told_once),
        cmocka_unit_test(a_secret_is_told_and_not_shown),
        cmocka_unit_test(what_cannot_change_is_refused_with_its_line),
        cmocka_unit_test(the_last_holder_frees),
    };
    return cmocka_run_group_tests_name("config/changes", tests, NULL, NULL);
}
