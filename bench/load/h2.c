#include "bench/load/h2.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/h2_frame.h"

enum { HEADER_TABLE_BYTES = 4096, SETTING_BYTES = 6 };

static load_h2_t *of_transport(load_transport_t *transport)
{
    return (load_h2_t *)transport;
}

static char *write_setting(char *p, uint16_t id, uint32_t value)
{
    p[0] = (char)(id >> 8);
    p[1] = (char)id;
    return load_h2_write32(p + 2, value);
}

static void on_open(load_transport_t *transport)
{
    load_h2_t *self = of_transport(transport);
    enum { PREFACE_BYTES = sizeof(LOAD_H2_PREFACE) - 1, SETTINGS_BYTES = 2 * SETTING_BYTES };
    size_t bytes = (size_t)PREFACE_BYTES + LOAD_H2_FRAME_HEAD_BYTES + SETTINGS_BYTES +
                   LOAD_H2_FRAME_HEAD_BYTES + 4;
    char *p = load_transport_reserve(transport, bytes);
    memcpy(p, LOAD_H2_PREFACE, PREFACE_BYTES);
    p = load_h2_frame_head(p + PREFACE_BYTES, SETTINGS_BYTES, LOAD_H2_SETTINGS, 0, 0);
    p = write_setting(p, LOAD_H2_SETTINGS_ENABLE_PUSH, 0);
    p = write_setting(p, LOAD_H2_SETTINGS_INITIAL_WINDOW_SIZE, self->stream_window);
    p = load_h2_frame_head(p, 4, LOAD_H2_WINDOW_UPDATE, 0, 0);
    load_h2_write32(p, self->receive_window - LOAD_H2_WINDOW_DEFAULT);
    load_transport_commit(transport, bytes);
}

static void acknowledge(load_h2_t *self, uint8_t type, const char *payload, uint32_t bytes)
{
    char *p = load_transport_reserve(&self->transport, LOAD_H2_FRAME_HEAD_BYTES + (size_t)bytes);
    p = load_h2_frame_head(p, bytes, type, LOAD_H2_FLAG_ACK, 0);
    if (bytes > 0)
        memcpy(p, payload, bytes);
    load_transport_commit(&self->transport, LOAD_H2_FRAME_HEAD_BYTES + (size_t)bytes);
}

static void take_settings(load_h2_t *self, const load_h2_frame_t *frame)
{
    if (frame->flags & LOAD_H2_FLAG_ACK)
        return;
    for (uint32_t at = 0; at + SETTING_BYTES <= frame->bytes; at += SETTING_BYTES) {
        const char *p = frame->payload + at;
        uint32_t id = load_h2_read32(p) >> 16, value = load_h2_read32(p + 2);
        if (id == LOAD_H2_SETTINGS_HEADER_TABLE_SIZE)
            nghttp2_hd_deflate_change_table_size(
                self->deflater, value < HEADER_TABLE_BYTES ? value : HEADER_TABLE_BYTES);
        else if (id == LOAD_H2_SETTINGS_MAX_CONCURRENT_STREAMS)
            self->active_max = value;
        else if (id == LOAD_H2_SETTINGS_INITIAL_WINDOW_SIZE)
            self->peer_stream_window = value;
    }
    acknowledge(self, LOAD_H2_SETTINGS, NULL, 0);
    if (!self->ready) {
        self->ready = true;
        self->callbacks->on_ready(self);
    }
}

/* Decodes a header block. The status, or -1 when it is malformed; 0 for trailers. */
static int inflate_status(load_h2_t *self, const load_h2_frame_t *frame)
{
    const uint8_t *in = (const uint8_t *)frame->payload;
    size_t left = frame->bytes;
    int status = 0;
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(self->inflater, &field, &flags, in, left, 1);
        if (used < 0)
            return -1;
        in += used;
        left -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT && field.namelen == 7 &&
            memcmp(field.name, ":status", 7) == 0 && field.valuelen == 3)
            status =
                (field.value[0] - '0') * 100 + (field.value[1] - '0') * 10 + (field.value[2] - '0');
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(self->inflater);
    return status;
}

static int take_headers(load_h2_t *self, const load_h2_frame_t *frame)
{
    bool end = frame->flags & LOAD_H2_FLAG_END_STREAM;
    if ((frame->flags & LOAD_H2_FLAG_END_HEADERS) == 0)
        return -1;
    int status = inflate_status(self, frame);
    if (status < 0)
        return -1;
    if (status >= 200)
        self->callbacks->on_headers(self, frame->stream_id, status, end);
    else if (status == 0 && end)
        self->callbacks->on_data(self, frame->stream_id, "", 0, true);
    return 0;
}

/* Everything but DATA. 0, or -1 when the connection cannot go on. */
static int take_control(load_h2_t *self, const load_h2_frame_t *frame)
{
    switch (frame->type) {
    case LOAD_H2_HEADERS:
        return take_headers(self, frame);
    case LOAD_H2_SETTINGS:
        take_settings(self, frame);
        return 0;
    case LOAD_H2_PING:
        if ((frame->flags & LOAD_H2_FLAG_ACK) == 0)
            acknowledge(self, LOAD_H2_PING, frame->payload, frame->bytes);
        return 0;
    case LOAD_H2_RST_STREAM:
        if (frame->bytes == 4)
            self->callbacks->on_reset(self, frame->stream_id, load_h2_read32(frame->payload));
        return 0;
    case LOAD_H2_WINDOW_UPDATE:
        /* Requests fit the first window of their stream: only the connection's is kept. */
        if (frame->stream_id == 0 && frame->bytes == 4)
            self->send_window += load_h2_read32(frame->payload) & LOAD_H2_WINDOW_MAX;
        return 0;
    case LOAD_H2_GOAWAY:
        self->goaway = true;
        return 0;
    case LOAD_H2_PUSH_PROMISE:
    case LOAD_H2_CONTINUATION:
        return -1;
    default:
        return 0;
    }
}

static size_t on_read(load_transport_t *transport, const char *data, size_t bytes, uint64_t now_ns)
{
    load_h2_t *self = of_transport(transport);
    const char *p = data, *end = data + bytes;
    load_h2_frame_t frame;
    long length;
    self->now_ns = now_ns;
    while ((length = load_h2_frame_next(p, (size_t)(end - p), &frame)) > 0) {
        p += length;
        if (frame.type == LOAD_H2_DATA) {
            self->received += (uint32_t)length - LOAD_H2_FRAME_HEAD_BYTES;
            self->callbacks->on_data(self, frame.stream_id, frame.payload, frame.bytes,
                                     frame.flags & LOAD_H2_FLAG_END_STREAM);
        } else if (take_control(self, &frame) != 0) {
            length = -1;
            break;
        }
    }
    if (length < 0)
        load_transport_close(transport, "the server broke HTTP/2, or used what is not supported");
    if (transport->fd < 0)
        return bytes;
    if (self->received >= self->receive_window / 2) {
        load_h2_give_window(self, 0, self->received);
        self->received = 0;
    }
    self->callbacks->on_batch(self);
    return (size_t)(p - data);
}

static void on_close(load_transport_t *transport, const char *why)
{
    load_h2_t *self = of_transport(transport);
    self->ready = false;
    self->callbacks->on_close(self, why);
}

int load_h2_connect(load_h2_t *self, load_loop_t *loop, const struct sockaddr_in *address,
                    SSL_CTX *tls, uint32_t stream_window, uint32_t receive_window,
                    const load_h2_callbacks_t *callbacks)
{
    static const load_transport_callbacks_t transport_callbacks = {on_open, on_read, on_close};
    assert(receive_window > LOAD_H2_WINDOW_DEFAULT && receive_window <= LOAD_H2_WINDOW_MAX);
    memset(self, 0, sizeof(*self));
    self->callbacks = callbacks;
    self->next_id = 1;
    self->active_max = UINT32_MAX;
    self->peer_stream_window = LOAD_H2_WINDOW_DEFAULT;
    self->send_window = LOAD_H2_WINDOW_DEFAULT;
    self->stream_window = stream_window;
    self->receive_window = receive_window;
    if (nghttp2_hd_deflate_new(&self->deflater, HEADER_TABLE_BYTES) != 0 ||
        nghttp2_hd_inflate_new(&self->inflater) != 0)
        abort();
    return load_transport_connect(&self->transport, loop, address, tls, &transport_callbacks);
}

uint32_t load_h2_request(load_h2_t *self, const nghttp2_nv *headers, size_t header_count,
                         const char *body, size_t body_bytes)
{
    if (!self->ready || self->goaway || self->active >= self->active_max ||
        self->next_id > LOAD_H2_WINDOW_MAX)
        return 0;
    if (body != NULL &&
        (self->send_window < (int64_t)body_bytes || self->peer_stream_window < body_bytes))
        return 0;
    size_t block_max = nghttp2_hd_deflate_bound(self->deflater, headers, header_count);
    char *head = load_transport_reserve(&self->transport,
                                        2 * LOAD_H2_FRAME_HEAD_BYTES + block_max + body_bytes);
    ssize_t block =
        nghttp2_hd_deflate_hd(self->deflater, (uint8_t *)head + LOAD_H2_FRAME_HEAD_BYTES, block_max,
                              headers, header_count);
    assert(block >= 0 && block <= LOAD_H2_FRAME_BYTES_MAX);
    uint32_t id = self->next_id;
    uint8_t flags = LOAD_H2_FLAG_END_HEADERS | (body == NULL ? LOAD_H2_FLAG_END_STREAM : 0);
    char *p = load_h2_frame_head(head, (uint32_t)block, LOAD_H2_HEADERS, flags, id) + block;
    if (body != NULL) {
        p = load_h2_frame_head(p, (uint32_t)body_bytes, LOAD_H2_DATA, LOAD_H2_FLAG_END_STREAM, id);
        memcpy(p, body, body_bytes);
        p += body_bytes;
        self->send_window -= (int64_t)body_bytes;
    }
    load_transport_commit(&self->transport, (size_t)(p - head));
    self->next_id += 2;
    self->active++;
    return id;
}

void load_h2_done(load_h2_t *self)
{
    assert(self->active > 0);
    self->active--;
}

void load_h2_give_window(load_h2_t *self, uint32_t stream_id, uint32_t bytes)
{
    char *p = load_transport_reserve(&self->transport, LOAD_H2_FRAME_HEAD_BYTES + 4);
    load_h2_write32(load_h2_frame_head(p, 4, LOAD_H2_WINDOW_UPDATE, 0, stream_id), bytes);
    load_transport_commit(&self->transport, LOAD_H2_FRAME_HEAD_BYTES + 4);
}

void load_h2_reset(load_h2_t *self, uint32_t stream_id, uint32_t error)
{
    char *p = load_transport_reserve(&self->transport, LOAD_H2_FRAME_HEAD_BYTES + 4);
    load_h2_write32(load_h2_frame_head(p, 4, LOAD_H2_RST_STREAM, 0, stream_id), error);
    load_transport_commit(&self->transport, LOAD_H2_FRAME_HEAD_BYTES + 4);
}

void load_h2_dispose(load_h2_t *self)
{
    load_transport_dispose(&self->transport);
    if (self->deflater != NULL)
        nghttp2_hd_deflate_del(self->deflater);
    if (self->inflater != NULL)
        nghttp2_hd_inflate_del(self->inflater);
    self->deflater = NULL;
    self->inflater = NULL;
}
