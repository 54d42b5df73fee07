/* sections - the options of the main file; see option.h. */
#include "config/checks.h"
#include "config/config.h"
#include "config/option.h"

static const char *const mqtt_versions[] = {"3.1.1", "5", NULL};
static const char *const signatures[] = {
    [CMQ_HMAC_SHA1] = "HmacSHA1", [CMQ_HMAC_SHA256] = "HmacSHA256", NULL};
static const char *const syncs[] = {"crash", "power", NULL};
static const char *const levels[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug", NULL};
static const char *const formats[] = {[LOG_TEXT] = "text", [LOG_JSON] = "json", NULL};

enum { PATH_BYTES = 4095, TEXT_BYTES = 65535 };

static const struct option gateway_options[] = {
    {.name = "id",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct config, gateway.id),
     .check = check_gateway_id,
     .max = 48,
     .text =
         "Names the gateway in MQTT client ids, metrics and logs: letters, digits, `-` and `_`."},
    {.name = "state_dir",
     .kind = OPTION_STRING,
     .required = true,
     OPTION_AT(struct config, gateway.state_dir),
     .max = PATH_BYTES,
     .text = "The folder of the spool. One running gateway a folder; it is locked."},
    {.name = "rules_dir",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, gateway.rules_dir),
     .preset = "",
     .max = PATH_BYTES,
     .text = "A folder whose `*.cfg` are read in the order of their names; relative to this file. "
             "Empty: none."},
};
static const struct option_group gateway_group = {
    "gateway", "Who the gateway is and where it keeps its state.", gateway_options,
    OPTION_COUNT(gateway_options), true};

static const struct option mqtt_tls_options[] = {
    {.name = "ca",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, mqtt.tls.ca),
     .preset = "",
     .max = PATH_BYTES,
     .text = "PEM file of the authorities to trust. Empty: those of the system."},
    {.name = "cert",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, mqtt.tls.cert),
     .preset = "",
     .max = PATH_BYTES,
     .text = "PEM file of the gateway's certificate. Empty: none."},
    {.name = "key",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, mqtt.tls.key),
     .preset = "",
     .max = PATH_BYTES,
     .text = "PEM file of the certificate's key. Empty: it stands in `cert`'s file."},
    {.name = "key_password",
     .kind = OPTION_STRING,
     .secret = true,
     OPTION_AT(struct config, mqtt.tls.key_password),
     .preset = "",
     .text = "Password of the key."},
    {.name = "verify",
     .kind = OPTION_BOOL,
     OPTION_AT(struct config, mqtt.tls.verify),
     .preset = "true",
     .text = "Whether the broker's certificate and name are checked."},
};
static const struct option_group mqtt_tls_group = {
    "mqtt.tls", "TLS towards the broker, for `ssl://` servers.", mqtt_tls_options,
    OPTION_COUNT(mqtt_tls_options), true};

static const struct option mqtt_options[] = {
    {.name = "servers",
     .kind = OPTION_STRINGS,
     .required = true,
     OPTION_LIST_AT(struct config, mqtt.servers, mqtt.server_count),
     .min = 1,
     .max = 16,
     .check = check_mqtt_server,
     .text = "`tcp://HOST:PORT` or `ssl://HOST:PORT`; several are tried in order."},
    {.name = "version",
     .kind = OPTION_WORD,
     OPTION_AT(struct config, mqtt.v5),
     .preset = "5",
     .words = mqtt_versions,
     .text = "The MQTT version to speak."},
    {.name = "username",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, mqtt.username),
     .preset = "",
     .max = TEXT_BYTES,
     .text = "User name at the broker. Empty: none."},
    {.name = "password",
     .kind = OPTION_STRING,
     .secret = true,
     OPTION_AT(struct config, mqtt.password),
     .preset = "",
     .text = "Password at the broker. Empty: none."},
    {.name = "keep_alive",
     .kind = OPTION_DURATION,
     OPTION_AT(struct config, mqtt.keep_alive_s),
     .preset = "30s",
     .min = OPTION_S(1),
     .max = OPTION_S(65535),
     .unit = 1000,
     .text = "The longest silence before the connection is probed."},
    {.name = "session_expiry",
     .kind = OPTION_DURATION,
     OPTION_AT(struct config, mqtt.session_expiry_s),
     .preset = "24h",
     .min = OPTION_S(1),
     .max = OPTION_S(UINT32_MAX),
     .unit = 1000,
     .text =
         "How long the broker keeps the session, and queues, while the gateway is away (MQTT 5)."},
    {.name = "connect_timeout",
     .kind = OPTION_DURATION,
     OPTION_AT(struct config, mqtt.connect_timeout_s),
     .preset = "10s",
     .min = OPTION_S(1),
     .max = OPTION_S(600),
     .unit = 1000,
     .text = "How long one try to connect may take."},
    {.name = "shared_group",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, mqtt.shared_group),
     .preset = "",
     .check = check_shared_group,
     .max = 64,
     .text = "When set, every forward filter is subscribed as `$share/GROUP/FILTER`."},
    {.name = "tls",
     .kind = OPTION_GROUP,
     .group = &mqtt_tls_group,
     .text = "See [mqtt.tls](#mqtttls)."},
};
static const struct option_group mqtt_group = {"mqtt", "The connection to the MQTT broker.",
                                               mqtt_options, OPTION_COUNT(mqtt_options), true};

static const struct option cmq_tls_options[] = {
    {.name = "ca",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, cmq.tls.ca),
     .preset = "",
     .max = PATH_BYTES,
     .text = "PEM file of the authorities to trust. Empty: those of the system."},
    {.name = "verify",
     .kind = OPTION_BOOL,
     OPTION_AT(struct config, cmq.tls.verify),
     .preset = "true",
     .text = "Whether the service's certificate and name are checked."},
};
static const struct option_group cmq_tls_group = {"cmq.tls", "TLS towards CMQ.", cmq_tls_options,
                                                  OPTION_COUNT(cmq_tls_options), true};

static const struct option management_options[] = {
    {.name = "endpoint",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, cmq.management.endpoint),
     .preset = "https://tdmq.tencentcloudapi.com",
     .check = check_http_origin,
     .max = PATH_BYTES,
     .text = "Where API 3.0 is spoken; `cmqgw provision` needs it."},
    {.name = "region",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, cmq.management.region),
     .preset = "ap-guangzhou",
     .check = check_region,
     .max = 64,
     .text = "The region of the account's queues and topics."},
};
static const struct option_group management_group = {"cmq.management", "The management plane.",
                                                     management_options,
                                                     OPTION_COUNT(management_options), true};

static const struct option cmq_options[] = {
    {.name = "endpoint",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, cmq.endpoint),
     .preset = "",
     .check = check_http_url,
     .max = PATH_BYTES,
     .text = "Address of the service. Required when a rule uses CMQ."},
    {.name = "secret_id",
     .kind = OPTION_STRING,
     .secret = true,
     OPTION_AT(struct config, cmq.secret_id),
     .preset = "",
     .text = "Id of the account's key. Required with `endpoint`."},
    {.name = "secret_key",
     .kind = OPTION_STRING,
     .secret = true,
     OPTION_AT(struct config, cmq.secret_key),
     .preset = "",
     .text = "The account's key. Required with `endpoint`."},
    {.name = "token",
     .kind = OPTION_STRING,
     .secret = true,
     OPTION_AT(struct config, cmq.token),
     .preset = "",
     .text = "Token of a temporary key. Empty: none."},
    {.name = "signature",
     .kind = OPTION_WORD,
     OPTION_AT(struct config, cmq.signature),
     .preset = "HmacSHA256",
     .words = signatures,
     .text = "How requests are signed."},
    {.name = "connections",
     .kind = OPTION_INT,
     OPTION_AT(struct config, cmq.connections),
     .preset = "64",
     .min = 1,
     .max = 1024,
     .text = "Requests in flight at most, long polls not counted; it adapts below that."},
    {.name = "rate",
     .kind = OPTION_INT,
     OPTION_AT(struct config, cmq.rate),
     .preset = "5000",
     .min = 1,
     .max = 100000,
     .text = "Requests a second to one queue or topic at most."},
    {.name = "timeout",
     .kind = OPTION_DURATION,
     OPTION_AT(struct config, cmq.timeout_ms),
     .preset = "15s",
     .min = 100,
     .max = OPTION_S(300),
     .text = "How long a request may take; a long poll gets its wait on top."},
    {.name = "tls",
     .kind = OPTION_GROUP,
     .group = &cmq_tls_group,
     .text = "See [cmq.tls](#cmqtls)."},
    {.name = "management",
     .kind = OPTION_GROUP,
     .group = &management_group,
     .text = "See [cmq.management](#cmqmanagement)."},
};
static const struct option_group cmq_group = {"cmq", "The account at CMQ.", cmq_options,
                                              OPTION_COUNT(cmq_options), true};

static const struct option spool_options[] = {
    {.name = "max_size",
     .kind = OPTION_SIZE,
     OPTION_AT(struct config, spool.max_size_bytes),
     .preset = "1GiB",
     .min = 16 << 20,
     .max = INT64_C(16) << 40,
     .text = "The spool's ceiling; when it is reached the broker has to queue."},
    {.name = "sync",
     .kind = OPTION_WORD,
     OPTION_AT(struct config, spool.sync_power),
     .preset = "power",
     .words = syncs,
     .text = "What an acknowledged message survives: `power`, a power cut (synced in groups); "
             "`crash`, the end of the process only."},
};
static const struct option_group spool_group = {"spool", "The store between MQTT and CMQ.",
                                                spool_options, OPTION_COUNT(spool_options), true};

static const struct option admin_options[] = {
    {.name = "listen",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, admin.listen),
     .preset = "127.0.0.1:9780",
     .check = check_listen,
     .max = 64,
     .text = "`ADDRESS:PORT` of status, metrics and reload. Empty: none. An address that is not "
             "loopback needs a token."},
    {.name = "token",
     .kind = OPTION_STRING,
     .secret = true,
     OPTION_AT(struct config, admin.token),
     .preset = "",
     .text = "What callers must show. Empty: nothing."},
};
static const struct option_group admin_group = {"admin", "The endpoint for operators.",
                                                admin_options, OPTION_COUNT(admin_options), true};

static const struct option push_options[] = {
    {.name = "listen",
     .kind = OPTION_STRING,
     OPTION_AT(struct config, push.listen),
     .preset = "",
     .check = check_listen,
     .max = 64,
     .text = "`ADDRESS:PORT` where CMQ's http subscriptions post to. Empty: none."},
};
static const struct option_group push_group = {"push", "The endpoint for CMQ's http subscriptions.",
                                               push_options, OPTION_COUNT(push_options), true};

static const struct option log_options[] = {
    {.name = "level",
     .kind = OPTION_WORD,
     OPTION_AT(struct config, log.level),
     .preset = "info",
     .words = levels,
     .text = "The least serious lines that are written."},
    {.name = "format",
     .kind = OPTION_WORD,
     OPTION_AT(struct config, log.format),
     .preset = "text",
     .words = formats,
     .text = "How lines are written, on stderr."},
};
static const struct option_group log_group = {"log", "The log.", log_options,
                                              OPTION_COUNT(log_options), true};

#define RULE_SECTIONS                                                                              \
    {.name = "forward",                                                                            \
     .kind = OPTION_GROUPS,                                                                        \
     .group = &option_forward,                                                                     \
     .read = forward_read,                                                                         \
     .text = "Rules from MQTT to CMQ."},                                                           \
        {.name = "reverse",                                                                        \
         .kind = OPTION_GROUPS,                                                                    \
         .group = &option_reverse,                                                                 \
         .read = reverse_read,                                                                     \
         .text = "Rules from CMQ to MQTT."},                                                       \
        {.name = "resources",                                                                      \
         .kind = OPTION_GROUP,                                                                     \
         .group = &option_resources,                                                               \
         .read = resources_read,                                                                   \
         .text = "What should exist in CMQ."},                                                     \
    {                                                                                              \
        .name = "tests", .kind = OPTION_GROUPS, .group = &option_tests, .read = case_read,         \
        .text = "What `cmqgw test` proves."                                                        \
    }

static const struct option main_options[] = {
    {.name = "gateway", .kind = OPTION_GROUP, .group = &gateway_group},
    {.name = "mqtt", .kind = OPTION_GROUP, .group = &mqtt_group},
    {.name = "cmq", .kind = OPTION_GROUP, .group = &cmq_group},
    {.name = "spool", .kind = OPTION_GROUP, .group = &spool_group},
    {.name = "admin", .kind = OPTION_GROUP, .group = &admin_group},
    {.name = "push", .kind = OPTION_GROUP, .group = &push_group},
    {.name = "log", .kind = OPTION_GROUP, .group = &log_group},
    RULE_SECTIONS,
};
const struct option_group option_main_file = {"", "The main file.", main_options,
                                              OPTION_COUNT(main_options), true};

static const struct option rule_options[] = {RULE_SECTIONS};
const struct option_group option_rule_file = {"", "A rule file.", rule_options,
                                              OPTION_COUNT(rule_options), false};
