#include "runtime/redis/client/url.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* struct sockaddr_un takes so much, with its NUL. */
#define PATH_MAX_BYTES 107

static const struct {
    const char *prefix;
    bool tls;
    tw_redis_url_kind_t kind;
} schemes[] = {
    {"redis://", false, TW_REDIS_URL_SERVER},
    {"rediss://", true, TW_REDIS_URL_SERVER},
    {"redis+sentinel://", false, TW_REDIS_URL_SENTINEL},
    {"rediss+sentinel://", true, TW_REDIS_URL_SENTINEL},
    {"redis+cluster://", false, TW_REDIS_URL_CLUSTER},
    {"rediss+cluster://", true, TW_REDIS_URL_CLUSTER},
    {"redis+unix://", false, TW_REDIS_URL_UNIX},
    {"unix://", false, TW_REDIS_URL_UNIX},
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
        if (host[i] <= ' ' || host[i] > '~' || host[i] == '/')
            return -1;
    memcpy(endpoint->host, host, len);
    endpoint->host[len] = '\0';
    endpoint->port = (uint16_t)port;
    return 0;
}

static int parse_endpoints(tw_redis_url_t *url, const char *from, const char *to, char *error,
                           size_t size)
{
    uint16_t port = url->kind == TW_REDIS_URL_SENTINEL ? TW_REDIS_SENTINEL_PORT : TW_REDIS_PORT;
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
    if (url->kind == TW_REDIS_URL_SERVER && url->endpoint_count > 1)
        return fail(error, size,
                    "names several hosts, which only redis+sentinel:// and redis+cluster:// may "
                    "do");
    return 0;
}

static int parse_db(tw_redis_url_t *url, const char *text, char *error, size_t size)
{
    if (*text != '\0' && parse_number(text, text + strlen(text), 65535, &url->db) != 0)
        return fail(error, size, "has a database that is not a number from 0 to 65535");
    if (url->kind == TW_REDIS_URL_CLUSTER && url->db != 0)
        return fail(error, size, "names a database, which a Redis Cluster does not have");
    return 0;
}

/* "/db", and for Sentinel "/name" before it; all optional but the name. */
static int parse_path(tw_redis_url_t *url, const char *path, char *error, size_t size)
{
    if (strpbrk(path, "?#") != NULL)
        return fail(error, size, "has a query or a fragment, which mean nothing here");
    if (url->kind == TW_REDIS_URL_SENTINEL) {
        const char *name = *path == '/' ? path + 1 : path;
        size_t len = strcspn(name, "/");
        if (len == 0 || (url->master_name = decode(name, len)) == NULL)
            return fail(error, size, "has no master name: redis+sentinel://host:port,…/name");
        path = name + len;
    }
    return parse_db(url, *path == '/' ? path + 1 : path, error, size);
}

/* "/path" and "?db=number" after it. */
static int parse_socket(tw_redis_url_t *url, const char *path, char *error, size_t size)
{
    size_t len = strcspn(path, "?#");
    char *decoded = decode(path, len);
    int result = -1;

    if (decoded == NULL || decoded[0] != '/' || strlen(decoded) > PATH_MAX_BYTES) {
        fail(error, size, "has no path of a socket: redis+unix:///path, with up to 107 bytes");
    } else if (path[len] != '\0' && strncmp(path + len, "?db=", 4) != 0) {
        fail(error, size, "has something other than ?db=number after the path");
    } else {
        memcpy(url->endpoints[0].host, decoded, strlen(decoded) + 1);
        url->endpoint_count = 1;
        result = path[len] == '\0' ? 0 : parse_db(url, path + len + 4, error, size);
    }
    free(decoded);
    return result;
}

/* What stands behind the scheme. */
static int parse_rest(tw_redis_url_t *url, const char *from, char *error, size_t size)
{
    const char *authority_end = from + strcspn(from, "/?#");
    /* The last @ ends the credentials, so that a password may hold one unescaped. */
    const char *at = memrchr(from, '@', (size_t)(authority_end - from));

    if (at != NULL && parse_credentials(url, from, at) != 0)
        return fail(error, size,
                    "has broken credentials: they are user:password@ or :password@, "
                    "percent-encoded");
    if (at != NULL)
        from = at + 1;
    if (url->kind == TW_REDIS_URL_UNIX)
        return parse_socket(url, from, error, size);
    if (parse_endpoints(url, from, authority_end, error, size) != 0)
        return -1;
    return parse_path(url, authority_end, error, size);
}

static int parse(tw_redis_url_t *url, const char *text, char *error, size_t error_size)
{
    tw_redis_url_t parsed = {0};
    const char *from = NULL;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); ++i) {
        size_t len = strlen(schemes[i].prefix);
        if (strncmp(text, schemes[i].prefix, len) == 0) {
            from = text + len;
            parsed.tls = schemes[i].tls;
            parsed.kind = schemes[i].kind;
        }
    }
    if (from == NULL)
        return fail(error, error_size,
                    "does not begin with redis://, redis+sentinel://, redis+cluster:// (rediss for "
                    "TLS) or redis+unix://");
    if (parse_rest(&parsed, from, error, error_size) != 0) {
        tw_redis_url_dispose(&parsed);
        return -1;
    }
    *url = parsed;
    return 0;
}

int tw_redis_url_parse(tw_redis_url_t *url, const char *text, char *error, size_t error_size)
{
    static const char space[] = " \t\r\n\v\f";

    text += strspn(text, space);
    size_t len = strlen(text);
    while (len > 0 && strchr(space, text[len - 1]) != NULL)
        --len;
    char *trimmed = tw_strndup(text, len);
    int result = parse(url, trimmed, error, error_size);
    OPENSSL_cleanse(trimmed, len);
    free(trimmed);
    return result;
}

bool tw_redis_endpoint_is_path(const tw_redis_endpoint_t *endpoint)
{
    return endpoint->host[0] == '/';
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
    if (tw_redis_endpoint_is_path(endpoint)) {
        snprintf(text, size, "%s", endpoint->host);
        return text;
    }
    bool v6 = strchr(endpoint->host, ':') != NULL;
    snprintf(text, size, "%s%s%s:%u", v6 ? "[" : "", endpoint->host, v6 ? "]" : "", endpoint->port);
    return text;
}
