/* Any bytes in each place of a request: refused, or a form that reads back as what was given. */
#include "cmq/request.h"
#include "tests/unit/cmq/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span part(struct span *rest)
{
    struct span first = span_slice(*rest, 0, span_find(*rest, '\n'));
    *rest = span_slice(*rest, first.len + 1, rest->len);
    return first;
}

static void check_form(struct span text, const struct cmq_request *request, struct span host,
                       struct cmq_signer *signer)
{
    struct form form;
    CHECK(form_read(&form, text));
    CHECK(span_eq(form_get(&form, "msgBody.1"), request->items[0]));
    CHECK(span_eq(form_get(&form, "msgBody.2"), request->items[1]));
    CHECK(span_eq(form_get(&form, "msgTag.1"), request->tags[0]));
    CHECK(span_eq(form_get(&form, "routingKey"), request->route));
    CHECK(span_eq(form_get(&form, "topicName"), request->name));
    struct buf signature = BUF_INIT(44);
    struct span sent = form_get(&form, "Signature");
    CHECK(cmq_sign_params(signer, span_of("POST"), host, span_of("/"), form.params, form.count,
                          &signature));
    CHECK(cmq_signature_equal(sent, buf_span(&signature)));
    buf_fini(&signature);
    form_fini(&form);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cmq_signer *signer;
    if (!signer)
        signer = check_alloc(cmq_signer_new(CMQ_HMAC_SHA256, span_of("key"), NULL));
    struct span rest = span_make(data, size);
    struct span name = part(&rest), tag = part(&rest), route = part(&rest), body = part(&rest);
    const struct span items[] = {body, rest};
    struct cmq_request request = {.action = CMQ_BATCH_PUBLISH_MESSAGE,
                                  .name = name,
                                  .items = items,
                                  .item_count = 2,
                                  .has_route = true,
                                  .route = route,
                                  .tags = &tag,
                                  .tag_count = 1};
    struct cmq_identity identity = {.secret_id = span_of("id"),
                                    .kind = CMQ_HMAC_SHA256,
                                    .signer = signer,
                                    .host = span_of("host:80"),
                                    .path = span_of("/")};
    struct buf out = BUF_INIT(CMQ_MAX_POST_BYTES);
    struct err err;
    if (cmq_request_form(&request, &identity, 1700000000, 1, &out, &err)) {
        check_form(buf_span(&out), &request, identity.host, signer);
        CHECK(out.len <= cmq_form_cost(body) + cmq_form_cost(rest) + CMQ_FORM_OVERHEAD);
    }
    buf_fini(&out);
    return 0;
}
