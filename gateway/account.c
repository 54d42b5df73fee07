/* account: hands the configuration's secrets to the client, unresolved until it asks. */
#include "gateway/account.h"

#include "config/secret.h"

static bool secret_id(void *ctx, struct buf *out, struct err *err)
{
    const struct config *config = ctx;
    return secret_resolve(span_of(config->cmq.secret_id), out, err);
}

static bool secret_key(void *ctx, struct buf *out, struct err *err)
{
    const struct config *config = ctx;
    return secret_resolve(span_of(config->cmq.secret_key), out, err);
}

static bool token(void *ctx, struct buf *out, struct err *err)
{
    const struct config *config = ctx;
    return secret_resolve(span_of(config->cmq.token), out, err);
}

static struct cmq_secrets secrets_of(const struct config *config)
{
    return (struct cmq_secrets){
        .secret_id = secret_id,
        .secret_key = secret_key,
        .token = span_of(config->cmq.token).len ? token : NULL,
        .ctx = (void *)config, /* only read */
    };
}

static struct cmq_client_options options_of(const struct config *config)
{
    const struct cmq_secrets secrets = secrets_of(config);
    return (struct cmq_client_options){
        .endpoint = config->cmq.endpoint,
        .secret_id = secrets.secret_id,
        .secret_key = secrets.secret_key,
        .token = secrets.token,
        .secret_ctx = secrets.ctx,
        .signature = config->cmq.signature,
        .timeout_ms = config->cmq.timeout_ms,
        .tls = {.ca = config->cmq.tls.ca, .verify = config->cmq.tls.verify},
    };
}

struct cmq_client *account_client(const struct config *config, struct pump *pump, struct err *err)
{
    const struct cmq_client_options options = options_of(config);
    return cmq_client_new(pump, &options, err);
}

bool account_configure(const struct config *config, struct cmq_client *client, bool *changed,
                       struct err *err)
{
    const struct cmq_client_options options = options_of(config);
    return cmq_client_configure(client, &options, changed, err);
}

struct api *account_api(const struct config *config, void (*note)(void *ctx, const char *text),
                        void *note_ctx, struct err *err)
{
    const struct api_options options = {
        .endpoint = config->cmq.management.endpoint,
        .region = config->cmq.management.region,
        .secrets = secrets_of(config),
        .timeout_ms = config->cmq.timeout_ms,
        .tls = {.ca = config->cmq.tls.ca, .verify = config->cmq.tls.verify},
        .note = note,
        .note_ctx = note_ctx,
    };
    return api_open(&options, err);
}
