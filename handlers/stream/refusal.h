/**
 * How a stream is refused that may be opened elsewhere, or later: the gateway drains, is full, has
 * no memory or no Redis. An EventSource that gets another status than 200 never comes back (WHATWG
 * HTML section 9.2.3), so it gets a stream that tells it when to, and ends. On the thread of the
 * request's worker.
 *
 * It owns nothing; what is sent lies in the request's pool. Callers: handlers/stream/stream.c.
 */
#ifndef TW_HANDLERS_REFUSAL_H
#define TW_HANDLERS_REFUSAL_H

#include <h2o.h>

#include "handlers/error_codes.h"

/** Answers a request for a stream; the request may have gone when it returns. `message` says more
 * than the error's own, or is NULL. An error that stays (400, 401, 403, 404, 500) is a status. */
void tw_stream_reply_refusal(h2o_req_t *req, tw_error_t error, const char *message);

/** The same, once the doors are shut: RST_STREAM REFUSED_STREAM behind GOAWAY over HTTP/2, so that
 * the client sends the request to another gateway. h2o_http2_lean_attach() has been called. */
void tw_stream_reply_draining(h2o_req_t *req);

#endif
