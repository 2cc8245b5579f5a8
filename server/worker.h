/**
 * A worker: one thread with a loop, an h2o context and a fan-out. It serves the connections that
 * the listener gives it.
 *
 * Created, joined and destroyed on the main thread. Functions that any thread may call say so; they
 * post to the worker's loop.
 */
#ifndef TW_SERVER_WORKER_H
#define TW_SERVER_WORKER_H

#include <stdatomic.h>

#include <h2o.h>

#include "handlers/gateway.h"
#include "handlers/routes.h"
#include "runtime/hub.h"
#include "tls/server_context.h"

typedef struct tw_worker tw_worker_t;

/** What all workers share; borrowed by them, and outlives them. */
typedef struct tw_worker_config {
    tw_gateway_t *gateway;
    tw_hub_t *hub;
    h2o_globalconf_t *http;
    tw_tls_store_t *tls; /* NULL: cleartext */
    size_t silent_max;   /* connections of each worker that have not sent a ClientHello */
    uint64_t heartbeat_ms;
    uint64_t tcp_user_timeout_ms;
    uint64_t connection_age_max_ms; /* 0: no maximum */
} tw_worker_config_t;

/** Makes the worker and attaches its fan-out to the hub; its thread does not run yet. */
tw_worker_t *tw_worker_create(const tw_worker_config_t *config, uint32_t index);

/** Starts its thread. */
void tw_worker_start(tw_worker_t *worker);

/** A socket that a listener has accepted. */
typedef struct tw_accepted {
    int fd;
    tw_client_t *client; /* for which the connection is counted; NULL: for no client */
    tw_routes_host_t host;
    bool names_client; /* a PROXY header comes first; it says for whom to count */
} tw_accepted_t;

/**
 * Gives the worker a socket, which it owns from now on. The worker removes the connection from its
 * client when it is closed. With TLS, the caller has called tw_limits_begin_handshake(), except for
 * a connection whose header is to name the client: the worker counts that one. Any thread.
 */
void tw_worker_give(tw_worker_t *worker, const tw_accepted_t *accepted);

/** The number of open connections, including those that are still on their way. Any thread. */
uint64_t tw_worker_connections(const tw_worker_t *worker);

/** Frees the memory that its thread keeps for the next use. Any thread. */
void tw_worker_release_memory(tw_worker_t *worker);

/** Begins to drain: connections get a GOAWAY, and streams are closed evenly over drain_ms. Any
 * thread. */
void tw_worker_drain(tw_worker_t *worker, uint64_t drain_ms);

/** Ends its loop when the last connection is closed, or after grace_ms. Any thread. */
void tw_worker_stop(tw_worker_t *worker, uint64_t grace_ms);

/** Waits for the end of its thread. */
void tw_worker_join(tw_worker_t *worker);

/** Frees it, once it is joined. */
void tw_worker_destroy(tw_worker_t *worker);

#endif
