/* bars - see bars.h. */
#include "local/bars.h"

#include "base/check.h"

#include <strings.h>
#include <utlist.h>

static struct bar *add(struct bars *bars, enum bar_kind kind, struct span name, int64_t until_ms)
{
    struct bar *bar = check_alloc(calloc(1, sizeof *bar + name.len + 1));
    bar->kind = kind;
    bar->until_ms = until_ms;
    if (name.len)
        memcpy(bar->name, name.ptr, name.len);
    DL_APPEND(bars->first, bar);
    return bar;
}

static void end(struct bars *bars, struct bar *bar)
{
    changes_gone(bars->depot->changes, &bar->record, bar->number);
    /* the last of the list is its own prev, which the analyzer does not know */
    DL_DELETE(bars->first, bar); // NOLINT(clang-analyzer-core.NullDereference)
    free(bar);
}

void bars_add(struct bars *bars, enum bar_kind kind, struct span name, int64_t until_ms,
              int64_t now_ms)
{
    struct bar *bar, *next;
    DL_FOREACH_SAFE(bars->first, bar, next)
    {
        if (bar->until_ms <= now_ms)
            end(bars, bar);
    }
    if (until_ms <= now_ms)
        return;
    bar = add(bars, kind, name, until_ms);
    bar->number = bars->depot->next_number++;
    changes_touch(bars->depot->changes, &bar->record, RECORD_BAR);
}

int64_t bars_until(const struct bars *bars, enum bar_kind kind, struct span name, int64_t now_ms)
{
    const struct bar *bar;
    DL_FOREACH(bars->first, bar)
    {
        if (bar->kind == kind && bar->until_ms > now_ms && strlen(bar->name) == name.len &&
            strncasecmp(bar->name, name.ptr, name.len) == 0)
            return bar->until_ms;
    }
    return 0;
}

void bars_restore(struct bars *bars, enum bar_kind kind, struct span name, int64_t until_ms,
                  uint64_t number)
{
    struct bar *bar = add(bars, kind, name, until_ms);
    bar->number = number;
    bar->record = (struct record){.kind = RECORD_BAR, .saved = true};
    if (number >= bars->depot->next_number)
        bars->depot->next_number = number + 1;
}

void bars_fini(struct bars *bars)
{
    while (bars->first)
        end(bars, bars->first);
}
