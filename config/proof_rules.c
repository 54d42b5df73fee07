/* proof_rules - see proof.h: rules that are never reached, that double others, or cannot succeed.
 */
#include "config/filter_tree.h"
#include "config/proof.h"
#include "mapping/destination.h"

#include <ctype.h>
#include <uthash.h>

enum { MAX_DESTINATION_BYTES = 4096 };

/* Final rules without a condition; of them those that leave retained copies to others, or none. */
struct finals {
    struct filter_tree *all, *not_retained;
};

/* Whether no message gets to the rule; *stopper is one of the final rules that take them. */
static bool is_stopped(const struct finals *finals, const struct forward_rule *rule,
                       size_t *stopper)
{
    for (size_t i = 0; i < rule->from_count; i++) {
        struct span filter = span_of(rule->from[i].filter->plain);
        if (!filter_tree_covers(finals->all, filter, stopper) &&
            !(rule->skip_retained && filter_tree_covers(finals->not_retained, filter, stopper)))
            return false;
    }
    return true;
}

static void check_finals(const struct ruleset *set, struct faults *faults)
{
    struct finals finals = {filter_tree_new(), filter_tree_new()};
    size_t stopper = 0;
    for (size_t i = 0; i < set->forward_count; i++) {
        const struct forward_rule *rule = &set->forward[i];
        if (is_stopped(&finals, rule, &stopper)) {
            const struct forward_rule *other = &set->forward[stopper];
            faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                       "this rule never matches: \"%s\" at %s:%d is final and takes its messages",
                       other->name, other->file, other->line);
        }
        for (size_t k = 0; k < rule->from_count && rule->final && !rule->when; k++) {
            filter_tree_add(rule->skip_retained ? finals.not_retained : finals.all,
                            span_of(rule->from[k].filter->plain), i);
        }
    }
    filter_tree_free(finals.all);
    filter_tree_free(finals.not_retained);
}

/* A destination that is written out, and the filters of the rules that always send to it. */
struct place {
    char *text;
    struct filter_tree *senders;
    UT_hash_handle hh;
};

/* Appends the destination's text in one spelling; false when it depends on the message. */
static bool constant_destination(const struct rule_target *target, struct buf *text)
{
    struct destination d = {.is_topic = target->is_topic,
                            .name = template_constant(target->name),
                            .delay_s = target->delay_s,
                            .has_route = target->route != NULL,
                            .tag_count = target->tag_count};
    char name[CMQ_MAX_NAME_BYTES];
    if (!d.name.ptr || d.name.len > sizeof name)
        return false;
    for (size_t i = 0; i < d.name.len; i++)
        name[i] = (char)tolower((unsigned char)d.name.ptr[i]);
    d.name.ptr = name;
    if (target->route) {
        d.route = template_constant(target->route);
        if (!d.route.ptr)
            return false;
    }
    for (size_t i = 0; i < target->tag_count; i++) {
        d.tags[i] = template_constant(target->tags[i]);
        if (!d.tags[i].ptr)
            return false;
    }
    return destination_format(&d, text);
}

static struct place *place_of(struct place **places, const char *text)
{
    struct place *place;
    HASH_FIND_STR(*places, text, place);
    if (!place) {
        place = check_alloc(calloc(1, sizeof *place));
        place->text = span_dup(span_of(text));
        place->senders = filter_tree_new();
        HASH_ADD_KEYPTR(hh, *places, place->text, strlen(place->text), place);
    }
    return place;
}

static bool sends_the_same(const struct place *place, const struct forward_rule *rule,
                           size_t *other)
{
    struct shape shape;
    for (size_t i = 0; i < rule->from_count; i++) {
        shape_of_filter(&shape, span_of(rule->from[i].filter->plain));
        if (filter_tree_meets(place->senders, &shape, other))
            return true;
    }
    return false;
}

static void check_double(const struct ruleset *set, size_t index, struct place *place,
                         struct faults *faults)
{
    const struct forward_rule *rule = &set->forward[index];
    size_t first;
    if (sends_the_same(place, rule, &first)) {
        const struct forward_rule *other = &set->forward[first];
        if (other == rule) {
            faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                       "duplicates: this rule sends each message to \"%s\" twice", place->text);
        } else {
            faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                       "duplicates: \"%s\" at %s:%d sends some messages of this rule to \"%s\" too",
                       other->name, other->file, other->line, place->text);
        }
    }
    for (size_t i = 0; i < rule->from_count && !rule->final; i++)
        filter_tree_add(place->senders, span_of(rule->from[i].filter->plain), index);
}

/* Rules with a condition may exclude each other, and a final one keeps its messages. */
static void check_doubles(const struct ruleset *set, struct faults *faults)
{
    struct place *places = NULL, *place, *next;
    struct buf text = BUF_INIT(MAX_DESTINATION_BYTES);
    for (size_t i = 0; i < set->forward_count; i++) {
        const struct forward_rule *rule = &set->forward[i];
        for (size_t k = 0; k < rule->target_count && !rule->when; k++) {
            buf_clear(&text);
            if (constant_destination(&rule->targets[k], &text))
                check_double(set, i, place_of(&places, buf_str(&text)), faults);
        }
    }
    HASH_ITER(hh, places, place, next)
    {
        HASH_DEL(places, place);
        filter_tree_free(place->senders);
        free(place->text);
        free(place);
    }
    buf_fini(&text);
}

static size_t count_chars(struct span s, bool (*is)(char c))
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += is(s.ptr[i]);
    return n;
}

static bool is_dot(char c)
{
    return c == '.';
}

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

/* Of a template with placeholders; a placeholder of a route can take a dot along (template.h). */
static void check_length(const struct forward_rule *rule, const struct template *t,
                         enum template_use use, struct faults *faults)
{
    size_t bytes = 0, chars = 0, dots = 0, placeholders = 0;
    for (size_t i = 0; i < template_piece_count(t); i++) {
        struct template_piece piece = template_piece(t, i);
        if (!piece.literal) {
            placeholders++;
            continue;
        }
        bytes += piece.text.len;
        chars += count_chars(piece.text, begins_character);
        dots += count_chars(piece.text, is_dot);
    }
    const char *text = template_text(t).ptr;
    if (use == TEMPLATE_TAG && chars > CMQ_MAX_TAG_CHARS) {
        faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                   "the tag \"%s\" is always too long: what is constant has %zu characters, above "
                   "%d",
                   text, chars, (int)CMQ_MAX_TAG_CHARS);
    } else if (use == TEMPLATE_ROUTE && bytes > CMQ_MAX_ROUTE_BYTES + placeholders) {
        faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                   "the route \"%s\" is always too long: what is constant has %zu bytes, above %d",
                   text, bytes, (int)CMQ_MAX_ROUTE_BYTES);
    } else if (use == TEMPLATE_ROUTE && dots > CMQ_MAX_ROUTE_DOTS + placeholders) {
        faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                   "the route \"%s\" always has too many words: it has %zu dots, above %d", text,
                   dots, (int)CMQ_MAX_ROUTE_DOTS);
    }
}

static void check_lengths(const struct ruleset *set, struct faults *faults)
{
    for (size_t i = 0; i < set->forward_count; i++) {
        const struct forward_rule *rule = &set->forward[i];
        for (size_t k = 0; k < rule->target_count; k++) {
            const struct rule_target *target = &rule->targets[k];
            if (target->route)
                check_length(rule, target->route, TEMPLATE_ROUTE, faults);
            for (size_t t = 0; t < target->tag_count; t++)
                check_length(rule, target->tags[t], TEMPLATE_TAG, faults);
        }
    }
}

/*
 * MQTT 3.1.1 s. 3.3.5: for each of the subscriptions that a message matches the broker may send it
 * again, and nothing tells the copies apart.
 */
static void check_overlaps(const struct ruleset *set, struct faults *faults)
{
    struct filter_tree *earlier = filter_tree_new();
    bool *seen = check_alloc(calloc(set->subscription_count + 1, sizeof *seen));
    for (size_t i = 0; i < set->forward_count; i++) {
        const struct forward_rule *rule = &set->forward[i];
        for (size_t k = 0; k < rule->from_count; k++) {
            size_t number = rule->from[k].subscription, other;
            const struct rule_subscription *s = &set->subscriptions[number];
            struct shape shape;
            if (seen[number] || s->covered)
                continue;
            seen[number] = true;
            shape_of_filter(&shape, span_of(s->filter));
            if (filter_tree_meets(earlier, &shape, &other)) {
                faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                           "with mqtt.version = \"3.1.1\" the broker may send messages twice that "
                           "match both \"%s\" and a filter of \"%s\" at %s:%d",
                           rule->from[k].filter->text, set->forward[other].name,
                           set->forward[other].file, set->forward[other].line);
            }
            filter_tree_add(earlier, span_of(s->filter), i);
        }
    }
    free(seen);
    filter_tree_free(earlier);
}

static void check_placeholders_v3(const struct forward_rule *rule, const struct template *t,
                                  struct faults *faults)
{
    for (size_t i = 0; i < template_piece_count(t); i++) {
        struct template_piece piece = template_piece(t, i);
        if (piece.of_mqtt5) {
            faults_add(faults, FAULT_WARNING, rule->file, rule->line,
                       "with mqtt.version = \"3.1.1\" no message has %.*s: %s",
                       SPAN_ARG(piece.written),
                       piece.has_default ? "its default always stands there"
                                         : "every message is a dead letter");
        }
    }
}

static void check_templates_v3(const struct ruleset *set, struct faults *faults)
{
    for (size_t i = 0; i < set->forward_count; i++) {
        const struct forward_rule *rule = &set->forward[i];
        for (size_t k = 0; k < rule->target_count; k++) {
            const struct rule_target *target = &rule->targets[k];
            check_placeholders_v3(rule, target->name, faults);
            if (target->route)
                check_placeholders_v3(rule, target->route, faults);
            for (size_t t = 0; t < target->tag_count; t++)
                check_placeholders_v3(rule, target->tags[t], faults);
        }
    }
}

void proof_rules(const struct config *config, struct faults *faults)
{
    check_finals(config->rules, faults);
    check_doubles(config->rules, faults);
    check_lengths(config->rules, faults);
    if (config->mqtt.v5)
        return;
    check_overlaps(config->rules, faults);
    check_templates_v3(config->rules, faults);
}
