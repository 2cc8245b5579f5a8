/**
 * What h2o's lib/http2/connection.c knows of lean streams; the embedder's side is http2_lean.h.
 *
 * h2o/http2_internal.h includes this, before it declares the connection. All functions run on the
 * thread of the connection's context.
 */
#ifndef H2O_HTTP2_LEAN_INTERNAL_H
#define H2O_HTTP2_LEAN_INTERNAL_H

#include "h2o/http2_lean.h"
#include <stdint.h>

/**
 * A hash table from stream ids to lean streams, by linear probing. An entry takes 12 bytes, and at
 * least half of a table that has grown is in use, so that an entry costs at most 24 bytes. All
 * zeros is an empty table, except for the seed: peers choose the stream ids, so the embedder sets a
 * random, odd one.
 */
typedef struct st_h2o_http2_lean_table_t {
    uint32_t *ids; /* zero in a vacant slot; lies behind streams in one allocation */
    h2o_http2_lean_stream_t **streams;
    uint32_t size;
    uint32_t capacity;
    uint64_t seed;
} h2o_http2_lean_table_t;

/** The stream of that id, or NULL; id 0 is in no table. */
h2o_http2_lean_stream_t *h2o_http2_lean_table__find(h2o_http2_lean_table_t *table,
                                                    uint32_t stream_id);

/** Adds a stream whose id must not be in the table. */
void h2o_http2_lean_table__insert(h2o_http2_lean_table_t *table, h2o_http2_lean_stream_t *stream);

/** Removes the stream. Returns 1, or 0 if it was not in the table. */
int h2o_http2_lean_table__remove(h2o_http2_lean_table_t *table, h2o_http2_lean_stream_t *stream);

/** Frees the memory; the table is empty and can be used again. */
void h2o_http2_lean_table__dispose(h2o_http2_lean_table_t *table);

/** The state of a connection that h2o_http2_lean_attach() was called for. */
typedef struct st_h2o_http2_lean_t {
    void *data; /* the embedder's */
    const h2o_http2_lean_callbacks_t *callbacks;
    h2o_http2_lean_table_t table;
    struct {
        size_t buf;
        size_t in_flight;
    } bytes; /* of frames of h2o_http2_lean_put(), in the output buffer and in the current write */
    struct {
        uint32_t buf;
        uint32_t in_flight;
    } num_ending; /* streams that left the table, by where the frame that ends them is */
    unsigned is_starting : 1;    /* within h2o_http2_lean_start(): no request may start */
    unsigned is_in_on_room : 1;  /* within the callback */
    unsigned wants_room : 1;     /* on_room is due when there is room */
    unsigned room_has_grown : 1; /* since on_room was asked for or called */
} h2o_http2_lean_t;

/* These may be called for any connection. */

/** The lean stream of that id, or NULL. */
h2o_http2_lean_stream_t *h2o_http2_lean__find(h2o_http2_conn_t *conn, uint32_t stream_id);

/** Number of lean streams, those included whose end has not been flushed yet. */
size_t h2o_http2_lean__num_streams(h2o_http2_conn_t *conn);

/**
 * Adds delta to the windows of all lean streams, then calls on_window for those that can send.
 * Returns 0, or H2O_HTTP2_ERROR_FLOW_CONTROL if a window overflows.
 */
int h2o_http2_lean__update_all_windows(h2o_http2_conn_t *conn, int32_t delta);

/* These must only be called if conn->lean is set. */

/**
 * Removes the stream and calls on_close. If frame_is_sent, a frame in conn->_write.buf tells the
 * peer, and the stream is counted until that frame has been flushed.
 */
void h2o_http2_lean__close(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream,
                           uint32_t error_code, int frame_is_sent);

/** Returns 0, or H2O_HTTP2_ERROR_FLOW_CONTROL if the window overflows. */
int h2o_http2_lean__update_window(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream,
                                  uint32_t increment);

/** The output buffer has been given to the socket. */
void h2o_http2_lean__on_write(h2o_http2_conn_t *conn);

/** The socket has written it. */
void h2o_http2_lean__on_write_complete(h2o_http2_conn_t *conn);

/** Calls on_room if the embedder asked for it and there is room. */
void h2o_http2_lean__call_on_room(h2o_http2_conn_t *conn);

/** Calls on_conn_close and frees conn->lean. The connection must be closing. */
void h2o_http2_lean__dispose(h2o_http2_conn_t *conn);

#endif
