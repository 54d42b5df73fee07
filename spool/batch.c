/* batch - see batch.h. */
#include "spool/batch.h"

#include "base/check.h"
#include "spool/rows.h"

enum { KEEP_BYTES = 1 << 20 }; /* an empty list larger than this gives its memory back */

static void add(struct batch_list *list, const void *items, size_t count, size_t size)
{
    if (!count)
        return;
    if (list->len + count > list->room) {
        size_t room = list->room ? list->room * 2 : 64;
        if (room < list->len + count)
            room = list->len + count;
        list->at = check_alloc(realloc(list->at, room * size));
        list->room = room;
    }
    memcpy((char *)list->at + list->len * size, items, count * size);
    list->len += count;
}

static void empty(struct batch_list *list, size_t size)
{
    list->len = 0;
    if (list->room * size > KEEP_BYTES) {
        free(list->at);
        *list = (struct batch_list){0};
    }
}

static void move(struct batch_list *into, struct batch_list *from, size_t size)
{
    if (!into->len) {
        struct batch_list spare = *into;
        *into = *from;
        *from = spare;
    } else {
        add(into, from->at, from->len, size);
        empty(from, size);
    }
}

void batch_add_entry(struct batch *batch, const struct batch_entry *entry)
{
    add(&batch->entries, entry, 1, sizeof *entry);
}

void batch_add_finish(struct batch *batch, const struct batch_finish *finish)
{
    add(&batch->finishes, finish, 1, sizeof *finish);
}

void batch_add_refill(struct batch *batch, const struct batch_refill *refill)
{
    add(&batch->refills, refill, 1, sizeof *refill);
}

void batch_move(struct batch *into, struct batch *from)
{
    move(&into->entries, &from->entries, sizeof(struct batch_entry));
    move(&into->finishes, &from->finishes, sizeof(struct batch_finish));
    move(&into->refills, &from->refills, sizeof(struct batch_refill));
}

static void drop(struct batch_list *list, size_t first, size_t size)
{
    if (first == list->len) {
        empty(list, size);
    } else if (first) {
        list->len -= first;
        memmove(list->at, (char *)list->at + first * size, list->len * size);
    }
}

void batch_drop_entries(struct batch *batch, size_t first)
{
    for (size_t i = 0; i < first; i++) {
        rows_free_deliveries(batch_entry_at(batch, i)->deliveries);
        rows_free_letters(batch_entry_at(batch, i)->dead);
        free(batch_entry_at(batch, i)->note);
    }
    drop(&batch->entries, first, sizeof(struct batch_entry));
}

void batch_drop_refills(struct batch *batch, size_t first)
{
    drop(&batch->refills, first, sizeof(struct batch_refill));
}

void batch_drop_finishes(struct batch *batch)
{
    for (size_t i = 0; i < batch->finishes.len; i++)
        free(batch_finish_at(batch, i)->text);
    empty(&batch->finishes, sizeof(struct batch_finish));
}

void batch_fini(struct batch *batch)
{
    batch_drop_entries(batch, batch->entries.len);
    batch_drop_finishes(batch);
    free(batch->entries.at);
    free(batch->finishes.at);
    free(batch->refills.at);
    *batch = (struct batch){0};
}
