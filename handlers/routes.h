/**
 * The routes: one table from method and path to handler, and the h2o handlers that serve it.
 */
#ifndef TW_HANDLERS_ROUTES_H
#define TW_HANDLERS_ROUTES_H

#include <h2o.h>

/** Serves the API, the admin UI and /healthz; on the main listeners. */
void tw_routes_register(h2o_globalconf_t *config);

/** Serves /healthz, /readyz and /metrics; on the ops listener. */
void tw_routes_register_ops(h2o_globalconf_t *config);

#endif
