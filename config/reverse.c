/* reverse - rules from CMQ to MQTT (RULES 3 and 4) */
#include "config/checks.h"
#include "config/digest.h"
#include "config/list.h"
#include "config/reader.h"

#include <strings.h>

enum { MAX_TEMPLATE_BYTES = 4096 };

static const char *const payloads[] = {[REVERSE_BODY] = "body",
                                       [REVERSE_BASE64] = "base64",
                                       [REVERSE_CLOUDEVENTS] = "cloudevents",
                                       NULL};

static const struct option from_options[] = {
    {.name = "queue",
     .kind = OPTION_STRING,
     OPTION_AT(struct reverse_rule, queue),
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "The queue to take from; one of `queue` and `push` is required."},
    {.name = "push",
     .kind = OPTION_STRING,
     .hidden = true,
     OPTION_AT(struct reverse_rule, push_path),
     .check = check_push_path,
     .text = "The path under `push.listen` that CMQ posts to; at least 128 unguessable bits."},
    {.name = "pollers",
     .kind = OPTION_INT,
     OPTION_AT(struct reverse_rule, pollers),
     .preset = "1",
     .min = 1,
     .max = 64,
     .text = "Long polls at a time."},
    {.name = "batch",
     .kind = OPTION_INT,
     OPTION_AT(struct reverse_rule, batch),
     .preset = "16",
     .min = 1,
     .max = CMQ_MAX_BATCH,
     .text = "Messages to take at a time."},
    {.name = "wait",
     .kind = OPTION_DURATION,
     OPTION_AT(struct reverse_rule, wait_s),
     .preset = "3s",
     .max = OPTION_S(CMQ_MAX_POLL_S),
     .unit = 1000,
     .text = "How long a poll waits for a message."},
};
static const struct option_group from_group = {"reverse.from", "Where a reverse rule takes from.",
                                               from_options, OPTION_COUNT(from_options), false};

/* What the members of `from` mean to each other; after they were read. */
static void check_from(struct reader *reader, const config_setting_t *setting, void *object)
{
    const struct reverse_rule *rule = object;
    if (!config_setting_is_group(setting))
        return;
    bool queue = reader_given(setting, "queue"), push = reader_given(setting, "push");
    if (!queue && !push)
        reader_fault_at(reader, reader_line(setting), "reverse.from needs a queue or a push");
    if (queue && push) {
        reader_fault_at(reader, reader_member_line(setting, "push"),
                        "reverse.from.push and reverse.from.queue exclude each other");
    }
    if (push && !queue) {
        static const char *const of_queues[] = {"pollers", "batch", "wait"};
        for (size_t i = 0; i < OPTION_COUNT(of_queues); i++) {
            if (reader_given(setting, of_queues[i])) {
                reader_fault_at(reader, reader_member_line(setting, of_queues[i]),
                                "reverse.from.%s is for queues, not for pushes", of_queues[i]);
            }
        }
    }
    if (rule->push_path) {
        int line = reader_member_line(setting, "push");
        names_define(&reader->names, NAME_PUSH, 0, rule->push_path, reader->file, line);
    }
}

static void read_payload(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct reverse_rule *rule = object;
    char *value = reader_string(reader, setting);
    if (!value)
        return;
    struct span text = span_of(value);
    int kind = reader_word(value, payloads);
    if (kind >= 0) {
        rule->payload = (enum reverse_payload)kind;
    } else if (span_starts(text, "jq:") && text.len > strlen("jq:")) {
        rule->payload = REVERSE_JQ;
        rule->jq = reader_program(reader, setting, span_slice(text, strlen("jq:"), text.len));
    } else {
        reader_mismatch(reader, setting);
        rule->payload = REVERSE_CLOUDEVENTS; /* so that {ce:...} is not a second fault */
    }
    free(value);
}

static void read_to(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct reverse_rule *rule = object;
    char *value = reader_string(reader, setting);
    struct err err;
    const char *why;
    if (!value)
        return;
    if (strlen(value) > MAX_TEMPLATE_BYTES) {
        reader_fault(reader, setting, "has more than %d bytes", (int)MAX_TEMPLATE_BYTES);
    } else {
        rule->to = template_new(span_of(value), TEMPLATE_TOPIC, NULL,
                                rule->payload == REVERSE_CLOUDEVENTS, &err);
        if (!rule->to) {
            reader_refuse(reader, setting, err.text);
        } else if (template_constant(rule->to).ptr &&
                   !topic_name_ok(template_constant(rule->to), &why)) {
            reader_refuse(reader, setting, why);
        }
    }
    free(value);
}

static const struct option reverse_options[] = {
    {.name = "name",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct reverse_rule, name),
     .check = check_rule_name,
     .max = 128,
     .text = "Unique among all rules; the label of metrics and logs."},
    {.name = "from",
     .kind = OPTION_GROUP,
     .required = true,
     .group = &from_group,
     .read = check_from,
     .text = "See [reverse.from](#reversefrom)."},
    {.name = "payload",
     .kind = OPTION_OTHER,
     .read = read_payload,
     .preset = "body",
     .takes = "\"body\", \"base64\", \"cloudevents\" or \"jq:PROGRAM\"",
     .text = "How the message's body becomes the payload."},
    {.name = "to",
     .kind = OPTION_OTHER,
     .required = true,
     .read = read_to,
     .takes = "a template",
     .text = "The topic to publish to. `{ce:...}` only with `payload = \"cloudevents\"`."},
    {.name = "qos",
     .kind = OPTION_INT,
     OPTION_AT(struct reverse_rule, qos),
     .preset = "1",
     .max = 2,
     .text = "QoS to publish with; the message is deleted after its acknowledgement."},
    {.name = "retain",
     .kind = OPTION_BOOL,
     OPTION_AT(struct reverse_rule, retain),
     .preset = "false",
     .text = "Whether the broker shall retain it."},
    {.name = "expiry",
     .kind = OPTION_DURATION,
     OPTION_AT(struct reverse_rule, expiry_s),
     .preset = "0s",
     .max = OPTION_S(UINT32_MAX),
     .unit = 1000,
     .text = "MQTT 5 message expiry interval. `0s`: none."},
    {.name = "attempts",
     .kind = OPTION_INT,
     OPTION_AT(struct reverse_rule, attempts),
     .preset = "16",
     .min = 1,
     .max = 1000,
     .text = "After so many failures it is a dead letter."},
    {.name = "dead_letter",
     .kind = OPTION_STRING,
     OPTION_AT(struct reverse_rule, dead_letter),
     .preset = "",
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "The queue for dead letters. Empty: the local store."},
    {.name = "allow_loop",
     .kind = OPTION_BOOL,
     OPTION_AT(struct reverse_rule, allow_loop),
     .preset = "false",
     .text = "That a forward rule may bring the message back is intended."},
};
const struct option_group option_reverse = {"reverse", "Rules from CMQ to MQTT.", reverse_options,
                                            OPTION_COUNT(reverse_options), false};

void reverse_read(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct config *config = object;
    struct ruleset *set = config->rules;
    if (!reader_room_for_rule(reader, setting))
        return;
    set->reverse = list_grow(set->reverse, set->reverse_count, sizeof *set->reverse);
    struct reverse_rule *rule = &set->reverse[set->reverse_count++];
    rule->digest = digest_setting(HASH_SEED, setting);
    rule->file = reader->file;
    rule->line = reader_line(setting);
    reader_group(reader, &option_reverse, setting, rule->line, rule);
    if (rule->queue && rule->dead_letter && strcasecmp(rule->queue, rule->dead_letter) == 0) {
        reader_fault_at(reader, reader_member_line(setting, "dead_letter"),
                        "reverse.dead_letter is the queue that the rule takes from");
    }
    if (rule->name) {
        names_define(&reader->names, NAME_RULE, 1, rule->name, rule->file,
                     reader_member_line(setting, "name"));
    }
}
