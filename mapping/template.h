/*
 * template - text with placeholders, compiled at load and rendered for each message (RULES 2)
 *
 *     {name} {1} {topic} {qos} {retain} {gateway} {rule} {json:/pointer} {user:KEY} {content_type}
 *     {ce:ATTRIBUTE}   {{ and }}   |lower |upper |default:TEXT |slice:FROM:LEN |shard:N |levels
 *
 * A capture goes before a word of the same name: with "+topic" in the filter, {topic} is that
 * level. In reverse rules there are no captures, and what describes an MQTT message ({topic},
 * {qos}, {retain}, {user:..}, {content_type}) needs a wrapped one, that is, an envelope.
 *
 * Of a user property that comes more than once the first counts, and so does the first of JSON
 * members with the same name.
 *
 * Functions apply left to right; what is missing stays missing until a default:
 *     lower, upper     ASCII letters; other characters stay as they are
 *     default:TEXT     for a value that is missing; a value that is empty is not. TEXT runs to the
 *                      next '|' or '}' and is the author's own: it stands in a route or topic as
 *                      written
 *     slice:FROM:LEN   LEN characters of UTF-8 from the FROM-th, counted from 0; less when there is
 *                      less
 *     shard:N          0 to N-1: FNV-1a (64 bits) of the value, modulo N
 *     levels           in an MQTT topic: the value may contain '/'. {topic} and {ce:subject} may
 *                      anyway
 *
 * In a route, the values of '#' captures and {topic} have their '/' turned into '.', and each level
 * is made safe by itself. A breaking character is '.', '*', '#' or ASCII white space; an empty
 * value or level is breaking too. A '#' that matched its parent level ("p/#" on "p") stands for
 * nothing: it takes a default, else puts in nothing, and where it is a whole word of the route
 * ("a.{rest}") takes one '.' beside it along, so that the route is "a" and not "a.".
 *
 * A template is immutable and shared by all threads; a scope belongs to one message on one thread.
 */
#ifndef MAPPING_TEMPLATE_H
#define MAPPING_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "mapping/filter.h"
#include "mapping/jsonview.h"
#include "mqtt/message.h"

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
 * the nearest known. A rule with several filters compiles against each of them, and keeps one.
 */
struct template *template_new(struct span text, enum template_use use, const struct filter *names,
                              bool envelope, struct err *err);
void template_free(struct template *t); /* NULL is fine */

/* The text as written, and the text when there are no placeholders (else ptr NULL). */
struct span template_text(const struct template *t);
struct span template_constant(const struct template *t);

/* One literal or placeholder, for those who ask what a template can become without a message. */
struct template_piece {
    bool literal;
    struct span text; /* the literal bytes, or a capture's label (else empty) */
    bool levels;      /* of a topic: may bring '/'. {topic} too; a '#' capture is its filter's */
    bool has_default; /* what the author wrote may stand there */
    struct span fallback; /* what that is */
    struct span written;  /* a placeholder as it stands there, braces included */
    bool of_mqtt5;        /* {user:...}, {content_type}: MQTT 3.1.1 has none */
    bool may_lack;        /* a message may have no such value, and there is no default */
    size_t most_chars;    /* that it may bring; SIZE_MAX: no bound. {gateway} and {rule} count 0 */
};

size_t template_piece_count(const struct template *t);
struct template_piece template_piece(const struct template *t, size_t index);

/* What one message has to offer. Fill in what is known, zero the rest; template_scope_fini after.
 */
struct template_scope {
    const struct mqtt_message *message;
    const struct filter *filter;           /* the one that matched, or NULL */
    const struct topic_captures *captures; /* of filter, or NULL */
    struct span rule;
    struct span gateway;
    struct span payload;      /* what {json:...} reads */
    struct span replace;      /* TEMPLATE_ROUTE: what a breaking character becomes */
    bool replace_reject;      /* TEMPLATE_ROUTE: such a value is an error instead */
    struct jsonview envelope; /* what {ce:...} reads: an object; zeroed: nothing */

    struct jsonview_once json; /* payload, parsed at first use */
    struct buf scratch;        /* template's: a value being worked on */
};
void template_scope_fini(struct template_scope *scope);

/*
 * Appends the text for this scope to out. False and err, and out as before, when a value is missing
 * and has no default or may not stand there, or the whole is not what its use wants (cmq_name_ok,
 * cmq_route_ok and not empty, cmq_tag_ok, topic_name_ok). err begins with a reason code, e.g.
 * "template_missing: {json:/t} is not in the payload". JSON strings give their text, numbers and
 * booleans their JSON as it stands there; null counts as missing; objects and arrays are an error.
 */
MUST_CHECK bool template_render(const struct template *t, struct template_scope *scope,
                                struct buf *out, struct err *err);

#endif
