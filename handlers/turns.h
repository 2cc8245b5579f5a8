/**
 * What requests cost the turn of their loop (base/loop.h), and requests that wait for a later turn.
 *
 * Frames of HTTP/2 wait in h2o until the loop has time, so that a request over HTTP/2 is always
 * due. A request over HTTP/1.1 waits here: there is at most one for each connection. On the
 * request's thread. The ops listener has no budget: whoever reaches it is trusted.
 *
 * Callers: handlers/.
 */
#ifndef TW_HANDLERS_TURNS_H
#define TW_HANDLERS_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include <h2o.h>

/** Reports that work of about so many nanoseconds is done for the request in this turn. */
void tw_turn_spend(const h2o_req_t *req, uint64_t ns);

/** Reports what the request costs by its head alone: parsing, looking it up, the frames of its
 * answer. */
void tw_turn_spend_request(const h2o_req_t *req);

/** Whether the request has to wait for a later turn. */
bool tw_turn_is_over(const h2o_req_t *req);

/** Has run(req) called in a later turn, unless the request has gone by then. Once for a request at
 * a time. */
void tw_turn_await(h2o_req_t *req, void (*run)(h2o_req_t *req));

#endif
