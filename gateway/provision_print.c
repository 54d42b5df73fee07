/* provision_print - see provision_print.h. */
#include "gateway/provision_print.h"

#include "gateway/print.h"

enum { WIDTH = 80, INDENT = 13 };

static const char *const marks[STEP_KINDS] = {"= same", "+ create", "~ change", "! cannot",
                                              "- delete"};
static const char *const actions[STEP_KINDS] = {"same", "create", "change", "cannot", "delete"};

/* A place on the page. */
struct page {
    FILE *out;
    int column;
};

static void new_line(struct page *page)
{
    fprintf(page->out, "\n%*s", INDENT, "");
    page->column = INDENT;
}

/* A word, on the next line when it is too long for this one. */
static void put_word(struct page *page, struct span word)
{
    int len = (int)word.len;
    if (page->column > INDENT && page->column + 1 + len >= WIDTH) { /* and a mark */
        new_line(page);
    } else if (page->column > 0 && page->column != INDENT) {
        fputc(' ', page->out);
        page->column++;
    }
    print_text(page->out, word);
    page->column += len;
}

static void put_text(struct page *page, const char *text)
{
    struct span rest = span_of(text);
    while (rest.len > 0) {
        size_t len = span_find(rest, ' ');
        if (len > 0)
            put_word(page, span_slice(rest, 0, len));
        rest = span_slice(rest, len + 1, rest.len);
    }
}

/* A mark behind the last word. */
static void put_mark(struct page *page, char mark)
{
    fputc(mark, page->out);
    page->column++;
}

static void put_object(struct page *page, const struct step *step)
{
    put_text(page, step_object_name(step->object));
    put_text(page, step->name);
    if (step->of) {
        put_text(page, "of topic");
        put_text(page, step->of);
    }
}

static void print_step(FILE *out, const struct step *step)
{
    struct page page = {.out = out};
    page.column = fprintf(out, "%-10s", marks[step->kind]);
    put_object(&page, step);
    if (step->kind == STEP_DELETE && step->messages > 0) {
        char text[64];
        (void)snprintf(text, sizeof text, "with %lld message%s in it", (long long)step->messages,
                       step->messages == 1 ? "" : "s");
        put_text(&page, text);
    }
    for (size_t i = 0; i < step->difference_count; i++) {
        const struct difference *difference = &step->differences[i];
        if (i == 0 || difference->from) /* of what is created, one after the other */
            new_line(&page);
        else
            put_mark(&page, ';');
        put_text(&page, difference->setting);
        if (difference->from) {
            put_text(&page, difference->from);
            put_text(&page, "->");
        }
        put_text(&page, difference->to);
    }
    if (step->why) {
        new_line(&page);
        put_text(&page, step->why);
    }
    fputc('\n', out);
}

/* "2 queues", and with a comma before all but the first. */
static void print_count(FILE *out, size_t count, const char *what, bool plural, const char **comma)
{
    if (count == 0)
        return;
    fprintf(out, "%s%zu %s%s", *comma, count, what, plural && count > 1 ? "s" : "");
    *comma = ", ";
}

static void print_summary(FILE *out, const struct plan *plan)
{
    const char *comma = "";
    fputc('\n', out);
    print_count(out, plan->counts[STEP_CREATE], "to create", false, &comma);
    print_count(out, plan->counts[STEP_CHANGE], "to change", false, &comma);
    print_count(out, plan->counts[STEP_DELETE], "to delete", false, &comma);
    print_count(out, plan->counts[STEP_SAME], "as declared", false, &comma);
    print_count(out, plan->counts[STEP_CANNOT], "that cannot be done", false, &comma);
    fputs(*comma ? ".\n" : "Nothing is declared.\n", out);
    comma = "";
    if (plan->undeclared_queues + plan->undeclared_topics + plan->undeclared_subscriptions == 0)
        return;
    fputs("Not declared, and left alone without --prune: ", out);
    print_count(out, plan->undeclared_queues, "queue", true, &comma);
    print_count(out, plan->undeclared_topics, "topic", true, &comma);
    print_count(out, plan->undeclared_subscriptions, "subscription", true, &comma);
    fputs(".\n", out);
}

void provision_print_plan(FILE *out, const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        print_step(out, &plan->steps[i]);
    print_summary(out, plan);
}

void provision_print_progress(FILE *out, const struct step *step, size_t number, size_t total)
{
    struct page page = {.out = out};
    page.column = fprintf(out, "[%zu/%zu] %s", number, total, actions[step->kind]);
    put_object(&page, step);
    fputc('\n', out);
}

static void emit_step(struct emit *emit, const struct step *step)
{
    emit_object(emit, NULL);
    emit_text(emit, "action", actions[step->kind]);
    emit_text(emit, "object", step_object_name(step->object));
    emit_text(emit, "name", step->name);
    if (step->of)
        emit_text(emit, "topic", step->of);
    if (step->kind == STEP_DELETE && step->object == STEP_QUEUE && step->messages >= 0)
        emit_i64(emit, "messages", step->messages);
    emit_array(emit, "differences");
    for (size_t i = 0; i < step->difference_count; i++) {
        emit_object(emit, NULL);
        emit_text(emit, "setting", step->differences[i].setting);
        emit_text(emit, "from", step->differences[i].from);
        emit_text(emit, "to", step->differences[i].to);
        emit_object_end(emit);
    }
    emit_array_end(emit);
    if (step->why)
        emit_text(emit, "why", step->why);
    emit_object_end(emit);
}

void provision_emit_plan(struct emit *emit, const struct plan *plan)
{
    emit_array(emit, "steps");
    for (size_t i = 0; i < plan->count; i++)
        emit_step(emit, &plan->steps[i]);
    emit_array_end(emit);
    emit_object(emit, "summary");
    for (size_t kind = 0; kind < STEP_KINDS; kind++)
        emit_u64(emit, actions[kind], plan->counts[kind]);
    emit_object_end(emit);
    emit_object(emit, "undeclared");
    emit_u64(emit, "queues", plan->undeclared_queues);
    emit_u64(emit, "topics", plan->undeclared_topics);
    emit_u64(emit, "subscriptions", plan->undeclared_subscriptions);
    emit_object_end(emit);
}
