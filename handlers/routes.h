/**
 * The routes: a table from method and path to handler, and the h2o handler that serves it.
 * Registered on the main thread, before the workers start.
 */
#ifndef TW_HANDLERS_ROUTES_H
#define TW_HANDLERS_ROUTES_H

#include <h2o.h>

/** Registers the API, the admin UI and /healthz, for the main listeners. */
void tw_routes_register(h2o_globalconf_t *config);

/** Registers /healthz, /readyz and /metrics, for the ops listener. */
void tw_routes_register_ops(h2o_globalconf_t *config);

#endif
