/**
 * The life of the process, seen from the control loop: signals, housekeeping, and the shutdown.
 *
 * SIGTERM or SIGINT begins the shutdown, whose stages are tw_control_stage_t. A second signal ends
 * the process at once. SIGHUP reloads the certificate and the keys. Control-loop thread only.
 */
#ifndef TW_SERVER_CONTROL_H
#define TW_SERVER_CONTROL_H

#include <uv.h>

#include "handlers/gateway.h"
#include "runtime/hub.h"
#include "server/key_file.h"
#include "server/listener.h"
#include "server/ops.h"
#include "server/trim.h"
#include "server/worker.h"
#include "tls/reload.h"

/** Each stage is followed by the next one. */
typedef enum tw_control_stage {
    TW_CONTROL_STARTING, /* clients wait in the backlog until the runtime can take publishes */
    TW_CONTROL_RUNNING,
    TW_CONTROL_UNREADY,  /* load balancers see that this node is not ready; it still serves */
    TW_CONTROL_DRAINING, /* no new connections; streams are closed evenly over the drain window;
                          * publishes on connections that are still open go on */
    TW_CONTROL_LEAVING,  /* the adapter leaves the cluster */
    TW_CONTROL_STOPPED,  /* the workers end */
    TW_CONTROL_CLOSING,  /* probes that are being answered end, then the loop does */
} tw_control_stage_t;

typedef struct tw_control {
    /* Set by the caller of tw_control_start(); all borrowed, and closed by the shutdown. */
    tw_loop_t *loop;
    tw_gateway_t *gateway;
    tw_hub_t *hub;
    tw_worker_t *const *workers;
    uint32_t worker_count;
    tw_listener_t *listener;
    tw_listener_t *admin_listener; /* NULL: none */
    tw_ops_t *ops;                 /* NULL: off */
    tw_tls_reload_t *reload;       /* NULL: cleartext */
    tw_key_file_t *keys;           /* NULL: no file */
    tw_key_file_t *token_keys;     /* NULL: no file */
    uint64_t drain_ms;

    /* Private. */
    uv_signal_t signals[3];
    uv_timer_t sweep;
    uv_timer_t step;
    tw_trim_t trim;
    int64_t starting_ends_ms;
    int64_t drain_ends_ms;
    int64_t notice_ends_ms;
    int64_t closing_ends_ms;
    tw_control_stage_t stage;
} tw_control_t;

/** Begins to listen for signals and to do the housekeeping. */
void tw_control_start(tw_control_t *control);

#endif
