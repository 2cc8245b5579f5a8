/**
 * The listening sockets. They accept on the control loop and give each connection to the worker
 * that has the fewest. Control-loop thread only.
 */
#ifndef TW_SERVER_LISTENER_H
#define TW_SERVER_LISTENER_H

#include <uv.h>

#include "handlers/routes.h"
#include "server/worker.h"

typedef struct tw_listener tw_listener_t;

/** Borrowed by the listener, which it outlives. */
typedef struct tw_listener_config {
    tw_worker_t *const *workers;
    uint32_t worker_count;
    tw_limits_t *limits;
    const char *variable;      /* of the option with the addresses, for errors */
    tw_routes_host_t host;     /* what it serves */
    bool tls;                  /* each connection begins with a handshake */
    bool proxy_protocol;       /* those of trusted proxies begin with a PROXY header */
    uint64_t connections_max;  /* further ones are closed at once */
    _Atomic uint64_t *refused; /* counts connections that were closed for a limit */
} tw_listener_config_t;

/**
 * Binds a comma-separated list of `host:port` and `[v6]:port`. Names are looked up, and all their
 * addresses are bound. Logs each address that it serves. Clients can connect, and wait until
 * tw_listener_accept(). Returns NULL with one line in `error` that names the address and the cause.
 */
tw_listener_t *tw_listener_open(uv_loop_t *loop, const tw_listener_config_t *config,
                                const char *addresses, char *error, size_t error_size);

/** Begins to serve clients, those that wait first. NULL is a no-op. */
void tw_listener_accept(tw_listener_t *listener);

/** Stops accepting; the listener is freed when the loop has closed its handles. */
void tw_listener_close(tw_listener_t *listener);

#endif
