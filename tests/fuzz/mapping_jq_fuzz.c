/*
 * jq programs of rule files and what they are given: the first line is the program, the rest the
 * payload. No program may end this process or hold it up, only its worker; what comes out is one
 * JSON text in UTF-8, and the next run of a good program finds a worker again.
 */
#include "mapping/jq.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One process and one worker for all inputs, as in a gateway. */
static struct jq_worker *worker;
static const struct jq_program *good;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct err err;
    worker = jq_worker_alone(&err);
    good = jq_program_new(span_of(".a"), &err);
    CHECK(worker && good);
    return 0;
}

static void run(const struct jq_program *program, struct span payload)
{
    struct buf out = BUF_INIT(JQ_MAX_OUTPUT_BYTES);
    struct err err = {""};
    switch (jq_run(worker, program, payload, &out, &err)) {
    case JQ_VALUE:
        CHECK(out.len > 0 && utf8_valid(buf_span(&out)));
        break;
    case JQ_FAILED:
    case JQ_LIMIT:
        CHECK(out.len == 0 && err.text[0] != '\0');
        break;
    case JQ_NOTHING:
    case JQ_NOT_JSON:
        CHECK(out.len == 0);
        break;
    case JQ_BROKEN:
        abort(); /* a worker can always be had here */
    }
    buf_fini(&out);
}

static void next_run_is_fine(void)
{
    struct buf out = BUF_INIT(JQ_MAX_OUTPUT_BYTES);
    struct err err;
    CHECK(jq_run(worker, good, span_of("{\"a\": [1]}"), &out, &err) == JQ_VALUE);
    CHECK(span_eq_str(buf_span(&out), "[1]"));
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = span_make(data, size);
    struct span text = span_slice(rest, 0, span_find(rest, '\n'));
    struct span payload = span_slice(rest, text.len + 1, rest.len);
    struct err err = {""};
    int64_t began = clock_mono_ms();
    struct jq_program *program = jq_program_new(text, &err);
    if (program) {
        CHECK(span_eq(jq_program_text(program), text));
        run(program, payload);
        run(program, span_of("{\"a\":{\"b\":[1,\"two\",null]},\"t\":91.5}"));
        next_run_is_fine();
    } else {
        CHECK(err.text[0] != '\0');
    }
    jq_program_free(program);
    CHECK(clock_mono_ms() - began < 4 * JQ_MAX_WAIT_MS);
    return 0;
}
