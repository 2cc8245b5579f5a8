/** The ops listener: probes and metrics over plain HTTP. It runs on the control loop, so that it
 * answers however busy the workers are. Control-loop thread only. */
#ifndef TW_SERVER_OPS_H
#define TW_SERVER_OPS_H

#include <uv.h>

#include "handlers/gateway.h"

typedef struct tw_ops tw_ops_t;

/** Serves on `address` (host:port or [v6]:port). NULL with one line in `error`. */
tw_ops_t *tw_ops_open(uv_loop_t *loop, tw_gateway_t *gateway, const char *address, char *error,
                      size_t error_size);

/** Stops accepting and lets open connections end; tw_ops_destroy() frees it when the loop has
 * ended. NULL is a no-op. */
void tw_ops_close(tw_ops_t *ops);

/** How many clients are connected; the loop may end when there are none. 0 for NULL. */
unsigned tw_ops_connections(const tw_ops_t *ops);

/** Frees it. NULL is a no-op. */
void tw_ops_destroy(tw_ops_t *ops);

#endif
