/*
 * figures - see figures.h.
 *
 * The book's mutex guards the table and, of all rows, what is not atomic: it changes only when
 * something goes wrong.
 */
#include "gateway/figures.h"

#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <uthash.h>
#include <utlist.h>

enum {
    LINE_BYTES = 64,
    FIGURES_NAME_BYTES = 128, /* of a rule's name */
};

struct figures {
    /* The pump's thread counts these; what Paho's does stands on another cache line, at the end. */
    _Alignas(LINE_BYTES) _Atomic uint64_t values[FIGURE_COUNT];

    UT_hash_handle hh;
    struct figures_book *book;
    struct figures *next; /* of the same direction, as entered */
    char *key;            /* the direction's letter, then the name */

    /* guarded by the book's mutex */
    struct figures_reason *reasons;
    size_t reason_count;
    int64_t error_ms;
    char *error;

    _Atomic uint64_t matched;
    _Atomic uint64_t planned;
    _Atomic int64_t message_ms;
};

struct figures_book {
    pthread_mutex_t mutex;
    struct figures *rows; /* by key */
    struct figures *first[2], *last[2];
    size_t count;
};

static const char letters[] = {'>', '<'};

static const char *const names[FIGURE_COUNT] = {
    [FIGURE_MATCHED] = "matched",     [FIGURE_PLANNED] = "planned",
    [FIGURE_DELIVERED] = "delivered", [FIGURE_RETRIED] = "retried",
    [FIGURE_HELD] = "held",           [FIGURE_TAKEN] = "taken",
    [FIGURE_PUBLISHED] = "published", [FIGURE_REFUSED] = "refused",
    [FIGURE_PARKED] = "parked",       [FIGURE_RECOGNISED] = "recognised",
    [FIGURE_DELETED] = "deleted",     [FIGURE_DEAD] = "dead_letters",
};

const char *figure_name(enum figure which)
{
    return names[which];
}

/* ---- counting ---- */

static _Atomic uint64_t *value_of(struct figures *figures, enum figure which)
{
    return which == FIGURE_MATCHED   ? &figures->matched
           : which == FIGURE_PLANNED ? &figures->planned
                                     : &figures->values[which];
}

void figures_add(struct figures *figures, enum figure which, uint64_t n)
{
    atomic_fetch_add_explicit(value_of(figures, which), n, memory_order_relaxed);
}

void figures_message(struct figures *figures, int64_t unix_ms)
{
    atomic_store_explicit(&figures->message_ms, unix_ms, memory_order_relaxed);
}

static void set_error_locked(struct figures *figures, struct span text)
{
    text = span_slice(text, 0, FIGURES_ERROR_BYTES - 1);
    figures->error_ms = clock_unix_ms();
    if (!figures->error)
        figures->error = check_alloc(malloc(FIGURES_ERROR_BYTES));
    if (text.len > 0)
        memcpy(figures->error, text.ptr, text.len);
    figures->error[text.len] = '\0';
}

void figures_error(struct figures *figures, struct span text)
{
    pthread_mutex_lock(&figures->book->mutex);
    set_error_locked(figures, text);
    pthread_mutex_unlock(&figures->book->mutex);
}

static void count_reason_locked(struct figures *figures, struct span reason)
{
    struct span code = span_slice(reason, 0, span_find(reason, ':'));
    code = span_slice(code, 0, FIGURES_REASON_BYTES - 1);
    if (!figures->reasons)
        figures->reasons = check_alloc(calloc(FIGURES_MAX_REASONS, sizeof *figures->reasons));
    size_t i = 0;
    while (i < figures->reason_count && !span_eq_str(code, figures->reasons[i].code))
        i++;
    if (i == FIGURES_MAX_REASONS) {
        i--;
    } else if (i == figures->reason_count) {
        figures->reason_count++;
        /* What finds no room later is counted with the last one, so that one has no name. */
        if (i == FIGURES_MAX_REASONS - 1)
            code = span_of("other");
        if (code.len > 0)
            memcpy(figures->reasons[i].code, code.ptr, code.len);
    }
    figures->reasons[i].count++;
}

void figures_dead(struct figures *figures, struct span reason)
{
    figures_add(figures, FIGURE_DEAD, 1);
    pthread_mutex_lock(&figures->book->mutex);
    count_reason_locked(figures, reason);
    set_error_locked(figures, reason);
    pthread_mutex_unlock(&figures->book->mutex);
}

/* ---- the book ---- */

static struct figures *find_locked(struct figures_book *book, enum figures_direction direction,
                                   struct span rule)
{
    struct figures *row;
    char key[FIGURES_NAME_BYTES + 1];
    CHECK(rule.len < sizeof key);
    key[0] = letters[direction];
    if (rule.len > 0)
        memcpy(key + 1, rule.ptr, rule.len);
    HASH_FIND(hh, book->rows, key, rule.len + 1, row);
    return row;
}

static struct figures *add_locked(struct figures_book *book, enum figures_direction direction,
                                  struct span rule)
{
    struct figures *row = check_alloc(aligned_alloc(LINE_BYTES, sizeof *row));
    memset(row, 0, sizeof *row);
    row->book = book;
    row->key = check_alloc(malloc(rule.len + 2));
    row->key[0] = letters[direction];
    if (rule.len > 0)
        memcpy(row->key + 1, rule.ptr, rule.len);
    row->key[rule.len + 1] = '\0';
    if (book->last[direction])
        book->last[direction]->next = row;
    else
        book->first[direction] = row;
    book->last[direction] = row;
    book->count++;
    HASH_ADD_KEYPTR(hh, book->rows, row->key, rule.len + 1, row);
    return row;
}

static struct figures *enter_locked(struct figures_book *book, enum figures_direction direction,
                                    struct span rule)
{
    rule = span_slice(rule, 0, FIGURES_NAME_BYTES); /* longer: the spool is damaged */
    struct figures *row = find_locked(book, direction, rule);
    if (row)
        return row;
    if (book->count >= FIGURES_MAX_ROWS && book->last[direction])
        return book->last[direction];
    return add_locked(book, direction, rule);
}

struct figures *figures_enter(struct figures_book *book, enum figures_direction direction,
                              struct span rule)
{
    pthread_mutex_lock(&book->mutex);
    struct figures *row = enter_locked(book, direction, rule);
    pthread_mutex_unlock(&book->mutex);
    return row;
}

struct figures *figures_of_delivery(struct figures_book *book, struct span rule)
{
    rule = span_slice(rule, 0, FIGURES_NAME_BYTES);
    pthread_mutex_lock(&book->mutex);
    struct figures *row = find_locked(book, FIGURES_FORWARD, rule);
    if (!row)
        row = find_locked(book, FIGURES_REVERSE, rule);
    if (!row)
        row = enter_locked(book, FIGURES_FORWARD, rule);
    pthread_mutex_unlock(&book->mutex);
    return row;
}

static void shoot_locked(struct figures *row, struct figures_shot *shot)
{
    shot->direction = row->key[0] == letters[FIGURES_FORWARD] ? FIGURES_FORWARD : FIGURES_REVERSE;
    shot->rule = row->key + 1;
    for (int i = 0; i < FIGURE_COUNT; i++)
        shot->values[i] = atomic_load_explicit(value_of(row, (enum figure)i), memory_order_relaxed);
    shot->message_ms = atomic_load_explicit(&row->message_ms, memory_order_relaxed);
    shot->reason_count = row->reason_count;
    for (size_t i = 0; i < row->reason_count; i++)
        shot->reasons[i] = row->reasons[i];
    shot->error_ms = row->error_ms;
    (void)snprintf(shot->error, sizeof shot->error, "%s", row->error ? row->error : "");
}

bool figures_read(struct figures_book *book, enum figures_direction direction, struct span rule,
                  struct figures_shot *shot)
{
    pthread_mutex_lock(&book->mutex);
    struct figures *row = find_locked(book, direction, span_slice(rule, 0, FIGURES_NAME_BYTES));
    if (row)
        shoot_locked(row, shot);
    pthread_mutex_unlock(&book->mutex);
    return row;
}

void figures_each(struct figures_book *book, void (*fn)(void *ctx, const struct figures_shot *shot),
                  void *ctx)
{
    for (int direction = 0; direction < 2; direction++) {
        pthread_mutex_lock(&book->mutex);
        struct figures *row = book->first[direction];
        pthread_mutex_unlock(&book->mutex);
        while (row) {
            struct figures_shot shot;
            pthread_mutex_lock(&book->mutex);
            shoot_locked(row, &shot);
            row = row->next;
            pthread_mutex_unlock(&book->mutex);
            fn(ctx, &shot);
        }
    }
}

struct figures_book *figures_book_new(void)
{
    struct figures_book *book = check_alloc(calloc(1, sizeof *book));
    CHECK(pthread_mutex_init(&book->mutex, NULL) == 0);
    return book;
}

void figures_book_free(struct figures_book *book)
{
    if (!book)
        return;
    struct figures *row, *next;
    HASH_ITER(hh, book->rows, row, next)
    {
        /* The analyser does not know what uthash's list holds. */
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
        HASH_DEL(book->rows, row);
        free(row->reasons);
        free(row->error);
        free(row->key);
        free(row);
    }
    pthread_mutex_destroy(&book->mutex);
    free(book);
}
