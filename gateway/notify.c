/* notify - see notify.h. */
#include "gateway/notify.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    NOTIFY_MAX_BYTES = 2048, /* of a datagram */
    NOTIFY_PATIENCE_S = 1,   /* a manager that reads nothing holds us up no longer */
};

/* A path or an abstract address into n->to. */
static bool set_address(struct notify *n, const char *text, struct err *err)
{
    size_t len = strlen(text);
    if (len < 2 || (text[0] != '/' && text[0] != '@'))
        return err_set(err, "NOTIFY_SOCKET must be a path or begin with '@', found \"%s\"", text);
    if (len >= sizeof n->to.sun_path)
        return err_set(err, "NOTIFY_SOCKET is longer than %zu bytes", sizeof n->to.sun_path - 1);
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, text, len);
    if (text[0] == '@')
        n->to.sun_path[0] = '\0';
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
    return true;
}

static bool open_socket(struct notify *n, const char *text, struct err *err)
{
    if (!set_address(n, text, err))
        return false;
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = NOTIFY_PATIENCE_S};
    if (n->fd < 0 || setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        return err_set(err, "cannot make a socket for NOTIFY_SOCKET: %s", strerror(errno));
    return true;
}

/* How long the watchdog of this very process waits; 0 when there is none. */
static int64_t watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    uint64_t number;
    if (!usec || !span_to_u64(span_of(usec), INT64_MAX, &number))
        return 0;
    int64_t ms = (int64_t)(number / 1000);
    if (pid && (!span_to_u64(span_of(pid), INT64_MAX, &number) || number != (uint64_t)getpid()))
        return 0;
    return ms;
}

bool notify_open(struct notify *n, struct err *err)
{
    *n = (struct notify){.fd = -1, .watchdog_ms = watchdog_ms()};
    const char *address = getenv("NOTIFY_SOCKET");
    bool ok = !address || open_socket(n, address, err);
    if (!ok)
        notify_close(n);
    if (n->fd < 0)
        n->watchdog_ms = 0;
    CHECK(unsetenv("NOTIFY_SOCKET") == 0);
    CHECK(unsetenv("WATCHDOG_USEC") == 0);
    CHECK(unsetenv("WATCHDOG_PID") == 0);
    return ok;
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

static void tell(struct notify *n, struct span text)
{
    if (n->fd < 0)
        return;
    const struct sockaddr *to = (const struct sockaddr *)&n->to;
    ssize_t sent = sendto(n->fd, text.ptr, text.len, MSG_NOSIGNAL, to, n->to_len);
    if (sent < 0 && !n->failing)
        log_write(LOG_WARN, "notify.failed", NULL,
                  "cannot tell the service manager how the gateway is: %s", strerror(errno));
    n->failing = sent < 0;
}

/* Tells lines, each with its newline, and STATUS= behind them where there is one. */
static void tell_with_status(struct notify *n, const char *lines, const char *status)
{
    struct buf text = BUF_INIT(NOTIFY_MAX_BYTES);
    buf_printf(&text, "%s", lines);
    size_t begin = text.len;
    buf_printf(&text, "STATUS=%.1024s", status);
    for (size_t i = begin; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < ' ')
            text.ptr[i] = ' ';
    }
    tell(n, buf_span(&text));
    buf_fini(&text);
}

void notify_ready(struct notify *n, const char *status)
{
    tell_with_status(n, "READY=1\n", status);
}

void notify_reloading(struct notify *n)
{
    char text[64];
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_us());
    tell(n, span_of(text));
}

void notify_stopping(struct notify *n)
{
    tell_with_status(n, "STOPPING=1\n", "stopping: finishing what is under way");
}

void notify_alive(struct notify *n)
{
    tell(n, span_of("WATCHDOG=1"));
}

void notify_status(struct notify *n, const char *status)
{
    tell_with_status(n, "", status);
}
