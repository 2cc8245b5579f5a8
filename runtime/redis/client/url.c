#include "runtime/redis/client/url.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const struct {
    const char *prefix;
    bool tls, sentinel;
} schemes[] = {
    {"redis://", false, false},
    {"rediss://", true, false},
    {"redis+sentinel://", false, true},
    {"rediss+sentinel://", true, true},
};

static int fail(char *error, size_t size, const char *message)
{
    snprintf(error, size, "%s", message);
    return -1;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A percent-decoded copy, or NULL when the encoding is broken or hides a NUL. */
static char *decode(const char *from, size_t len)
{
    char *text = tw_alloc(len + 1), *to = text;
    for (size_t i = 0; i < len; ++i) {
        int value = (unsigned char)from[i];
        if (from[i] == '%') {
            int high = i + 2 < len ? hex_value(from[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(from[i + 2]) : -1;
            value = high < 0 || low < 0 ? 0 : high * 16 + low;
            i += 2;
        }
        if (value == 0) {
            free(text);
            return NULL;
        }
        *to++ = (char)value;
    }
    return text;
}

/* A decimal number of the whole range [from, to), at most `max`. */
static int parse_number(const char *from, const char *to, uint32_t max, uint32_t *number)
{
    uint64_t value = 0;
    if (from == to)
        return -1;
    for (; from != to; ++from) {
        if (*from < '0' || *from > '9')
            return -1;
        value = value * 10 + (uint64_t)(*from - '0');
        if (value > max)
            return -1;
    }
    *number = (uint32_t)value;
    return 0;
}

static int parse_credentials(tw_redis_url_t *url, const char *from, const char *at)
{
    const char *colon = memchr(from, ':', (size_t)(at - from));
    if (colon == NULL)
        return -1;
    if (colon != from && (url->user = decode(from, (size_t)(colon - from))) == NULL)
        return -1;
    url->password = decode(colon + 1, (size_t)(at - colon - 1));
    return url->password == NULL ? -1 : 0;
}

static int parse_endpoint(tw_redis_endpoint_t *endpoint, const char *from, const char *to,
                          uint16_t default_port)
{
    const char *host = from, *host_end, *colon = NULL;
    uint32_t port = default_port;

    if (from != to && *from == '[') {
        host = from + 1;
        if ((host_end = memchr(host, ']', (size_t)(to - host))) == NULL)
            return -1;
        if (host_end + 1 != to)
            colon = host_end + 1;
    } else {
        colon = memchr(from, ':', (size_t)(to - from));
        host_end = colon == NULL ? to : colon;
    }
    if (colon != NULL && (*colon != ':' || parse_number(colon + 1, to, 65535, &port) != 0))
        return -1;
    size_t len = (size_t)(host_end - host);
    if (len == 0 || len > TW_REDIS_HOST_MAX || port == 0)
        return -1;
    for (size_t i = 0; i < len; ++i)
        if (host[i] <= ' ' || host[i] > '~')
            return -1;
    memcpy(endpoint->host, host, len);
    endpoint->host[len] = '\0';
    endpoint->port = (uint16_t)port;
    return 0;
}

static int parse_endpoints(tw_redis_url_t *url, const char *from, const char *to, bool sentinel,
                           char *error, size_t size)
{
    uint16_t port = sentinel ? TW_REDIS_SENTINEL_PORT : TW_REDIS_PORT;
    for (;;) {
        const char *comma = memchr(from, ',', (size_t)(to - from));
        const char *end = comma == NULL ? to : comma;
        if (url->endpoint_count == TW_REDIS_ENDPOINTS_MAX)
            return fail(error, size, "names too many hosts");
        if (parse_endpoint(&url->endpoints[url->endpoint_count], from, end, port) != 0)
            return fail(error, size, "has no valid host:port after the scheme");
        ++url->endpoint_count;
        if (comma == NULL)
            break;
        from = comma + 1;
    }
    if (!sentinel && url->endpoint_count > 1)
        return fail(error, size, "names several hosts, which only redis+sentinel:// may do");
    return 0;
}

/* "/db", and for Sentinel "/name" before it; all optional but the name. */
static int parse_path(tw_redis_url_t *url, const char *path, bool sentinel, char *error,
                      size_t size)
{
    if (sentinel) {
        const char *name = *path == '/' ? path + 1 : path;
        size_t len = strcspn(name, "/");
        if (len == 0 || (url->master_name = decode(name, len)) == NULL)
            return fail(error, size, "has no master name: redis+sentinel://host:port,…/name");
        path = name + len;
    }
    if (*path == '/')
        ++path;
    if (*path != '\0' && parse_number(path, path + strlen(path), 65535, &url->db) != 0)
        return fail(error, size, "has a database that is not a number from 0 to 65535");
    return 0;
}

int tw_redis_url_parse(tw_redis_url_t *url, const char *text, char *error, size_t error_size)
{
    tw_redis_url_t parsed = {0};
    const char *from = NULL;
    bool sentinel = false;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); ++i) {
        size_t len = strlen(schemes[i].prefix);
        if (strncmp(text, schemes[i].prefix, len) == 0) {
            from = text + len;
            parsed.tls = schemes[i].tls;
            sentinel = schemes[i].sentinel;
        }
    }
    if (from == NULL)
        return fail(error, error_size,
                    "does not begin with redis://, rediss://, redis+sentinel:// or "
                    "rediss+sentinel://");
    const char *authority_end = from + strcspn(from, "/?#");
    if (*authority_end == '?' || strpbrk(authority_end, "?#") != NULL)
        return fail(error, error_size, "has a query or a fragment, which mean nothing here");
    /* The last @ ends the credentials, so that a password may hold one unescaped. */
    const char *at = memrchr(from, '@', (size_t)(authority_end - from));
    if (at != NULL) {
        if (parse_credentials(&parsed, from, at) != 0) {
            fail(error, error_size,
                 "has broken credentials: they are user:password@ or :password@, "
                 "percent-encoded");
            goto broken;
        }
        from = at + 1;
    }
    if (parse_endpoints(&parsed, from, authority_end, sentinel, error, error_size) != 0 ||
        parse_path(&parsed, authority_end, sentinel, error, error_size) != 0)
        goto broken;
    *url = parsed;
    return 0;

broken:
    tw_redis_url_dispose(&parsed);
    return -1;
}

void tw_redis_url_dispose(tw_redis_url_t *url)
{
    if (url->password != NULL)
        OPENSSL_cleanse(url->password, strlen(url->password));
    free(url->password);
    free(url->user);
    free(url->master_name);
    *url = (tw_redis_url_t){0};
}

const char *tw_redis_endpoint_text(const tw_redis_endpoint_t *endpoint, char *text, size_t size)
{
    bool v6 = strchr(endpoint->host, ':') != NULL;
    snprintf(text, size, "%s%s%s:%u", v6 ? "[" : "", endpoint->host, v6 ? "]" : "", endpoint->port);
    return text;
}
