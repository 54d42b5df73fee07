/* checks - see checks.h. */
#include "config/checks.h"

#include "cmq/limits.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { ID_MAX_BYTES = 48, PUSH_PATH_MAX_BYTES = 256, RULE_NAME_MAX_BYTES = 128 };

static bool refuse(const char **why, const char *text)
{
    *why = text;
    return false;
}

static bool all(struct span value, bool (*allowed)(char c))
{
    for (size_t i = 0; i < value.len; i++) {
        if (!allowed(value.ptr[i]))
            return false;
    }
    return true;
}

static bool word_char(char c)
{
    return isascii(c) && (isalnum((unsigned char)c) || c == '-' || c == '_');
}

static bool host_char(char c)
{
    return word_char(c) || c == '.';
}

static bool hex_char(char c)
{
    return isascii(c) && isxdigit((unsigned char)c);
}

static bool url_char(char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\';
}

bool check_gateway_id(struct span value, const char **why)
{
    if (value.len == 0 || value.len > ID_MAX_BYTES || !all(value, word_char))
        return refuse(why, "it is 1 to 48 letters, digits, '-' and '_'");
    return true;
}

bool check_region(struct span value, const char **why)
{
    if (value.len == 0 || value.len > CMQ_MAX_NAME_BYTES || !all(value, word_char))
        return refuse(why, "a region is 1 to 64 letters, digits, '-' and '_'");
    return true;
}

static bool is_address(int family, struct span host)
{
    char text[64];
    unsigned char address[sizeof(struct in6_addr)];
    if (host.len >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(host));
    return inet_pton(family, text, address) == 1;
}

/* Cuts "HOST:PORT" or "[IPV6]:PORT" at its colon; no port: *port is empty. */
static bool cut_authority(struct span authority, struct span *host, struct span *port)
{
    size_t end;
    if (authority.len > 0 && authority.ptr[0] == '[') {
        end = span_find(authority, ']');
        if (end == authority.len)
            return false;
        *host = span_slice(authority, 1, end - 1);
        end++;
        if (!is_address(AF_INET6, *host))
            return false;
    } else {
        end = span_find(authority, ':');
        *host = span_slice(authority, 0, end);
        if (host->len == 0 || host->len > 253 || !all(*host, host_char))
            return false;
    }
    *port = span_slice(authority, end, authority.len);
    if (port->len == 0)
        return true;
    if (port->len < 2 || port->ptr[0] != ':')
        return false;
    *port = span_slice(*port, 1, port->len);
    return true;
}

static bool port_ok(struct span port, uint64_t min)
{
    uint64_t number;
    return span_to_u64(port, 65535, &number) && number >= min;
}

bool check_mqtt_server(struct span value, const char **why)
{
    static const char form[] = "a server is tcp://HOST:PORT or ssl://HOST:PORT";
    struct span host, port;
    if (!span_starts(value, "tcp://") && !span_starts(value, "ssl://"))
        return refuse(why, form);
    if (!cut_authority(span_slice(value, strlen("tcp://"), value.len), &host, &port) ||
        !port_ok(port, 1))
        return refuse(why, form);
    return true;
}

bool check_http_url(struct span value, const char **why)
{
    static const char form[] = "it is http://HOST[:PORT][/PATH] or the same with https://";
    size_t scheme = span_starts(value, "http://")    ? strlen("http://")
                    : span_starts(value, "https://") ? strlen("https://")
                                                     : 0;
    if (scheme == 0)
        return refuse(why, form);
    struct span rest = span_slice(value, scheme, value.len), host, port;
    struct span authority = span_slice(rest, 0, span_find(rest, '/'));
    struct span path = span_slice(rest, authority.len, rest.len);
    if (!cut_authority(authority, &host, &port) || (port.len > 0 && !port_ok(port, 1)))
        return refuse(why, form);
    if (!all(path, url_char) || span_find(path, '?') < path.len || span_find(path, '#') < path.len)
        return refuse(why, form);
    return true;
}

bool check_http_origin(struct span value, const char **why)
{
    if (!check_http_url(value, why))
        return false;
    struct span rest = span_slice(value, span_find(value, ':') + strlen("://"), value.len);
    if (span_find(rest, '/') + 1 < rest.len)
        return refuse(why, "API 3.0 has no path");
    return true;
}

/* What a path and a query may have: RFC 3986 s. 3.3, 3.4. */
static bool target_ok(struct span target)
{
    for (size_t i = 0; i < target.len; i++) {
        char c = target.ptr[i];
        if (c == '%') {
            if (i + 2 >= target.len || !hex_char(target.ptr[i + 1]) || !hex_char(target.ptr[i + 2]))
                return false;
        } else if (!word_char(c) && (c == '\0' || !strchr(".~!$&'()*+,;=:@/?", c))) {
            return false;
        }
    }
    return true;
}

bool check_push_url(struct span value, const char **why)
{
    size_t scheme = span_starts(value, "http://")    ? strlen("http://")
                    : span_starts(value, "https://") ? strlen("https://")
                                                     : 0;
    if (scheme == 0)
        return refuse(why, "it must begin with http:// or https://");
    if (value.len > CMQ_MAX_ENDPOINT_BYTES)
        return refuse(why, "it has more than 500 characters");
    struct span rest = span_slice(value, scheme, value.len), host, port;
    size_t slash = span_find(rest, '/'), mark = span_find(rest, '?');
    struct span authority = span_slice(rest, 0, slash < mark ? slash : mark);
    if (span_find(authority, '@') < authority.len)
        return refuse(why, "CMQ posts without a user and password");
    if (!cut_authority(authority, &host, &port) || (port.len > 0 && !port_ok(port, 1)))
        return refuse(why, "it is http://HOST[:PORT][/PATH][?QUERY] or the same with https://");
    struct span target = span_slice(rest, authority.len, rest.len);
    if (span_find(target, '#') < target.len)
        return refuse(why, "a fragment ('#') is never sent");
    if (!target_ok(target))
        return refuse(why, "its path or query has characters that must be written as %XX");
    return true;
}

bool check_shared_group(struct span value, const char **why)
{
    if (value.len == 0 || value.len > CMQ_MAX_NAME_BYTES)
        return refuse(why, "a group has 1 to 64 bytes");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c == '/' || c == '+' || c == '#' || c <= ' ' || c == 0x7f)
            return refuse(why, "a group has no '/', '+', '#', blanks or control characters");
    }
    return true;
}

/* Cuts "ADDRESS:PORT"; the address is numeric or "localhost". */
static bool cut_listen(struct span value, struct span *host, struct span *port)
{
    if (!cut_authority(value, host, port) || !port_ok(*port, 0))
        return false;
    return span_eq_str(*host, "localhost") || is_address(AF_INET, *host) ||
           is_address(AF_INET6, *host);
}

bool check_listen(struct span value, const char **why)
{
    struct span host, port;
    if (value.len > 0 && !cut_listen(value, &host, &port)) { /* empty: no listener */
        return refuse(why, "it is ADDRESS:PORT with a numeric address, [IPv6]:PORT or "
                           "localhost:PORT");
    }
    return true;
}

bool listen_is_loopback(struct span value)
{
    struct span host, port;
    return cut_listen(value, &host, &port) &&
           (span_eq_str(host, "localhost") || span_eq_str(host, "::1") ||
            (span_starts(host, "127.") && is_address(AF_INET, host)));
}

bool check_rule_name(struct span value, const char **why)
{
    if (value.len == 0 || value.len > RULE_NAME_MAX_BYTES)
        return refuse(why, "a name has 1 to 128 bytes");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c < ' ' || c == 0x7f)
            return refuse(why, "a name has no control characters");
    }
    return true;
}

/* It takes the place of what would break a route, so it must not break one itself. */
bool check_replace(struct span value, const char **why)
{
    if (value.len == 0 || value.len > CMQ_MAX_ROUTE_BYTES)
        return refuse(why, "it has 1 to 64 bytes");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c == '.' || c == '*' || c == '#' || c == '/' || c <= ' ' || c == 0x7f) {
            return refuse(why, "it would break a route itself: no '.', '*', '#', '/', blanks or "
                               "control characters");
        }
    }
    return true;
}

/* 32 hexadecimal digits are 128 bits, 22 characters of 64 kinds are 132. */
static bool unguessable(struct span segment)
{
    enum { HEX_CHARS = 32, WORD_CHARS = 22, KINDS = 8 };
    bool seen[128] = {false};
    size_t kinds = 0;
    if (segment.len < (all(segment, hex_char) ? HEX_CHARS : WORD_CHARS) || !all(segment, word_char))
        return false;
    for (size_t i = 0; i < segment.len; i++) {
        unsigned char c = (unsigned char)segment.ptr[i];
        kinds += !seen[c];
        seen[c] = true;
    }
    return kinds >= KINDS; /* "aaaa..." is long, too */
}

static bool path_char(char c)
{
    return host_char(c) || c == '/' || c == '~';
}

bool check_push_path(struct span value, const char **why)
{
    if (value.len == 0 || value.ptr[0] != '/')
        return refuse(why, "a path begins with '/'");
    if (value.len > PUSH_PATH_MAX_BYTES || !all(value, path_char))
        return refuse(why, "a path is at most 256 letters, digits, '-', '_', '.', '~' and '/'");
    size_t last = value.len;
    while (value.ptr[last - 1] != '/')
        last--;
    if (!unguessable(span_slice(value, last, value.len))) {
        return refuse(why, "pushes carry no signature, so its last part must be unguessable: at "
                           "least 32 random hexadecimal digits, or 22 random letters, digits, '-' "
                           "and '_'");
    }
    return true;
}
