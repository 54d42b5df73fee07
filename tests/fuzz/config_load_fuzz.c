/*
 * A whole main file from anybody: no text may crash the loader, and one with faults gives no
 * configuration.
 */
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 forgets the string at hand when it finds a syntax error: a few bytes each time. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_make(data, size);
    struct faults faults = {0};
    struct config *config = config_load_text("fuzz.cfg", text, &faults);
    CHECK((config == NULL) == (faults.errors > 0));
    struct buf out = BUF_INIT(64 << 20);
    if (config)
        config_print(config, true, &out);
    faults_print(&faults, false, &out);
    for (size_t i = 0; i < faults.count; i++) /* one line each */
        CHECK(strchr(faults.list[i].text, '\n') == NULL);
    buf_fini(&out);
    faults_fini(&faults);
    config_free(config);
    return 0;
}
