/**
 * GET /v1/stream: from the request to an open SSE stream on one of two transports.
 *
 * While the runtime opens the stream, it is still a request (tw_stream_opening_t, in the request's
 * pool). Then the transport sends the head of the response and the opening block, and carries the
 * stream from there on: HTTP/2 as a lean stream of 8 bytes, HTTP/1.1 as a response from which h2o
 * pulls. On the thread of the request's worker.
 *
 * The transport owns the connection and, from its begin() on, the subscriber. Callers:
 * handlers/stream/, its two transports.
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

/** How a protocol carries streams. */
typedef struct tw_transport {
    /**
     * Returns the connection for a stream of this request, and creates it if necessary. The
     * transport owns it. Over HTTP/2 all streams of a connection share one; it is freed when h2o
     * has closed the connection and no stream is left. Over HTTP/1.1 it lies in the request's pool
     * and ends with the request. Called before the subscriber is made; over HTTP/2 also for a
     * request that is refused because the gateway drains, which needs the attached connection and
     * nothing else.
     */
    tw_connection_t *(*connect)(h2o_req_t *req);

    /** The request does not use the connection after all: no subscriber could be made, the adapter
     * refused it, or the request went before begin(). Not called after tw_stream_refuse(). Over
     * HTTP/2 the connection stays until h2o has closed it; over HTTP/1.1 it goes with the request.
     */
    void (*disconnect)(tw_connection_t *connection);

    /**
     * Takes the subscriber over. Sends the head, which is filled in in req->res, and the opening
     * block, then what waits for the subscriber. The request may have gone when it returns.
     */
    void (*begin)(tw_stream_opening_t *opening, const char *block, size_t len);
} tw_transport_t;

extern const tw_transport_t tw_transport_h2;   /* h2.c */
extern const tw_transport_t tw_transport_pull; /* pull.c */

/** Closes the stream at the runtime, counts and logs the reason. Both transports end a stream with
 * it. */
void tw_stream_closed(tw_gateway_t *gateway, tw_subscriber_t *subscriber, tw_close_reason_t reason);

/** Writes `retry: …\n\n` for a stream that the gateway ends, so that clients reconnect spread over
 * the drain window. Returns its length; 0: the reason needs none. */
size_t tw_stream_farewell(const tw_gateway_t *gateway, tw_close_reason_t reason, char out[32]);

/** Closes a stream that is still a request: it is refused, see refusal.h. */
void tw_stream_refuse(tw_stream_opening_t *opening, tw_close_reason_t reason);

/** Sets the connection's remote address to that of the request's peer. */
void tw_stream_set_address(tw_connection_t *connection, h2o_req_t *req);

#endif
