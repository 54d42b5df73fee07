/*
 * Rules and resources from anybody, behind a main file that is fine, so that what is proved of a
 * whole configuration is reached often: no text may crash a proof or take it long, and what is said
 * is the same the second time. The first byte picks the MQTT version.
 */
#include "config/config.h"

#include "base/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

enum { MAX_TEXT_BYTES = 32 << 20, MAX_MS = 9000 };

/* libconfig 1.5 forgets the string at hand when it finds a syntax error: a few bytes each time. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

static bool load(struct span text, struct buf *said)
{
    struct faults faults = {.hints = true};
    struct config *config = config_load_text("fuzz.cfg", text, &faults);
    CHECK((config == NULL) == (faults.errors > 0));
    if (config)
        config_print(config, false, said);
    faults_print(&faults, true, said);
    faults_fini(&faults);
    config_free(config);
    return !said->overflow;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] =
        "gateway = { id = \"g\"; state_dir = \"s\"; };\n"
        "cmq = { endpoint = \"http://127.0.0.1:1\"; secret_id = \"@@i\"; secret_key = \"@@k\"; };\n"
        "push = { listen = \"127.0.0.1:9\"; };\n"
        "mqtt = { servers = \"tcp://127.0.0.1:1\"; version = \"%s\"; };\n";
    if (size == 0)
        return 0;
    struct buf text = BUF_INIT(MAX_TEXT_BYTES), once = BUF_INIT(MAX_TEXT_BYTES),
               again = BUF_INIT(MAX_TEXT_BYTES);
    buf_printf(&text, head, data[0] % 2 ? "5" : "3.1.1");
    buf_add(&text, span_make(data + 1, size - 1));
    int64_t began = clock_mono_ms();
    if (load(buf_span(&text), &once) && load(buf_span(&text), &again))
        CHECK(span_eq(buf_span(&once), buf_span(&again)));
    CHECK(clock_mono_ms() - began < MAX_MS);
    buf_fini(&text);
    buf_fini(&once);
    buf_fini(&again);
    return 0;
}
