/*
 * The lexer beside libconfig's own: whatever libconfig takes has the same number of values in both,
 * or lines of faults would be wrong.
 */
#include "config/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 forgets the string at hand when it finds a syntax error: a few bytes each time. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = span_dup(span_make(data, size));
    struct faults faults = {0};
    struct scan scan = {0};
    config_t tree;
    config_init(&tree);
    if (scan_text(&scan, text, "fuzz.cfg", &faults) &&
        config_read_string(&tree, text) == CONFIG_TRUE)
        CHECK(scan_apply(&scan, config_root_setting(&tree)));
    config_destroy(&tree);
    scan_fini(&scan);
    faults_fini(&faults);
    free(text);
    return 0;
}
