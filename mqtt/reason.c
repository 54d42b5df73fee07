/* reason - see reason.h. */
#include "mqtt/reason.h"

#include <stddef.h>

struct reason {
    int code;
    const char *means;
    const char *advice; /* may be NULL */
};

static const struct reason v5_reasons[] = {
    {0x00, "it closed the connection without a fault", NULL},
    {0x80, "unspecified error", "see the broker's log"},
    {0x81, "malformed packet", "see the broker's log"},
    {0x82, "protocol error", "see the broker's log"},
    {0x83, "implementation specific error", "see the broker's log"},
    {0x84, "it does not speak MQTT 5", "set mqtt.version = \"3.1.1\""},
    {0x85, "client identifier not valid",
     "change gateway.id or the broker's rules for identifiers"},
    {0x86, "bad user name or password", "check mqtt.username and mqtt.password"},
    {0x87, "not authorized",
     "check mqtt.username and mqtt.password, and that the broker's rules let this user in"},
    {0x88, "server unavailable", NULL},
    {0x89, "server busy", NULL},
    {0x8a, "banned", "the broker's administrator has shut this client out"},
    {0x8b, "server shutting down", NULL},
    {0x8c, "bad authentication method", "the broker wants another way of authentication"},
    {0x8d, "keep alive timeout", "the connection or this machine is too slow"},
    {0x8e, "session taken over",
     "another client connected with the same identifier; does a second gateway have this "
     "gateway.id?"},
    {0x8f, "topic filter not valid", "check the rule's filter"},
    {0x90, "topic name not valid", NULL},
    {0x91, "packet identifier in use", "see the broker's log"},
    {0x93, "receive maximum exceeded", "see the broker's log"},
    {0x94, "topic alias not valid", "see the broker's log"},
    {0x95, "packet too large", "raise the broker's maximum packet size"},
    {0x96, "message rate too high", "raise the broker's limits for this client"},
    {0x97, "quota exceeded", "raise the broker's limits for this client"},
    {0x98, "administrative action", "the broker's administrator ended the session"},
    {0x99, "payload format not valid", NULL},
    {0x9a, "retain not supported", NULL},
    {0x9b, "QoS not supported", "lower the rule's qos"},
    {0x9c, "use another server", "change mqtt.servers"},
    {0x9d, "server moved", "change mqtt.servers"},
    {0x9e, "shared subscriptions not supported", "leave mqtt.shared_group empty"},
    {0x9f, "connection rate exceeded", "raise the broker's limits for this client"},
    {0xa0, "maximum connect time", NULL},
    {0xa1, "subscription identifiers not supported", NULL},
    {0xa2, "wildcard subscriptions not supported", "use filters without + and #"},
};

static const struct reason v3_connack[] = {
    {1, "it does not speak MQTT 3.1.1", "set mqtt.version = \"5\""},
    {2, "client identifier rejected", "change gateway.id or the broker's rules for identifiers"},
    {3, "server unavailable", NULL},
    {4, "bad user name or password", "check mqtt.username and mqtt.password"},
    {5, "not authorized", "check mqtt.username, mqtt.password and the broker's access rules"},
};

static const struct reason v3_suback[] = {
    {0x80, "no reason given", "the broker's access rules may forbid this filter"},
};

static void explain(struct err *out, const char *what, const char *protocol, int code,
                    const struct reason *reasons, size_t count)
{
    const struct reason *reason = NULL;
    for (size_t i = 0; i < count && !reason; i++)
        if (reasons[i].code == code)
            reason = &reasons[i];
    bool advice = reason && reason->advice;
    err_set(out, "%s: %s (%s 0x%02X)%s%s", what, reason ? reason->means : "unknown reason",
            protocol, (unsigned)code & 0xff, advice ? ": " : "", advice ? reason->advice : "");
}

#define TABLE(t) (t), sizeof(t) / sizeof((t)[0])

void reason_refused(struct err *out, bool v5, int code)
{
    if (v5)
        explain(out, "broker refused the connection", "MQTT 5 reason", code, TABLE(v5_reasons));
    else
        explain(out, "broker refused the connection", "MQTT 3.1.1 return code", code,
                TABLE(v3_connack));
}

static void explain_said(struct err *out, const char *what, int code, const char *said)
{
    explain(out, what, "MQTT 5 reason", code, TABLE(v5_reasons));
    if (said[0]) {
        struct err base = *out;
        err_set(out, "%.300s; it says: %s", base.text, said);
    }
}

void reason_disconnected(struct err *out, int code, const char *said)
{
    explain_said(out, "broker closed the connection", code, said);
}

void reason_publish(struct err *out, int code, const char *said)
{
    explain_said(out, "broker refused the message", code, said);
}

void reason_subscription(struct err *out, bool v5, int code)
{
    if (v5)
        explain(out, "broker refused the subscription", "MQTT 5 reason", code, TABLE(v5_reasons));
    else
        explain(out, "broker refused the subscription", "MQTT 3.1.1 return code", code,
                TABLE(v3_suback));
}
