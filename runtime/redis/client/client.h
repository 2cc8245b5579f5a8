/**
 * A Redis client that finds its server, makes sure that it is one that we can work with, and comes
 * back when it is lost.
 *
 * Each attempt asks Sentinel for the master (if the URL names sentinels), looks the name up,
 * connects, authenticates and refuses a server that is a replica, still loads its data or is too
 * old. Attempts are spaced by a jittered, growing pause. Nothing is sent again by itself: a command
 * whose reply did not come is reported as such, its sender decides. Loop thread only.
 */
#ifndef TW_REDIS_CLIENT_H
#define TW_REDIS_CLIENT_H

#include "runtime/redis/client/connection.h"

/* The oldest Redis that has all that we send. */
#define TW_REDIS_VERSION_MIN_MAJOR 6
#define TW_REDIS_VERSION_MIN_MINOR 2

typedef struct tw_redis_client tw_redis_client_t;

/* name, label for logs, readiness and metrics */
#define TW_REDIS_CLIENT_STATE_TABLE(X)                                                             \
    X(IDLE, "idle")                                                                                \
    X(LOCATING, "asking sentinel")                                                                 \
    X(CONNECTING, "connecting")                                                                    \
    X(GREETING, "checking the server")                                                             \
    X(UP, "up")                                                                                    \
    X(WAITING, "waiting to retry")                                                                 \
    X(CLOSED, "closed")

typedef enum tw_redis_client_state {
#define X(name, label) TW_REDIS_CLIENT_##name,
    TW_REDIS_CLIENT_STATE_TABLE(X)
#undef X
} tw_redis_client_state_t;

typedef struct tw_redis_client_config {
    const tw_redis_url_t *url; /* borrowed: outlives the client */
    SSL_CTX *tls;              /* borrowed: outlives the client; set when url->tls */
    const char *name; /* borrowed: outlives the client; what CLIENT LIST shows, no spaces */
    tw_redis_limits_t limits;
    uint32_t backoff_min_ms, backoff_max_ms; /* pause before the first retry; longest pause */
} tw_redis_client_config_t;

/* What the server told about itself. Valid for the call that shows it. */
typedef struct tw_redis_server {
    char endpoint[TW_REDIS_ENDPOINT_TEXT_MAX];
    char version[32];
    char run_id[64];     /* another one after each start of the server */
    bool memory_limited; /* maxmemory is set */
    bool may_evict;      /* the eviction policy is not noeviction */
    bool evicts_lasting; /* it may evict keys that have no expiry */
} tw_redis_server_t;

/* None is called before tw_redis_client_start() returns, none after tw_redis_client_destroy(). */
typedef struct tw_redis_client_callbacks {
    /* Commands can be sent now. */
    void (*on_up)(const tw_redis_server_t *server, void *data);
    /*
     * The connection was lost (was_up), or an attempt failed; the next one is in retry_ms. Commands
     * that waited have had their callbacks. `reason` is one line.
     */
    void (*on_down)(const char *reason, bool was_up, uint32_t retry_ms, void *data);
    /* What is published to us; may be NULL. */
    void (*on_push)(const redisReply *reply, void *data);
} tw_redis_client_callbacks_t;

/** `config` is copied; `callbacks` and `data` are borrowed until the destroy. */
tw_redis_client_t *tw_redis_client_create(uv_loop_t *loop, const tw_redis_client_config_t *config,
                                          const tw_redis_client_callbacks_t *callbacks, void *data);

/** Begins to connect. Once. */
void tw_redis_client_start(tw_redis_client_t *client);

/** Ends for good: commands that wait get their callback with NULL before it returns. NULL is
 * nothing. */
void tw_redis_client_destroy(tw_redis_client_t *client);

tw_redis_client_state_t tw_redis_client_state(const tw_redis_client_t *client);

/** The label of the state; a constant. */
const char *tw_redis_client_state_label(tw_redis_client_state_t state);

/** Drops a connection that is up and connects again, for `reason`; on_down comes before it returns.
 * Nothing when it is not up. */
void tw_redis_client_reset(tw_redis_client_t *client, const char *reason);

/** As tw_redis_connection_send(); -1 also when the client is not up. NULL is never up. */
int tw_redis_client_send(tw_redis_client_t *client, int argc, const char *const *argv,
                         const size_t *lens, tw_redis_reply_cb on_reply, void *data);

/** Writes what this turn has sent so far: for those who send in the loop's last moment before it
 * waits. */
void tw_redis_client_flush(tw_redis_client_t *client);

/** As tw_redis_connection_send_push(); -1 also when the client is not up. */
int tw_redis_client_send_push(tw_redis_client_t *client, int argc, const char *const *argv,
                              const size_t *lens);

#endif
