/**
 * GET /v1/stream: from the request to an open SSE stream on one of two transports.
 *
 * While the runtime opens the stream it is still a request (tw_stream_opening_t, in its pool); then
 * the transport sends the head and the opening block, and the stream lives on in the transport's
 * own way: HTTP/2 as a lean stream of 8 bytes, all else as a response that h2o pulls from. On the
 * request's worker.
 */
#ifndef TW_HANDLERS_STREAM_H
#define TW_HANDLERS_STREAM_H

#include <h2o.h>

#include "handlers/gateway.h"
#include "runtime/connection.h"
#include "runtime/subscriber.h"

typedef struct tw_stream_opening {
    h2o_req_t *req;
    tw_subscriber_t *subscriber; /* owned until the transport takes it over; NULL after that */
    const struct tw_transport *transport;
} tw_stream_opening_t;

/** How streams are carried. */
typedef struct tw_transport {
    /** The connection for a stream of this request. */
    tw_connection_t *(*connect)(h2o_req_t *req);

    /** The connection is not used by this request after all. */
    void (*disconnect)(tw_connection_t *connection);

    /**
     * Sends head (req->res is filled in) and opening block, then what waits for the subscriber;
     * takes the subscriber over. The request may be gone when it returns.
     */
    void (*begin)(tw_stream_opening_t *opening, const char *block, size_t len);
} tw_transport_t;

extern const tw_transport_t tw_transport_h2;   /* stream_h2.c */
extern const tw_transport_t tw_transport_pull; /* stream_pull.c */

/** Lets a stream's subscriber go, counts and logs the reason; both transports end with it. */
void tw_stream_closed(tw_gateway_t *gateway, tw_subscriber_t *subscriber, tw_close_reason_t reason);

/** `retry: …\n\n` for a stream that the gateway ends: drained clients come back spread over the
 * drain window. Returns its length. */
size_t tw_stream_farewell(const tw_gateway_t *gateway, tw_close_reason_t reason, char out[32]);

/** A stream that is closed while it is still a request: answered with an error. */
void tw_stream_refuse(tw_stream_opening_t *opening, tw_close_reason_t reason);

/** Fills in the peer's address of a connection. */
void tw_stream_set_address(tw_connection_t *connection, h2o_req_t *req);

#endif
