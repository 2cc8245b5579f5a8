/**
 * CORS (Fetch standard 3.2): which pages may use the API. On the request's thread.
 *
 * It owns nothing. Callers: handlers/.
 */
#ifndef TW_HANDLERS_CORS_H
#define TW_HANDLERS_CORS_H

#include <h2o.h>

/** Adds what lets the page read the answer, if its origin is allowed. The functions of reply.h do
 * it themselves. */
void tw_cors_add(h2o_req_t *req);

/** Adds to the answer of a preflight what the page may send: `methods`, in the form of an Allow
 * header, and the header fields that it asked for. */
void tw_cors_add_preflight(h2o_req_t *req, h2o_iovec_t methods);

#endif
