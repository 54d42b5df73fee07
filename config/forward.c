/* forward - rules from MQTT to CMQ (RULES 2) */
#include "config/checks.h"
#include "config/digest.h"
#include "config/list.h"
#include "config/reader.h"

enum { MAX_FILTERS = 64, MAX_TARGETS = 64, MAX_TEMPLATE_BYTES = 4096 };

static const char *const bodies[] = {[ENVELOPE_RAW] = "raw",
                                     [ENVELOPE_BASE64] = "base64",
                                     [ENVELOPE_CLOUDEVENTS] = "cloudevents",
                                     NULL};
static const char *const retained_words[] = {"forward", "skip", NULL};
static const char *const orders[] = {"relaxed", "strict", NULL};
static const char *const unrouted_words[] = {"dead_letter", "accept", NULL};

/* One entry of `to` while it is read. */
struct target_draft {
    struct template *queue;
    struct template *topic;
    struct template *route;
    struct template *tags[CMQ_MAX_TAGS];
    size_t tag_count;
    int64_t delay_s;
};

static void take_filter(struct reader *reader, const config_setting_t *setting, char *value,
                        void *object)
{
    struct forward_rule *rule = object;
    struct err err;
    struct filter *filter = filter_new(span_of(value), &err);
    free(value);
    if (!filter) {
        reader_refuse(reader, setting, err.text);
        return;
    }
    if (rule->from_count > 0 && !filter_same_names(rule->from[0].filter, filter)) {
        reader_refuse(reader, setting,
                      "all filters of a rule must define the same names as the first");
        filter_free(filter);
        return;
    }
    rule->from = list_grow(rule->from, rule->from_count, sizeof *rule->from);
    rule->from[rule->from_count++].filter = filter;
}

static void read_from(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct forward_rule *rule = object;
    if (reader_strings(reader, setting, MAX_FILTERS, take_filter, rule) == 0)
        reader_mismatch(reader, setting);
    reader->captures = rule->from_count > 0 ? rule->from[0].filter : NULL;
}

static void read_when(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct forward_rule *rule = object;
    char *value = reader_string(reader, setting);
    if (!value)
        return;
    rule->when = reader_program(reader, setting, span_of(value));
    free(value);
}

static void read_body(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct forward_rule *rule = object;
    char *value = reader_string(reader, setting);
    if (!value)
        return;
    int kind = reader_word(value, bodies);
    if (kind >= 0) {
        rule->body = (enum envelope_kind)kind;
    } else if (span_starts(span_of(value), "jq:")) {
        rule->jq = reader_program(reader, setting, span_of(value + strlen("jq:")));
    } else {
        reader_mismatch(reader, setting);
    }
    free(value);
}

static void read_replace(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct forward_rule *rule = object;
    char *value = reader_string(reader, setting);
    const char *why;
    if (!value)
        return;
    rule->replace_reject = strcmp(value, "reject") == 0;
    if (rule->replace_reject) {
        free(value);
    } else if (check_replace(span_of(value), &why)) {
        free(rule->replace);
        rule->replace = value;
    } else {
        reader_refuse(reader, setting, why);
        free(value);
    }
}

/* Compiles value, which it frees; what is constant must pass check. NULL: a fault. */
static struct template *compile(struct reader *reader, const config_setting_t *setting, char *value,
                                enum template_use use, bool (*check)(struct span, const char **))
{
    struct err err;
    const char *why;
    struct template *template = NULL;
    /* Without captures the rule has a fault at its filter, and every {name} would be another. */
    if (strlen(value) > MAX_TEMPLATE_BYTES) {
        reader_fault(reader, setting, "has more than %d bytes", (int)MAX_TEMPLATE_BYTES);
    } else if (reader->captures) {
        template = template_new(span_of(value), use, reader->captures, false, &err);
        if (!template)
            reader_refuse(reader, setting, err.text);
    }
    free(value);
    if (template && template_constant(template).ptr && !check(template_constant(template), &why)) {
        reader_refuse(reader, setting, why);
        template_free(template);
        template = NULL;
    }
    return template;
}

static struct template *read_template(struct reader *reader, const config_setting_t *setting,
                                      enum template_use use,
                                      bool (*check)(struct span, const char **))
{
    char *value = reader_string(reader, setting);
    return value ? compile(reader, setting, value, use, check) : NULL;
}

static void read_queue(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct target_draft *draft = object;
    draft->queue = read_template(reader, setting, TEMPLATE_NAME, cmq_name_ok);
}

static void read_topic(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct target_draft *draft = object;
    draft->topic = read_template(reader, setting, TEMPLATE_NAME, cmq_name_ok);
}

static void read_route(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct target_draft *draft = object;
    draft->route = read_template(reader, setting, TEMPLATE_ROUTE, cmq_route_ok);
}

static void take_tag(struct reader *reader, const config_setting_t *setting, char *value,
                     void *object)
{
    struct target_draft *draft = object;
    struct template *tag = compile(reader, setting, value, TEMPLATE_TAG, cmq_tag_ok);
    if (tag)
        draft->tags[draft->tag_count++] = tag;
}

static void read_tags(struct reader *reader, const config_setting_t *setting, void *object)
{
    reader_strings(reader, setting, CMQ_MAX_TAGS, take_tag, object);
}

static const struct option target_options[] = {
    {.name = "queue",
     .kind = OPTION_OTHER,
     .read = read_queue,
     .takes = "a template",
     .text = "The queue to send to; one of `queue` and `topic` is required."},
    {.name = "topic",
     .kind = OPTION_OTHER,
     .read = read_topic,
     .takes = "a template",
     .text = "The topic to publish to."},
    {.name = "route",
     .kind = OPTION_OTHER,
     .read = read_route,
     .takes = "a template",
     .text = "Topics: the routing key. Excludes `tags`."},
    {.name = "tags",
     .kind = OPTION_OTHER,
     .read = read_tags,
     .takes = "a template or a list of at most 5",
     .text = "Topics: the tags. Excludes `route`."},
    {.name = "delay",
     .kind = OPTION_DURATION,
     OPTION_AT(struct target_draft, delay_s),
     .preset = "0s",
     .max = OPTION_S(CMQ_MAX_DELAY_S),
     .unit = 1000,
     .text = "Queues: how long CMQ keeps the message back."},
};
static const struct option_group target_group = {
    "forward.to", "Where a forward rule sends. A list fans out, all or nothing.", target_options,
    OPTION_COUNT(target_options), false};

/* What the members of one target mean to each other. */
static void check_target(struct reader *reader, const config_setting_t *setting)
{
    bool queue = reader_given(setting, "queue"), topic = reader_given(setting, "topic");
    if (!queue && !topic)
        reader_fault_at(reader, reader_line(setting), "forward.to needs a queue or a topic");
    if (queue && topic) {
        reader_fault_at(reader, reader_member_line(setting, "topic"),
                        "forward.to has a queue already; a topic is a target of its own");
    }
    if (topic && reader_given(setting, "route") && reader_given(setting, "tags")) {
        reader_fault_at(reader, reader_member_line(setting, "tags"),
                        "forward.to.tags and forward.to.route exclude each other");
    }
    if (queue && !topic) {
        static const char *const of_topics[] = {"route", "tags"};
        for (size_t i = 0; i < OPTION_COUNT(of_topics); i++) {
            if (reader_given(setting, of_topics[i])) {
                reader_fault_at(reader, reader_member_line(setting, of_topics[i]),
                                "forward.to.%s is for topics, not for queues", of_topics[i]);
            }
        }
    }
    if (topic && !queue && reader_given(setting, "delay")) {
        reader_fault_at(reader, reader_member_line(setting, "delay"),
                        "forward.to.delay is for queues, not for topics");
    }
}

static void read_target(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct forward_rule *rule = object;
    struct target_draft draft = {0};
    reader_group(reader, &target_group, setting, reader_line(setting), &draft);
    check_target(reader, setting);

    rule->targets = list_grow(rule->targets, rule->target_count, sizeof *rule->targets);
    struct rule_target *target = &rule->targets[rule->target_count++];
    target->is_topic = draft.topic != NULL;
    target->name = draft.topic ? draft.topic : draft.queue;
    if (draft.topic)
        template_free(draft.queue); /* NULL unless there was a fault */
    target->route = draft.route;
    for (size_t i = 0; i < draft.tag_count; i++)
        target->tags[i] = draft.tags[i];
    target->tag_count = draft.tag_count;
    target->delay_s = (uint32_t)draft.delay_s;
}

static const struct option forward_options[] = {
    {.name = "name",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct forward_rule, name),
     .check = check_rule_name,
     .max = 128,
     .text = "Unique among all rules; the label of metrics and logs."},
    {.name = "from",
     .kind = OPTION_OTHER,
     .required = true,
     .read = read_from,
     .takes = "an MQTT filter or a list of 1 to 64 filters",
     .text = "What to listen with; `+NAME` and `#NAME` are wildcards with a name. All filters of a "
             "list define the same names."},
    {.name = "qos",
     .kind = OPTION_INT,
     OPTION_AT(struct forward_rule, qos),
     .preset = "1",
     .max = 2,
     .text = "QoS of the subscription."},
    {.name = "when",
     .kind = OPTION_OTHER,
     .read = read_when,
     .takes = "a jq program",
     .text = "The message matches when the first output is neither false nor null. A payload that "
             "is not JSON does not match."},
    {.name = "to",
     .kind = OPTION_GROUPS,
     .required = true,
     .group = &target_group,
     .read = read_target,
     .min = 1,
     .max = MAX_TARGETS,
     .text = "See [forward.to](#forwardto)."},
    {.name = "body",
     .kind = OPTION_OTHER,
     .read = read_body,
     .preset = "raw",
     .takes = "\"raw\", \"base64\", \"cloudevents\" or \"jq:PROGRAM\"",
     .text = "What CMQ gets; of `jq:` the first output, as JSON."},
    {.name = "retained",
     .kind = OPTION_WORD,
     OPTION_AT(struct forward_rule, skip_retained),
     .preset = "forward",
     .words = retained_words,
     .text = "What becomes of retained copies that the broker sends on subscribing."},
    {.name = "final",
     .kind = OPTION_BOOL,
     OPTION_AT(struct forward_rule, final),
     .preset = "false",
     .text = "Rules further down are not tried once this one matched."},
    {.name = "order",
     .kind = OPTION_WORD,
     OPTION_AT(struct forward_rule, strict),
     .preset = "relaxed",
     .words = orders,
     .text = "`strict`: one request at a time to a destination, in the order of arrival."},
    {.name = "max_age",
     .kind = OPTION_DURATION,
     OPTION_AT(struct forward_rule, max_age_ms),
     .preset = "0s",
     .max = OPTION_S(366 * 86400),
     .text = "Older messages go to the dead letters. `0s`: none is too old."},
    {.name = "unrouted",
     .kind = OPTION_WORD,
     OPTION_AT(struct forward_rule, accept_unrouted),
     .preset = "dead_letter",
     .words = unrouted_words,
     .text = "What it means that a topic has no fitting subscription."},
    {.name = "replace",
     .kind = OPTION_OTHER,
     .read = read_replace,
     .preset = "_",
     .takes = "a string, or \"reject\"",
     .text = "What takes the place of what would break a route; `reject`: a dead letter instead."},
};
const struct option_group option_forward = {"forward", "Rules from MQTT to CMQ.", forward_options,
                                            OPTION_COUNT(forward_options), false};

void forward_read(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct config *config = object;
    struct ruleset *set = config->rules;
    if (!reader_room_for_rule(reader, setting))
        return;
    set->forward = list_grow(set->forward, set->forward_count, sizeof *set->forward);
    struct forward_rule *rule = &set->forward[set->forward_count++];
    rule->replace = span_dup((struct span)SPAN_LIT("_"));
    rule->digest = digest_setting(HASH_SEED, setting);
    rule->file = reader->file;
    rule->line = reader_line(setting);
    reader->captures = NULL;
    reader_group(reader, &option_forward, setting, rule->line, rule);
    if (rule->name) {
        names_define(&reader->names, NAME_RULE, 0, rule->name, rule->file,
                     reader_member_line(setting, "name"));
    }
}
