/** The ops listener: probes and metrics over plain HTTP, on the control loop, so that it answers
 * whatever the workers do. */
#ifndef TW_SERVER_OPS_H
#define TW_SERVER_OPS_H

#include <uv.h>

#include "handlers/gateway.h"

typedef struct tw_ops tw_ops_t;

/** Serves on `address` (host:port or [v6]:port). NULL with one line in `error`. */
tw_ops_t *tw_ops_open(uv_loop_t *loop, tw_gateway_t *gateway, const char *address, char *error,
                      size_t error_size);

/** Stops serving and closes what is open; freed with tw_ops_destroy() when the loop has ended. NULL
 * is nothing. */
void tw_ops_close(tw_ops_t *ops);
/** Clients that are connected; the loop may end when there are none. NULL has none. */
unsigned tw_ops_connections(const tw_ops_t *ops);
void tw_ops_destroy(tw_ops_t *ops);

#endif
