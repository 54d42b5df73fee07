/*
 * figures - what each rule did
 *
 * A rule has a row, known by its direction and name, from when it is first entered until the
 * gateway ends: a reload that brings the rule back finds it, and one that takes the rule away
 * leaves it, so that no count ever falls. Rows are never freed before the book, so a pointer to one
 * may be kept, and counting is one relaxed atomic addition.
 *
 * Any thread.
 */
#ifndef GATEWAY_FIGURES_H
#define GATEWAY_FIGURES_H

#include "base/span.h"

enum figure {
    /* of forward rules */
    FIGURE_MATCHED,   /* messages that the rule applied to */
    FIGURE_PLANNED,   /* deliveries made of them */
    FIGURE_DELIVERED, /* deliveries that CMQ has */
    FIGURE_RETRIED,   /* failed tries: CMQ away, slow, throttling */
    FIGURE_HELD,      /* failed tries: account or name wrong */
    /* of reverse rules */
    FIGURE_TAKEN,      /* CMQ messages read or pushed to us */
    FIGURE_PUBLISHED,  /* of those, acknowledged by the broker */
    FIGURE_REFUSED,    /* publishes that the broker refused */
    FIGURE_PARKED,     /* set aside: in the rule's dead-letter queue or here */
    FIGURE_RECOGNISED, /* redeliveries of what was published already */
    FIGURE_DELETED,    /* deleted from CMQ */
    /* of both */
    FIGURE_DEAD, /* dead letters made; figures_dead counts them */
    FIGURE_COUNT
};

enum figures_direction { FIGURES_FORWARD, FIGURES_REVERSE };

enum {
    FIGURES_MAX_ROWS = 200000, /* then the last one takes what finds no room */
    FIGURES_MAX_REASONS = 24,  /* the same, of a row's reasons */
    FIGURES_REASON_BYTES = 48, /* with its NUL */
    FIGURES_ERROR_BYTES = 512, /* what is kept of a text */
};

struct figures;

void figures_add(struct figures *figures, enum figure which, uint64_t n);

/* A message of it came at this Unix time. */
void figures_message(struct figures *figures, int64_t unix_ms);

/* Its last error is this one, now. */
void figures_error(struct figures *figures, struct span text);

/* A dead letter: counts it and its reason's code, the word before ':', and is the last error. */
void figures_dead(struct figures *figures, struct span reason);

struct figures_book;

struct figures_book *figures_book_new(void);
void figures_book_free(struct figures_book *book); /* NULL is fine */

/* The rule's row; made when new. Never NULL. */
struct figures *figures_enter(struct figures_book *book, enum figures_direction direction,
                              struct span rule);

/*
 * The row of the rule that a delivery names: a forward rule's, or a reverse rule's that parks in a
 * queue. A name that is not known is that of a forward rule of an earlier run.
 */
struct figures *figures_of_delivery(struct figures_book *book, struct span rule);

struct figures_reason {
    char code[FIGURES_REASON_BYTES];
    uint64_t count;
};

/* A row as of a moment. Strings are as long as the book, or copies in the struct. */
struct figures_shot {
    enum figures_direction direction;
    const char *rule;
    uint64_t values[FIGURE_COUNT];
    struct figures_reason reasons[FIGURES_MAX_REASONS];
    size_t reason_count;
    int64_t message_ms; /* 0: none */
    int64_t error_ms;   /* 0: none */
    char error[FIGURES_ERROR_BYTES];
};

/* "matched", "delivered", ... */
const char *figure_name(enum figure which);

/* False when there is no such row. */
bool figures_read(struct figures_book *book, enum figures_direction direction, struct span rule,
                  struct figures_shot *shot);

/*
 * Calls fn for each row, those of forward rules first, in the order they were entered. The shot is
 * fn's during the call. fn may not enter rows.
 */
void figures_each(struct figures_book *book, void (*fn)(void *ctx, const struct figures_shot *shot),
                  void *ctx);

#endif
