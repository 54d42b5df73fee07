/* letter_json - see letter_json.h. */
#include "gateway/letter_json.h"

#include "base/base64.h"
#include "base/json.h"
#include "mapping/jsonview.h"

static void emit_body(struct emit *emit, struct span body)
{
    if (utf8_valid(body))
        emit_span(emit, "body", body);
    struct buf text = BUF_INIT(BASE64_LEN(body.len));
    CHECK(base64_encode(&text, body));
    emit_span(emit, "body_base64", buf_span(&text));
    buf_fini(&text);
}

void letter_json(struct emit *emit, const struct dead_letter *letter, bool whole)
{
    struct jsonview origin;
    emit_object(emit, NULL);
    emit_u64(emit, "id", letter->id);
    emit_span(emit, "rule", letter->rule);
    emit_text(emit, "direction", letter->direction == DEAD_UP ? "up" : "down");
    emit_span(emit, "reason", letter->reason);
    emit_span(emit, "destination", letter->destination);
    emit_time(emit, "received", letter->received_ms);
    emit_u64(emit, "attempts", letter->attempts);
    emit_u64(emit, "body_bytes", letter->body.len);
    if (whole) {
        emit_time(emit, "died", letter->died_ms);
        if (jsonview_parse(letter->origin, JSONVIEW_MAX_DEPTH, &origin))
            emit_raw(emit, "origin", origin.text);
        emit_body(emit, letter->body);
    }
    emit_object_end(emit);
}
