/*
 * queue - see queue.h.
 *
 * Retention and age are the same for all messages of a queue, so they die in the order in which
 * they entered: the head of the oldest-to-newest list is all that must be watched. Delays and
 * visibility end in any order and live in a heap, as do those kept for rewinding.
 */
#include "local/queue.h"

#include "base/check.h"

#include <utlist.h>

void queue_init(struct queue *queue, struct depot *depot, struct span name,
                const struct queue_attributes *attributes)
{
    CHECK(name.len <= CMQ_MAX_NAME_BYTES);
    *queue =
        (struct queue){.depot = depot, .attributes = *attributes, .number = depot->next_number++};
    memcpy(queue->name, name.ptr, name.len);
}

/* Keeps the depot's list of queues that have both messages and waiters true. */
static void update_ready(struct queue *queue)
{
    bool ready = queue->active && queue->waiters;
    if (ready == queue->is_ready)
        return;
    queue->is_ready = ready;
    if (ready) {
        DL_APPEND2(queue->depot->ready, queue, ready_prev, ready_next);
    } else {
        DL_DELETE2(queue->depot->ready, queue, ready_prev, ready_next);
    }
}

/* After this many milliseconds in the queue a message leaves it, whatever its state. */
static int64_t life_ms(const struct queue *queue)
{
    const struct queue_attributes *a = &queue->attributes;
    bool dies_sooner =
        queue->dead_letter && a->policy == QUEUE_BY_AGE && a->max_age_s < a->retention_s;
    return (dies_sooner ? a->max_age_s : a->retention_s) * 1000;
}

static int64_t rewind_ms(const struct queue *queue)
{
    return queue->attributes.rewind_s * 1000;
}

/* Keeps the moment at which queue_advance has work true. */
static void update_due(struct queue *queue)
{
    const struct heap_node *timer = heap_first(&queue->timers), *kept = heap_first(&queue->kept);
    int64_t due_ms = INT64_MAX;
    if (queue->oldest)
        due_ms = queue->oldest->entered_ms + life_ms(queue);
    if (timer && timer->due_ms < due_ms)
        due_ms = timer->due_ms;
    if (kept && kept->due_ms + rewind_ms(queue) < due_ms)
        due_ms = kept->due_ms + rewind_ms(queue);
    if (due_ms == INT64_MAX) {
        heap_remove(&queue->depot->due, &queue->due);
    } else if (queue->due.place == 0 || queue->due.due_ms != due_ms) {
        heap_set(&queue->depot->due, &queue->due, due_ms);
    }
}

static uint64_t *count_of(struct queue *queue, enum message_state state)
{
    return state == MESSAGE_ACTIVE    ? &queue->active_count
           : state == MESSAGE_DELAYED ? &queue->delayed_count
                                      : &queue->inflight_count;
}

static void enter_state(struct queue *queue, struct message *message, enum message_state state,
                        int64_t due_ms)
{
    message->state = state;
    ++*count_of(queue, state);
    if (state == MESSAGE_ACTIVE) {
        DL_APPEND(queue->active, message);
    } else {
        heap_set(&queue->timers, &message->timer, due_ms);
    }
}

static void leave_state(struct queue *queue, struct message *message)
{
    --*count_of(queue, message->state);
    if (message->state == MESSAGE_ACTIVE) {
        /* the last of the list is its own prev, which the analyzer does not know */
        DL_DELETE(queue->active, message); // NOLINT(clang-analyzer-core.NullDereference)
    } else {
        heap_remove(&queue->timers, &message->timer);
    }
}

static void append(struct queue *queue, struct message *message)
{
    message->queue = queue;
    message->newer = NULL;
    message->older = queue->newest;
    *(queue->newest ? &queue->newest->newer : &queue->oldest) = message;
    queue->newest = message;
}

static void enter(struct queue *queue, struct message *message, int64_t delay_ms, int64_t now_ms)
{
    message->entered_ms = now_ms;
    append(queue, message);
    enter_state(queue, message, delay_ms > 0 ? MESSAGE_DELAYED : MESSAGE_ACTIVE, now_ms + delay_ms);
    depot_touch(queue->depot, message);
}

static void keep(struct queue *queue, struct message *message)
{
    message->queue = queue;
    message->state = MESSAGE_KEPT;
    heap_set(&queue->kept, &message->timer, message->enqueued_ms);
}

void queue_restore(struct queue *queue, struct message *message, int64_t due_ms)
{
    if (message->state == MESSAGE_KEPT) {
        keep(queue, message);
    } else {
        append(queue, message);
        enter_state(queue, message, message->state, due_ms);
    }
    update_due(queue);
}

static void leave(struct queue *queue, struct message *message)
{
    leave_state(queue, message);
    *(message->older ? &message->older->newer : &queue->oldest) = message->newer;
    *(message->newer ? &message->newer->older : &queue->newest) = message->older;
    message->queue = NULL;
}

/* Which of these the real service keeps is not known; see docs/cmqlocal.md. */
static void bury(struct queue *queue, struct message *message, int64_t now_ms)
{
    struct queue *grave = queue->dead_letter;
    leave(queue, message);
    message->dequeue_count = 0;
    message->first_dequeue_ms = 0;
    message->enqueued_ms = now_ms;
    enter(grave, message, 0, now_ms);
    update_due(grave);
    update_ready(grave);
}

/* Whether a message has been received as often as policy 0 allows. */
static bool is_used_up(const struct queue *queue, const struct message *message)
{
    const struct queue_attributes *a = &queue->attributes;
    return queue->dead_letter && a->policy == QUEUE_BY_RECEIVES &&
           message->dequeue_count >= a->max_receive;
}

static void end_timer(struct queue *queue, struct message *message, int64_t now_ms)
{
    if (message->state == MESSAGE_INFLIGHT && is_used_up(queue, message) &&
        !queue->depot->bury_on_receive) {
        bury(queue, message, now_ms);
        return;
    }
    leave_state(queue, message);
    enter_state(queue, message, MESSAGE_ACTIVE, 0);
}

static void purge(struct queue *queue, struct message *message)
{
    heap_remove(&queue->kept, &message->timer);
    depot_remove(queue->depot, message);
}

/* The kept message that was sent first, or NULL. */
static struct message *first_kept(const struct queue *queue)
{
    _Static_assert(offsetof(struct message, timer) == 0, "the timer is the message's head");
    return (struct message *)heap_first(&queue->kept);
}

void queue_advance(struct queue *queue, int64_t now_ms)
{
    if (queue->due.place == 0 || queue->due.due_ms > now_ms)
        return;
    int64_t life = life_ms(queue);
    bool dies = life == queue->attributes.retention_s * 1000;
    while (queue->oldest && queue->oldest->entered_ms + life <= now_ms) {
        struct message *message = queue->oldest;
        if (dies) {
            leave(queue, message);
            depot_remove(queue->depot, message);
        } else {
            bury(queue, message, now_ms);
        }
    }
    struct heap_node *timer;
    while ((timer = heap_first(&queue->timers)) && timer->due_ms <= now_ms) {
        end_timer(queue, (struct message *)timer, now_ms);
    }
    struct message *kept;
    while ((kept = first_kept(queue)) && kept->enqueued_ms + rewind_ms(queue) <= now_ms)
        purge(queue, kept);
    update_due(queue);
    update_ready(queue);
}

enum queue_result queue_send(struct queue *queue, const struct span *bodies, size_t count,
                             int64_t delay_ms, int64_t now_ms, uint64_t *ids)
{
    const struct depot_limits *limits = &queue->depot->limits;
    uint64_t bytes = 0;
    queue_advance(queue, now_ms);
    for (size_t i = 0; i < count; i++) {
        if (bodies[i].len > (uint64_t)queue->attributes.max_size_bytes)
            return QUEUE_TOO_LARGE;
        bytes += bodies[i].len;
    }
    uint64_t held = queue->active_count + queue->delayed_count + queue->inflight_count;
    uint64_t most = limits->queue_count;
    if (queue->attributes.max_heap && (uint64_t)queue->attributes.max_heap < most)
        most = (uint64_t)queue->attributes.max_heap;
    if (held + count > most || !depot_has_room(queue->depot, count, bytes))
        return QUEUE_FULL;
    if (delay_ms > 0 && queue->delayed_count + count > limits->unacked)
        return QUEUE_TOO_MANY_OUT;
    for (size_t i = 0; i < count; i++) {
        struct message *message = depot_add(queue->depot, bodies[i]);
        message->enqueued_ms = now_ms;
        if (ids)
            ids[i] = message->id;
        enter(queue, message, delay_ms, now_ms);
    }
    update_due(queue);
    update_ready(queue);
    return QUEUE_OK;
}

enum queue_result queue_receive(struct queue *queue, size_t max, int64_t now_ms,
                                struct message **out, size_t *count)
{
    *count = 0;
    queue_advance(queue, now_ms);
    while (*count < max && queue->active) {
        if (queue->inflight_count >= queue->depot->limits.unacked) {
            if (*count == 0)
                return QUEUE_TOO_MANY_OUT;
            break;
        }
        struct message *message = queue->active;
        if (queue->depot->bury_on_receive && is_used_up(queue, message)) {
            bury(queue, message, now_ms);
            continue;
        }
        leave_state(queue, message);
        enter_state(queue, message, MESSAGE_INFLIGHT,
                    now_ms + queue->attributes.visibility_s * 1000);
        message->receipt = queue->depot->next_receipt++;
        if (message->dequeue_count++ == 0)
            message->first_dequeue_ms = now_ms;
        depot_touch(queue->depot, message);
        out[(*count)++] = message;
    }
    update_due(queue);
    update_ready(queue);
    return QUEUE_OK;
}

bool queue_delete(struct queue *queue, struct span handle, int64_t now_ms)
{
    queue_advance(queue, now_ms);
    struct message *message = depot_find(queue->depot, handle);
    if (!message || message->queue != queue || message->state != MESSAGE_INFLIGHT)
        return false;
    leave(queue, message);
    if (message->enqueued_ms + rewind_ms(queue) > now_ms) {
        keep(queue, message);
        depot_touch(queue->depot, message);
    } else {
        depot_remove(queue->depot, message);
    }
    update_due(queue);
    return true;
}

void queue_set_attributes(struct queue *queue, const struct queue_attributes *attributes,
                          struct queue *dead_letter, int64_t now_ms)
{
    queue_advance(queue, now_ms);
    queue->attributes = *attributes;
    queue->dead_letter = dead_letter;
    update_due(queue);
    queue_advance(queue, now_ms); /* what has lived too long by the new ones goes */
}

int64_t queue_min_time(const struct queue *queue, int64_t now_ms)
{
    return queue->oldest ? queue->oldest->enqueued_ms : now_ms;
}

static int by_sending(const void *a, const void *b)
{
    const struct message *first = *(struct message *const *)a;
    const struct message *second = *(struct message *const *)b;
    if (first->enqueued_ms != second->enqueued_ms)
        return first->enqueued_ms < second->enqueued_ms ? -1 : 1;
    return (first->id > second->id) - (first->id < second->id);
}

enum queue_rewind queue_rewind(struct queue *queue, int64_t start_ms, int64_t now_ms)
{
    queue_advance(queue, now_ms);
    int64_t start_s = start_ms / 1000;
    if (queue->attributes.rewind_s == 0)
        return QUEUE_KEEPS_NOTHING;
    if (start_s < now_ms / 1000 - queue->attributes.rewind_s ||
        start_s > queue_min_time(queue, now_ms) / 1000)
        return QUEUE_REWIND_IMPOSSIBLE;
    size_t count = 0;
    struct message **again = check_alloc(malloc((queue->kept.count + 1) * sizeof(void *)));
    for (size_t i = 0; i < queue->kept.count; i++) {
        struct message *message = (struct message *)queue->kept.nodes[i];
        if (message->enqueued_ms >= start_s * 1000)
            again[count++] = message;
    }
    qsort(again, count, sizeof(void *), by_sending);
    for (size_t i = 0; i < count; i++) {
        heap_remove(&queue->kept, &again[i]->timer);
        again[i]->dequeue_count = 0;
        again[i]->first_dequeue_ms = 0;
        enter(queue, again[i], 0, now_ms);
    }
    free(again);
    update_due(queue);
    update_ready(queue);
    return QUEUE_REWOUND;
}

void queue_wait(struct queue *queue, struct queue_waiter *waiter)
{
    waiter->queue = queue;
    DL_APPEND(queue->waiters, waiter);
    queue->waiter_count++;
    update_ready(queue);
}

void queue_leave(struct queue_waiter *waiter)
{
    struct queue *queue = waiter->queue;
    if (!queue)
        return;
    DL_DELETE(queue->waiters, waiter);
    queue->waiter_count--;
    waiter->queue = NULL;
    update_ready(queue);
}

struct queue *queue_ready(const struct depot *depot)
{
    return depot->ready;
}

void queue_reset(struct queue *queue)
{
    struct message *message = queue->oldest;
    while (message) {
        struct message *newer = message->newer;
        message->timer.place = 0;
        depot_remove(queue->depot, message);
        message = newer;
    }
    for (size_t i = 0; i < queue->kept.count; i++)
        depot_remove(queue->depot, (struct message *)queue->kept.nodes[i]);
    queue->oldest = queue->newest = queue->active = NULL;
    queue->timers.count = queue->kept.count = 0;
    queue->active_count = queue->delayed_count = queue->inflight_count = 0;
    update_due(queue);
    update_ready(queue);
}

void queue_fini(struct queue *queue)
{
    CHECK(!queue->waiters);
    queue_reset(queue);
    heap_fini(&queue->timers);
    heap_fini(&queue->kept);
    free(queue->tags);
}
