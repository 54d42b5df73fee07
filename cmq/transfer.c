/*
 * transfer - the pump's HTTP exchanges: see pump.h and pump_impl.h
 *
 * An easy handle is set up once and kept; an exchange sets only what differs: URL, body, time
 * limit. Answers are read whole, up to the exchange's limit, into memory that stays with the
 * handle.
 */
#include "cmq/pump_impl.h"

#include <stdio.h>
#include <utlist.h>

enum {
    TRANSFER_MAGIC = 0x70756d70,
    MAX_CONNECTIONS = 8192, /* kept open; more than anybody has in flight */
    MAX_IDLE_HANDLES = 128,
    KEEP_BYTES = 256 << 10, /* of a kept handle's body and answer, each */
    CONNECT_TIMEOUT_MS = 10000,
};

struct pump_transfer {
    unsigned magic;
    struct pump_transfer *prev, *next;
    struct transfers *owner;
    CURL *easy;
    bool ready; /* set up, with these TLS settings */
    bool verify;
    char *ca;
    struct curl_slist *headers; /* NULL: those of every form */
    struct buf body, reply;
    CURLcode stuck; /* why it could not be started; CURLE_OK: it was */
    uint64_t begun; /* the owner's turn in which it began */
    int64_t timeout_ms;
    pump_done_fn done;
    void *ctx;
    char curl_error[CURL_ERROR_SIZE];
};

static struct pump_transfer *transfer_of(void *ptr)
{
    struct pump_transfer *transfer = ptr;
    CHECK(transfer && transfer->magic == TRANSFER_MAGIC);
    return transfer;
}

static void global_init(void)
{
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

bool transfers_init(struct transfers *transfers)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CHECK(pthread_once(&once, global_init) == 0);
    *transfers = (struct transfers){.multi = curl_multi_init()};
    /* Without this, curl asks before a body of 1 MiB, and waits a second for the answer. */
    transfers->form_headers = curl_slist_append(NULL, "Expect:");
    if (transfers->multi && transfers->form_headers &&
        curl_multi_setopt(transfers->multi, CURLMOPT_MAXCONNECTS, (long)MAX_CONNECTIONS) ==
            CURLM_OK &&
        curl_multi_wakeup(transfers->multi) == CURLM_OK) /* fails without file descriptors */
        return true;
    transfers_fini(transfers);
    return false;
}

static void transfer_free(struct pump_transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    free(transfer->ca);
    buf_fini(&transfer->body);
    buf_fini(&transfer->reply);
    transfer->magic = 0;
    free(transfer);
}

void transfers_fini(struct transfers *transfers)
{
    CHECK(transfers->count == 0);
    struct pump_transfer *transfer, *next;
    DL_FOREACH_SAFE(transfers->idle, transfer, next) transfer_free(transfer);
    if (transfers->multi)
        (void)curl_multi_cleanup(transfers->multi);
    curl_slist_free_all(transfers->form_headers);
    *transfers = (struct transfers){0};
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
    struct pump_transfer *transfer = transfer_of(ctx);
    return buf_add(&transfer->reply, span_make(bytes, size * count)) ? count : 0;
}

#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (code == CURLE_OK)                                                                      \
            code = curl_easy_setopt(transfer->easy, CURLOPT_##option, value);                      \
    } while (0)

/* Everything that stays the same from one exchange to the next. */
static CURLcode set_up(struct pump_transfer *transfer, const struct pump_tls *tls)
{
    CURLcode code = CURLE_OK;
    curl_easy_reset(transfer->easy);
    SET(PRIVATE, transfer);
    SET(NOSIGNAL, 1L);
    SET(PROTOCOLS_STR, "http,https");
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* one exchange a connection */
    SET(POST, 1L);
    SET(HTTPHEADER, transfer->owner->form_headers);
    SET(USERAGENT, "cmqgw/" CMQGW_VERSION);
    SET(WRITEFUNCTION, on_bytes);
    SET(WRITEDATA, transfer);
    SET(ERRORBUFFER, transfer->curl_error);
    SET(TCP_KEEPALIVE, 1L);
    SET(CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    SET(QUICK_EXIT, 1L); /* ending an exchange does not wait until a name is resolved */
    SET(SSL_VERIFYPEER, tls->verify ? 1L : 0L);
    SET(SSL_VERIFYHOST, tls->verify ? 2L : 0L);
    free(transfer->ca);
    transfer->ca = span_dup(span_of(tls->ca));
    transfer->verify = tls->verify;
    if (*transfer->ca)
        SET(CAINFO, transfer->ca);
    transfer->ready = code == CURLE_OK;
    return code;
}

/* What differs between exchanges. */
static CURLcode prepare(struct pump_transfer *transfer, const struct pump_request *request)
{
    static const struct pump_tls careful = {.verify = true};
    const struct pump_tls *tls = request->tls ? request->tls : &careful;
    CURLcode code = CURLE_OK;
    if (!transfer->ready || transfer->verify != tls->verify ||
        strcmp(transfer->ca, tls->ca ? tls->ca : "") != 0)
        code = set_up(transfer, tls);
    transfer->curl_error[0] = '\0';
    transfer->timeout_ms = request->timeout_ms;
    transfer->reply.max_len = request->max_reply_bytes;
    transfer->body.max_len = request->body.len;
    CHECK(buf_add(&transfer->body, request->body));
    for (const char *const *header = request->headers; header && *header; header++)
        transfer->headers = check_alloc(curl_slist_append(transfer->headers, *header));
    if (transfer->headers) {
        transfer->headers = check_alloc(curl_slist_append(transfer->headers, "Expect:"));
        SET(HTTPHEADER, transfer->headers);
    }
    SET(URL, request->url);
    SET(TIMEOUT_MS, (long)request->timeout_ms);
    SET(POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.len);
    SET(POSTFIELDS, buf_str(&transfer->body));
    return code;
}

static struct pump_transfer *take_idle(struct transfers *transfers)
{
    struct pump_transfer *transfer = transfers->idle;
    if (transfer) {
        DL_DELETE(transfers->idle, transfer);
        transfers->idle_count--;
        return transfer;
    }
    transfer = check_alloc(calloc(1, sizeof *transfer));
    transfer->magic = TRANSFER_MAGIC;
    transfer->owner = transfers;
    transfer->easy = check_alloc(curl_easy_init());
    return transfer;
}

struct pump_transfer *pump_transfer(struct pump *pump, const struct pump_request *request,
                                    pump_done_fn done, void *ctx)
{
    struct transfers *transfers = &pump->transfers;
    struct pump_transfer *transfer = take_idle(transfers);
    transfer->done = done;
    transfer->ctx = ctx;
    transfer->begun = transfers->turn;
    transfer->stuck = prepare(transfer, request);
    if (transfer->stuck == CURLE_OK &&
        curl_multi_add_handle(transfers->multi, transfer->easy) != CURLM_OK)
        transfer->stuck = CURLE_FAILED_INIT;
    if (transfer->stuck == CURLE_OK)
        DL_APPEND(transfers->active, transfer);
    else
        DL_APPEND(transfers->stuck, transfer);
    transfers->count++;
    return transfer;
}

/* Scheme, host and port: what a person needs to find the fault. */
static struct span origin(const char *url)
{
    struct span all = span_of(url);
    const char *host = url ? strstr(url, "://") : NULL;
    if (!host)
        return all;
    size_t start = (size_t)(host - url) + 3;
    return span_slice(all, 0, start + strcspn(url + start, "/?#"));
}

static void explain(const struct pump_transfer *transfer, CURLcode code, bool connected,
                    struct err *err)
{
    char *url = NULL;
    long os_errno = 0;
    char errno_text[128];
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_EFFECTIVE_URL, &url);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &os_errno);
    struct span to = origin(url);
    const char *curl_text =
        transfer->curl_error[0] ? transfer->curl_error : curl_easy_strerror(code);
    const char *text =
        os_errno ? strerror_r((int)os_errno, errno_text, sizeof errno_text) : curl_text;
    if (code == CURLE_COULDNT_RESOLVE_HOST) {
        (void)err_set(err, "cannot find the address of %.*s", SPAN_ARG(to));
    } else if (code == CURLE_COULDNT_CONNECT) {
        (void)err_set(err, "cannot connect to %.*s: %s", SPAN_ARG(to), text);
    } else if (code == CURLE_OPERATION_TIMEDOUT && connected) {
        (void)err_set(err, "no answer from %.*s within %lld ms", SPAN_ARG(to),
                      (long long)transfer->timeout_ms);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        (void)err_set(err, "cannot connect to %.*s in time", SPAN_ARG(to));
    } else if (code == CURLE_WRITE_ERROR && transfer->reply.overflow) {
        (void)err_set(err, "the answer of %.*s is larger than %zu bytes", SPAN_ARG(to),
                      transfer->reply.max_len);
    } else if (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
               code == CURLE_PARTIAL_FILE) {
        (void)err_set(err, "%.*s closed the connection before its answer was complete",
                      SPAN_ARG(to));
    } else {
        (void)err_set(err, "the exchange with %.*s failed: %s", SPAN_ARG(to), curl_text);
    }
}

/* Answers share their Date with those of the same second, so the last one is remembered. */
static int64_t date_of(struct pump_transfer *transfer)
{
    struct transfers *owner = transfer->owner;
    struct curl_header *header;
    if (curl_easy_header(transfer->easy, "Date", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return 0;
    size_t len = strlen(header->value);
    if (len >= sizeof owner->date_text)
        return 0;
    if (memcmp(header->value, owner->date_text, len + 1) != 0) {
        memcpy(owner->date_text, header->value, len + 1);
        time_t date_s = curl_getdate(header->value, NULL);
        owner->date_s = date_s > 0 ? date_s : 0;
    }
    return owner->date_s;
}

static void keep(struct pump_transfer *transfer)
{
    struct transfers *owner = transfer->owner;
    if (transfer->headers) {
        transfer->ready =
            curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, owner->form_headers) == CURLE_OK;
        curl_slist_free_all(transfer->headers);
        transfer->headers = NULL;
    }
    if (owner->idle_count >= MAX_IDLE_HANDLES) {
        transfer_free(transfer);
        return;
    }
    struct buf *both[] = {&transfer->body, &transfer->reply};
    for (size_t i = 0; i < 2; i++) {
        buf_clear(both[i]);
        if (both[i]->room > KEEP_BYTES)
            buf_fini(both[i]);
    }
    DL_PREPEND(owner->idle, transfer); /* the last one used is the warmest */
    owner->idle_count++;
}

/* Takes the exchange out, calls back, keeps the handle. why: it was ended from outside. */
static void finish(struct pump_transfer *transfer, CURLcode code, const char *why)
{
    struct transfers *owner = transfer->owner;
    struct pump_result result = {0};
    struct err err;
    long number = 0;
    if (code == CURLE_OK && !why) {
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &number);
        result.http_status = (int)number;
        result.body = buf_span(&transfer->reply);
        result.date_s = date_of(transfer);
        result.connected = true;
    } else {
        /* Before the first turn the number would be that of the handle's last exchange. */
        if (transfer->stuck == CURLE_OK && transfer->begun != owner->turn)
            (void)curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &number);
        result.connected = number > 0;
        if (!why)
            explain(transfer, code, result.connected, &err);
        result.error = why ? why : err.text;
        result.cancelled = why != NULL;
    }
    if (transfer->stuck == CURLE_OK) {
        CHECK(curl_multi_remove_handle(owner->multi, transfer->easy) == CURLM_OK);
        DL_DELETE(owner->active, transfer);
    } else {
        DL_DELETE(owner->stuck, transfer);
    }
    owner->count--;
    transfer->done(transfer->ctx, &result);
    keep(transfer);
}

void pump_cancel(struct pump *pump, struct pump_transfer *transfer)
{
    (void)pump;
    finish(transfer_of(transfer), CURLE_ABORTED_BY_CALLBACK, "cancelled");
}

/* Those that are stuck now: their callbacks may start others, which wait for the next time. */
static void end_stuck(struct transfers *transfers)
{
    struct pump_transfer *transfer;
    size_t left = 0;
    DL_COUNT(transfers->stuck, transfer, left);
    for (; left > 0 && transfers->stuck; left--)
        finish(transfers->stuck, transfers->stuck->stuck, NULL);
}

bool transfers_move(struct transfers *transfers)
{
    int count;
    bool any = transfers->stuck != NULL;
    end_stuck(transfers);
    transfers->turn++;
    CHECK(curl_multi_perform(transfers->multi, &count) == CURLM_OK);
    for (;;) {
        const CURLMsg *message = curl_multi_info_read(transfers->multi, &count);
        if (!message)
            return any;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        char *transfer = NULL;
        CHECK(curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK);
        finish(transfer_of(transfer), code, NULL);
        any = true;
    }
}

void transfers_wait(struct transfers *transfers, int64_t wait_ms)
{
    CHECK(curl_multi_poll(transfers->multi, NULL, 0, (int)wait_ms, NULL) == CURLM_OK);
}

void transfers_end(struct transfers *transfers)
{
    /* None of the active is stuck, so finish takes each off this list: the analyser cannot know. */
    while (transfers->active) // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
        finish(transfers->active, CURLE_ABORTED_BY_CALLBACK, "the gateway is stopping");
    end_stuck(transfers);
}

size_t pump_in_flight(const struct pump *pump)
{
    return pump->transfers.count;
}
