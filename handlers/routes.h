/**
 * The routes: a table from method and path to handler, and the h2o handler that serves it.
 * Registered on the main thread, before the workers start.
 *
 * libh2o's configuration owns what is registered. Callers: server/process.c, server/ops.c.
 */
#ifndef TW_HANDLERS_ROUTES_H
#define TW_HANDLERS_ROUTES_H

#include <stdbool.h>

#include <h2o.h>

/** The hosts of tw_routes_register() in config->hosts. A connection is given one of them, whatever
 * host its requests name. */
typedef enum tw_routes_host {
    TW_ROUTES_MAIN,  /* for TIDEWAY_LISTEN */
    TW_ROUTES_ADMIN, /* for TIDEWAY_ADMIN_LISTEN */
    TW_ROUTES_HOST_COUNT,
} tw_routes_host_t;

/** Registers the API, the admin UI and /healthz. If admin_apart, the main host has no routes of
 * operators; the admin host always has all. */
void tw_routes_register(h2o_globalconf_t *config, bool admin_apart);

/** Registers /healthz, /readyz and /metrics, for the ops listener. */
void tw_routes_register_ops(h2o_globalconf_t *config);

#endif
