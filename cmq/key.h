/*
 * key - matching routing keys and tags as CMQ does (CMQ.md 4.1, 4.2)
 *
 * Words are separated by '.'; '*' stands for exactly one word that is not empty, '#' for zero or
 * more words; a wildcard counts only as a whole word; everything else is compared byte by byte.
 * Pure; any thread; time is bounded by the product of the two keys' words.
 */
#ifndef CMQ_KEY_H
#define CMQ_KEY_H

#include "base/span.h"

/* Whether a message published with this routing key reaches a subscription with this binding key.
 */
bool cmq_key_match(struct span binding_key, struct span route);

/*
 * Whether a message with these tags passes a subscription's filter tags: no filter tags take
 * everything; otherwise they must have one tag in common.
 */
bool cmq_tags_match(const struct span *filter_tags, size_t filter_count, const struct span *tags,
                    size_t tag_count);

#endif
