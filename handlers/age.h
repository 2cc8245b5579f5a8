/**
 * Old connections without streams: publishers and operators keep theirs busy for ever, so they are
 * sent on by their own requests. (Connections with streams retire by the worker's clock, see
 * runtime/connection.h.) On the request's worker.
 */
#ifndef TW_HANDLERS_AGE_H
#define TW_HANDLERS_AGE_H

#include <h2o.h>

/**
 * Looks at the age of the request's connection before the request is answered: one that is too old
 * serves this request, and tells its client to make the next ones elsewhere (GOAWAY, or
 * `connection: close`).
 */
void tw_age_check(h2o_req_t *req);

#endif
