/* SSE over HTTP/2: lean streams, whose frames are written straight into the output buffer of their
 * connection. */
#include <assert.h>
#include <stdlib.h>

#include <h2o/http2_lean.h>

#include "base/alloc.h"
#include "base/container.h"
#include "handlers/reply.h"
#include "handlers/stream/stream.h"
#include "runtime/model/sse.h"

/* A stream that catches up writes this much before it is the next one's turn. */
#define TURN_BYTES 65536
#define PREFETCH_AHEAD 8

_Static_assert(sizeof(h2o_http2_lean_stream_t) == sizeof(((tw_stream_t *)0)->transport),
               "the field must have room for a lean stream");

/** An HTTP/2 connection that carries streams. */
typedef struct tw_h2_connection {
    tw_connection_t super;
    h2o_http2_conn_t *
        conn; /* borrowed; NULL when h2o has closed it while streams are still being opened on it */
    tw_gateway_t *gateway; /* borrowed */
    /* Streams that are behind because the connection has no room, in the order in which they are
     * served. */
    TAILQ_HEAD(tw_waiting_list, tw_subscriber) waiting;
    tw_slice_t later; /* deferred until the loop has time to serve them */
} tw_h2_connection_t;

static tw_h2_connection_t *self_of(tw_connection_t *connection)
{
    return (tw_h2_connection_t *)connection;
}

static h2o_http2_lean_stream_t *lean_of(tw_stream_t *stream)
{
    return (h2o_http2_lean_stream_t *)(void *)&stream->transport;
}

static tw_stream_t *stream_of(h2o_http2_lean_stream_t *lean)
{
    return TW_CONTAINER_OF(lean, tw_stream_t, transport);
}

/* --- streams that are behind --- */

static tw_loop_t *loop_of(tw_h2_connection_t *self)
{
    return &self->super.shard->loop;
}

static void wait_for_turn(tw_h2_connection_t *self, tw_subscriber_t *subscriber)
{
    if (subscriber->waits)
        return;
    subscriber->waits = true;
    TAILQ_INSERT_TAIL(&self->waiting, subscriber, waiting);
}

static void wait_for_room(tw_h2_connection_t *self, tw_subscriber_t *subscriber)
{
    wait_for_turn(self, subscriber);
    h2o_http2_lean_want_room(self->conn);
}

static void stop_waiting(tw_h2_connection_t *self, tw_subscriber_t *subscriber)
{
    if (!subscriber->waits)
        return;
    subscriber->waits = false;
    TAILQ_REMOVE(&self->waiting, subscriber, waiting);
}

static size_t least(size_t a, int64_t b)
{
    return b <= 0 ? 0 : (uint64_t)b < a ? (size_t)b : a;
}

/*
 * Writes what waits for the subscriber, up to `budget` bytes. True: the stream has nothing more to
 * write, or only its own window stops it (on_window follows). False: it waits for room in the
 * connection, or for its next turn.
 */
static bool catch_up(tw_h2_connection_t *self, tw_subscriber_t *subscriber, size_t budget)
{
    h2o_http2_lean_stream_t *lean = lean_of(subscriber->stream);
    h2o_http2_lean_writer_t writer;
    const char *bytes;
    size_t len, may_write = budget;
    bool done = false;

    if (lean->window <= 0)
        return true;
    if (h2o_http2_lean_open(self->conn, &writer,
                            budget + budget / 8 + H2O_HTTP2_LEAN_FRAME_OVERHEAD) != 0)
        return false;
    while ((bytes = tw_subscriber_peek(subscriber, &len)) != NULL && lean->window > 0) {
        len = least(len < H2O_HTTP2_LEAN_FRAME_MAX ? len : H2O_HTTP2_LEAN_FRAME_MAX, lean->window);
        len =
            least(least(len, writer.window), (int64_t)writer.room - H2O_HTTP2_LEAN_FRAME_OVERHEAD);
        if (len > budget)
            len = budget;
        if (len == 0)
            break;
        int taken = h2o_http2_lean_put(&writer, lean, bytes, len);
        assert(taken);
        budget -= len;
        tw_subscriber_advance(subscriber, len);
    }
    done = bytes == NULL || lean->window <= 0;
    h2o_http2_lean_commit(self->conn, &writer);
    tw_loop_spend(loop_of(self), TW_TURN_WRITE_NS(may_write - budget));
    subscriber->stream->written_tick = self->super.shard->tick;
    return done;
}

static void on_time_to_serve(tw_slice_t *slice);

static void pump(tw_h2_connection_t *self, tw_subscriber_t *subscriber, size_t budget)
{
    if (!tw_loop_has_time(loop_of(self))) {
        wait_for_turn(self, subscriber);
        tw_loop_defer(loop_of(self), &self->later, on_time_to_serve);
        return;
    }
    if (catch_up(self, subscriber, budget))
        stop_waiting(self, subscriber);
    else
        wait_for_room(self, subscriber);
}

static void on_window(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *lean)
{
    tw_stream_t *stream = stream_of(lean);
    if ((stream->flags & TW_STREAM_BEHIND) != 0 && (stream->flags & TW_STREAM_DOOMED) == 0 &&
        !stream->subscriber->waits)
        pump(h2o_http2_lean_data(conn), stream->subscriber, TURN_BYTES);
}

/* One turn each, until the connection has no more room or the loop no more time: who is not done
 * goes to the end of the list. */
static void serve_waiting(tw_h2_connection_t *self)
{
    tw_subscriber_t *subscriber, *last = TAILQ_LAST(&self->waiting, tw_waiting_list);

    while ((subscriber = TAILQ_FIRST(&self->waiting)) != NULL) {
        if (!tw_loop_has_time(loop_of(self))) {
            tw_loop_defer(loop_of(self), &self->later, on_time_to_serve);
            return;
        }
        stop_waiting(self, subscriber);
        pump(self, subscriber, TURN_BYTES);
        if (subscriber == last)
            break;
    }
    if (!TAILQ_EMPTY(&self->waiting))
        h2o_http2_lean_want_room(self->conn);
}

static void on_time_to_serve(tw_slice_t *slice)
{
    serve_waiting(TW_CONTAINER_OF(slice, tw_h2_connection_t, later));
}

static void on_room(h2o_http2_conn_t *conn)
{
    serve_waiting(h2o_http2_lean_data(conn));
}

/* --- the end of streams --- */

static void end_stream(tw_h2_connection_t *self, tw_stream_t *stream, tw_close_reason_t reason)
{
    stop_waiting(self, stream->subscriber);
    tw_stream_closed(self->gateway, stream->subscriber, reason);
}

static void on_close(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *lean, int h2_error)
{
    end_stream(h2o_http2_lean_data(conn), stream_of(lean), TW_CLOSE_CLIENT_CLOSED);
}

static void free_unused(tw_h2_connection_t *self)
{
    if (self->conn != NULL || self->super.stream_count > 0)
        return;
    tw_connection_dispose(&self->super);
    free(self);
}

static void on_conn_close(h2o_http2_conn_t *conn)
{
    tw_h2_connection_t *self = h2o_http2_lean_data(conn);

    self->conn = NULL;
    tw_loop_cancel(loop_of(self), &self->later);
    tw_connection_close_streams(&self->super, SIZE_MAX, TW_CLOSE_CLIENT_CLOSED);
    free_unused(self);
}

/* ops.close */
static void close_stream(tw_connection_t *connection, tw_stream_t *stream, tw_close_reason_t reason)
{
    tw_h2_connection_t *self = self_of(connection);
    char farewell[32];
    size_t len = tw_stream_farewell(self->gateway, reason, farewell);
    h2o_http2_lean_writer_t writer;

    if ((stream->flags & TW_STREAM_HELD) != 0) {
        tw_stream_opening_t *opening = stream->subscriber->transport_data;
        if (self->conn != NULL) {
            tw_stream_refuse(opening, reason);
        } else { /* h2o frees the request itself */
            opening->subscriber = NULL;
            end_stream(self, stream, reason);
        }
        return;
    }
    if (self->conn != NULL) {
        /* Only between events: within an event it would be part of that. */
        if (len > 0 && stream->subscriber->queue.offset == 0 &&
            h2o_http2_lean_open(self->conn, &writer, len + H2O_HTTP2_LEAN_FRAME_OVERHEAD) == 0) {
            h2o_http2_lean_put(&writer, lean_of(stream), farewell, len);
            h2o_http2_lean_commit(self->conn, &writer);
        }
        h2o_http2_lean_end(self->conn, lean_of(stream));
    }
    end_stream(self, stream, reason);
}

/* --- fan-out --- */

static void queue(tw_h2_connection_t *self, tw_stream_t *stream, tw_event_t *event)
{
    bool was_behind = (stream->flags & TW_STREAM_BEHIND) != 0;

    tw_subscriber_queue(stream->subscriber, event);
    if (!was_behind && (stream->flags & (TW_STREAM_BEHIND | TW_STREAM_HELD)) == TW_STREAM_BEHIND)
        wait_for_room(self, stream->subscriber);
}

static size_t deliver(tw_connection_t *connection, tw_event_t *event, tw_stream_t *const *streams,
                      size_t n)
{
    tw_h2_connection_t *self = self_of(connection);
    const char *frame = event->frame;
    size_t len = event->frame_len, delivered = 0;
    uint16_t tick = connection->shard->tick;
    h2o_http2_lean_writer_t writer;
    bool open =
        len <= H2O_HTTP2_LEAN_FRAME_MAX &&
        h2o_http2_lean_open(self->conn, &writer, n * (len + H2O_HTTP2_LEAN_FRAME_OVERHEAD)) == 0;

    for (size_t i = 0; i < n; ++i) {
        tw_stream_t *stream = streams[i];
        if (i + PREFETCH_AHEAD < n)
            __builtin_prefetch(streams[i + PREFETCH_AHEAD], 1);
        if (tw_stream_skips(stream, event))
            continue;
        ++delivered;
        ++stream->delivered;
        if (open && stream->flags == 0 && h2o_http2_lean_put(&writer, lean_of(stream), frame, len))
            stream->written_tick = tick;
        else
            queue(self, stream, event);
    }
    if (open)
        h2o_http2_lean_commit(self->conn, &writer);
    return delivered;
}

static void heartbeat(tw_connection_t *connection, tw_stream_t *const *streams, size_t n)
{
    tw_h2_connection_t *self = self_of(connection);
    tw_text_t text = self->gateway->heartbeat;
    h2o_http2_lean_writer_t writer;

    /* A connection without room is not silent, and a window that is smaller than a heartbeat is the
     * client's choice. */
    if (h2o_http2_lean_open(self->conn, &writer, n * (text.len + H2O_HTTP2_LEAN_FRAME_OVERHEAD)) !=
        0)
        return;
    for (size_t i = 0; i < n; ++i)
        h2o_http2_lean_put(&writer, lean_of(streams[i]), text.base, text.len);
    h2o_http2_lean_commit(self->conn, &writer);
}

static void retire(tw_connection_t *connection)
{
    tw_h2_connection_t *self = self_of(connection);
    if (self->conn != NULL)
        h2o_http2_conn_goaway(self->conn);
}

static const tw_connection_ops_t ops = {
    .deliver = deliver, .heartbeat = heartbeat, .close = close_stream, .retire = retire};

static const h2o_http2_lean_callbacks_t callbacks = {.on_window = on_window,
                                                     .on_room = on_room,
                                                     .on_close = on_close,
                                                     .on_conn_close = on_conn_close};

/* --- transport --- */

static tw_connection_t *connect_request(h2o_req_t *req)
{
    h2o_http2_conn_t *conn = h2o_http2_conn_of(req);
    tw_h2_connection_t *self = h2o_http2_lean_data(conn);

    if (self != NULL)
        return &self->super;
    self = tw_alloc(sizeof(*self));
    tw_connection_init(&self->super, tw_worker_of(req)->shard, &ops, "h2");
    self->conn = conn;
    self->gateway = tw_worker_of(req)->gateway;
    TAILQ_INIT(&self->waiting);
    tw_stream_set_address(&self->super, req);
    h2o_http2_lean_attach(conn, self, &callbacks);
    return &self->super;
}

static void disconnect(tw_connection_t *connection)
{
    free_unused(self_of(connection));
}

static void begin(tw_stream_opening_t *opening, const char *block, size_t len)
{
    h2o_req_t *req = opening->req;
    tw_subscriber_t *subscriber = opening->subscriber;
    tw_stream_t *stream = subscriber->stream;
    tw_h2_connection_t *self = self_of(subscriber->connection);
    h2o_http2_lean_writer_t writer;
    int written = 0;

    opening->subscriber = NULL; /* before the request's pool is freed */
    if (h2o_http2_lean_start(req, lean_of(stream)) != 0) {
        end_stream(self, stream, TW_CLOSE_CLIENT_CLOSED);
        tw_reply_error_text(req, TW_ERROR_BAD_REQUEST,
                            "open streams by HTTP/2 without an Upgrade, or by HTTP/1.1");
        return;
    }
    subscriber->transport_data = NULL;
    stream->flags &= (uint8_t)~TW_STREAM_HELD;
    if (h2o_http2_lean_open(self->conn, &writer, len + H2O_HTTP2_LEAN_FRAME_OVERHEAD) == 0) {
        written = h2o_http2_lean_put(&writer, lean_of(stream), block, len);
        h2o_http2_lean_commit(self->conn, &writer);
    }
    if (!written) {
        tw_event_t *text = tw_event_create_text(block, len);
        tw_subscriber_queue_first(subscriber, text);
        tw_event_unref(text);
    }
    if ((stream->flags & TW_STREAM_BEHIND) != 0)
        pump(self, subscriber, H2O_HTTP2_LEAN_FRAME_MAX);
}

const tw_transport_t tw_transport_h2 = {
    .connect = connect_request, .disconnect = disconnect, .begin = begin};
