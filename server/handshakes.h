/**
 * The TLS handshakes of one worker.
 *
 * A connection takes a place among the handshakes (TIDEWAY_MAX_HANDSHAKES) when its ClientHello has
 * come. Until then it is silent, which costs its peer nothing; so the oldest silent ones give way
 * to new ones when there are too many.
 *
 * A handshake costs about as much as a thousand deliveries, and anyone may ask for one. So they
 * wait in a queue, and each turn of the loop begins a few, so that many of them do not delay
 * streams. Failed ones, which are many at once when an attacker leaves, are closed a few in a turn,
 * too. A handshake fails when it takes longer than the context's handshake timeout, its time in the
 * queue included. Belongs to the worker's loop.
 */
#ifndef TW_SERVER_HANDSHAKES_H
#define TW_SERVER_HANDSHAKES_H

#include <sys/queue.h>

#include <h2o.h>

#include "base/log_limit.h"
#include "base/loop.h"
#include "handlers/clients/limits.h"
#include "tls/server_context.h"

typedef struct tw_handshake tw_handshake_t;

typedef TAILQ_HEAD(tw_handshake_queue, tw_handshake) tw_handshake_queue_t;

typedef struct tw_handshakes {
    tw_tls_store_t *tls; /* borrowed */
    tw_limits_t *limits; /* borrowed: counts the handshakes in progress */
    tw_loop_t *loop;     /* borrowed */
    tw_slice_t slice;    /* deferred while a queue is not empty */
    bool closing;
    size_t silent_count, silent_max;
    tw_log_limit_t silences, refusals; /* log lines about them */
    tw_handshake_queue_t silent;       /* have not sent a ClientHello, oldest first */
    tw_handshake_queue_t waiting;      /* have a place, and have not begun */
    tw_handshake_queue_t failed;       /* to be closed */
} tw_handshakes_t;

void tw_handshakes_init(tw_handshakes_t *handshakes, tw_loop_t *loop, tw_tls_store_t *tls,
                        tw_limits_t *limits, size_t silent_max);

/**
 * Takes a connected socket over and makes it an HTTP connection of `accept` (borrowed: outlives the
 * socket), or closes it. Its handshake counts for the client (borrowed: outlives the socket; or
 * NULL). No callback runs before this returns.
 */
void tw_handshakes_add(tw_handshakes_t *handshakes, h2o_socket_t *socket, tw_client_t *client,
                       h2o_accept_ctx_t *accept);

/** Closes all sockets that wait, and from now on every new one: the worker ends. */
void tw_handshakes_refuse(tw_handshakes_t *handshakes);

#endif
