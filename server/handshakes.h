/**
 * The TLS handshakes of one worker.
 *
 * A handshake costs about a thousand deliveries, and anyone may ask for one: they wait in a line,
 * and each turn of the loop begins a few, so that a flood of them does not hold up streams. Those
 * that fail, all at once when an attacker leaves, are closed a few in a turn too. One that takes
 * longer than the context's handshake timeout, its time in the line included, has failed.
 * Belongs to the worker's loop.
 */
#ifndef TW_SERVER_HANDSHAKES_H
#define TW_SERVER_HANDSHAKES_H

#include <sys/queue.h>

#include <h2o.h>

#include "base/loop.h"
#include "handlers/limits.h"
#include "tls/server_context.h"

typedef struct tw_handshake tw_handshake_t;

typedef TAILQ_HEAD(tw_handshake_line, tw_handshake) tw_handshake_line_t;

typedef struct tw_handshakes {
    h2o_accept_ctx_t *accept; /* borrowed */
    tw_tls_store_t *tls;      /* borrowed */
    tw_limits_t *limits;      /* borrowed: each handshake that ends is let go there */
    tw_loop_t *loop;          /* borrowed */
    tw_slice_t slice;         /* waits while somebody is in a line */
    bool closing;
    tw_handshake_line_t waiting; /* to begin */
    tw_handshake_line_t failed;  /* to be closed */
} tw_handshakes_t;

void tw_handshakes_init(tw_handshakes_t *handshakes, tw_loop_t *loop, h2o_accept_ctx_t *accept,
                        tw_tls_store_t *tls, tw_limits_t *limits);

/**
 * Takes a connected socket, for which tw_limits_begin_handshake() has been called with the client
 * (borrowed: outlives the socket; or NULL): it becomes an
 * HTTP connection, or is closed. No callback runs before this returns.
 */
void tw_handshakes_add(tw_handshakes_t *handshakes, h2o_socket_t *socket, tw_client_t *client);

/** Closes those in the lines, and from now on every new one: the end of the worker. */
void tw_handshakes_refuse(tw_handshakes_t *handshakes);

#endif
