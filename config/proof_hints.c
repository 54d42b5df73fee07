/* proof_hints - see proof.h: what a template does with messages that are not as one may hope. */
#include "config/proof.h"

struct place {
    const char *file;
    int line;
    const char *what; /* "the route", ... */
    struct faults *faults;
};

static void hint_lacking(const struct place *place, const struct template *t)
{
    for (size_t i = 0; i < template_piece_count(t); i++) {
        struct template_piece piece = template_piece(t, i);
        if (piece.may_lack) {
            faults_add(
                place->faults, FAULT_HINT, place->file, place->line,
                "a message without %.*s, in %s \"%s\", is a dead letter; |default:TEXT gives "
                "it a value",
                SPAN_ARG(piece.written), place->what, template_text(t).ptr);
        }
    }
}

static void hint_length(const struct place *place, const struct template *t, size_t most,
                        const char *unit)
{
    size_t sum = 0;
    struct span endless = {NULL, 0};
    for (size_t i = 0; i < template_piece_count(t); i++) {
        struct template_piece piece = template_piece(t, i);
        size_t chars = piece.literal ? piece.text.len : piece.most_chars;
        if (chars == SIZE_MAX)
            endless = piece.written;
        sum = chars > SIZE_MAX - sum ? SIZE_MAX : sum + chars;
    }
    if (sum <= most)
        return;
    if (endless.ptr) {
        faults_add(place->faults, FAULT_HINT, place->file, place->line,
                   "%s \"%s\" may be longer than %zu %s, which is a dead letter: %.*s has no "
                   "bound; |slice:0:N gives it one",
                   place->what, template_text(t).ptr, most, unit, SPAN_ARG(endless));
    } else {
        faults_add(place->faults, FAULT_HINT, place->file, place->line,
                   "%s \"%s\" may be longer than %zu %s, which is a dead letter: up to %zu",
                   place->what, template_text(t).ptr, most, unit, sum);
    }
}

static void hint_target(struct place *place, const struct rule_target *target)
{
    place->what = target->is_topic ? "the topic" : "the queue";
    hint_lacking(place, target->name);
    hint_length(place, target->name, CMQ_MAX_NAME_BYTES, "bytes");
    if (target->route) {
        place->what = "the route";
        hint_lacking(place, target->route);
        hint_length(place, target->route, CMQ_MAX_ROUTE_BYTES, "bytes");
    }
    for (size_t i = 0; i < target->tag_count; i++) {
        place->what = "the tag";
        hint_lacking(place, target->tags[i]);
        hint_length(place, target->tags[i], CMQ_MAX_TAG_CHARS, "characters");
    }
}

void proof_hints(const struct config *config, struct faults *faults)
{
    const struct ruleset *set = config->rules;
    for (size_t i = 0; faults->hints && i < set->forward_count; i++) {
        const struct forward_rule *rule = &set->forward[i];
        struct place place = {rule->file, rule->line, "", faults};
        for (size_t k = 0; k < rule->target_count; k++)
            hint_target(&place, &rule->targets[k]);
    }
    for (size_t i = 0; faults->hints && i < set->reverse_count; i++) {
        const struct reverse_rule *rule = &set->reverse[i];
        struct place place = {rule->file, rule->line, "the topic", faults};
        hint_lacking(&place, rule->to);
    }
}
