/* export - see export.h. */
#include "provision/export.h"

#include "base/quantity.h"
#include "config/checks.h"
#include "provision/attribute.h"

enum { WIDTH = 80 };

/* Settings of one group, broken into lines. */
struct lines {
    struct buf *out;
    size_t indent;
    size_t column;
};

static void new_line(struct lines *lines)
{
    buf_printf(lines->out, "\n%*s", (int)lines->indent, "");
    lines->column = lines->indent;
}

/* One more word of the line, or the first of the next one. */
static void add_word(struct lines *lines, const char *word)
{
    size_t len = strlen(word);
    if (lines->column > lines->indent && lines->column + 1 + len > WIDTH) {
        new_line(lines);
    } else if (lines->column > lines->indent) {
        buf_add_char(lines->out, ' ');
        lines->column++;
    }
    buf_add_str(lines->out, word);
    lines->column += len;
}

static void add_comment(struct lines *lines, const char *text, const char *why)
{
    if (lines->column > lines->indent)
        new_line(lines);
    buf_printf(lines->out, "# %s cannot be declared: %s", text, why);
    new_line(lines);
}

/* A string in libconfig's quotes. One that would be taken for a reference is told apart by "@@". */
static void add_quoted(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    if (*text == '@')
        buf_add_char(out, '@');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
    buf_add_char(out, '"');
}

static void add_string(struct lines *lines, const char *setting, const char *text)
{
    struct buf word = BUF_INIT(8192);
    buf_printf(&word, "%s = ", setting);
    add_quoted(&word, text);
    buf_add_char(&word, ';');
    add_word(lines, buf_str(&word));
    buf_fini(&word);
}

static void add_strings(struct lines *lines, const char *setting, char *const *texts, size_t count)
{
    struct buf word = BUF_INIT(8192);
    for (size_t i = 0; i < count; i++) {
        if (i == 0)
            buf_printf(&word, "%s = [ ", setting);
        add_quoted(&word, texts[i]);
        buf_add_str(&word, i + 1 < count ? "," : " ];");
        add_word(lines, buf_str(&word));
        buf_clear(&word);
    }
    buf_fini(&word);
}

/* Switches that are off, and what goes with one that is, are left out. */
static bool is_worth_saying(const struct attribute *row, const struct resource_queue *queue,
                            int64_t value)
{
    if (row->kind == ATTRIBUTE_BOOL || row->kind == ATTRIBUTE_SWITCH)
        return value != 0;
    if (queue && (row->bit & (GIVEN_CHECK_BACK_AFTER | GIVEN_CHECK_BACKS)))
        return queue->transaction;
    if (queue && row->bit == GIVEN_REWIND_SIZE)
        return queue->rewind_s > 0 && value > 0;
    return true;
}

static bool is_within(const struct attribute *row, int64_t value)
{
    return value >= row->min && value <= row->max;
}

static void add_attributes(struct lines *lines, const struct attribute_table *table,
                           const void *resource, const struct resource_queue *queue, unsigned given)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct attribute *row = &table->rows[i];
        int64_t value = attribute_get(row, resource);
        if (!(given & row->bit) || !is_worth_saying(row, queue, value))
            continue;
        const char *quote = attribute_is_quoted(row) ? "\"" : "";
        struct buf word = BUF_INIT(256);
        buf_printf(&word, "%s = %s", row->setting, quote);
        attribute_text(row, value, &word);
        buf_printf(&word, "%s;", quote);
        if (is_within(row, value))
            add_word(lines, buf_str(&word));
        else
            add_comment(lines, buf_str(&word), "it is out of the setting's bounds");
        buf_fini(&word);
    }
}

/* All of them or none, because they are compared together. */
static void add_labels(struct lines *lines, char *const *labels, size_t count)
{
    enum { MOST = 50, KEY_BYTES = 127, VALUE_BYTES = 255 };
    bool ok = count <= MOST;
    for (size_t i = 0; ok && i < count; i++) {
        size_t key = span_find(span_of(labels[i]), '=');
        ok = key >= 1 && key <= KEY_BYTES && strlen(labels[i]) - key - 1 <= VALUE_BYTES;
    }
    if (ok)
        add_strings(lines, "labels", labels, count);
    else
        add_comment(lines, "labels", "there are too many, or they are too long");
}

/* What is effective of the queue's retention once its section is read. */
static int64_t declared_retention(const struct resource_queue *queue)
{
    for (size_t i = 0; i < queue_attributes.count; i++) {
        const struct attribute *row = &queue_attributes.rows[i];
        if (row->bit == GIVEN_RETENTION && (queue->given & row->bit) &&
            is_within(row, queue->retention_s))
            return queue->retention_s;
    }
    return 3600;
}

/* Why the queue's dead letters cannot be declared as they are; NULL: they can. */
static const char *dead_letter_fault(const struct inventory *inventory,
                                     const struct resource_queue *queue)
{
    const char *why;
    const struct inventory_queue *grave = inventory_queue(inventory, queue->dead_letter);
    if (!cmq_name_ok(span_of(queue->dead_letter), &why))
        return why;
    if (grave && grave->is.dead_letter)
        return "that queue has one itself";
    if (queue->policy == 0)
        return queue->max_receive >= 1 && queue->max_receive <= 1000
                   ? NULL
                   : "max_receive is out of its bounds";
    if (queue->max_age_s < 300 || queue->max_age_s > 43200)
        return "max_age is out of its bounds";
    return queue->max_age_s < declared_retention(queue) ? NULL
                                                        : "max_age is not below the retention";
}

static void add_dead_letter(struct lines *lines, const struct inventory *inventory,
                            const struct resource_queue *queue)
{
    if (!queue->dead_letter)
        return;
    struct buf word = BUF_INIT(8192);
    buf_add_str(&word, "dead_letter = { queue = ");
    add_quoted(&word, queue->dead_letter);
    if (queue->policy == 0) {
        buf_printf(&word, "; max_receive = %lld; };", (long long)queue->max_receive);
    } else {
        buf_add_str(&word, "; max_age = \"");
        duration_format(&word, queue->max_age_s * 1000);
        buf_add_str(&word, "\"; };");
    }
    const char *fault = dead_letter_fault(inventory, queue);
    if (fault)
        add_comment(lines, buf_str(&word), fault);
    else
        add_word(lines, buf_str(&word));
    buf_fini(&word);
}

/* Why something of this name cannot be declared; NULL: it can. */
static const char *name_fault(const char *name)
{
    const char *why;
    return cmq_name_ok(span_of(name), &why) ? NULL : why;
}

static const char *subscription_fault(const struct resource_topic *topic,
                                      const struct resource_subscription *s)
{
    const char *why;
    if (!cmq_name_ok(span_of(s->name), &why))
        return why;
    if (s->queue ? !cmq_name_ok(span_of(s->queue), &why) : !check_push_url(span_of(s->url), &why))
        return why;
    for (size_t i = 0; !topic->by_route && i < s->tag_count; i++) {
        if (!cmq_tag_ok(span_of(s->tags[i]), &why))
            return why;
    }
    for (size_t i = 0; topic->by_route && i < s->key_count; i++) {
        if (!cmq_binding_key_ok(span_of(s->keys[i]), &why))
            return why;
    }
    return NULL;
}

/* A line about what is left out of a list. */
static void say_left_out(struct buf *out, int indent, const char *what, const char *name,
                         const char *why)
{
    buf_printf(out, "\n%*s# the %s %s cannot be declared: %s", indent, "", what, name, why);
}

/* Begins a group of a list; what comes next is to be indented so far. */
static struct lines begin(struct buf *out, size_t indent, const char *name, bool *first)
{
    struct lines lines = {.out = out, .indent = indent + 2};
    buf_printf(out, "%s\n%*s{ name = ", *first ? "" : ",", (int)indent, "");
    add_quoted(out, name);
    buf_add_char(out, ';');
    *first = false;
    new_line(&lines);
    return lines;
}

static void end(struct lines *lines)
{
    if (lines->column > lines->indent)
        buf_add_str(lines->out, " }");
    else
        buf_add_char(lines->out, '}');
}

static void write_queues(const struct inventory *inventory, struct buf *out)
{
    bool first = true;
    buf_add_str(out, "  queues = (");
    for (size_t i = 0; i < inventory->queue_count; i++) {
        const char *name = inventory->queues[i].is.name, *why = name_fault(name);
        if (why)
            say_left_out(out, 4, "queue", name, why);
    }
    for (size_t i = 0; i < inventory->queue_count; i++) {
        const struct resource_queue *queue = &inventory->queues[i].is;
        if (name_fault(queue->name) || !inventory_exists(inventory->queues[i].status))
            continue;
        struct lines lines = begin(out, 4, queue->name, &first);
        add_attributes(&lines, &queue_attributes, queue, queue, queue->given);
        add_dead_letter(&lines, inventory, queue);
        add_labels(&lines, queue->labels, queue->label_count);
        end(&lines);
    }
    buf_add_str(out, "\n  );\n");
}

static void write_subscription(struct buf *out, const struct resource_topic *topic,
                               const struct resource_subscription *s, bool *first)
{
    struct lines lines = begin(out, 8, s->name, first);
    add_string(&lines, s->queue ? "queue" : "url", s->queue ? s->queue : s->url);
    if (topic->by_route)
        add_strings(&lines, "keys", s->keys, s->key_count);
    else
        add_strings(&lines, "tags", s->tags, s->tag_count);
    if (s->given & GIVEN_RETRY)
        add_string(&lines, "retry", s->exponential ? "exponential" : "backoff");
    if ((s->given & GIVEN_FORMAT) && s->url)
        add_string(&lines, "format", s->simplified ? "simplified" : "json");
    end(&lines);
}

static void write_topic(struct buf *out, const struct resource_topic *topic, bool *first)
{
    bool first_subscription = true;
    struct lines lines = begin(out, 4, topic->name, first);
    add_string(&lines, "filter", topic->by_route ? "route" : "tag");
    add_attributes(&lines, &topic_attributes, topic, NULL, topic->given);
    add_labels(&lines, topic->labels, topic->label_count);
    if (topic->subscription_count > 0) {
        if (lines.column > lines.indent)
            new_line(&lines);
        buf_add_str(out, "subscriptions = (");
        for (size_t i = 0; i < topic->subscription_count; i++) {
            const struct resource_subscription *s = &topic->subscriptions[i];
            const char *why = subscription_fault(topic, s);
            if (why)
                say_left_out(out, 8, "subscription", s->name, why);
        }
        for (size_t i = 0; i < topic->subscription_count; i++) {
            const struct resource_subscription *s = &topic->subscriptions[i];
            if (!subscription_fault(topic, s))
                write_subscription(out, topic, s, &first_subscription);
        }
        buf_add_str(out, "\n      );");
        lines.column = WIDTH;
    }
    end(&lines);
}

static void write_topics(const struct inventory *inventory, struct buf *out)
{
    bool first = true;
    buf_add_str(out, "  topics = (");
    for (size_t i = 0; i < inventory->topic_count; i++) {
        const char *name = inventory->topics[i].is.name, *why = name_fault(name);
        if (why)
            say_left_out(out, 4, "topic", name, why);
    }
    for (size_t i = 0; i < inventory->topic_count; i++) {
        const struct inventory_topic *topic = &inventory->topics[i];
        if (!name_fault(topic->is.name) && inventory_exists(topic->status))
            write_topic(out, &topic->is, &first);
    }
    buf_add_str(out, "\n  );\n");
}

bool export_write(const struct inventory *inventory, struct buf *out)
{
    buf_add_str(out, "resources = {\n");
    write_queues(inventory, out);
    write_topics(inventory, out);
    buf_add_str(out, "};\n");
    return !out->overflow;
}
