/**
 * A worker: one thread, one uv loop, one h2o context, one fan-out. It serves the connections that
 * the listener gives it.
 *
 * Created and joined on the control thread; what is posted to it runs on its own.
 */
#ifndef TW_SERVER_WORKER_H
#define TW_SERVER_WORKER_H

#include <stdatomic.h>

#include <h2o.h>

#include "handlers/gateway.h"
#include "runtime/hub.h"
#include "tls/server_context.h"

typedef struct tw_worker tw_worker_t;

/** What all workers share; borrowed, outlives them. */
typedef struct tw_worker_config {
    tw_gateway_t *gateway;
    tw_hub_t *hub;
    h2o_globalconf_t *http;
    tw_tls_store_t *tls; /* NULL: cleartext */
    uint64_t heartbeat_ms;
    uint64_t tcp_user_timeout_ms;
    uint64_t connection_age_max_ms; /* 0: connections may grow old */
} tw_worker_config_t;

/** Makes the worker and attaches its fan-out to the hub; its thread does not run yet. */
tw_worker_t *tw_worker_create(const tw_worker_config_t *config, uint32_t index);

/** Starts its thread. */
void tw_worker_start(tw_worker_t *worker);

/**
 * Gives it an accepted socket, which is its own from now on, and the client whose limit it counts
 * against (NULL: none's), which it lets go with the connection. With TLS, a handshake has been
 * begun at the limits. Any thread.
 */
void tw_worker_give(tw_worker_t *worker, int fd, tw_client_t *client);

/** Open connections, given ones included. Any thread. */
uint64_t tw_worker_connections(const tw_worker_t *worker);

/** Gives back what its thread keeps of freed memory for the next use. Any thread. */
void tw_worker_release_memory(tw_worker_t *worker);

/** Starts to drain: GOAWAY, then streams are closed evenly over drain_ms. Any thread. */
void tw_worker_drain(tw_worker_t *worker, uint64_t drain_ms);

/** Ends its loop when the last connection is closed, or after grace_ms. Any thread. */
void tw_worker_stop(tw_worker_t *worker, uint64_t grace_ms);

/** Waits for its thread. */
void tw_worker_join(tw_worker_t *worker);

/** Frees it; joined. */
void tw_worker_destroy(tw_worker_t *worker);

#endif
