/* push - see push.h. */
#include "local/push.h"

#include "base/check.h"
#include "base/random.h"

#include <utlist.h>

int64_t push_rest_ms(bool exponential, int64_t backoff_ms, unsigned failures, uint64_t random)
{
    if (!exponential) {
        if (failures > PUSH_BACKOFF_RETRIES)
            return -1;
        return backoff_ms + (int64_t)(random % (PUSH_BACKOFF_SPREAD_MS + 1));
    }
    if (failures > PUSH_DECAY_RETRIES)
        return -1;
    return failures > 9 ? PUSH_DECAY_MAX_MS : INT64_C(1000) << (failures - 1);
}

static int64_t sped_up(const struct push_hub *hub, int64_t ms)
{
    ms /= hub->speedup;
    return ms > 0 ? ms : 1;
}

static int64_t end_of_life(const struct push *push)
{
    return push->born_ms + sped_up(push->hub, push->line->life_ms);
}

void push_hub_init(struct push_hub *hub, struct depot *depot)
{
    *hub = (struct push_hub){
        .depot = depot, .speedup = 1, .backoff_ms = PUSH_BACKOFF_MIN_MS, .next_number = 1};
}

void push_hub_fini(struct push_hub *hub)
{
    heap_fini(&hub->due);
}

struct push_line *push_line_new(struct push_hub *hub, const struct subscription *subscription,
                                bool exponential, int64_t life_ms)
{
    struct push_line *line = check_alloc(malloc(sizeof *line));
    *line = (struct push_line){
        .hub = hub, .subscription = subscription, .exponential = exponential, .life_ms = life_ms};
    return line;
}

uint64_t push_bytes(size_t tags_len, size_t body_len)
{
    return sizeof(struct push) + tags_len + body_len;
}

/* The list that a push of this state is in; NULL: in the heap of those that rest. */
static struct push **list_of(struct push_line *line, enum push_state state)
{
    return state == PUSH_FRESH    ? &line->fresh
           : state == PUSH_TRYING ? &line->trying
           : state == PUSH_AGAIN  ? &line->again
                                  : NULL;
}

static void enter_state(struct push *push, enum push_state state, int64_t due_ms)
{
    struct push **list = list_of(push->line, state);
    push->state = state;
    push->line->trying_count += state == PUSH_TRYING;
    if (list) {
        DL_APPEND(*list, push);
    } else {
        heap_set(&push->line->resting, &push->timer, due_ms);
    }
}

static void leave_state(struct push *push)
{
    struct push **list = list_of(push->line, push->state);
    push->line->trying_count -= push->state == PUSH_TRYING;
    if (list) {
        /* the last of the list is its own prev, which the analyzer does not know */
        DL_DELETE(*list, push); // NOLINT(clang-analyzer-core.NullDereference)
    } else {
        heap_remove(&push->line->resting, &push->timer);
    }
}

/* Keeps the hub's list of lines where a try can begin true. */
static void update_ready(struct push_line *line)
{
    size_t most = line->exponential ? PUSH_LINE_TRIES : 1;
    bool ready = line->trying_count < most && (line->again || (line->fresh && line->troubled == 0));
    if (ready == line->is_ready)
        return;
    line->is_ready = ready;
    if (ready) {
        DL_APPEND2(line->hub->ready, line, ready_prev, ready_next);
    } else {
        DL_DELETE2(line->hub->ready, line, ready_prev, ready_next);
    }
}

/* Keeps the moment at which push_advance has work true. */
static void update_due(struct push_line *line)
{
    const struct heap_node *rest = heap_first(&line->resting);
    int64_t due_ms = rest ? rest->due_ms : INT64_MAX;
    if (line->fresh && end_of_life(line->fresh) < due_ms)
        due_ms = end_of_life(line->fresh);
    if (due_ms == INT64_MAX) {
        heap_remove(&line->hub->due, &line->due);
    } else if (line->due.place == 0 || line->due.due_ms != due_ms) {
        heap_set(&line->hub->due, &line->due, due_ms);
    }
}

static void update(struct push_line *line)
{
    update_ready(line);
    update_due(line);
}

/* Frees a push that is in no list. */
static void release(struct push *push)
{
    changes_gone(push->hub->depot->changes, &push->record, push->number);
    push->hub->depot->bytes -= push_bytes(push->tags_len, push->body_len);
    free(push);
}

/* Ends a push: it leaves its line and is no more. */
static void finish(struct push *push)
{
    leave_state(push);
    push->line->pending--;
    push->line->troubled -= push->failures > 0;
    release(push);
}

static void drop(struct push *push)
{
    push->line->dropped++;
    finish(push);
}

static void touch(struct push *push)
{
    changes_touch(push->hub->depot->changes, &push->record, RECORD_PUSH);
}

static struct push *add(struct push_line *line, uint64_t id, struct span tags, struct span body,
                        const struct push_past *past)
{
    struct push *push = check_alloc(malloc(push_bytes(tags.len, body.len)));
    *push = (struct push){.hub = line->hub,
                          .line = line,
                          .id = id,
                          .number = past->number,
                          .born_ms = past->born_ms,
                          .failures = past->failures,
                          .tags_len = tags.len,
                          .body_len = body.len};
    if (tags.len)
        memcpy(push->bytes, tags.ptr, tags.len);
    if (body.len)
        memcpy(push->bytes + tags.len, body.ptr, body.len);
    line->hub->depot->bytes += push_bytes(tags.len, body.len);
    line->pending++;
    line->troubled += past->failures > 0;
    enter_state(push, past->failures > 0 ? PUSH_RESTING : PUSH_FRESH, past->due_ms);
    if (past->number >= line->hub->next_number)
        line->hub->next_number = past->number + 1;
    update(line);
    return push;
}

void push_add(struct push_line *line, uint64_t id, struct span tags, struct span body,
              int64_t now_ms)
{
    const struct push_past past = {.number = line->hub->next_number, .born_ms = now_ms};
    touch(add(line, id, tags, body, &past));
}

void push_restore(struct push_line *line, uint64_t id, struct span tags, struct span body,
                  const struct push_past *past)
{
    struct push *push = add(line, id, tags, body, past);
    push->record = (struct record){.kind = RECORD_PUSH, .saved = true};
}

/* Drops those at the head of a list whose life has ended. */
static void drop_dead(struct push *list, int64_t now_ms)
{
    struct push *push, *next;
    DL_FOREACH_SAFE(list, push, next)
    {
        if (end_of_life(push) > now_ms)
            break;
        drop(push);
    }
}

static void advance_line(struct push_line *line, int64_t now_ms)
{
    struct heap_node *rest;
    while ((rest = heap_first(&line->resting)) && rest->due_ms <= now_ms) {
        _Static_assert(offsetof(struct push, timer) == 0, "the timer is the push's head");
        struct push *push = (struct push *)rest;
        leave_state(push);
        enter_state(push, PUSH_AGAIN, 0);
    }
    drop_dead(line->fresh, now_ms); /* in the order of their age */
    drop_dead(line->again, now_ms); /* in any order: push_next drops the others */
    update(line);
}

void push_advance(struct push_hub *hub, int64_t now_ms)
{
    struct heap_node *first;
    while ((first = heap_first(&hub->due)) && first->due_ms <= now_ms) {
        _Static_assert(offsetof(struct push_line, due) == 0, "the due moment is the line's head");
        advance_line((struct push_line *)first, now_ms);
    }
}

int64_t push_next_due(const struct push_hub *hub)
{
    const struct heap_node *first = heap_first(&hub->due);
    return first ? first->due_ms : INT64_MAX;
}

struct push *push_next(struct push_hub *hub, int64_t now_ms)
{
    while (hub->ready && hub->trying_count < PUSH_HUB_TRIES) {
        struct push_line *line = hub->ready;
        struct push *push = line->again ? line->again : line->fresh;
        if (end_of_life(push) <= now_ms) {
            drop(push);
            update(line);
            continue;
        }
        leave_state(push);
        enter_state(push, PUSH_TRYING, 0);
        hub->trying_count++;
        DL_DELETE2(hub->ready, line, ready_prev, ready_next); /* to the end: all get their turn */
        line->is_ready = false;
        update(line);
        return push;
    }
    return NULL;
}

/* Puts a push that has failed to rest, or drops it. */
static enum push_verdict rest_or_drop(struct push *push, int64_t now_ms)
{
    struct push_line *line = push->line;
    int64_t end_ms = end_of_life(push), due_ms = end_ms;
    int64_t rest_ms =
        push_rest_ms(line->exponential, line->hub->backoff_ms, push->failures, random_u64());
    if (end_ms <= now_ms || (rest_ms < 0 && !line->exponential)) {
        drop(push);
        return PUSH_DROPPED;
    }
    if (rest_ms >= 0 && now_ms + sped_up(line->hub, rest_ms) < end_ms)
        due_ms = now_ms + sped_up(line->hub, rest_ms);
    leave_state(push);
    enter_state(push, PUSH_RESTING, due_ms);
    touch(push);
    return PUSH_RESTS;
}

enum push_verdict push_settle(struct push *push, bool ok, int64_t now_ms)
{
    struct push_line *line = push->line;
    push->hub->trying_count--;
    if (!line) {
        release(push);
        return PUSH_FORGOTTEN;
    }
    CHECK(push->state == PUSH_TRYING);
    enum push_verdict verdict = PUSH_DELIVERED;
    if (ok) {
        line->delivered++;
        finish(push);
    } else {
        line->failed_tries++;
        line->troubled += push->failures++ == 0;
        verdict = rest_or_drop(push, now_ms);
    }
    update(line);
    return verdict;
}

static void release_all(struct push *list)
{
    struct push *push, *next;
    DL_FOREACH_SAFE(list, push, next)
    {
        release(push);
    }
}

void push_line_reset(struct push_line *line)
{
    struct push *push;
    DL_FOREACH(line->trying, push)
    {
        push->line = NULL; /* push_settle frees it */
        changes_gone(line->hub->depot->changes, &push->record, push->number);
    }
    release_all(line->fresh);
    release_all(line->again);
    for (size_t i = 0; i < line->resting.count; i++)
        release((struct push *)line->resting.nodes[i]);
    line->fresh = line->again = line->trying = NULL;
    line->resting.count = line->trying_count = 0;
    line->pending = line->troubled = 0;
    update(line);
}

void push_line_change(struct push_line *line, bool exponential, int64_t life_ms)
{
    line->exponential = exponential;
    line->life_ms = life_ms;
    update(line);
}

void push_line_free(struct push_line *line)
{
    if (!line)
        return;
    push_line_reset(line);
    heap_fini(&line->resting);
    free(line);
}
