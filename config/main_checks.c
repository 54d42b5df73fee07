/* main_checks - see main_checks.h. */
#include "config/main_checks.h"

#include "config/checks.h"
#include "config/secret.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The line of the main file's setting, or of the section that should have it. */
static int main_line(const config_t *tree, const char *section, const char *name)
{
    const config_setting_t *group = config_lookup(tree, section);
    if (!group)
        return 1;
    return config_setting_is_group(group) ? reader_member_line(group, name) : reader_line(group);
}

/* NULL: not given. */
static const config_setting_t *member(const config_t *tree, const char *section, const char *name)
{
    const config_setting_t *group = config_lookup(tree, section);
    return group && config_setting_is_group(group) ? config_setting_get_member(group, name) : NULL;
}

/* Whether some rule sends to, or takes from, CMQ by requests. */
static bool uses_cmq(const struct ruleset *set)
{
    if (set->forward_count > 0)
        return true;
    for (size_t i = 0; i < set->reverse_count; i++) {
        const struct reverse_rule *rule = &set->reverse[i];
        if (rule->queue || (rule->dead_letter && *rule->dead_letter))
            return true;
    }
    return false;
}

/* Where the first rule stands that takes pushes; NULL: there is none. */
static const struct name *first_push(const struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (names->list[i].kind == NAME_PUSH)
            return &names->list[i];
    }
    return NULL;
}

/* Whether a text setting is not there, or is or stands for nothing; not when it is at fault. */
static bool is_empty(const config_t *tree, const char *section, const char *name)
{
    const config_setting_t *setting = member(tree, section, name);
    if (!setting)
        return true;
    if (config_setting_type(setting) != CONFIG_TYPE_STRING)
        return false;
    struct buf value = BUF_INIT(SECRET_MAX_BYTES);
    bool resolved = secret_resolve(span_of(config_setting_get_string(setting)), &value, NULL);
    bool empty = resolved && value.len == 0;
    if (value.len > 0)
        explicit_bzero(value.ptr, value.len);
    buf_fini(&value);
    return empty;
}

static void check_missing(struct reader *reader, const config_t *tree)
{
    static const char *const account[] = {"endpoint", "secret_id", "secret_key"};
    const struct config *config = reader->config;
    bool cmq = uses_cmq(config->rules) || *config->cmq.endpoint;
    for (size_t i = 0; cmq && i < OPTION_COUNT(account); i++) {
        if (is_empty(tree, "cmq", account[i])) {
            reader_fault_at(reader, main_line(tree, "cmq", account[i]),
                            "cmq.%s is required to use CMQ", account[i]);
        }
    }
    if (*config->mqtt.tls.key && !*config->mqtt.tls.cert) {
        reader_fault_at(reader, main_line(tree, "mqtt.tls", "key"),
                        "mqtt.tls.key needs mqtt.tls.cert");
    }
    if (*config->admin.listen && !listen_is_loopback(span_of(config->admin.listen)) &&
        is_empty(tree, "admin", "token")) {
        reader_fault_at(reader, main_line(tree, "admin", "listen"),
                        "admin.listen is not a loopback address, so admin.token is required");
    }
    const struct name *push = first_push(&reader->names);
    if (push && is_empty(tree, "push", "listen")) {
        faults_add(reader->faults, FAULT_ERROR, push->file, push->line,
                   "reverse.from.push needs push.listen in the main file");
    }
}

static bool is_tls(const struct config *config)
{
    return config->mqtt.server_count > 0 && span_starts(span_of(config->mqtt.servers[0]), "ssl://");
}

/* What the link to the broker would refuse (mqtt/options.c). */
static void check_broker(struct reader *reader, const config_t *tree)
{
    const struct config *config = reader->config;
    for (size_t i = 1; i < config->mqtt.server_count; i++) {
        if (span_starts(span_of(config->mqtt.servers[i]), "ssl://") != is_tls(config)) {
            reader_fault_at(reader, main_line(tree, "mqtt", "servers"),
                            "mqtt.servers mixes tcp:// and ssl://: a fall-back to an open "
                            "connection would give the password away");
            break;
        }
    }
    if (!config->mqtt.v5 && !is_empty(tree, "mqtt", "password") &&
        is_empty(tree, "mqtt", "username")) {
        reader_fault_at(reader, main_line(tree, "mqtt", "password"),
                        "mqtt.password needs mqtt.username: MQTT 3.1.1 has no password alone");
    }
}

/* Settings that only MQTT 5 knows. */
static void check_version(struct reader *reader, const config_t *tree)
{
    if (reader->config->mqtt.v5)
        return;
    if (member(tree, "mqtt", "session_expiry")) {
        reader_warn_at(reader, main_line(tree, "mqtt", "session_expiry"),
                       "mqtt.session_expiry has no effect with mqtt.version = \"3.1.1\": the "
                       "broker decides how long it keeps the session");
    }
    if (*reader->config->mqtt.shared_group) {
        reader_warn_at(reader, main_line(tree, "mqtt", "shared_group"),
                       "mqtt.shared_group is of MQTT 5; with mqtt.version = \"3.1.1\" a broker may "
                       "take $share/... for a topic, and send nothing");
    }
}

static void check_unread(struct reader *reader, const config_t *tree, const char *section,
                         const char *name, const char *path, bool private)
{
    struct stat info;
    if (!*path)
        return;
    int line = main_line(tree, section, name);
    if (access(path, R_OK) != 0) {
        reader_warn_at(reader, line, "%s.%s: cannot read %s here: %s", section, name, path,
                       strerror(errno));
    } else if (private && stat(path, &info) == 0 && (info.st_mode & S_IROTH)) {
        reader_warn_at(reader, line, "%s.%s: everyone can read %s", section, name, path);
    }
}

static void check_tls(struct reader *reader, const config_t *tree)
{
    const struct config *config = reader->config;
    check_unread(reader, tree, "mqtt.tls", "ca", config->mqtt.tls.ca, false);
    check_unread(reader, tree, "mqtt.tls", "cert", config->mqtt.tls.cert, !*config->mqtt.tls.key);
    check_unread(reader, tree, "mqtt.tls", "key", config->mqtt.tls.key, true);
    check_unread(reader, tree, "cmq.tls", "ca", config->cmq.tls.ca, false);
    if (config_lookup(tree, "mqtt.tls") && config->mqtt.server_count > 0 && !is_tls(config)) {
        reader_warn_at(reader, main_line(tree, "mqtt", "tls"),
                       "mqtt.tls has no effect: no server of mqtt.servers is ssl://");
    } else if (is_tls(config) && !config->mqtt.tls.verify) {
        reader_warn_at(reader, main_line(tree, "mqtt.tls", "verify"),
                       "mqtt.tls.verify = false: whoever answers at the broker's address gets the "
                       "password and the messages; mqtt.tls.ca names the authority of a "
                       "certificate of one's own");
    }
    if (!is_empty(tree, "mqtt.tls", "key_password") && !*config->mqtt.tls.cert) {
        reader_warn_at(reader, main_line(tree, "mqtt.tls", "key_password"),
                       "mqtt.tls.key_password has no effect without mqtt.tls.cert");
    }
    bool https = span_starts(span_of(config->cmq.endpoint), "https://") ||
                 span_starts(span_of(config->cmq.management.endpoint), "https://");
    if (config_lookup(tree, "cmq.tls") && !https) {
        reader_warn_at(reader, main_line(tree, "cmq", "tls"),
                       "cmq.tls has no effect: neither endpoint is https://");
    } else if (https && !config->cmq.tls.verify) {
        reader_warn_at(
            reader, main_line(tree, "cmq.tls", "verify"),
            "cmq.tls.verify = false: whoever answers at CMQ's address gets the messages");
    }
}

static bool leaves_the_machine(const char *server)
{
    struct span rest = span_slice(span_of(server), strlen("tcp://"), SIZE_MAX);
    return span_starts(span_of(server), "tcp://") && !listen_is_loopback(rest);
}

static void check_in_the_clear(struct reader *reader, const config_t *tree)
{
    const struct config *config = reader->config;
    bool leaves = false;
    for (size_t i = 0; i < config->mqtt.server_count; i++)
        leaves = leaves || leaves_the_machine(config->mqtt.servers[i]);
    if (leaves && !is_tls(config) && !is_empty(tree, "mqtt", "password")) {
        reader_warn_at(reader, main_line(tree, "mqtt", "password"),
                       "mqtt.password goes to the broker in the clear: mqtt.servers are tcp://");
    }
}

static void check_listeners(struct reader *reader, const config_t *tree)
{
    struct span push = span_of(reader->config->push.listen);
    bool any_port = push.len > 2 && span_eq_str(span_slice(push, push.len - 2, 2), ":0");
    if (push.len > 0 && !any_port && span_eq_str(push, reader->config->admin.listen)) {
        reader_fault_at(reader, main_line(tree, "push", "listen"),
                        "push.listen is admin.listen: each needs a port of its own");
    }
}

static void check_unused_listener(struct reader *reader, const config_t *tree)
{
    if (*reader->config->push.listen && !first_push(&reader->names)) {
        reader_warn_at(reader, main_line(tree, "push", "listen"),
                       "push.listen has no effect: no reverse rule takes from a push");
    }
}

/* The region that a host name of the service names; NULL: none that is known. CMQ.md 1.1. */
static const char *region_of(struct span host)
{
    static const char *const regions[][2] = {
        {"bj", "ap-beijing"},   {"cd", "ap-chengdu"},        {"cq", "ap-chongqing"},
        {"gz", "ap-guangzhou"}, {"hk", "ap-hongkong"},       {"kr", "ap-seoul"},
        {"sh", "ap-shanghai"},  {"sg", "ap-singapore"},      {"de", "eu-frankfurt"},
        {"ca", "na-toronto"},   {"usw", "na-siliconvalley"}, {"in", "ap-mumbai"},
        {"use", "na-ashburn"},  {"th", "ap-bangkok"},        {"ru", "eu-moscow"},
        {"jp", "ap-tokyo"},
    };
    static const char *const forms[][2] = {{"cmq-", ".public.tencenttdmq.com"},
                                           {"", ".mqadapter.cmq.tencentyun.com"}};
    for (size_t i = 0; i < OPTION_COUNT(forms) * OPTION_COUNT(regions); i++) {
        const char *const *form = forms[i % OPTION_COUNT(forms)];
        const char *const *region = regions[i / OPTION_COUNT(forms)];
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s%s", form[0], region[0], form[1]);
        if (span_eq_str(host, name))
            return region[1];
    }
    return NULL;
}

static void check_region_of_endpoint(struct reader *reader, const config_t *tree)
{
    const struct config *config = reader->config;
    struct span host = span_of(config->cmq.endpoint);
    size_t scheme = span_find(host, ':');
    host = span_slice(host, scheme + strlen("://"), host.len);
    host = span_slice(host, 0, span_find(host, '/'));
    host = span_slice(host, 0, span_find(host, ':'));
    const char *region = region_of(host);
    bool matters = config->resources.declared || member(tree, "cmq.management", "region");
    if (matters && region && strcmp(region, config->cmq.management.region) != 0) {
        bool given = config_lookup(tree, "cmq.management");
        reader_warn_at(reader,
                       given ? main_line(tree, "cmq.management", "region")
                             : main_line(tree, "cmq", "endpoint"),
                       "cmq.management.region is \"%s\", but cmq.endpoint is in \"%s\": what "
                       "provision makes would be elsewhere",
                       config->cmq.management.region, region);
    }
}

void main_checks(struct reader *reader, const config_t *tree)
{
    check_missing(reader, tree);
    check_broker(reader, tree);
    check_listeners(reader, tree);
    if (reader->faults->errors > reader->errors_before)
        return; /* half of a configuration would give warnings that are none */
    check_unused_listener(reader, tree);
    check_version(reader, tree);
    check_tls(reader, tree);
    check_in_the_clear(reader, tree);
    check_region_of_endpoint(reader, tree);
}
