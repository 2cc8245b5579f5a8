/**
 * The gateway as a whole: everything that lives as long as the process, put together from the
 * options, and taken apart again.
 *
 * Main thread only. It runs the control loop; each worker has a thread and a loop of its own.
 */
#ifndef TW_SERVER_PROCESS_H
#define TW_SERVER_PROCESS_H

#include <uv.h>

#include <h2o.h>

#include "base/loop.h"
#include "handlers/clients/address.h"
#include "handlers/gateway.h"
#include "server/control.h"
#include "server/listener.h"
#include "server/options/options.h"
#include "server/worker.h"
#include "tls/server_context.h"

typedef struct tw_process {
    tw_options_t options; /* set by the caller of tw_process_open() */
    uv_loop_t uv;         /* the control loop's */
    tw_loop_t loop;
    tw_node_info_t node;
    tw_network_t *proxies; /* owned; or NULL */
    tw_hub_t *hub;         /* owned */
    tw_gateway_t gateway;
    tw_tls_store_t *tls; /* owned; NULL: cleartext */
    h2o_globalconf_t http;
    tw_worker_config_t worker_config;
    uint32_t worker_count;
    tw_worker_t *workers[TW_WORKERS_MAX]; /* owned */
    tw_listener_config_t main_listener, admin_listener;
    tw_control_t control;
} tw_process_t;

/**
 * Puts the gateway together, all zeros but for its options, which it may lower to what the system
 * gives, and opens its listeners. False with one line in `error` when it cannot serve: then the
 * process is to end without tw_process_close().
 */
bool tw_process_open(tw_process_t *process, char *error, size_t error_size);

/** Serves until a signal has ended the control loop. */
void tw_process_run(tw_process_t *process);

/** Frees everything, as far as no connection still uses it. */
void tw_process_close(tw_process_t *process);

#endif
