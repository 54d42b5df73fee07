/*
 * bench_plan - what it costs to plan a message: to find its rules, and to make its deliveries
 *
 *     bench_plan CONFIG TOPICS MESSAGES
 *
 * Loads a configuration, plans MESSAGES messages to the topics that the file TOPICS has a line
 * each, in turn, and prints the nanoseconds a message, of matching alone and of the whole plan, and
 * the rules that matched a message. Deliveries are freed at once. One thread.
 */
#include "mapping/plan.h"
#include "config/config.h"
#include "mapping/matcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_TOPICS_BYTES = 16 << 20, HITS = 64 };

struct topics {
    struct span *list;
    size_t count;
};

static uint64_t next_id(void *ctx)
{
    return ++*(uint64_t *)ctx;
}

static void drop_delivery(void *ctx, const struct forward_rule *rule, size_t target,
                          struct delivery *delivery)
{
    (void)ctx;
    (void)rule;
    (void)target;
    free(delivery);
}

static void drop_dead(void *ctx, const struct forward_rule *rule, struct dead_letter *letter)
{
    (void)ctx;
    (void)rule;
    free(letter);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static bool read_topics(const char *path, struct buf *text, struct topics *topics)
{
    FILE *file = fopen(path, "re");
    char *room = buf_reserve(text, MAX_TOPICS_BYTES);
    if (!file)
        return false;
    text->len += fread(room, 1, MAX_TOPICS_BYTES, file);
    (void)fclose(file);
    struct span rest = buf_span(text);
    topics->list = check_alloc(calloc(text->len + 1, sizeof *topics->list));
    while (rest.len > 0) {
        struct span line = span_slice(rest, 0, span_find(rest, '\n'));
        rest = span_slice(rest, line.len + 1, rest.len);
        if (line.len > 0)
            topics->list[topics->count++] = line;
    }
    return topics->count > 0;
}

static void measure(const struct config *config, const struct topics *topics, size_t messages)
{
    uint64_t id = 0;
    size_t hits = 0;
    struct matcher_hit found[HITS];
    struct plan_sink sink = {
        .ctx = &id, .next_id = next_id, .delivery = drop_delivery, .dead = drop_dead};
    double began = now_ns();
    for (size_t i = 0; i < messages; i++)
        hits += matcher_find(config->rules->matcher, topics->list[i % topics->count], found, HITS);
    double matching = now_ns() - began;
    began = now_ns();
    for (size_t i = 0; i < messages; i++) {
        struct mqtt_message message = {.topic = topics->list[i % topics->count],
                                       .payload = SPAN_LIT("{\"t\": 21.5}"),
                                       .qos = 1};
        (void)plan_message(config->rules, &message, NULL, NULL, &sink);
    }
    double planning = now_ns() - began;
    printf("{\"rules\": %zu, \"match_ns\": %.0f, \"plan_ns\": %.0f, \"hits\": %.2f}\n",
           config->rules->forward_count, matching / (double)messages, planning / (double)messages,
           (double)hits / (double)messages);
}

int main(int argc, char **argv)
{
    struct faults faults = {0};
    struct topics topics = {0};
    struct buf text = BUF_INIT(MAX_TOPICS_BYTES);
    uint64_t messages = 0;
    if (argc != 4 || !span_to_u64(span_of(argv[3]), 1000000000, &messages) || messages == 0) {
        fputs("usage: bench_plan CONFIG TOPICS MESSAGES\n", stderr);
        return 2;
    }
    struct config *config = config_load_offline(argv[1], &faults);
    bool ok = config && read_topics(argv[2], &text, &topics);
    if (ok)
        measure(config, &topics, (size_t)messages);
    else
        fputs("bench_plan: the configuration has errors, or there are no topics\n", stderr);
    faults_fini(&faults);
    config_free(config);
    free(topics.list);
    buf_fini(&text);
    return ok ? 0 : 1;
}
