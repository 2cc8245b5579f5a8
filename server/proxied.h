/**
 * Connections of balancers that name their clients (PROXY protocol), on one worker, from their
 * first byte until the header has come and its client is counted. What is longer than a header, or
 * takes longer than a handshake may, is closed. Belongs to the worker's loop.
 */
#ifndef TW_SERVER_PROXIED_H
#define TW_SERVER_PROXIED_H

#include <sys/queue.h>

#include <h2o.h>

#include "base/log_limit.h"
#include "handlers/gateway.h"

typedef struct tw_proxied_socket tw_proxied_socket_t;

/**
 * The header has been read and taken off the socket's input, and the socket, whose address is the
 * client's now, is the callee's. The connection is counted for the client (NULL: it is a proxy's
 * own) and, with TLS, a handshake has begun.
 */
typedef void (*tw_proxied_fn)(void *data, h2o_socket_t *socket, tw_client_t *client);

typedef struct tw_proxied {
    h2o_context_t *context; /* borrowed */
    tw_gateway_t *gateway;  /* borrowed */
    bool tls;
    tw_proxied_fn on_named;
    tw_log_limit_t refusals; /* of log lines */
    TAILQ_HEAD(tw_proxied_sockets, tw_proxied_socket) waiting;
} tw_proxied_t;

void tw_proxied_init(tw_proxied_t *proxied, h2o_context_t *context, tw_gateway_t *gateway, bool tls,
                     tw_proxied_fn on_named);

/** Takes a socket over, and reads its header. `data` is for the callback, which never runs before
 * this returns. */
void tw_proxied_add(tw_proxied_t *proxied, h2o_socket_t *socket, void *data);

/** Closes all that wait: the worker ends. */
void tw_proxied_refuse(tw_proxied_t *proxied);

#endif
