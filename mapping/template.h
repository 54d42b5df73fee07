/*
 * template - text with placeholders, compiled at load and rendered for each message (RULES 2)
 *
 *     {name} {1} {topic} {qos} {retain} {gateway} {rule} {json:/pointer} {user:KEY} {content_type}
 *     {ce:ATTRIBUTE}   {{ and }}   |lower |upper |default:TEXT |slice:FROM:LEN |shard:N |levels
 *
 * A template is immutable and shared by all threads; a scope belongs to one message on one thread.
 */
#ifndef MAPPING_TEMPLATE_H
#define MAPPING_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "mapping/filter.h"
#include "mqtt/message.h"

struct cJSON;
struct template;

/* Where a template stands decides which placeholders it may have and how values are put in. */
enum template_use {
    TEMPLATE_NAME,  /* a queue's or topic's name: values as they are */
    TEMPLATE_ROUTE, /* a routing key: values made safe, '/' of a '#' capture becomes '.' */
    TEMPLATE_TAG,   /* a tag: values as they are */
    TEMPLATE_TOPIC, /* an MQTT topic, of a reverse rule: values may not bring + # NUL or / */
};

/*
 * Compiles text. names gives the captures that may be used (NULL: none; a reverse rule); envelope
 * allows {ce:...}. NULL and err when it is wrong: err names the placeholder and, for unknown ones,
 * the nearest known.
 */
struct template *template_new(struct span text, enum template_use use, const struct filter *names,
                              bool envelope, struct err *err);
void template_free(struct template *t); /* NULL is fine */

/* The text as written, and the text when there are no placeholders (else ptr NULL). */
struct span template_text(const struct template *t);
struct span template_constant(const struct template *t);

/* What one message has to offer. Fill in what is known, zero the rest; template_scope_fini after.
 */
struct template_scope {
    const struct mqtt_message *message;
    const struct filter *filter;           /* the one that matched, or NULL */
    const struct topic_captures *captures; /* of filter, or NULL */
    struct span rule;
    struct span gateway;
    struct span payload;          /* what {json:...} reads */
    struct span replace;          /* TEMPLATE_ROUTE: what a breaking character becomes */
    bool replace_reject;          /* TEMPLATE_ROUTE: such a value is an error instead */
    const struct cJSON *envelope; /* what {ce:...} reads, or NULL; borrowed */

    struct cJSON *json; /* template's: payload parsed at first use */
    bool json_tried;
};
void template_scope_fini(struct template_scope *scope);

/*
 * Appends the text for this scope to out. False and err when a value is missing and has no
 * default, or may not stand there. err begins with a reason code, e.g.
 * "template_missing: {json:/t} is not in the payload". JSON strings give their text, numbers and
 * booleans their JSON; null counts as missing; objects and arrays are an error.
 */
MUST_CHECK bool template_render(const struct template *t, struct template_scope *scope,
                                struct buf *out, struct err *err);

#endif
