/* journal - see journal.h. */
#include "local/journal.h"

#include "base/clock.h"
#include "base/json.h"

void journal_init(struct journal *journal)
{
    *journal = (struct journal){
        .ring = check_alloc(calloc(JOURNAL_ENTRIES, sizeof(struct journal_entry)))};
}

void journal_fini(struct journal *journal)
{
    free(journal->ring);
    *journal = (struct journal){0};
}

struct journal_entry *journal_add(struct journal *journal)
{
    if (journal->kept < JOURNAL_ENTRIES)
        journal->kept++;
    return &journal->ring[++journal->last % JOURNAL_ENTRIES];
}

void journal_reset(struct journal *journal)
{
    journal->kept = 0;
}

static void print_entry(uint64_t number, const struct journal_entry *entry, struct buf *out)
{
    char at[CLOCK_ISO_SIZE];
    clock_iso(entry->at_ms, at);
    buf_printf(out,
               "{\"n\":%llu,\"at\":\"%s\",\"took_ms\":%lld,\"action\":", (unsigned long long)number,
               at, (long long)entry->took_ms);
    json_string(out, span_of(entry->action));
    buf_add_str(out, ",\"name\":");
    json_string(out, span_of(entry->name));
    char id[CALL_ID_SIZE];
    call_print_id(entry->request_id, entry->is_api3, id);
    buf_printf(out, ",\"requestId\":\"%s\",\"outcome\":\"%s\"", id, entry->outcome);
    if (entry->is_api3) {
        buf_add_str(out, ",\"error\":");
        if (entry->error) {
            json_string(out, span_of(entry->error));
        } else {
            buf_add_str(out, "null");
        }
    } else {
        buf_printf(out, ",\"code\":%d,\"module\":%d", entry->code, entry->module);
    }
    if (entry->why) {
        buf_add_str(out, ",\"why\":");
        json_string(out, span_of(entry->why));
    }
    buf_add_char(out, '}');
}

void journal_print(const struct journal *journal, uint64_t after, struct buf *out)
{
    uint64_t gone = journal->last - journal->kept; /* number of the newest that is gone */
    uint64_t lost = gone > after ? gone - after : 0;
    buf_printf(out, "{\"last\":%llu,\"lost\":%llu,\"requests\":[",
               (unsigned long long)journal->last, (unsigned long long)lost);
    for (uint64_t n = after + lost + 1; n <= journal->last && n > after; n++) {
        print_entry(n, &journal->ring[n % JOURNAL_ENTRIES], out);
        if (n < journal->last)
            buf_add_char(out, ',');
    }
    buf_add_str(out, "]}");
}
