/*
 * cmqgw provision: compares the declared resources with the account, and makes it so
 *
 * With --apply the account is read again afterwards: what a step did is believed only when it is
 * seen.
 */
#include "config/declared.h"
#include "gateway/account.h"
#include "gateway/command.h"
#include "gateway/provision_print.h"
#include "provision/apply.h"
#include "provision/export.h"

#include <signal.h>

enum {
    CHANGES_PENDING = 4,
    MAX_OUTPUT_BYTES = 256 << 20,
    NEWS_EVERY = 100, /* topics whose subscriptions are read */
    LOOKS = 3,        /* the service takes about a second to show a change (CMQ.md 5) */
    LOOK_PAUSE_MS = 2000,
};

struct provision {
    struct command_line *line;
    bool apply, prune, export;
    struct config *config;
    struct declared declared;
    struct api *api;
};

static void on_note(void *ctx, const char *text)
{
    const struct provision *p = ctx;
    (void)fflush(stdout); /* in the order of events, where both go to the same place */
    (void)command_failed(p->line, "%s", text);
}

/* Subscriptions cost a request a topic, so only those that matter are read. */
static bool wants_subscriptions(void *ctx, const char *topic)
{
    const struct provision *p = ctx;
    return p->prune || p->export || declared_topic(&p->declared, topic);
}

static void on_reading(void *ctx, size_t done, size_t total)
{
    const struct provision *p = ctx;
    if (done % NEWS_EVERY == 0)
        fprintf(stderr, "%s: reading the account: %zu of %zu topics\n", p->line->path, done, total);
}

static bool read_account(struct provision *p, struct inventory *inventory)
{
    const struct inventory_options options = {
        .wants = wants_subscriptions, .progress = on_reading, .ctx = p};
    struct err err;
    if (inventory_read(inventory, p->api, &options, &err))
        return true;
    (void)command_failed(p->line, "%s", err.text);
    return false;
}

static void on_step(void *ctx, const struct step *step, size_t number, size_t total)
{
    const struct provision *p = ctx;
    if (p->line->json)
        return;
    provision_print_progress(stdout, step, number, total);
    (void)fflush(stdout);
}

/* What has become of applying. */
struct outcome {
    bool ok;
    size_t done;
    struct plan left; /* what still differs */
    bool seen;        /* left is filled */
};

/* Reads the account again, more than once when it is slow to show what was done. */
static bool look_again(struct provision *p, struct inventory *now, struct outcome *outcome)
{
    for (int look = 1;; look++) {
        if (!read_account(p, now))
            return false;
        plan_make(&outcome->left, &p->config->resources, p->config->rules, now, p->prune);
        if (plan_work(&outcome->left) == 0 || look == LOOKS)
            break;
        plan_fini(&outcome->left);
        inventory_fini(now);
        api_wait(p->api, LOOK_PAUSE_MS);
    }
    outcome->seen = true;
    return true;
}

static void apply(struct provision *p, const struct plan *plan, struct inventory *now,
                  struct outcome *outcome)
{
    const struct apply_options options = {.begin = on_step, .note = on_note, .ctx = p};
    struct err err;
    if (!p->line->json)
        putchar('\n');
    outcome->ok = plan_apply(plan, p->api, &options, &outcome->done, &err);
    (void)fflush(stdout);
    if (!outcome->ok) {
        (void)command_failed(p->line, "%s", err.text);
        (void)command_failed(p->line, "%zu of %zu done; run it again to go on", outcome->done,
                             plan_work(plan));
        return;
    }
    outcome->ok = look_again(p, now, outcome);
    if (outcome->ok && plan_work(&outcome->left) > 0) {
        (void)command_failed(p->line, "all was done, but the account is still not as declared:");
        outcome->ok = false;
        if (!p->line->json) {
            putchar('\n');
            provision_print_plan(stdout, &outcome->left);
        }
    } else if (outcome->ok && !p->line->json) {
        printf("Done: %zu of %zu, and the account shows it.\n", outcome->done, plan_work(plan));
    }
}

static void print_json(const struct provision *p, const struct plan *plan,
                       const struct outcome *outcome)
{
    struct buf out = BUF_INIT(MAX_OUTPUT_BYTES);
    struct emit emit = {.out = &out};
    emit_object(&emit, NULL);
    emit_text(&emit, "endpoint", p->config->cmq.management.endpoint);
    emit_text(&emit, "region", p->config->cmq.management.region);
    provision_emit_plan(&emit, plan);
    if (p->apply) {
        emit_u64(&emit, "applied", outcome->done);
        emit_bool(&emit, "ok", outcome->ok && plan->counts[STEP_CANNOT] == 0);
        if (outcome->seen) {
            emit_object(&emit, "left");
            provision_emit_plan(&emit, &outcome->left);
            emit_object_end(&emit);
        }
    }
    emit_object_end(&emit);
    puts(buf_str(&out));
    buf_fini(&out);
}

static int status_of(const struct provision *p, const struct plan *plan,
                     const struct outcome *outcome)
{
    if (!outcome->ok || plan->counts[STEP_CANNOT] > 0)
        return COMMAND_NO;
    return !p->apply && plan_work(plan) > 0 ? CHANGES_PENDING : COMMAND_OK;
}

static int plan_and_apply(struct provision *p)
{
    struct inventory before, now = {0};
    struct plan plan = {0};
    struct outcome outcome = {.ok = true};
    int status = COMMAND_NO;
    if (read_account(p, &before)) {
        plan_make(&plan, &p->config->resources, p->config->rules, &before, p->prune);
        if (!p->line->json)
            provision_print_plan(stdout, &plan);
        if (p->apply && plan_work(&plan) > 0)
            apply(p, &plan, &now, &outcome);
        else if (!p->line->json && plan_work(&plan) > 0)
            puts("Nothing is changed yet; --apply makes it so.");
        if (p->line->json)
            print_json(p, &plan, &outcome);
        status = status_of(p, &plan, &outcome);
    }
    plan_fini(&outcome.left);
    plan_fini(&plan);
    inventory_fini(&now);
    inventory_fini(&before);
    return command_flush(p->line) ? status : COMMAND_NO;
}

/* Whether the section that was written can be read again; else says what is wrong with it. */
static bool check_export(const struct provision *p, struct span section)
{
    struct buf text = BUF_INIT(MAX_OUTPUT_BYTES);
    struct faults faults = {0};
    buf_add_str(&text, "gateway = { id = \"export\"; state_dir = \"/\"; };\n"
                       "mqtt = { servers = \"tcp://localhost:1\"; };\n");
    buf_add(&text, section);
    struct config *read = config_load_text("export", buf_span(&text), &faults);
    for (size_t i = 0; !read && i < faults.count; i++) {
        if (faults.list[i].level == FAULT_ERROR)
            (void)command_failed(p->line, "the account has what cannot be declared: %s",
                                 faults.list[i].text);
    }
    bool ok = read;
    config_free(read);
    faults_fini(&faults);
    buf_fini(&text);
    return ok;
}

static int export_account(struct provision *p)
{
    struct inventory inventory;
    struct buf out = BUF_INIT(MAX_OUTPUT_BYTES);
    bool ok = read_account(p, &inventory);
    if (ok) {
        ok = export_write(&inventory, &out);
        fwrite(out.ptr, 1, out.len, stdout);
        ok = command_flush(p->line) && ok && check_export(p, buf_span(&out));
    }
    inventory_fini(&inventory);
    buf_fini(&out);
    return ok ? COMMAND_OK : COMMAND_NO;
}

/* Whether what is declared can be meant. */
static bool is_meant(const struct provision *p)
{
    const struct resources *resources = &p->config->resources;
    if (p->export)
        return true;
    if (!resources->declared)
        (void)command_failed(p->line, "nothing is declared: %s has no resources section",
                             p->line->config);
    else if (p->prune && resources->queue_count == 0 && resources->topic_count == 0)
        (void)command_failed(p->line, "no queue and no topic is declared: --prune would delete all "
                                      "that the account has");
    else
        return true;
    return false;
}

int cmd_provision(struct command_line *line)
{
    static const struct option options[] = {COMMAND_OPTIONS,
                                            {"apply", no_argument, NULL, 'a'},
                                            {"prune", no_argument, NULL, 'p'},
                                            {"export", no_argument, NULL, 'e'},
                                            {0}};
    struct provision p = {.line = line};
    for (int c; (c = command_getopt(line, options)) != -1;) {
        if (c == COMMAND_STOP)
            return line->status;
        p.apply |= c == 'a';
        p.prune |= c == 'p';
        p.export |= c == 'e';
    }
    if (!command_words(line, 0, 0))
        return COMMAND_USAGE;
    if (p.export && (p.apply || p.prune || line->json))
        return command_usage(line, "--export only prints, and only a resources section");
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as cmq/api.h asks */
    p.config = command_config_by_hand(line);
    if (!p.config)
        return COMMAND_NO;
    struct err err;
    int status = COMMAND_NO;
    declared_init(&p.declared, &p.config->resources);
    if (is_meant(&p)) {
        p.api = account_api(p.config, on_note, &p, &err);
        if (p.api)
            status = p.export ? export_account(&p) : plan_and_apply(&p);
        else
            (void)command_failed(line, "%s", err.text);
    }
    api_close(p.api);
    declared_fini(&p.declared);
    config_free(p.config);
    return status;
}
