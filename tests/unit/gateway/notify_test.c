#include "gateway/notify.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A service manager's end: a socket at a path of its own, or at an abstract address. */
struct manager {
    char folder[32];
    char address[64]; /* as NOTIFY_SOCKET says it */
    int fd;
};

static void listen_at(struct manager *m, bool is_abstract)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    (void)snprintf(m->folder, sizeof m->folder, "/tmp/cmqgw-notify-XXXXXX");
    assert_non_null(mkdtemp(m->folder));
    (void)snprintf(m->address, sizeof m->address, "%s/socket", m->folder);
    size_t len = strlen(m->address);
    memcpy(at.sun_path, m->address, len);
    if (is_abstract) {
        m->address[0] = '@';
        at.sun_path[0] = '\0';
    }
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(m->fd >= 0);
    socklen_t at_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + !is_abstract);
    assert_int_equal(bind(m->fd, (struct sockaddr *)&at, at_len), 0);
}

static int be_manager(void **state)
{
    static struct manager manager;
    listen_at(&manager, false);
    *state = &manager;
    return 0;
}

static int be_abstract_manager(void **state)
{
    static struct manager manager;
    listen_at(&manager, true);
    *state = &manager;
    return 0;
}

static void be_gone(struct manager *m)
{
    if (m->fd >= 0)
        close(m->fd);
    m->fd = -1;
    m->address[0] = '/';
    (void)unlink(m->address);
    (void)rmdir(m->folder);
}

static int end_manager(void **state)
{
    be_gone(*state);
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    return 0;
}

static void set(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void open_to(struct notify *n, const struct manager *m, const char *usec, const char *pid)
{
    struct err err;
    set("NOTIFY_SOCKET", m->address);
    set("WATCHDOG_USEC", usec);
    set("WATCHDOG_PID", pid);
    assert_true(notify_open(n, &err));
}

/* The next datagram must be this. */
static void assert_told(const struct manager *m, const char *expected)
{
    char text[4096];
    ssize_t n = recv(m->fd, text, sizeof text - 1, MSG_DONTWAIT);
    assert_true(n >= 0);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

static void each_state_is_one_datagram(void **state)
{
    const struct manager *m = *state;
    struct notify n;
    open_to(&n, m, NULL, NULL);
    notify_ready(&n, "3 rules");
    assert_told(m, "READY=1\nSTATUS=3 rules");
    notify_alive(&n);
    assert_told(m, "WATCHDOG=1");
    notify_status(&n, "12 deliveries wait");
    assert_told(m, "STATUS=12 deliveries wait");
    notify_stopping(&n);
    assert_told(m, "STOPPING=1\nSTATUS=stopping: finishing what is under way");
    notify_close(&n);
}

static void reloading_says_when_by_the_monotonic_clock(void **state)
{
    const struct manager *m = *state;
    struct notify n;
    open_to(&n, m, NULL, NULL);
    int64_t before_us = clock_mono_us();
    notify_reloading(&n);
    int64_t after_us = clock_mono_us();
    char text[128] = "";
    assert_true(recv(m->fd, text, sizeof text - 1, MSG_DONTWAIT) > 0);
    const char prefix[] = "RELOADING=1\nMONOTONIC_USEC=";
    assert_memory_equal(text, prefix, sizeof prefix - 1);
    int64_t said_us = strtoll(text + sizeof prefix - 1, NULL, 10);
    assert_in_range(said_us, before_us, after_us);
    notify_close(&n);
}

static void a_status_stays_one_line_and_short(void **state)
{
    const struct manager *m = *state;
    struct notify n;
    open_to(&n, m, NULL, NULL);
    notify_status(&n, "a\nREADY=1\tb");
    assert_told(m, "STATUS=a READY=1 b");

    char longer[5000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    notify_ready(&n, longer);
    char text[4096];
    ssize_t len = recv(m->fd, text, sizeof text, MSG_DONTWAIT);
    assert_int_equal(len, strlen("READY=1\nSTATUS=") + 1024);
    notify_close(&n);
}

static void without_a_manager_nothing_is_told(void **state)
{
    (void)state;
    struct notify n;
    struct err err;
    set("NOTIFY_SOCKET", NULL);
    set("WATCHDOG_USEC", "30000000");
    assert_true(notify_open(&n, &err));
    assert_int_equal(n.fd, -1);
    assert_int_equal(n.watchdog_ms, 0);
    notify_ready(&n, "");
    notify_alive(&n);
    assert_false(n.failing);
    notify_close(&n);
}

static void the_watchdog_is_for_the_process_it_names(void **state)
{
    const struct manager *m = *state;
    char self[16];
    char other[16];
    (void)snprintf(self, sizeof self, "%d", getpid());
    (void)snprintf(other, sizeof other, "%d", getpid() + 1);
    const struct {
        const char *usec, *pid;
        int64_t ms;
    } rows[] = {
        {"30000000", self, 30000},
        {"30000000", NULL, 30000},
        {"30000000", other, 0},
        {NULL, self, 0},
        {"0", self, 0},
        {"soon", self, 0},
        {"-1", NULL, 0},
        {"30000000", "me", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct notify n;
        open_to(&n, m, rows[i].usec, rows[i].pid);
        assert_int_equal(n.watchdog_ms, rows[i].ms);
        notify_close(&n);
    }
}

static void children_find_nothing_in_the_environment(void **state)
{
    struct notify n;
    open_to(&n, *state, "30000000", "1");
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    assert_true(fcntl(n.fd, F_GETFD) & FD_CLOEXEC);
    notify_close(&n);
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    char longer[200] = "/";
    memset(longer + 1, 'x', sizeof longer - 2);
    longer[sizeof longer - 1] = '\0';
    const struct {
        const char *address, *why;
    } rows[] = {
        {"relative/path", "must be a path"},
        {"vsock:2:1234", "must be a path"},
        {"", "must be a path"},
        {"@", "must be a path"},
        {longer, "longer than 107 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct notify n;
        struct err err = {.text = ""};
        set("NOTIFY_SOCKET", rows[i].address);
        assert_false(notify_open(&n, &err));
        assert_non_null(strstr(err.text, rows[i].why));
        assert_null(getenv("NOTIFY_SOCKET"));
        notify_ready(&n, "nobody hears this");
    }
}

static void a_manager_that_went_away_does_no_harm_and_is_noticed_when_it_is_back(void **state)
{
    struct manager *m = *state;
    struct notify n;
    open_to(&n, m, NULL, NULL);
    be_gone(m);
    notify_alive(&n);
    assert_true(n.failing);
    notify_alive(&n);
    notify_close(&n);

    listen_at(m, false);
    open_to(&n, m, NULL, NULL);
    n.failing = true;
    notify_alive(&n);
    assert_false(n.failing);
    assert_told(m, "WATCHDOG=1");
    notify_close(&n);
}

static void without_descriptors_opening_fails(void **state)
{
    const struct manager *m = *state;
    struct notify n;
    struct err err = {.text = ""};
    int taken[1024];
    size_t count = 0;
    set("NOTIFY_SOCKET", m->address);
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit few = {.rlim_cur = 64, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (count < 1024 && (taken[count] = dup(m->fd)) >= 0)
        count++;
    bool ok = notify_open(&n, &err);
    while (count > 0)
        close(taken[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_false(ok);
    assert_non_null(strstr(err.text, "cannot make a socket"));
    assert_int_equal(n.fd, -1);
}

#define WITH_MANAGER(test) cmocka_unit_test_setup_teardown(test, be_manager, end_manager)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_MANAGER(each_state_is_one_datagram),
        {"an_abstract_address_works_too", each_state_is_one_datagram, be_abstract_manager,
         end_manager, NULL},
        WITH_MANAGER(reloading_says_when_by_the_monotonic_clock),
        WITH_MANAGER(a_status_stays_one_line_and_short),
        cmocka_unit_test(without_a_manager_nothing_is_told),
        WITH_MANAGER(the_watchdog_is_for_the_process_it_names),
        WITH_MANAGER(children_find_nothing_in_the_environment),
        cmocka_unit_test(an_address_that_is_none_is_refused),
        WITH_MANAGER(a_manager_that_went_away_does_no_harm_and_is_noticed_when_it_is_back),
        WITH_MANAGER(without_descriptors_opening_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
