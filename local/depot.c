/*
 * depot - see depot.h. Free slots form a list: instead of a pointer to a message a free slot holds
 * the number of the next free one, shifted left with the lowest bit set, as no pointer has it.
 */
#include "local/depot.h"

#include "base/check.h"
#include "base/random.h"

#include <stdio.h>

enum { NO_SLOT = UINT32_MAX };
#define MAX_SLOTS UINT32_C(0x7ffffffe)
#define MAX_RESTORED_SLOTS UINT32_C(0x08000000) /* a gibibyte of them; what is above is damage */

void depot_init(struct depot *depot, const struct depot_limits *limits, int64_t now_ms)
{
    *depot = (struct depot){.limits = *limits,
                            .free_slot = NO_SLOT,
                            .next_id = (uint64_t)now_ms << 20,
                            .next_number = 1,
                            .next_receipt = (uint32_t)random_u64()};
}

void depot_fini(struct depot *depot)
{
    heap_fini(&depot->due);
    free(depot->slots);
    *depot = (struct depot){0};
}

bool depot_has_room(const struct depot *depot, size_t count, uint64_t body_bytes)
{
    uint64_t need = count * sizeof(struct message) + body_bytes;
    return depot->bytes + need <= depot->limits.bytes;
}

static struct message *free_mark(uint32_t next)
{
    return (struct message *)((uintptr_t)next << 1 | 1);
}

static bool is_free(const struct message *entry)
{
    return ((uintptr_t)entry & 1) != 0;
}

static uint32_t add_slot(struct depot *depot)
{
    CHECK(depot->slot_count < MAX_SLOTS);
    if ((depot->slot_count & (depot->slot_count - 1)) == 0) { /* 0, 1, 2, 4, ...: full */
        size_t room = depot->slot_count ? (size_t)depot->slot_count * 2 : 1;
        depot->slots = check_alloc(reallocarray(depot->slots, room, sizeof(void *)));
    }
    return depot->slot_count++;
}

static uint32_t take_slot(struct depot *depot)
{
    if (depot->free_slot == NO_SLOT)
        return add_slot(depot);
    uint32_t slot = depot->free_slot;
    depot->free_slot = (uint32_t)((uintptr_t)depot->slots[slot] >> 1);
    return slot;
}

static struct message *put(struct depot *depot, uint64_t id, uint32_t slot, struct span body)
{
    struct message *message = check_alloc(malloc(sizeof *message + body.len));
    *message = (struct message){.id = id, .slot = slot, .len = body.len};
    if (body.len)
        memcpy(message->body, body.ptr, body.len);
    depot->slots[slot] = message;
    depot->bytes += sizeof *message + body.len;
    return message;
}

struct message *depot_add(struct depot *depot, struct span body)
{
    return put(depot, depot->next_id++, take_slot(depot), body);
}

struct message *depot_restore(struct depot *depot, uint64_t id, uint32_t slot, struct span body)
{
    if (slot >= MAX_RESTORED_SLOTS)
        return NULL;
    while (depot->slot_count <= slot) {
        uint32_t added = add_slot(depot);
        depot->slots[added] = NULL;
    }
    return depot->slots[slot] ? NULL : put(depot, id, slot, body);
}

void depot_restored(struct depot *depot)
{
    for (uint32_t slot = depot->slot_count; slot-- > 0;) {
        if (!depot->slots[slot]) {
            depot->slots[slot] = free_mark(depot->free_slot);
            depot->free_slot = slot;
        }
    }
}

void depot_remove(struct depot *depot, struct message *message)
{
    changes_gone(depot->changes, &message->record, message->id);
    depot->slots[message->slot] = free_mark(depot->free_slot);
    depot->free_slot = message->slot;
    depot->bytes -= sizeof *message + message->len;
    free(message);
}

size_t depot_handle(const struct message *message, char out[DEPOT_HANDLE_SIZE])
{
    uint64_t number = (uint64_t)(message->slot + 1) << 32 | message->receipt;
    return (size_t)snprintf(out, DEPOT_HANDLE_SIZE, "%llu", (unsigned long long)number);
}

struct message *depot_find(const struct depot *depot, struct span handle)
{
    uint64_t number;
    if (!span_to_u64(handle, INT64_MAX, &number))
        return NULL;
    uint64_t slot = number >> 32;
    if (slot == 0 || slot > depot->slot_count)
        return NULL;
    struct message *message = depot->slots[slot - 1];
    if (is_free(message) || message->receipt != (uint32_t)number)
        return NULL;
    return message;
}
