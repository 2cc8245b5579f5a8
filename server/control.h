/**
 * The process's life on the control loop: signals, housekeeping, and the way down.
 *
 * running → (SIGTERM, SIGINT) unready → no more connections, streams closed evenly over the drain
 * window → out of the cluster → workers end → the loop ends. A second signal ends the process at
 * once. SIGHUP loads the certificate anew.
 */
#ifndef TW_SERVER_CONTROL_H
#define TW_SERVER_CONTROL_H

#include <uv.h>

#include "handlers/gateway.h"
#include "runtime/hub.h"
#include "server/listener.h"
#include "server/ops.h"
#include "server/trim.h"
#include "server/worker.h"
#include "tls/reload.h"

typedef struct tw_control {
    tw_loop_t *loop; /* borrowed */
    tw_gateway_t *gateway;
    tw_hub_t *hub;
    tw_worker_t *const *workers;
    uint32_t worker_count;
    tw_listener_t *listener;
    tw_ops_t *ops;           /* NULL: off */
    tw_tls_reload_t *reload; /* NULL: cleartext */
    uint64_t drain_ms;

    /* its own */
    uv_signal_t signals[3];
    uv_timer_t sweep;
    uv_timer_t step;
    tw_trim_t trim;
    int64_t drain_ends_ms;
    int64_t closing_ends_ms;
    int stage;
} tw_control_t;

/** Begins to listen for signals. All above is set, and closed by it on the way down. */
void tw_control_start(tw_control_t *control);

#endif
