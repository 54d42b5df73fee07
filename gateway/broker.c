/* broker - see broker.h. */
#include "gateway/broker.h"

#include "base/hash.h"
#include "config/secret.h"

#include <pthread.h>

struct broker {
    pthread_mutex_t mutex; /* guards config */
    const struct config *config;
};

static bool is_set(const char *text)
{
    return text && text[0] != '\0';
}

static const struct config *hold_config(struct broker *broker)
{
    pthread_mutex_lock(&broker->mutex);
    const struct config *config = config_hold(broker->config);
    pthread_mutex_unlock(&broker->mutex);
    return config;
}

static bool password(void *ctx, struct buf *out, struct err *err)
{
    const struct config *config = hold_config(ctx);
    bool ok = secret_resolve(span_of(config->mqtt.password), out, err);
    config_free(config);
    return ok;
}

static bool key_password(void *ctx, struct buf *out, struct err *err)
{
    const struct config *config = hold_config(ctx);
    bool ok = secret_resolve(span_of(config->mqtt.tls.key_password), out, err);
    config_free(config);
    return ok;
}

struct broker *broker_new(const struct config *config)
{
    struct broker *broker = check_alloc(calloc(1, sizeof *broker));
    CHECK(pthread_mutex_init(&broker->mutex, NULL) == 0);
    broker->config = config_hold(config);
    return broker;
}

void broker_free(struct broker *broker)
{
    if (!broker)
        return;
    config_free(broker->config);
    pthread_mutex_destroy(&broker->mutex);
    free(broker);
}

void broker_use(struct broker *broker, const struct config *config)
{
    pthread_mutex_lock(&broker->mutex);
    const struct config *before = broker->config;
    broker->config = config_hold(config);
    pthread_mutex_unlock(&broker->mutex);
    config_free(before);
}

struct mqtt_link_options broker_options(struct broker *broker, const struct config *config)
{
    return (struct mqtt_link_options){
        .servers = (const char *const *)config->mqtt.servers,
        .server_count = config->mqtt.server_count,
        .client_id = config->gateway.id,
        .v5 = config->mqtt.v5,
        .username = config->mqtt.username,
        .password = is_set(config->mqtt.password) ? password : NULL,
        .password_ctx = broker,
        .keep_alive_s = (int)config->mqtt.keep_alive_s,
        .session_expiry_s = config->mqtt.session_expiry_s,
        .connect_timeout_s = (int)config->mqtt.connect_timeout_s,
        .tls = {.ca = config->mqtt.tls.ca,
                .cert = config->mqtt.tls.cert,
                .key = config->mqtt.tls.key,
                .key_password = is_set(config->mqtt.tls.key_password) ? key_password : NULL,
                .key_password_ctx = broker,
                .verify = config->mqtt.tls.verify},
    };
}

/* ---- what a connection depends on ---- */

static void add_text(uint64_t *hash, const char *text)
{
    *hash = hash_add(*hash, span_make(text, strlen(text) + 1));
}

static void add_number(uint64_t *hash, int64_t number)
{
    *hash = hash_add(*hash, span_make((const char *)&number, sizeof number));
}

static bool add_secret(uint64_t *hash, const char *reference, struct err *err)
{
    struct buf value = BUF_INIT(SECRET_MAX_BYTES);
    bool ok = secret_resolve(span_of(reference), &value, err);
    add_number(hash, (int64_t)value.len);
    *hash = hash_add(*hash, buf_span(&value));
    if (value.ptr)
        explicit_bzero(value.ptr, value.room);
    buf_fini(&value);
    return ok;
}

bool broker_fingerprint(const struct config *config, uint64_t *out, struct err *err)
{
    uint64_t hash = HASH_SEED;
    for (size_t i = 0; i < config->mqtt.server_count; i++)
        add_text(&hash, config->mqtt.servers[i]);
    add_text(&hash, config->mqtt.username);
    add_number(&hash, config->mqtt.keep_alive_s);
    add_number(&hash, config->mqtt.session_expiry_s);
    add_number(&hash, config->mqtt.connect_timeout_s);
    add_text(&hash, config->mqtt.tls.ca);
    add_text(&hash, config->mqtt.tls.cert);
    add_text(&hash, config->mqtt.tls.key);
    add_number(&hash, config->mqtt.tls.verify);
    bool ok = add_secret(&hash, config->mqtt.password, err) &&
              add_secret(&hash, config->mqtt.tls.key_password, err);
    *out = hash;
    return ok;
}
