/* options - cmqlocal's command line (RULES 8). */
#ifndef LOCAL_OPTIONS_H
#define LOCAL_OPTIONS_H

#include "local/depot.h"

/* How the program ends when it does not end well. */
enum { EXIT_CONFIG = 1, EXIT_CANNOT_RUN = 3 };

struct options {
    const char *file; /* the strings are those of the command line; NULL: not given */
    const char *listen;
    const char *secret_id; /* a secret reference is allowed */
    const char *secret_key;
    const char *data;     /* nothing is saved without it */
    const char *tls_cert; /* both or neither */
    const char *tls_key;
    int64_t tolerance_ms;
    bool at_fallback;
    struct depot_limits limits;
    uint32_t push_speedup;
    int64_t push_backoff_ms;
    int64_t push_timeout_ms;
    int64_t api_tolerance_ms;
    int64_t reuse_bar_ms;
    uint64_t api_rate;
    uint64_t rate;
    int no_action;
    bool bury_on_receive;
};

/*
 * Reads the command line over the defaults. False when the program is to end with *status: it was
 * asked for help, which is printed, or something is wrong, which stderr is told.
 */
bool options_read(int argc, char **argv, struct options *options, int *status);

#endif
