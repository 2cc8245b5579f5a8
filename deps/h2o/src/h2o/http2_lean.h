/**
 * Lean streams: HTTP/2 responses that stay open for long and are written in small frames
 * (Server-Sent Events).
 *
 * An ordinary stream keeps its h2o_http2_stream_t (with the h2o_req_t inside) and the chunks of the
 * request's memory pool for as long as it is open, and every write to it passes through a
 * generator, the scheduler and a queue. When the same few bytes go to thousands of streams of a
 * connection, that is most of the cost; when the streams are idle, it is nearly all of the memory.
 *
 * h2o_http2_lean_start() sends the response headers of a request and then frees both objects. What
 * remains of the stream is an h2o_http2_lean_stream_t (eight bytes) in the embedder's memory, and
 * an entry of the connection's table that leads from a stream id to it. DATA frames are written
 * directly into the connection's output buffer. They share it, frame by frame, with ordinary
 * streams, and the buffer leaves in one write per turn of the loop.
 *
 * All functions must be called on the thread of the connection's context. None of them calls back
 * or closes the connection before it returns. Sizes and windows are in bytes.
 */
#ifndef H2O_HTTP2_LEAN_H
#define H2O_HTTP2_LEAN_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct st_h2o_req_t;

typedef struct st_h2o_http2_conn_t h2o_http2_conn_t;

/** Size of the header of every frame; the sizes given to h2o_http2_lean_open() include it. */
#define H2O_HTTP2_LEAN_FRAME_OVERHEAD 9

/** Largest payload of a DATA frame: no peer may announce a smaller SETTINGS_MAX_FRAME_SIZE. */
#define H2O_HTTP2_LEAN_FRAME_MAX 16384

/**
 * What remains of a stream. The embedder owns the memory, must not write to it, and must keep it at
 * its address until the stream has ended: until on_close, on_conn_close, h2o_http2_lean_end() or
 * h2o_http2_lean_reset().
 */
typedef struct st_h2o_http2_lean_stream_t {
    uint32_t stream_id;
    int32_t
        window; /* bytes that the peer accepts on the stream; may be negative (RFC 9113 6.9.2) */
} h2o_http2_lean_stream_t;

/**
 * Callbacks of a connection. The loop calls them, never a h2o_http2_lean_* function. Each of them
 * may use all the functions below.
 */
typedef struct st_h2o_http2_lean_callbacks_t {
    /** The stream's window has grown (WINDOW_UPDATE or SETTINGS) and is greater than zero. */
    void (*on_window)(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream);
    /**
     * Called once for each h2o_http2_lean_want_room(), when the output buffer and the connection's
     * window have room again: after a write has completed or the connection's window has grown.
     */
    void (*on_room)(h2o_http2_conn_t *conn);
    /**
     * The peer has reset the stream, or h2o has because of an error of the peer. The connection no
     * longer refers to the stream. h2_error is the error code of RST_STREAM (RFC 9113 7), at most
     * INT32_MAX.
     */
    void (*on_close)(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream, int h2_error);
    /**
     * The connection is about to be freed, and all of its lean streams have ended, without a call
     * of on_close for each. Called exactly once per h2o_http2_lean_attach().
     */
    void (*on_conn_close)(h2o_http2_conn_t *conn);
} h2o_http2_lean_callbacks_t;

/**
 * Space for frames in the output buffer. h2o_http2_lean_open() fills it, and it is valid until
 * h2o_http2_lean_commit(). No other function that may write to the same connection may be called
 * between the two.
 */
typedef struct st_h2o_http2_lean_writer_t {
    char *p;        /* where the next frame goes */
    size_t room;    /* bytes left for frames, their headers included */
    int64_t window; /* bytes of payload that the peer accepts on the connection */
    char *_start;
} h2o_http2_lean_writer_t;

/** The HTTP/2 connection of the request, or NULL if it came by another protocol. */
h2o_http2_conn_t *h2o_http2_conn_of(struct st_h2o_req_t *req);

/**
 * Prepares a connection for lean streams; call it once for a connection. The callbacks must outlive
 * the connection. Aborts when the system gives no randomness.
 */
void h2o_http2_lean_attach(h2o_http2_conn_t *conn, void *data,
                           const h2o_http2_lean_callbacks_t *callbacks);

/** What was given to h2o_http2_lean_attach(), or NULL if it has not been called. */
void *h2o_http2_lean_data(h2o_http2_conn_t *conn);

/**
 * Sends req->res (status and headers, and the date and server fields) as the response headers and
 * makes the stream a lean one. Output filters are not applied, and content_length is not sent. To
 * be called within on_req, which then returns 0, or later, but before h2o_start_response().
 *
 * Returns 0 on success: req is freed then, with everything that its pool held. Returns -1 if the
 * request cannot become lean: it did not come by HTTP/2, its connection is closing, its stream was
 * reset, its body is still arriving, its response has begun, its method is HEAD, the server pushed
 * it, or it was upgraded from HTTP/1. Nothing has been sent then and req stays valid.
 */
int h2o_http2_lean_start(struct st_h2o_req_t *req, h2o_http2_lean_stream_t *stream);

/**
 * Refuses the request with RST_STREAM REFUSED_STREAM (RFC 9113 section 8.7): the client may send it
 * again, elsewhere. To be called when h2o_http2_lean_start() could be, with the same results.
 */
int h2o_http2_lean_refuse(struct st_h2o_req_t *req);

/**
 * Opens the output buffer for frames of up to `bytes` in total, H2O_HTTP2_LEAN_FRAME_OVERHEAD for
 * each included. The writer may get less, because h2o_globalconf_t::http2.lean_output_max limits
 * the bytes that wait for the socket.
 *
 * Returns 0 on success, or -1 if the buffer or the connection's window is full or the connection is
 * closing.
 */
int h2o_http2_lean_open(h2o_http2_conn_t *conn, h2o_http2_lean_writer_t *writer, size_t bytes);

/**
 * Writes one DATA frame; len is at most H2O_HTTP2_LEAN_FRAME_MAX.
 *
 * Returns 1 if the frame was taken, or 0, with nothing written, if the room, the connection's
 * window or the stream's window is too small for it.
 */
static inline int h2o_http2_lean_put(h2o_http2_lean_writer_t *writer,
                                     h2o_http2_lean_stream_t *stream, const char *payload,
                                     size_t len)
{
    uint8_t *dst = (uint8_t *)writer->p;

    assert(len <= H2O_HTTP2_LEAN_FRAME_MAX);
    if (writer->room < len + H2O_HTTP2_LEAN_FRAME_OVERHEAD || writer->window < (int64_t)len ||
        stream->window < (int32_t)len)
        return 0;

    dst[0] = 0;
    dst[1] = (uint8_t)(len >> 8);
    dst[2] = (uint8_t)len;
    dst[3] = 0; /* type: DATA */
    dst[4] = 0; /* flags */
    dst[5] = (uint8_t)(stream->stream_id >> 24);
    dst[6] = (uint8_t)(stream->stream_id >> 16);
    dst[7] = (uint8_t)(stream->stream_id >> 8);
    dst[8] = (uint8_t)stream->stream_id;
    memcpy(dst + H2O_HTTP2_LEAN_FRAME_OVERHEAD, payload, len);

    writer->p += len + H2O_HTTP2_LEAN_FRAME_OVERHEAD;
    writer->room -= len + H2O_HTTP2_LEAN_FRAME_OVERHEAD;
    writer->window -= (int64_t)len;
    stream->window -= (int32_t)len;
    return 1;
}

/** Hands over the frames that were put; they leave at the end of this turn of the loop or before.
 */
void h2o_http2_lean_commit(h2o_http2_conn_t *conn, h2o_http2_lean_writer_t *writer);

/**
 * Asks for one call of on_room. To be called when h2o_http2_lean_open() has failed, or when a frame
 * did not fit the room or the connection's window; the frames that did fit may be committed before
 * or afterwards.
 */
void h2o_http2_lean_want_room(h2o_http2_conn_t *conn);

/** Number of bytes, of lean and ordinary streams, that the socket has not taken yet. */
size_t h2o_http2_lean_pending(h2o_http2_conn_t *conn);

/** Ends the response with an empty DATA frame that has END_STREAM; the stream has ended then. */
void h2o_http2_lean_end(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream);

/** Ends the response with RST_STREAM and this error code (RFC 9113 7); the stream has ended then.
 */
void h2o_http2_lean_reset(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream, int h2_error);

/**
 * Sends GOAWAY: new streams of the peer are refused from now on, and the connection closes when the
 * last one has ended.
 */
void h2o_http2_conn_goaway(h2o_http2_conn_t *conn);

#endif
