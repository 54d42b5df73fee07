/* pump_impl - what pump.c, timers.c and transfer.c share; nobody else's. */
#ifndef CMQ_PUMP_IMPL_H
#define CMQ_PUMP_IMPL_H

#include "cmq/pump.h"

#include <curl/curl.h>
#include <pthread.h>

/* A binary heap of the timers that are set, the next one first. */
struct timers {
    struct pump_timer **at;
    size_t count;
    size_t room;
};

void timers_fini(struct timers *timers);
/* Fires what is due at now_ms. Timers set meanwhile wait for the next time. */
void timers_fire(struct timers *timers, int64_t now_ms);
/* Milliseconds until the next one is due; at most max_ms. */
int64_t timers_wait(const struct timers *timers, int64_t now_ms, int64_t max_ms);

struct pump_transfer;

/* Exchanges, and the easy handles kept for the next ones. */
struct transfers {
    CURLM *multi;
    struct curl_slist *form_headers;
    struct pump_transfer *active; /* utlist */
    struct pump_transfer *stuck;  /* could not be started; end in the next turn */
    struct pump_transfer *idle;
    size_t idle_count;
    size_t count;       /* active and stuck */
    uint64_t turn;      /* counts transfers_move */
    char date_text[40]; /* the last Date header, as many answers share one */
    int64_t date_s;
};

/* False when curl lacks memory or file descriptors. */
bool transfers_init(struct transfers *transfers);
void transfers_fini(struct transfers *transfers); /* with none under way */
/* Moves all on, as far as they go without waiting. Whether any ended. */
bool transfers_move(struct transfers *transfers);
/* Waits for something to do, or for pump_post. */
void transfers_wait(struct transfers *transfers, int64_t wait_ms);
/* Ends all with status 0. */
void transfers_end(struct transfers *transfers);

struct pump {
    struct transfers transfers;
    struct timers timers;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* guards what follows */
    struct post *posts;   /* utlist, oldest first */
    bool ending;
};

#endif
