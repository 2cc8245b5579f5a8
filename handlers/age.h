/**
 * The age of connections without streams. Publishers and operators keep their connections busy for
 * ever, so their requests check the age. (Connections with streams retire by the worker's clock,
 * see runtime/upkeep.h.) On the request's thread.
 *
 * It owns nothing. Callers: handlers/routes.c.
 */
#ifndef TW_HANDLERS_AGE_H
#define TW_HANDLERS_AGE_H

#include <h2o.h>

/**
 * Checks the age of the request's connection before the request is answered. A connection that is
 * too old serves this request, and tells its client to make the next ones on another connection
 * (GOAWAY, or `connection: close`).
 */
void tw_age_check(h2o_req_t *req);

#endif
