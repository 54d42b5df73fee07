/* status_page - see status_page.h. */
#include "gateway/status_page.h"

#include "base/buf.h"
#include "gateway/print.h"
#include "mapping/jsonview.h"

#include <math.h>
#include <stdlib.h>

enum { COLUMNS = 80, LABEL = 10, TEXT_BYTES = 4096, MAX_RULES = 200 };

struct page {
    FILE *out;
    bool fancy;
    struct jsonview status;
};

/* ---- reading ---- */

static double number_of(struct jsonview view)
{
    char text[64];
    if (view.kind != JSONVIEW_NUMBER || view.text.len >= sizeof text)
        return NAN;
    memcpy(text, view.text.ptr, view.text.len);
    text[view.text.len] = '\0';
    return strtod(text, NULL);
}

static struct jsonview find(struct jsonview root, const char *pointer)
{
    struct jsonview view = {0};
    return jsonview_at(root, span_of(pointer), &view) ? view : (struct jsonview){0};
}

static double number(struct jsonview root, const char *pointer)
{
    return number_of(find(root, pointer));
}

static bool is_true(struct jsonview root, const char *pointer)
{
    return span_eq_str(find(root, pointer).text, "true");
}

/* The text of a string, in store; "" when it is none. */
static struct span text(struct jsonview root, const char *pointer, struct buf *store)
{
    struct span found;
    buf_clear(store);
    return jsonview_text(find(root, pointer), store, &found) ? found : span_of("");
}

/* ---- printing ---- */

static void paint(const struct page *page, const char *code)
{
    if (page->fancy)
        fprintf(page->out, "\033[%sm", code);
}

/* A word for a state, which is green or red. */
static void print_state(const struct page *page, struct span word, bool good)
{
    paint(page, good ? "32" : "1;31");
    print_text(page->out, word);
    paint(page, "0");
}

static void print_label(const struct page *page, const char *label)
{
    paint(page, "1");
    fprintf(page->out, "%-*s", LABEL, label);
    paint(page, "0");
}

/* A text in lines below each other. */
static void print_below(const struct page *page, struct span s, int indent)
{
    fprintf(page->out, "%*s", indent, "");
    print_sentence(page->out, s, COLUMNS - indent, indent);
    fputc('\n', page->out);
}

/* "12 ms", "3.4 s", "5 min", "7.5 h", "3 d"; "-" when it is not known. */
static void print_seconds(FILE *out, double s)
{
    if (!isfinite(s))
        fputs("-", out);
    else if (s < 1)
        fprintf(out, "%.0f ms", s * 1000);
    else if (s < 120)
        fprintf(out, "%.1f s", s);
    else if (s < 7200)
        fprintf(out, "%.0f min", s / 60);
    else if (s < 172800)
        fprintf(out, "%.1f h", s / 3600);
    else
        fprintf(out, "%.0f d", s / 86400);
}

static void print_bytes(FILE *out, double n)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int i = 0;
    for (; n >= 1024 && i < 4; i++)
        n /= 1024;
    if (isfinite(n))
        fprintf(out, "%.*f %s", i ? 1 : 0, n, units[i]);
    else
        fputs("-", out);
}

/* At most 10 characters: 120000, 12.3M. */
static void print_count(FILE *out, int width, double n)
{
    if (!isfinite(n))
        fprintf(out, "%*s", width, "-");
    else if (n < 10e6)
        fprintf(out, "%*.0f", width, n);
    else if (n < 10e9)
        fprintf(out, "%*.1fM", width - 1, n / 1e6);
    else
        fprintf(out, "%*.1fG", width - 1, n / 1e9);
}

/* The time of day of an RFC 3339 time, or its day when it was another one than now. */
static void print_time(FILE *out, struct span when, struct span now)
{
    bool today = span_eq(span_slice(when, 0, 10), span_slice(now, 0, 10));
    struct span shown = today ? span_slice(when, 11, 8) : span_slice(when, 0, 10);
    print_text(out, shown.len > 0 ? shown : span_of("-"));
}

static void print_time_at(const struct page *page, struct jsonview root, const char *pointer)
{
    struct buf when = BUF_INIT(TEXT_BYTES), now = BUF_INIT(TEXT_BYTES);
    struct span w = text(root, pointer, &when);
    struct span n = text(page->status, "/gateway/now", &now);
    print_time(page->out, w, n);
    buf_fini(&when);
    buf_fini(&now);
}

/* ---- the sections ---- */

static void print_head(const struct page *page)
{
    struct buf store = BUF_INIT(TEXT_BYTES);
    paint(page, "1");
    fputs("cmqgw ", page->out);
    print_text(page->out, text(page->status, "/gateway/id", &store));
    paint(page, "0");
    fputs(" ", page->out);
    print_text(page->out, text(page->status, "/gateway/version", &store));
    fputs("  ", page->out);
    bool ready = is_true(page->status, "/ready");
    print_state(page, span_of(ready ? "ready" : "NOT READY"), ready);
    fputs("  up ", page->out);
    print_seconds(page->out, number(page->status, "/gateway/uptime_s"));
    struct span now = text(page->status, "/gateway/now", &store);
    fputs("  ", page->out);
    print_text(page->out, span_slice(now, 0, 10));
    fputs(" ", page->out);
    print_text(page->out, span_slice(now, 11, 8));
    fputs(" UTC\n\n", page->out);
    buf_fini(&store);
}

static void print_mqtt(const struct page *page)
{
    struct buf store = BUF_INIT(TEXT_BYTES);
    struct jsonview key, one;
    print_label(page, "broker");
    struct span state = text(page->status, "/mqtt/state", &store);
    print_state(page, state, span_eq_str(state, "connected"));
    fputs(" since ", page->out);
    print_time_at(page, page->status, "/mqtt/since");
    fputs("\n", page->out);
    print_below(page, text(page->status, "/mqtt/why", &store), LABEL);
    struct jsonview refused = find(page->status, "/mqtt/refused");
    for (size_t at = 0; jsonview_next(refused, &at, &key, &one);) {
        struct buf line = BUF_INIT(TEXT_BYTES);
        buf_add_str(&line, "refused: ");
        buf_add(&line, text(one, "/filter", &store));
        buf_add_str(&line, ": ");
        buf_add(&line, text(one, "/why", &store));
        print_below(page, buf_span(&line), LABEL);
        buf_fini(&line);
    }
    buf_fini(&store);
}

static void print_trouble(const struct page *page, struct jsonview trouble)
{
    struct buf store = BUF_INIT(TEXT_BYTES);
    fprintf(page->out, "%*s", LABEL, "");
    print_cut(page->out, text(trouble, "/destination", &store), 40);
    fputs(": ", page->out);
    print_state(page, text(trouble, "/state", &store), false);
    fputs(" since ", page->out);
    print_time_at(page, trouble, "/since");
    fputs("\n", page->out);
    print_below(page, text(trouble, "/why", &store), LABEL + 2);
    buf_fini(&store);
}

static void print_cmq(const struct page *page)
{
    struct buf store = BUF_INIT(TEXT_BYTES);
    struct jsonview key, one;
    print_label(page, "CMQ");
    struct span state = text(page->status, "/cmq/state", &store);
    print_state(page, state, span_eq_str(state, "ok") || span_eq_str(state, "untried"));
    fputs(" since ", page->out);
    print_time_at(page, page->status, "/cmq/since");
    fprintf(page->out, ", %.0f of %.0f requests under way\n",
            number(page->status, "/cmq/in_flight"), number(page->status, "/cmq/connections"));
    struct jsonview troubles = find(page->status, "/cmq/troubles");
    size_t shown = 0;
    for (size_t at = 0; jsonview_next(troubles, &at, &key, &one) && shown < 10; shown++)
        print_trouble(page, one);
    buf_fini(&store);
}

static void print_spool(const struct page *page)
{
    struct buf store = BUF_INIT(TEXT_BYTES);
    struct jsonview spool = find(page->status, "/spool");
    print_label(page, "spool");
    struct span state = text(spool, "/state", &store);
    print_state(page, state, span_eq_str(state, "accepting"));
    double waiting = number(spool, "/deliveries");
    fprintf(page->out, ", %.0f waiting", waiting);
    if (waiting > 0) {
        fputs(", the oldest ", page->out);
        print_seconds(page->out, number(spool, "/oldest_age_s"));
        fputs(" old", page->out);
    }
    fputs("; ", page->out);
    print_bytes(page->out, number(spool, "/used_bytes"));
    fputs(" of ", page->out);
    print_bytes(page->out, number(spool, "/capacity_bytes"));
    fprintf(page->out, "\n%*s", LABEL, "");
    double absorbs_s = number(spool, "/absorbs_s");
    if (isfinite(absorbs_s)) {
        fputs("room for an outage of ", page->out);
        print_seconds(page->out, absorbs_s);
        fputs(" at the present rate\n", page->out);
    } else {
        fputs("nothing came lately that would fill it\n", page->out);
    }
    struct span why = text(spool, "/why", &store);
    if (why.len > 0)
        print_below(page, why, LABEL);
    buf_fini(&store);
}

static void print_dead(const struct page *page)
{
    double count = number(page->status, "/spool/dead_letters");
    print_label(page, "dead");
    if (count > 0)
        fprintf(page->out, "%.0f letter%s: cmqgw dead-letters list\n", count,
                count == 1 ? "" : "s");
    else
        fputs("no letters\n", page->out);
}

static void print_reload(const struct page *page)
{
    struct buf store = BUF_INIT(TEXT_BYTES);
    struct jsonview key, one, last = find(page->status, "/reload/last");
    print_label(page, "reload");
    if (last.kind != JSONVIEW_OBJECT) {
        fputs("none since the start\n\n", page->out);
        return;
    }
    bool ok = is_true(last, "/ok");
    print_state(page, span_of(ok ? "ok" : "FAILED, the old rules work on"), ok);
    fputs(" at ", page->out);
    print_time_at(page, last, "/time");
    fputs("\n", page->out);
    struct span summary = text(last, "/summary", &store);
    if (summary.len > 0)
        print_below(page, summary, LABEL);
    struct jsonview faults = find(last, "/faults");
    for (size_t at = 0; jsonview_next(faults, &at, &key, &one);) {
        struct buf line = BUF_INIT(TEXT_BYTES);
        buf_add(&line, text(one, "/file", &store));
        buf_printf(&line, ":%.0f: ", number(one, "/line"));
        buf_add(&line, text(one, "/level", &store));
        buf_add_str(&line, ": ");
        buf_add(&line, text(one, "/text", &store));
        print_below(page, buf_span(&line), LABEL);
        buf_fini(&line);
    }
    fputs("\n", page->out);
    buf_fini(&store);
}

static void print_latency(const struct page *page, const char *what, const char *pointer)
{
    struct jsonview latency = find(page->status, pointer);
    if (!(number(latency, "/count") > 0))
        return;
    fprintf(page->out, "%*s%s ", LABEL, "", what);
    print_seconds(page->out, number(latency, "/p50_s"));
    fputs(", 99 % in ", page->out);
    print_seconds(page->out, number(latency, "/p99_s"));
    fputs("\n", page->out);
}

static void print_rates(const struct page *page)
{
    struct jsonview rates = find(page->status, "/rates");
    print_label(page, "a second");
    fprintf(page->out, "up %.1f in, %.1f to CMQ, %.1f tries failed; down %.1f in, %.1f out\n",
            number(rates, "/received"), number(rates, "/delivered"), number(rates, "/retried"),
            number(rates, "/taken"), number(rates, "/published"));
    print_latency(page, "device to CMQ, half in", "/latency/end_to_end");
    print_latency(page, "a CMQ request, half in", "/latency/request");
    fputs("\n", page->out);
}

static void print_rule(const struct page *page, struct jsonview rule)
{
    struct buf store = BUF_INIT(TEXT_BYTES);
    bool forward = span_eq_str(text(rule, "/direction", &store), "forward");
    double failed = forward ? number(rule, "/figures/retried") + number(rule, "/figures/held")
                            : number(rule, "/figures/refused");
    fputs(forward ? "> " : "< ", page->out);
    int width = print_cut(page->out, text(rule, "/name", &store), 28);
    fprintf(page->out, "%*s", 29 - width, "");
    print_count(page->out, 10, number(rule, forward ? "/figures/matched" : "/figures/taken"));
    print_count(page->out, 11, number(rule, forward ? "/figures/delivered" : "/figures/published"));
    print_count(page->out, 9, failed);
    print_count(page->out, 8, number(rule, "/figures/dead_letters"));
    fputs("  ", page->out);
    if (is_true(rule, "/active"))
        print_time_at(page, rule, "/last_message");
    else
        fputs("gone", page->out);
    fputs("\n", page->out);
    struct jsonview error = find(rule, "/last_error");
    if (error.kind == JSONVIEW_OBJECT) {
        fputs("    ", page->out);
        print_time_at(page, error, "/time");
        fputs(" ", page->out);
        print_sentence(page->out, text(error, "/text", &store), COLUMNS - 13, 13);
        fputs("\n", page->out);
    }
    buf_fini(&store);
}

static void print_rules(const struct page *page, struct jsonview rules)
{
    struct jsonview key, one;
    size_t shown = 0, left_out = 0;
    paint(page, "1");
    fprintf(page->out, "  %-29s%10s%11s%9s%8s  last\n", "rule", "messages", "delivered", "failed",
            "dead");
    paint(page, "0");
    for (size_t at = 0; jsonview_next(rules, &at, &key, &one);) {
        if (shown < MAX_RULES) {
            print_rule(page, one);
            shown++;
        } else {
            left_out++;
        }
    }
    if (left_out > 0)
        fprintf(page->out, "  and %zu more: --json has them\n", left_out);
}

bool status_page_print(FILE *out, struct span status, struct span rules, bool fancy)
{
    struct page page = {.out = out, .fancy = fancy};
    struct jsonview root, list;
    if (!jsonview_parse(status, JSONVIEW_MAX_DEPTH, &page.status) ||
        find(page.status, "/gateway/id").kind != JSONVIEW_STRING ||
        !jsonview_parse(rules, JSONVIEW_MAX_DEPTH, &root) ||
        !jsonview_member(root, span_of("rules"), &list))
        return false;
    print_head(&page);
    print_mqtt(&page);
    print_cmq(&page);
    print_spool(&page);
    print_dead(&page);
    print_reload(&page);
    print_rates(&page);
    print_rules(&page, list);
    return true;
}
