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

struct cmq_client *account_client(const struct config *config, struct pump *pump, struct err *err)
{
    const struct cmq_client_options options = {
        .endpoint = config->cmq.endpoint,
        .secret_id = secret_id,
        .secret_key = secret_key,
        .token = span_of(config->cmq.token).len ? token : NULL,
        .secret_ctx = (void *)config, /* only read */
        .signature = config->cmq.signature,
        .timeout_ms = config->cmq.timeout_ms,
        .tls = {.ca = config->cmq.tls.ca, .verify = config->cmq.tls.verify},
    };
    return cmq_client_new(pump, &options, err);
}
