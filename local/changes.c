/* changes - see changes.h. */
#include "local/changes.h"

#include "base/check.h"

static void begin(const struct changes *changes)
{
    if (!changes_any(changes) && changes->begun)
        changes->begun(changes->ctx);
}

void changes_touch(struct changes *changes, struct record *record, enum record_kind kind)
{
    if (!changes || record->place != 0)
        return;
    begin(changes);
    if (changes->stale_count == changes->stale_room) {
        changes->stale_room = changes->stale_room ? changes->stale_room * 2 : 64;
        changes->stale =
            check_alloc(reallocarray(changes->stale, changes->stale_room, sizeof(struct record *)));
    }
    CHECK(changes->stale_count < UINT32_MAX);
    changes->stale[changes->stale_count++] = record;
    record->place = (uint32_t)changes->stale_count;
    record->kind = (uint8_t)kind;
}

void changes_gone(struct changes *changes, struct record *record, uint64_t number)
{
    if (!changes)
        return;
    if (record->saved) {
        begin(changes);
        if (changes->gone_count == changes->gone_room) {
            changes->gone_room = changes->gone_room ? changes->gone_room * 2 : 64;
            changes->gone =
                check_alloc(reallocarray(changes->gone, changes->gone_room, sizeof(struct gone)));
        }
        changes->gone[changes->gone_count++] =
            (struct gone){(enum record_kind)record->kind, number};
    }
    if (record->place != 0)
        changes->stale[record->place - 1] = NULL;
    record->saved = false;
    record->place = 0;
}

void changes_clear(struct changes *changes)
{
    for (size_t i = 0; i < changes->stale_count; i++) {
        if (changes->stale[i])
            changes->stale[i]->place = 0;
    }
    changes->stale_count = 0;
    changes->gone_count = 0;
}

void changes_fini(struct changes *changes)
{
    free(changes->stale);
    free(changes->gone);
    *changes = (struct changes){0};
}
