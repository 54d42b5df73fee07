/* options - see options.h. */
#include "mqtt/options.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_RECEIVE_MAXIMUM = 1024, MAX_TWO_BYTES = 65535 };

static const char tcp[] = "tcp://";
static const char ssl[] = "ssl://";

static bool has(const char *text)
{
    return text && text[0];
}

bool options_tls(const struct mqtt_link_options *options)
{
    return span_starts(span_of(options->servers[0]), ssl);
}

static bool check_servers(const struct mqtt_link_options *o, struct err *err)
{
    if (o->server_count == 0)
        return err_set(err, "mqtt.servers is empty: name at least one broker");
    for (size_t i = 0; i < o->server_count; i++) {
        struct span server = span_of(o->servers[i]);
        bool is_ssl = span_starts(server, ssl);
        if (!is_ssl && !span_starts(server, tcp))
            return err_set(err, "mqtt.servers: \"%.200s\" must begin with tcp:// or ssl://",
                           o->servers[i]);
        if (is_ssl != options_tls(o))
            return err_set(err, "mqtt.servers mixes tcp:// and ssl://: a fall-back to an open "
                                "connection would give the password away");
    }
    return true;
}

bool mqtt_link_check(const struct mqtt_link_options *o, struct err *err)
{
    if (!check_servers(o, err))
        return false;
    if (!has(o->client_id))
        return err_set(err, "the MQTT client identifier is empty: a session needs one");
    if (o->password && !has(o->username) && !o->v5)
        return err_set(err, "mqtt.password without mqtt.username: MQTT 3.1.1 does not allow it");
    if (o->keep_alive_s < 0 || o->keep_alive_s > MAX_TWO_BYTES)
        return err_set(err, "mqtt.keep_alive must be between 0 and %d seconds", MAX_TWO_BYTES);
    if (o->connect_timeout_s < 1)
        return err_set(err, "mqtt.connect_timeout must be at least 1 second");
    if (o->session_expiry_s < 0 || o->session_expiry_s > UINT32_MAX)
        return err_set(err, "mqtt.session_expiry must be between 0 and %u seconds", UINT32_MAX);
    if (o->receive_maximum > MAX_TWO_BYTES)
        return err_set(err, "the receive maximum must be at most %d", MAX_TWO_BYTES);
    if (has(o->tls.key) && !has(o->tls.cert))
        return err_set(err, "mqtt.tls.key without mqtt.tls.cert: a client certificate needs both");
    return true;
}

static char *copy(const char *text)
{
    return has(text) ? check_alloc(strdup(text)) : NULL;
}

struct mqtt_link_options *options_copy(const struct mqtt_link_options *options, struct err *err)
{
    if (!mqtt_link_check(options, err))
        return NULL;
    struct mqtt_link_options *o = check_alloc(malloc(sizeof(*o)));
    *o = *options;
    char **servers = check_alloc(calloc(o->server_count, sizeof(*servers)));
    for (size_t i = 0; i < o->server_count; i++)
        servers[i] = copy(options->servers[i]);
    o->servers = (const char *const *)servers;
    o->client_id = copy(options->client_id);
    o->username = copy(options->username);
    o->tls.ca = copy(options->tls.ca);
    o->tls.cert = copy(options->tls.cert);
    o->tls.key = copy(options->tls.key);
    if (o->receive_maximum == 0)
        o->receive_maximum = DEFAULT_RECEIVE_MAXIMUM;
    return o;
}

void options_free(struct mqtt_link_options *options)
{
    if (!options)
        return;
    for (size_t i = 0; i < options->server_count; i++)
        free((char *)options->servers[i]);
    free((char **)options->servers);
    free((char *)options->client_id);
    free((char *)options->username);
    free((char *)options->tls.ca);
    free((char *)options->tls.cert);
    free((char *)options->tls.key);
    free(options);
}
