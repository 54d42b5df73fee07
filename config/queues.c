/* queues - the queues that should exist in CMQ (RULES 5); limits: CMQ.md 4, 5 and 8.5 */
#include "config/list.h"
#include "config/resource_rows.h"

static const struct given_name given_names[] = {
    {"visibility", GIVEN_VISIBILITY},
    {"polling_wait", GIVEN_POLLING_WAIT},
    {"retention", GIVEN_RETENTION},
    {"max_size", GIVEN_MAX_SIZE},
    {"max_messages", GIVEN_MAX_MESSAGES},
    {"rewind", GIVEN_REWIND},
    {"rewind_size", GIVEN_REWIND_SIZE},
    {"trace", GIVEN_TRACE},
    {"transaction", GIVEN_TRANSACTION},
    {"check_back_after", GIVEN_CHECK_BACK_AFTER},
    {"check_backs", GIVEN_CHECK_BACKS},
    {"dead_letter", GIVEN_DEAD_LETTER},
    {"labels", GIVEN_LABELS},
    {NULL, 0},
};

static const struct option dead_letter_options[] = {
    {.name = "queue",
     .kind = OPTION_STRING,
     OPTION_AT(struct resource_queue, dead_letter),
     .preset = "",
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "The queue that dead messages go to. `\"\"`: none, also where the account has one."},
    {.name = "max_receive",
     .kind = OPTION_INT,
     OPTION_AT(struct resource_queue, max_receive),
     .min = 1,
     .max = 1000,
     .text = "Dead after so many receives; one of this and `max_age` is required."},
    {.name = "max_age",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, max_age_s),
     .min = OPTION_S(300),
     .max = OPTION_S(43200),
     .unit = 1000,
     .text = "Dead after so long (policy 1); shorter than the queue's retention."},
};
static const struct option_group dead_letter_group = {
    "resources.queues.dead_letter", "When messages of the queue are dead.", dead_letter_options,
    OPTION_COUNT(dead_letter_options), false};

/* Whether it says that there shall be none; a name that is not valid does not say that. */
static bool is_none(const config_setting_t *setting)
{
    const char *name;
    return config_setting_lookup_string(setting, "queue", &name) == CONFIG_TRUE && !*name;
}

static void check_dead_letter(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct resource_queue *queue = object;
    if (!config_setting_is_group(setting))
        return;
    bool receive = reader_given(setting, "max_receive"), age = reader_given(setting, "max_age");
    if (!*queue->dead_letter) {
        free(queue->dead_letter);
        queue->dead_letter = NULL;
    }
    if (!reader_given(setting, "queue")) {
        reader_fault_at(reader, reader_line(setting),
                        "resources.queues.dead_letter.queue is required");
    }
    if (is_none(setting)) {
        if (receive || age) {
            reader_fault_at(reader, reader_line(setting),
                            "resources.queues.dead_letter says when messages are dead, but names "
                            "no queue for them");
        }
        return;
    }
    if (!receive && !age) {
        reader_fault_at(reader, reader_line(setting),
                        "resources.queues.dead_letter needs max_receive or max_age");
    }
    if (receive && age) {
        reader_fault_at(reader, reader_member_line(setting, "max_age"),
                        "resources.queues.dead_letter.max_age and max_receive exclude each other");
    }
    queue->policy = age ? 1 : 0;
    if (queue->max_age_s >= queue->retention_s) {
        reader_fault_at(reader, reader_member_line(setting, "max_age"),
                        "resources.queues.dead_letter.max_age must be shorter than the queue's "
                        "retention, %lld seconds",
                        (long long)queue->retention_s);
    }
    if (queue->dead_letter) {
        names_mention(&reader->names, MENTION_DEAD_LETTER, queue->dead_letter, reader->file,
                      reader_member_line(setting, "queue"));
    }
}

/* The service counts this in units of 1 MiB; 0 where there is no rewinding. */
static void check_rewind_size(struct reader *reader, const config_setting_t *setting,
                              const struct resource_queue *queue)
{
    int line = reader_member_line(setting, "rewind_size");
    if (queue->rewind_size_bytes % (1 << 20) != 0)
        reader_fault_at(reader, line, "resources.queues.rewind_size must be whole MiB");
    if (reader_given(setting, "rewind_size") && queue->rewind_s == 0) {
        reader_fault_at(reader, line,
                        "resources.queues.rewind_size has no effect: rewind is not set");
    }
}

static void check_transaction(struct reader *reader, const config_setting_t *setting,
                              const struct resource_queue *queue)
{
    static const char *const needing[] = {"check_back_after", "check_backs"};
    for (size_t i = 0; i < OPTION_COUNT(needing); i++) {
        if (reader_given(setting, needing[i]) && !queue->transaction) {
            reader_fault_at(reader, reader_member_line(setting, needing[i]),
                            "resources.queues.%s has no effect: transaction is not set",
                            needing[i]);
        }
    }
}

static const struct option queue_options[] = {
    {.name = "name",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct resource_queue, name),
     .check = cmq_name_ok,
     .max = CMQ_MAX_NAME_BYTES,
     .text = "Unique, upper and lower case being the same."},
    {.name = "visibility",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, visibility_s),
     .preset = "30s",
     .min = OPTION_S(1),
     .max = OPTION_S(43200),
     .unit = 1000,
     .text = "How long a received message stays hidden from others."},
    {.name = "polling_wait",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, polling_wait_s),
     .preset = "0s",
     .max = OPTION_S(CMQ_MAX_POLL_S),
     .unit = 1000,
     .text = "How long a receive waits that does not say itself."},
    {.name = "retention",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, retention_s),
     .preset = "1h",
     .min = OPTION_S(30),
     .max = OPTION_S(43200),
     .unit = 1000,
     .text = "After so long CMQ drops a message that nobody deleted."},
    {.name = "max_size",
     .kind = OPTION_SIZE,
     OPTION_AT(struct resource_queue, max_size_bytes),
     .preset = "1MiB",
     .min = 1024,
     .max = CMQ_MAX_BODY_BYTES,
     .text = "The largest body."},
    {.name = "rewind",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, rewind_s),
     .preset = "0s",
     .max = OPTION_S(1296000),
     .unit = 1000,
     .text = "How far back deleted messages can be had again."},
    {.name = "rewind_size",
     .kind = OPTION_SIZE,
     OPTION_AT(struct resource_queue, rewind_size_bytes),
     .min = INT64_C(10) << 30,
     .max = INT64_C(500) << 30,
     .text = "How much is kept for `rewind`. Omitted: what the service gives."},
    {.name = "max_messages",
     .kind = OPTION_INT,
     OPTION_AT(struct resource_queue, max_messages),
     .min = 1000000,
     .max = 1000000000,
     .text = "How many messages it holds at most. Omitted: what the service gives."},
    {.name = "trace",
     .kind = OPTION_BOOL,
     OPTION_AT(struct resource_queue, trace),
     .preset = "false",
     .text = "Whether the service records each message's way."},
    {.name = "transaction",
     .kind = OPTION_BOOL,
     OPTION_AT(struct resource_queue, transaction),
     .preset = "false",
     .text = "A transaction queue. Only CMQ's TCP clients can use it, the gateway cannot."},
    {.name = "check_back_after",
     .kind = OPTION_DURATION,
     OPTION_AT(struct resource_queue, check_back_after_s),
     .min = OPTION_S(1),
     .max = OPTION_S(43200),
     .unit = 1000,
     .text = "When CMQ first asks what became of a transaction. Omitted: what the service gives."},
    {.name = "check_backs",
     .kind = OPTION_INT,
     OPTION_AT(struct resource_queue, check_backs),
     .min = 1,
     .max = 1000,
     .text = "How often it asks at most. Omitted: what the service gives."},
    {.name = "dead_letter",
     .kind = OPTION_GROUP,
     .group = &dead_letter_group,
     .read = check_dead_letter,
     .text = "See [resources.queues.dead_letter](#resourcesqueuesdead_letter)."},
    {.name = "labels",
     .kind = OPTION_STRINGS,
     OPTION_LIST_AT(struct resource_queue, labels, label_count),
     .check = resource_label_ok,
     .max = MAX_LABELS,
     .text = "The account's own tags, as `KEY=VALUE`; set when the queue is created."},
};
const struct option_group resource_queue_group = {"resources.queues", "Queues of the account.",
                                                  queue_options, OPTION_COUNT(queue_options),
                                                  false};

void resource_queue_read(struct reader *reader, const config_setting_t *setting, void *object)
{
    struct resources *resources = &((struct config *)object)->resources;
    resources->queues =
        list_grow(resources->queues, resources->queue_count, sizeof *resources->queues);
    struct resource_queue *queue = &resources->queues[resources->queue_count];
    queue->file = reader->file;
    queue->line = reader_line(setting);
    queue->given = resource_given(setting, given_names);
    reader_group(reader, &resource_queue_group, setting, queue->line, queue);
    check_rewind_size(reader, setting, queue);
    check_transaction(reader, setting, queue);
    if (queue->name) {
        names_define(&reader->names, NAME_QUEUE, resources->queue_count, queue->name, queue->file,
                     reader_member_line(setting, "name"));
    }
    resources->queue_count++;
}
