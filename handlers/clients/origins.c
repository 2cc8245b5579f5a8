#include "handlers/clients/origins.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define SCHEME_MAX 32
#define HOST_MAX 253
#define LABEL_MAX 63
#define PORT_DIGITS_MAX 5

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether the text is labels of a domain name with dots between them, in small letters. Browsers
 * write names of other scripts as ASCII (xn--…), so nothing else can match. */
static bool are_labels(tw_text_t text)
{
    size_t label = 0;

    for (size_t i = 0; i < text.len; ++i) {
        char c = text.base[i];
        if (c == '.' ? label == 0 : !is_letter(c) && !is_digit(c) && c != '-' && c != '_')
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_MAX)
            return false;
    }
    return label > 0 && text.len <= HOST_MAX;
}

/* Browsers read a host whose last label is a number as an IPv4 address (WHATWG URL 3.5), and write
 * it with four parts. */
static bool is_host_name(tw_text_t host)
{
    char copy[HOST_MAX + 1];
    struct in_addr v4;
    const char *dot = memrchr(host.base, '.', host.len);
    const char *last = dot != NULL ? dot + 1 : host.base;

    if (!are_labels(host))
        return false;
    if (!is_digit(*last))
        return true;
    for (const char *c = last; c < host.base + host.len; ++c)
        if (!is_digit(*c))
            return last[0] != '0' || lower(last[1]) != 'x';
    memcpy(copy, host.base, host.len);
    copy[host.len] = '\0';
    return inet_pton(AF_INET, copy, &v4) == 1;
}

/* Writes an IPv6 address as browsers do (RFC 5952). An IPv4 address within one is refused: those
 * are written in too many ways. */
static bool write_v6(tw_text_t address, char out[INET6_ADDRSTRLEN])
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr v6;

    if (address.len == 0 || address.len >= sizeof(copy))
        return false;
    memcpy(copy, address.base, address.len);
    copy[address.len] = '\0';
    return inet_pton(AF_INET6, copy, &v6) == 1 &&
           inet_ntop(AF_INET6, &v6, out, INET6_ADDRSTRLEN) != NULL && strchr(out, '.') == NULL;
}

/* Takes `://` and what is before it. */
static bool take_scheme(tw_text_t *rest, tw_text_t *scheme)
{
    size_t len = 0;

    while (len < rest->len && (is_letter(rest->base[len]) || is_digit(rest->base[len]) ||
                               memchr("+-.", rest->base[len], 3) != NULL))
        ++len;
    if (len == 0 || len > SCHEME_MAX || !is_letter(rest->base[0]) || rest->len < len + 3 ||
        memcmp(rest->base + len, "://", 3) != 0)
        return false;
    *scheme = tw_text(rest->base, len);
    *rest = tw_text_from(*rest, len + 3);
    return true;
}

static bool is_default_port(tw_text_t scheme, unsigned port)
{
    return (port == 443 && scheme.len == 5 && memcmp(scheme.base, "https", 5) == 0) ||
           (port == 80 && scheme.len == 4 && memcmp(scheme.base, "http", 4) == 0);
}

/* Takes `:port` off the end of host and port. *port is -1 when they have no port, or it goes
 * without saying. */
static bool take_port(tw_text_t *host, tw_text_t scheme, int *port)
{
    size_t digits = 0;
    unsigned number = 0;

    *port = -1;
    while (digits < host->len && is_digit(host->base[host->len - digits - 1]))
        ++digits;
    if (digits == host->len || host->base[host->len - digits - 1] != ':')
        return true;
    if (digits == 0 || digits > PORT_DIGITS_MAX)
        return false;
    for (size_t i = host->len - digits; i < host->len; ++i)
        number = number * 10 + (unsigned)(host->base[i] - '0');
    host->len -= digits + 1;
    if (number > 65535)
        return false;
    if (!is_default_port(scheme, number))
        *port = (int)number;
    return true;
}

/* Appends the host; for one that begins with `*.`, what follows the `*`. */
static bool add_host(tw_origin_t *origin, tw_text_t host)
{
    char v6[INET6_ADDRSTRLEN];
    const char *text = host.base;
    bool below = host.len > 2 && memcmp(host.base, "*.", 2) == 0;

    if (host.len > 2 && host.base[0] == '[' && host.base[host.len - 1] == ']') {
        if (!write_v6(tw_text(host.base + 1, host.len - 2), v6))
            return false;
        origin->len += (size_t)sprintf(origin->text + origin->len, "[%s]", v6);
        return true;
    }
    tw_text_t name = below ? tw_text_from(host, 2) : host;
    if (!is_host_name(name))
        return false;
    /* Nothing is below an address. */
    if (below && is_digit(name.base[name.len - 1]) && strspn(name.base, "0123456789.") >= name.len)
        return false;
    origin->star = below ? origin->len : 0;
    text += below ? 1 : 0;
    size_t len = host.len - (size_t)(text - host.base);
    memcpy(origin->text + origin->len, text, len);
    origin->len += len;
    return true;
}

static bool parse(tw_text_t item, tw_origin_t *origin)
{
    char copy[TW_ORIGIN_MAX];
    tw_text_t rest = tw_text(copy, item.len), scheme;
    int port;

    if (item.len >= sizeof(copy))
        return false;
    for (size_t i = 0; i < item.len; ++i)
        copy[i] = lower(item.base[i]);
    copy[item.len] = '\0';
    if (!take_scheme(&rest, &scheme))
        return false;
    if (rest.len > 0 && rest.base[rest.len - 1] == '/')
        --rest.len;
    *origin = (tw_origin_t){.len = (size_t)(rest.base - copy)};
    memcpy(origin->text, copy, origin->len);
    if (!take_port(&rest, scheme, &port) || rest.len == 0 || rest.len > HOST_MAX + 2 ||
        !add_host(origin, rest))
        return false;
    if (port >= 0)
        origin->len += (size_t)sprintf(origin->text + origin->len, ":%d", port);
    return true;
}

bool tw_origins_parse(const char *text, tw_origins_t *origins, tw_text_t *bad)
{
    tw_text_t list = tw_text_of(text), item;

    *origins = (tw_origins_t){0};
    while (tw_text_next_item(&list, &item)) {
        if (item.len == 1 && item.base[0] == '*') {
            origins->any = true;
            continue;
        }
        origins->items = tw_realloc(origins->items, (origins->count + 1) * sizeof(tw_origin_t));
        if (!parse(item, &origins->items[origins->count])) {
            *bad = item;
            tw_origins_dispose(origins);
            return false;
        }
        ++origins->count;
    }
    return true;
}

static bool matches(const tw_origin_t *listed, tw_text_t origin)
{
    size_t tail = listed->len - listed->star;

    if (origin.len < listed->len || memcmp(origin.base, listed->text, listed->star) != 0 ||
        memcmp(origin.base + origin.len - tail, listed->text + listed->star, tail) != 0)
        return false;
    if (listed->star == 0)
        return origin.len == listed->len;
    return are_labels(tw_text(origin.base + listed->star, origin.len - listed->len));
}

bool tw_origins_contain(const tw_origins_t *origins, tw_text_t origin)
{
    for (size_t i = 0; i < origins->count; ++i)
        if (matches(&origins->items[i], origin))
            return true;
    return origins->any;
}

void tw_origins_dispose(tw_origins_t *origins)
{
    free(origins->items);
    *origins = (tw_origins_t){0};
}
