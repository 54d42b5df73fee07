/*
 * definition - queues and topics as texts, as the data file keeps them
 *
 * A text is a JSON object of all attributes; a topic's has its subscriptions in it. What a text
 * does not name has its default, so that a file of an earlier version can be read. One thread.
 */
#ifndef LOCAL_DEFINITION_H
#define LOCAL_DEFINITION_H

#include "base/buf.h"
#include "local/store.h"

/* Appends a definition. */
void definition_of_queue(const struct queue *queue, struct buf *out);
void definition_of_topic(const struct topic *topic, struct buf *out);

/*
 * Adds the queue of a definition, with its number in the data file. Its dead letter queue may come
 * later, so definition_bind must follow once all queues are there. False and err when the text is
 * not a definition or does not fit with what is in the store.
 */
MUST_CHECK bool definition_add_queue(struct store *store, uint64_t number, struct span text,
                                     struct err *err);
MUST_CHECK bool definition_bind(struct store *store, struct span text, struct err *err);

/* Adds the topic of a definition with its subscriptions, whose queues must be there. */
MUST_CHECK bool definition_add_topic(struct store *store, uint64_t number, struct span text,
                                     struct err *err);

#endif
