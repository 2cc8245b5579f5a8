/*
 * SSE over HTTP/1.1: a response from which h2o pulls, one for each connection. What waits for the
 * subscriber is copied into a buffer and sent; when h2o asks for more, the next part follows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"
#include "handlers/stream/stream.h"
#include "runtime/model/sse.h"

#define SEND_BYTES 16384

/** One stream and its connection; lives as long as the request. */
typedef struct tw_pull_stream {
    tw_connection_t super;
    h2o_generator_t generator;
    h2o_req_t *req;
    tw_gateway_t *gateway;       /* borrowed */
    tw_subscriber_t *subscriber; /* owned while the stream is open */
    char *buffer;                /* owned; what is being sent */
    tw_slice_t later;            /* deferred until the loop has time to send more */
    bool sending;                /* h2o has not asked for more yet */
    bool ended;                  /* the response ends after what is being sent */
    size_t farewell_len;
    char farewell[32];
} tw_pull_stream_t;

static tw_pull_stream_t *self_of(tw_connection_t *connection)
{
    return (tw_pull_stream_t *)connection;
}

static tw_pull_stream_t *self_of_generator(h2o_generator_t *generator)
{
    return TW_CONTAINER_OF(generator, tw_pull_stream_t, generator);
}

static void send_bytes(tw_pull_stream_t *self, const char *bytes, size_t len,
                       h2o_send_state_t state)
{
    h2o_iovec_t buf = h2o_iovec_init(bytes, len);
    self->sending = true;
    tw_loop_spend(&self->super.shard->loop, TW_TURN_WRITE_NS(len));
    if (self->subscriber != NULL)
        self->subscriber->stream->written_tick = self->super.shard->tick;
    h2o_send(self->req, &buf, len > 0,
             state); /* the final call may free the request, and self with it */
}

/* Sends what waits, if nothing is being sent. */
static void pump(tw_pull_stream_t *self)
{
    const char *bytes;
    size_t filled = 0, len;

    if (self->sending)
        return;
    if (self->ended) {
        send_bytes(self, self->farewell, self->farewell_len, H2O_SEND_STATE_FINAL);
        return;
    }
    if (self->buffer == NULL)
        self->buffer = tw_alloc(SEND_BYTES);
    while (filled < SEND_BYTES && (bytes = tw_subscriber_peek(self->subscriber, &len)) != NULL) {
        if (len > SEND_BYTES - filled)
            len = SEND_BYTES - filled;
        memcpy(self->buffer + filled, bytes, len);
        filled += len;
        tw_subscriber_advance(self->subscriber, len);
    }
    if (filled > 0) {
        send_bytes(self, self->buffer, filled, H2O_SEND_STATE_IN_PROGRESS);
    } else { /* an idle stream needs no buffer */
        free(self->buffer);
        self->buffer = NULL;
    }
}

static void on_time_to_send(tw_slice_t *slice)
{
    pump(TW_CONTAINER_OF(slice, tw_pull_stream_t, later));
}

static bool is_behind(const tw_pull_stream_t *self)
{
    return (self->subscriber->stream->flags & TW_STREAM_BEHIND) != 0;
}

/* As pump(), but a stream that is behind waits until the loop has time. */
static void pump_in_time(tw_pull_stream_t *self)
{
    tw_loop_t *loop = &self->super.shard->loop;

    if (!self->ended && is_behind(self) && !tw_loop_has_time(loop))
        tw_loop_defer(loop, &self->later, on_time_to_send);
    else
        pump(self);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    tw_pull_stream_t *self = self_of_generator(generator);
    self->sending = false;
    pump_in_time(self);
}

static void end_stream(tw_pull_stream_t *self, tw_close_reason_t reason)
{
    tw_subscriber_t *subscriber = self->subscriber;
    self->subscriber = NULL;
    tw_loop_cancel(&self->super.shard->loop, &self->later);
    if (subscriber != NULL)
        tw_stream_closed(self->gateway, subscriber, reason);
}

static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    end_stream(self_of_generator(generator), TW_CLOSE_CLIENT_CLOSED);
}

/* The request's pool is freed. */
static void on_gone(void *data)
{
    tw_pull_stream_t *self = data;
    end_stream(self, TW_CLOSE_CLIENT_CLOSED);
    free(self->buffer);
    tw_connection_dispose(&self->super);
}

static size_t deliver(tw_connection_t *connection, tw_event_t *event, tw_stream_t *const *streams,
                      size_t n)
{
    tw_pull_stream_t *self = self_of(connection);
    size_t delivered = 0;

    for (size_t i = 0; i < n; ++i) {
        if (tw_stream_skips(streams[i], event))
            continue;
        ++delivered;
        ++streams[i]->delivered;
        tw_subscriber_queue(streams[i]->subscriber, event);
    }
    /* A stream that waits until the loop has time is not served before its turn. */
    if (delivered > 0 && (streams[0]->flags & (TW_STREAM_HELD | TW_STREAM_DOOMED)) == 0 &&
        self->later.run == NULL)
        pump(self);
    return delivered;
}

static void heartbeat(tw_connection_t *connection, tw_stream_t *const *streams, size_t n)
{
    tw_pull_stream_t *self = self_of(connection);
    if (n > 0 && !self->sending)
        send_bytes(self, self->gateway->heartbeat.base, self->gateway->heartbeat.len,
                   H2O_SEND_STATE_IN_PROGRESS);
}

static void close_stream(tw_connection_t *connection, tw_stream_t *stream, tw_close_reason_t reason)
{
    tw_pull_stream_t *self = self_of(connection);

    if ((stream->flags & TW_STREAM_HELD) != 0) {
        tw_stream_refuse(stream->subscriber->transport_data, reason);
        return;
    }
    if (stream->subscriber->queue.offset == 0)
        self->farewell_len = tw_stream_farewell(self->gateway, reason, self->farewell);
    self->ended = true;
    end_stream(self, reason);
    pump(self);
}

/* HTTP/1.1 closes the connection after the response; other protocols ignore this. */
static void retire(tw_connection_t *connection)
{
    self_of(connection)->req->http1_is_persistent = 0;
}

static const tw_connection_ops_t ops = {
    .deliver = deliver, .heartbeat = heartbeat, .close = close_stream, .retire = retire};

static tw_connection_t *connect_request(h2o_req_t *req)
{
    tw_pull_stream_t *self = h2o_mem_alloc_shared(&req->pool, sizeof(*self), on_gone);

    memset(self, 0, sizeof(*self));
    tw_connection_init(&self->super, tw_worker_of(req)->shard, &ops, "http/1.1");
    self->generator = (h2o_generator_t){.proceed = on_proceed, .stop = on_stop};
    self->req = req;
    self->gateway = tw_worker_of(req)->gateway;
    tw_stream_set_address(&self->super, req);
    return &self->super;
}

static void disconnect(tw_connection_t *connection)
{
    /* freed with the request */
}

static void begin(tw_stream_opening_t *opening, const char *block, size_t len)
{
    tw_pull_stream_t *self = self_of(opening->subscriber->connection);
    tw_event_t *text = tw_event_create_text(block, len);

    self->subscriber = opening->subscriber;
    opening->subscriber = NULL;
    self->subscriber->transport_data = NULL;
    self->subscriber->stream->flags &= (uint8_t)~TW_STREAM_HELD;
    bool resumes = is_behind(self);
    tw_subscriber_queue_first(self->subscriber, text);
    tw_event_unref(text);
    h2o_start_response(self->req, &self->generator);
    if (resumes)
        pump_in_time(self);
    else
        pump(self);
}

const tw_transport_t tw_transport_pull = {
    .connect = connect_request, .disconnect = disconnect, .begin = begin};
