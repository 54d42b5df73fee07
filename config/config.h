/*
 * config - a gateway's whole configuration, read and checked at once (RULES 1)
 *
 * config_load reads the main file and every *.cfg of its rules_dir, checks everything, and reports
 * every fault it finds. The result is read-only, so any thread may read it; strings live as long as
 * it does. Strings of secret settings are kept as written (references unresolved): resolve them
 * with secret_resolve when they are needed.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/log.h"
#include "cmq/sign.h"
#include "config/faults.h"
#include "config/resources.h"
#include "mapping/rule.h"

#include <stdatomic.h>

struct origins;

struct config_test_expect { /* NULL or -1: not asked */
    char *rule;
    char *queue;
    char *topic;
    char *route;
    char **tags;
    size_t tag_count;
    bool has_tags;
    char *body;
    char *payload;
    char **reaches;
    size_t reach_count;
    bool has_reaches;
    int64_t delay_s;
    int qos;
    int retain;
    int64_t expiry_s;
    char *response_topic;
    char *dead_letter; /* the code of its reason */
    const char *file;
    int line;
};

struct config_test { /* RULES 6; carried out by `cmqgw test` */
    char *name;
    bool is_receive;
    char *topic;   /* publish */
    char *payload; /* publish */
    int qos;
    bool retain;
    char *content_type;   /* publish; NULL: none */
    char *response_topic; /* publish; NULL: none */
    char **user;          /* publish; each KEY=VALUE */
    size_t user_count;
    char *queue; /* receive */
    char *body;  /* receive */
    struct config_test_expect *expect;
    size_t expect_count;
    const char *file;
    int line;
};

struct config {
    char *path;
    struct {
        char *id;
        char *state_dir;
        char *rules_dir; /* joined to the main file's folder; "" when not set */
    } gateway;
    struct {
        char **servers;
        size_t server_count;
        bool v5;
        char *username; /* secret reference allowed, as in every string */
        char *password; /* secret */
        int64_t keep_alive_s;
        int64_t session_expiry_s;
        int64_t connect_timeout_s;
        char *shared_group;
        struct {
            char *ca;
            char *cert;
            char *key;
            char *key_password; /* secret */
            bool verify;
        } tls;
    } mqtt;
    struct {
        char *endpoint;
        char *secret_id;  /* secret */
        char *secret_key; /* secret */
        char *token;      /* secret */
        enum cmq_signature signature;
        unsigned connections;
        unsigned rate;
        int64_t timeout_ms;
        struct {
            char *ca;
            bool verify;
        } tls;
        struct {
            char *endpoint;
            char *region;
        } management;
    } cmq;
    struct {
        uint64_t max_size_bytes;
        bool sync_power;
    } spool;
    struct {
        char *listen;
        char *token; /* secret */
    } admin;
    struct {
        char *listen;
    } push;
    struct {
        enum log_level level;
        enum log_format format;
    } log;
    struct ruleset *rules; /* sealed, not numbered */
    struct resources resources;
    struct config_test *tests;
    size_t test_count;
    struct origins *origins; /* config_print's */
    struct origins *shown;   /* the same of rules, resources and tests; NULL: not asked for */
    atomic_uint holders;     /* config_hold's */
};

/*
 * Loads path. Always fills faults (sorted), also with warnings. Returns the configuration when
 * there was no error; else NULL. Reads files, blocks on nothing else.
 */
struct config *config_load(const char *path, struct faults *faults);

/*
 * The same for those who connect to nothing, on a machine that may not have the secrets: a
 * reference that cannot be resolved is a warning, and the setting has its default; but in rules,
 * and where the main file has no default, it is an error all the same.
 */
struct config *config_load_offline(const char *path, struct faults *faults);

/*
 * The same as config_load, or as config_load_offline, and keeps for config_print what rules,
 * resources and tests have set, and where.
 */
struct config *config_load_to_print(const char *path, bool offline, struct faults *faults);

/*
 * Loads only the resources and the cmq account of any file with a resources section: the main file
 * of a gateway, with its rules_dir, or a bare file. For the local server. Settings of other
 * sections are checked as by config_load_offline, but none is required.
 */
struct config *config_load_resources(const char *path, struct faults *faults);

/*
 * Loads what can be read of a main file alone, whatever is wrong with it: to find the gateway that
 * runs with it. Only settings that are no secrets, and have a default or are not NULL, are of use;
 * rules and resources are not. NULL when the file cannot be read at all; then faults says why.
 */
struct config *config_load_anyhow(const char *path, struct faults *faults);

/*
 * Loads a main file that is in memory under the given name, without its rules_dir. For tests and
 * fuzzers.
 */
struct config *config_load_text(const char *name, struct span text, struct faults *faults);

/*
 * One more holder, who calls config_free when done with it: a reload replaces the configuration
 * while threads still use the old one. Any thread that holds it, or is called by one who does.
 */
const struct config *config_hold(const struct config *config);

/* One holder fewer; the last one frees it. Any thread. NULL is fine. */
void config_free(const struct config *config);

/*
 * Appends every option with its value and where it came from, one a line:
 * "cmq.rate = 5000    # default" or "... # gateway.cfg:12"; after config_load_to_print also those
 * of rules, resources and tests: "forward[0].qos = 1    # default". Secrets are masked: references
 * show as written, literals as "********". json: an array of {"option","value","source"}.
 */
void config_print(const struct config *config, bool json, struct buf *out);

/* Appends the reference of all options as Markdown, made from the option table. */
void config_reference(struct buf *out);

#endif
