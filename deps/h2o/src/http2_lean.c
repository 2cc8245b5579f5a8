/*
 * A stream counts in h2o_http2_conn_t::num_streams from the arrival of its request until its end
 * has been flushed, whether it is an ordinary or a lean one. So the limit of concurrent streams,
 * the idle timeout and the graceful shutdown need not know about lean streams. Lean streams do not
 * count as requests that are being processed.
 */
#include <openssl/rand.h>

#include "h2o.h"
#include "h2o/http2.h"
#include "h2o/http2_internal.h"

/*
 * Output that has reached this size is written at once. When an event goes to all connections, one
 * piece of memory, which stays in the CPU's cache, then serves one connection after the other.
 * Frames that follow in the same turn of the loop wait for the next one, so that there is still one
 * write per turn.
 */
#define EARLY_WRITE_SIZE 16384

static size_t bytes_pending(h2o_http2_conn_t *conn)
{
    return conn->_write.buf->size + conn->_write.bytes_in_flight;
}

static void count_streams(h2o_http2_conn_t *conn, int32_t delta)
{
    conn->num_streams.pull.open += delta;
    conn->num_streams.pull.half_closed += delta;
    conn->num_streams.pull.send_body += delta;
}

h2o_http2_lean_stream_t *h2o_http2_lean__find(h2o_http2_conn_t *conn, uint32_t stream_id)
{
    return conn->lean != NULL ? h2o_http2_lean_table__find(&conn->lean->table, stream_id) : NULL;
}

size_t h2o_http2_lean__num_streams(h2o_http2_conn_t *conn)
{
    h2o_http2_lean_t *lean = conn->lean;

    return lean != NULL
               ? (size_t)lean->table.size + lean->num_ending.buf + lean->num_ending.in_flight
               : 0;
}

void h2o_http2_lean__close(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream,
                           uint32_t error_code, int frame_is_sent)
{
    if (!h2o_http2_lean_table__remove(&conn->lean->table, stream))
        h2o_fatal("not a stream of the connection");
    if (frame_is_sent) {
        ++conn->lean->num_ending.buf;
    } else {
        count_streams(conn, -1);
    }
    conn->lean->callbacks->on_close(conn, stream,
                                    error_code <= INT32_MAX ? (int)error_code : INT32_MAX);
}

int h2o_http2_lean__update_window(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream,
                                  uint32_t increment)
{
    int64_t window = (int64_t)stream->window + increment;

    if (window > INT32_MAX)
        return H2O_HTTP2_ERROR_FLOW_CONTROL;
    stream->window = (int32_t)window;
    if (window > 0)
        conn->lean->callbacks->on_window(conn, stream);
    return 0;
}

int h2o_http2_lean__update_all_windows(h2o_http2_conn_t *conn, int32_t delta)
{
    h2o_http2_lean_table_t *table;
    h2o_http2_lean_stream_t *stream;
    uint32_t i, *ids, num_ids = 0;

    if (conn->lean == NULL || conn->lean->table.size == 0)
        return 0;
    table = &conn->lean->table;

    /* All windows are updated before the first callback, because callbacks may alter the table. */
    ids = h2o_mem_alloc(sizeof(*ids) * table->size);
    for (i = 0; i != table->capacity; ++i) {
        if (table->ids[i] == 0)
            continue;
        stream = table->streams[i];
        if ((int64_t)stream->window + delta > INT32_MAX) {
            free(ids);
            return H2O_HTTP2_ERROR_FLOW_CONTROL;
        }
        stream->window += delta;
        if (delta > 0 && stream->window > 0)
            ids[num_ids++] = stream->stream_id;
    }
    for (i = 0; i != num_ids; ++i) {
        if ((stream = h2o_http2_lean__find(conn, ids[i])) != NULL)
            conn->lean->callbacks->on_window(conn, stream);
    }
    free(ids);
    return 0;
}

void h2o_http2_lean__on_write(h2o_http2_conn_t *conn)
{
    h2o_http2_lean_t *lean = conn->lean;

    lean->bytes.in_flight = lean->bytes.buf;
    lean->bytes.buf = 0;
    lean->num_ending.in_flight = lean->num_ending.buf;
    lean->num_ending.buf = 0;
}

void h2o_http2_lean__on_write_complete(h2o_http2_conn_t *conn)
{
    h2o_http2_lean_t *lean = conn->lean;

    count_streams(conn, -(int32_t)lean->num_ending.in_flight);
    lean->num_ending.in_flight = 0;
    lean->bytes.in_flight = 0;
    lean->room_has_grown = 1;
}

void h2o_http2_lean__call_on_room(h2o_http2_conn_t *conn)
{
    h2o_http2_lean_t *lean = conn->lean;

    if (!(lean->wants_room && lean->room_has_grown))
        return;
    if (bytes_pending(conn) >= conn->super.ctx->globalconf->http2.lean_output_max ||
        h2o_http2_window_get_window(&conn->_write.window) <= 0)
        return;
    lean->wants_room = 0;
    lean->room_has_grown = 0;
    lean->is_in_on_room = 1;
    lean->callbacks->on_room(conn);
    lean->is_in_on_room = 0;
}

void h2o_http2_lean__dispose(h2o_http2_conn_t *conn)
{
    h2o_http2_lean_t *lean = conn->lean;

    assert(conn->state == H2O_HTTP2_CONN_STATE_IS_CLOSING);

    count_streams(conn, -(int32_t)h2o_http2_lean__num_streams(conn));
    lean->num_ending.buf = 0;
    lean->num_ending.in_flight = 0;
    h2o_http2_lean_table__dispose(&lean->table);
    lean->callbacks->on_conn_close(conn);
    conn->lean = NULL;
    free(lean);
}

h2o_http2_conn_t *h2o_http2_conn_of(h2o_req_t *req)
{
    return req->version >= 0x200 ? (h2o_http2_conn_t *)req->conn : NULL;
}

void h2o_http2_lean_attach(h2o_http2_conn_t *conn, void *data,
                           const h2o_http2_lean_callbacks_t *callbacks)
{
    h2o_http2_lean_t *lean;

    assert(conn->lean == NULL);
    lean = h2o_mem_alloc(sizeof(*lean));
    memset(lean, 0, sizeof(*lean));
    lean->data = data;
    lean->callbacks = callbacks;
    if (RAND_bytes((void *)&lean->table.seed, sizeof(lean->table.seed)) != 1)
        h2o_fatal("no entropy");
    lean->table.seed |= 1;
    conn->lean = lean;
}

void *h2o_http2_lean_data(h2o_http2_conn_t *conn)
{
    return conn->lean != NULL ? conn->lean->data : NULL;
}

static int can_become_lean(h2o_http2_conn_t *conn, h2o_http2_stream_t *stream)
{
    h2o_req_t *req = &stream->req;

    return conn->state < H2O_HTTP2_CONN_STATE_IS_CLOSING &&
           stream->state == H2O_HTTP2_STREAM_STATE_SEND_HEADERS &&
           !h2o_http2_stream_is_receiving_body(stream) && req->_generator == NULL &&
           req->_ostr_top == &stream->_ostr_final && !h2o_http2_stream_is_push(stream->stream_id) &&
           !(stream->stream_id == 1 && conn->_http1_req_input != NULL) &&
           !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

/* The request's stream, if it can become lean; or NULL. */
static h2o_http2_stream_t *startable_stream_of(h2o_http2_conn_t *conn, h2o_req_t *req)
{
    h2o_http2_stream_t *stream;

    if (conn == NULL)
        return NULL;
    assert(conn->lean != NULL);
    stream = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req);
    return can_become_lean(conn, stream) ? stream : NULL;
}

/* Frees the stream, but does not start the requests that waited for it to end: their handlers must
 * not run inside these functions. If a handler called one, the handler's caller starts them;
 * otherwise they start before the headers are written. */
static void free_stream(h2o_http2_conn_t *conn, h2o_http2_stream_t *stream)
{
    conn->lean->is_starting = 1;
    h2o_http2_stream_close(conn, stream);
    conn->lean->is_starting = 0;
}

int h2o_http2_lean_refuse(h2o_req_t *req)
{
    h2o_http2_conn_t *conn = h2o_http2_conn_of(req);
    h2o_http2_stream_t *stream = startable_stream_of(conn, req);

    if (stream == NULL)
        return -1;
    h2o_http2_encode_rst_stream_frame(&conn->_write.buf, stream->stream_id,
                                      -H2O_HTTP2_ERROR_REFUSED_STREAM);
    h2o_http2_conn_request_write(conn);
    free_stream(conn, stream);
    /* It is one of the connection's streams until the frame is written, so that a peer that does
     * not read cannot have any number of them refused. */
    count_streams(conn, 1);
    ++conn->lean->num_ending.buf;
    return 0;
}

int h2o_http2_lean_start(h2o_req_t *req, h2o_http2_lean_stream_t *lean_stream)
{
    h2o_http2_conn_t *conn = h2o_http2_conn_of(req);
    h2o_http2_stream_t *stream = startable_stream_of(conn, req);
    h2o_timestamp_t ts;

    if (stream == NULL)
        return -1;

    /* send HEADERS */
    h2o_get_timestamp(conn->super.ctx, &req->pool, &ts);
    h2o_hpack_flatten_response(&conn->_write.buf, &conn->_output_header_table, stream->stream_id,
                               conn->peer_settings.max_frame_size, &req->res, &ts,
                               &conn->super.ctx->globalconf->server_name, SIZE_MAX);
    h2o_http2_conn_request_write(conn);
    h2o_http2_stream_set_state(conn, stream, H2O_HTTP2_STREAM_STATE_SEND_BODY);

    /* register */
    lean_stream->stream_id = stream->stream_id;
    lean_stream->window = (int32_t)h2o_http2_window_get_window(&stream->output_window);
    h2o_http2_lean_table__insert(&conn->lean->table, lean_stream);
    count_streams(conn, 1);

    free_stream(conn, stream);
    return 0;
}

/*
 * Does what h2o_buffer_reserve() does, with buffers of two sizes that are recycled.
 * h2o_buffer_reserve() would allocate memory of various sizes and return it to the system after
 * each write, and the kernel would have to zero it for the next one.
 */
static char *reserve_output(h2o_http2_conn_t *conn, size_t bytes)
{
    static __thread h2o_buffer_prototype_t prototypes[] = {
        {.allocator = {.max = 4}, ._initial_buf = {.capacity = 256 * 1024}},
        {.allocator = {.max = 4}, ._initial_buf = {.capacity = 1024 * 1024}}};
    h2o_buffer_t *buf = conn->_write.buf, *new_buf;
    size_t size = buf->size, i;

    if (size + bytes > buf->capacity) {
        for (i = 0; i != sizeof(prototypes) / sizeof(prototypes[0]); ++i) {
            if (size + bytes > prototypes[i]._initial_buf.capacity)
                continue;
            h2o_buffer_init(&new_buf, prototypes + i);
            h2o_buffer_reserve(&new_buf, size + bytes);
            h2o_memcpy(new_buf->bytes, buf->bytes, size);
            new_buf->size = size;
            h2o_buffer_dispose(&conn->_write.buf);
            conn->_write.buf = new_buf;
            break;
        }
    }
    return h2o_buffer_reserve(&conn->_write.buf, bytes).base;
}

int h2o_http2_lean_open(h2o_http2_conn_t *conn, h2o_http2_lean_writer_t *writer, size_t bytes)
{
    size_t max = conn->super.ctx->globalconf->http2.lean_output_max, pending = bytes_pending(conn);

    if (conn->state >= H2O_HTTP2_CONN_STATE_IS_CLOSING)
        return -1;
    if (pending >= max || max - pending <= H2O_HTTP2_LEAN_FRAME_OVERHEAD)
        return -1;
    if ((writer->window = h2o_http2_window_get_window(&conn->_write.window)) <= 0)
        return -1;
    writer->room = max - pending < bytes ? max - pending : bytes;
    writer->p = writer->_start = reserve_output(conn, writer->room);
    return 0;
}

void h2o_http2_lean_commit(h2o_http2_conn_t *conn, h2o_http2_lean_writer_t *writer)
{
    h2o_buffer_t *buf = conn->_write.buf;
    size_t size = writer->p - writer->_start;

    assert(buf->bytes != NULL && writer->_start == buf->bytes + buf->size);

    if (size != 0) {
        buf->size += size;
        conn->lean->bytes.buf += size;
        conn->_write.window._avail = writer->window;
        h2o_http2_conn_request_write(conn);
        if (buf->size >= EARLY_WRITE_SIZE)
            h2o_http2_conn_write_early(conn);
    } else if (buf->size == 0) {
        /* a connection with nothing to write keeps no memory for it */
        h2o_http2_conn_release_write_buf(conn);
    }
}

void h2o_http2_lean_want_room(h2o_http2_conn_t *conn)
{
    h2o_http2_lean_t *lean = conn->lean;

    lean->wants_room = 1;
    lean->room_has_grown = 0;
    /* If neither a write is in flight nor the window is closed, no event will lead to on_room, and
     * a write without bytes has to do it. Not within on_room: that would loop without end if the
     * room is smaller than what the embedder wants to send. */
    if (!lean->is_in_on_room && bytes_pending(conn) == 0 &&
        h2o_http2_window_get_window(&conn->_write.window) > 0) {
        lean->room_has_grown = 1;
        h2o_http2_conn_request_write(conn);
    }
}

size_t h2o_http2_lean_pending(h2o_http2_conn_t *conn)
{
    return bytes_pending(conn);
}

/* Removes the stream. Returns 1 if the peer must be told, or 0 if the connection is closing. */
static int end_stream(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream)
{
    if (!h2o_http2_lean_table__remove(&conn->lean->table, stream)) {
        /* on_conn_close ends streams that are no longer in the table */
        assert(conn->state == H2O_HTTP2_CONN_STATE_IS_CLOSING);
        return 0;
    }
    if (conn->state == H2O_HTTP2_CONN_STATE_IS_CLOSING) {
        count_streams(conn, -1);
        return 0;
    }
    ++conn->lean->num_ending.buf;
    return 1;
}

void h2o_http2_lean_end(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream)
{
    h2o_iovec_t header;

    if (!end_stream(conn, stream))
        return;
    header = h2o_buffer_reserve(&conn->_write.buf, H2O_HTTP2_FRAME_HEADER_SIZE);
    h2o_http2_encode_frame_header((void *)header.base, 0, H2O_HTTP2_FRAME_TYPE_DATA,
                                  H2O_HTTP2_FRAME_FLAG_END_STREAM, stream->stream_id);
    conn->_write.buf->size += H2O_HTTP2_FRAME_HEADER_SIZE;
    h2o_http2_conn_request_write(conn);
}

void h2o_http2_lean_reset(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream, int h2_error)
{
    if (!end_stream(conn, stream))
        return;
    h2o_http2__encode_rst_stream_frame(&conn->_write.buf, stream->stream_id, h2_error);
    h2o_http2_conn_request_write(conn);
}
