/**
 * Where Redis is and who we are there: what TIDEWAY_REDIS_URL says.
 *
 *     redis://[[user]:password@]host[:port][/db]
 *     redis+sentinel://[[user]:password@]host[:port],host[:port]…/name[/db]
 *     redis+cluster://[[user]:password@]host[:port],host[:port]…
 *     redis+unix://[[user]:password@]/path[?db=number]
 *
 * `rediss` for `redis` means TLS, to the sentinels too; a Unix socket has no TLS. `unix://` is
 * `redis+unix://`. User, password and path are percent-decoded. An IPv6 address stands in
 * brackets. Any thread.
 *
 * A URL belongs to whoever had it parsed. Callers: runtime/redis/client/, server/options/
 * (checking the option).
 */
#ifndef TW_REDIS_URL_H
#define TW_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TW_REDIS_PORT 6379
#define TW_REDIS_SENTINEL_PORT 26379
#define TW_REDIS_ENDPOINTS_MAX 16
#define TW_REDIS_HOST_MAX 255

typedef struct tw_redis_endpoint {
    char host[TW_REDIS_HOST_MAX + 1]; /* a name, an address without brackets, or a path */
    uint16_t port;                    /* 0 with a path */
} tw_redis_endpoint_t;

typedef enum tw_redis_url_kind {
    TW_REDIS_URL_SERVER,   /* the endpoint is Redis itself */
    TW_REDIS_URL_UNIX,     /* the endpoint is the path of its Unix socket */
    TW_REDIS_URL_SENTINEL, /* the endpoints are sentinels, which know where `master_name` is */
    TW_REDIS_URL_CLUSTER,  /* the endpoints are nodes of a Redis Cluster, which know the others */
} tw_redis_url_kind_t;

typedef struct tw_redis_url {
    tw_redis_url_kind_t kind;
    bool tls;
    char *user;        /* owned; NULL: Redis' default user */
    char *password;    /* owned; NULL: none */
    char *master_name; /* owned; NULL without Sentinel */
    uint32_t db;
    size_t endpoint_count; /* at least 1; more with Sentinel and Cluster only */
    tw_redis_endpoint_t endpoints[TW_REDIS_ENDPOINTS_MAX];
} tw_redis_url_t;

/**
 * Parses `text`, without the white space around it that files and secrets bring along. Returns 0,
 * or -1 with one line in `error` that says what is wrong and never quotes the password. The line
 * continues a sentence that begins with the option's name: "does not begin with redis://". `url` is
 * set on success only.
 */
int tw_redis_url_parse(tw_redis_url_t *url, const char *text, char *error, size_t error_size);

/** Frees what the URL owns; a zeroed one is fine. The password is wiped. */
void tw_redis_url_dispose(tw_redis_url_t *url);

/** Whether it is the path of a Unix socket. */
bool tw_redis_endpoint_is_path(const tw_redis_endpoint_t *endpoint);

/** "host:port" or the path (with brackets where they are needed) into `text`; returns it. */
const char *tw_redis_endpoint_text(const tw_redis_endpoint_t *endpoint, char *text, size_t size);

#define TW_REDIS_ENDPOINT_TEXT_MAX (TW_REDIS_HOST_MAX + 10)

#endif
