#include "bench/load/h2.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/h2_frame.h"

enum { HEADER_TABLE_BYTES = 4096, SETTING_BYTES = 6 };

static tw_h2_t *of_transport(tw_transport_t *transport)
{
    return (tw_h2_t *)transport;
}

static char *write_setting(char *p, uint16_t id, uint32_t value)
{
    p[0] = (char)(id >> 8);
    p[1] = (char)id;
    return tw_h2_write32(p + 2, value);
}

static void on_open(tw_transport_t *transport)
{
    tw_h2_t *self = of_transport(transport);
    enum { PREFACE_BYTES = sizeof(TW_H2_PREFACE) - 1, SETTINGS_BYTES = 2 * SETTING_BYTES };
    size_t bytes = (size_t)PREFACE_BYTES + TW_H2_FRAME_HEAD_BYTES + SETTINGS_BYTES +
                   TW_H2_FRAME_HEAD_BYTES + 4;
    char *p = tw_transport_reserve(transport, bytes);
    memcpy(p, TW_H2_PREFACE, PREFACE_BYTES);
    p = tw_h2_frame_head(p + PREFACE_BYTES, SETTINGS_BYTES, TW_H2_SETTINGS, 0, 0);
    p = write_setting(p, TW_H2_SETTINGS_ENABLE_PUSH, 0);
    p = write_setting(p, TW_H2_SETTINGS_INITIAL_WINDOW_SIZE, self->stream_window);
    p = tw_h2_frame_head(p, 4, TW_H2_WINDOW_UPDATE, 0, 0);
    tw_h2_write32(p, self->receive_window - TW_H2_WINDOW_DEFAULT);
    tw_transport_commit(transport, bytes);
}

static void acknowledge(tw_h2_t *self, uint8_t type, const char *payload, uint32_t bytes)
{
    char *p = tw_transport_reserve(&self->transport, TW_H2_FRAME_HEAD_BYTES + (size_t)bytes);
    p = tw_h2_frame_head(p, bytes, type, TW_H2_FLAG_ACK, 0);
    if (bytes > 0)
        memcpy(p, payload, bytes);
    tw_transport_commit(&self->transport, TW_H2_FRAME_HEAD_BYTES + (size_t)bytes);
}

static void take_settings(tw_h2_t *self, const tw_h2_frame_t *frame)
{
    if (frame->flags & TW_H2_FLAG_ACK)
        return;
    for (uint32_t at = 0; at + SETTING_BYTES <= frame->bytes; at += SETTING_BYTES) {
        const char *p = frame->payload + at;
        uint32_t id = tw_h2_read32(p) >> 16, value = tw_h2_read32(p + 2);
        if (id == TW_H2_SETTINGS_HEADER_TABLE_SIZE)
            nghttp2_hd_deflate_change_table_size(
                self->deflater, value < HEADER_TABLE_BYTES ? value : HEADER_TABLE_BYTES);
        else if (id == TW_H2_SETTINGS_MAX_CONCURRENT_STREAMS)
            self->active_max = value;
        else if (id == TW_H2_SETTINGS_INITIAL_WINDOW_SIZE)
            self->peer_stream_window = value;
    }
    acknowledge(self, TW_H2_SETTINGS, NULL, 0);
    if (!self->ready) {
        self->ready = true;
        self->callbacks->on_ready(self);
    }
}

/* Decodes a header block. The status, or -1 when it is malformed; 0 for trailers. */
static int inflate_status(tw_h2_t *self, const tw_h2_frame_t *frame)
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

static int take_headers(tw_h2_t *self, const tw_h2_frame_t *frame)
{
    bool end = frame->flags & TW_H2_FLAG_END_STREAM;
    if ((frame->flags & TW_H2_FLAG_END_HEADERS) == 0)
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
static int take_control(tw_h2_t *self, const tw_h2_frame_t *frame)
{
    switch (frame->type) {
    case TW_H2_HEADERS:
        return take_headers(self, frame);
    case TW_H2_SETTINGS:
        take_settings(self, frame);
        return 0;
    case TW_H2_PING:
        if ((frame->flags & TW_H2_FLAG_ACK) == 0)
            acknowledge(self, TW_H2_PING, frame->payload, frame->bytes);
        return 0;
    case TW_H2_RST_STREAM:
        if (frame->bytes == 4)
            self->callbacks->on_reset(self, frame->stream_id, tw_h2_read32(frame->payload));
        return 0;
    case TW_H2_WINDOW_UPDATE:
        /* Requests fit the first window of their stream: only the connection's is kept. */
        if (frame->stream_id == 0 && frame->bytes == 4)
            self->send_window += tw_h2_read32(frame->payload) & TW_H2_WINDOW_MAX;
        return 0;
    case TW_H2_GOAWAY:
        self->goaway = true;
        return 0;
    case TW_H2_PUSH_PROMISE:
    case TW_H2_CONTINUATION:
        return -1;
    default:
        return 0;
    }
}

static size_t on_read(tw_transport_t *transport, const char *data, size_t bytes, uint64_t now_ns)
{
    tw_h2_t *self = of_transport(transport);
    const char *p = data, *end = data + bytes;
    tw_h2_frame_t frame;
    long length;
    self->now_ns = now_ns;
    while ((length = tw_h2_frame_next(p, (size_t)(end - p), &frame)) > 0) {
        p += length;
        if (frame.type == TW_H2_DATA) {
            self->received += (uint32_t)length - TW_H2_FRAME_HEAD_BYTES;
            self->callbacks->on_data(self, frame.stream_id, frame.payload, frame.bytes,
                                     frame.flags & TW_H2_FLAG_END_STREAM);
        } else if (take_control(self, &frame) != 0) {
            length = -1;
            break;
        }
    }
    if (length < 0)
        tw_transport_close(transport, "the server broke HTTP/2, or used what is not supported");
    if (transport->fd < 0)
        return bytes;
    if (self->received >= self->receive_window / 2) {
        tw_h2_give_window(self, 0, self->received);
        self->received = 0;
    }
    self->callbacks->on_batch(self);
    return (size_t)(p - data);
}

static void on_close(tw_transport_t *transport, const char *why)
{
    tw_h2_t *self = of_transport(transport);
    self->ready = false;
    self->callbacks->on_close(self, why);
}

int tw_h2_connect(tw_h2_t *self, tw_loop_t *loop, const struct sockaddr_in *address, SSL_CTX *tls,
                  uint32_t stream_window, uint32_t receive_window,
                  const tw_h2_callbacks_t *callbacks)
{
    static const tw_transport_callbacks_t transport_callbacks = {on_open, on_read, on_close};
    assert(receive_window > TW_H2_WINDOW_DEFAULT && receive_window <= TW_H2_WINDOW_MAX);
    memset(self, 0, sizeof(*self));
    self->callbacks = callbacks;
    self->next_id = 1;
    self->active_max = UINT32_MAX;
    self->peer_stream_window = TW_H2_WINDOW_DEFAULT;
    self->send_window = TW_H2_WINDOW_DEFAULT;
    self->stream_window = stream_window;
    self->receive_window = receive_window;
    if (nghttp2_hd_deflate_new(&self->deflater, HEADER_TABLE_BYTES) != 0 ||
        nghttp2_hd_inflate_new(&self->inflater) != 0)
        abort();
    return tw_transport_connect(&self->transport, loop, address, tls, &transport_callbacks);
}

uint32_t tw_h2_request(tw_h2_t *self, const nghttp2_nv *headers, size_t header_count,
                       const char *body, size_t body_bytes)
{
    if (!self->ready || self->goaway || self->active >= self->active_max ||
        self->next_id > TW_H2_WINDOW_MAX)
        return 0;
    if (body != NULL &&
        (self->send_window < (int64_t)body_bytes || self->peer_stream_window < body_bytes))
        return 0;
    size_t block_max = nghttp2_hd_deflate_bound(self->deflater, headers, header_count);
    char *head =
        tw_transport_reserve(&self->transport, 2 * TW_H2_FRAME_HEAD_BYTES + block_max + body_bytes);
    ssize_t block = nghttp2_hd_deflate_hd(self->deflater, (uint8_t *)head + TW_H2_FRAME_HEAD_BYTES,
                                          block_max, headers, header_count);
    assert(block >= 0 && block <= TW_H2_FRAME_BYTES_MAX);
    uint32_t id = self->next_id;
    uint8_t flags = TW_H2_FLAG_END_HEADERS | (body == NULL ? TW_H2_FLAG_END_STREAM : 0);
    char *p = tw_h2_frame_head(head, (uint32_t)block, TW_H2_HEADERS, flags, id) + block;
    if (body != NULL) {
        p = tw_h2_frame_head(p, (uint32_t)body_bytes, TW_H2_DATA, TW_H2_FLAG_END_STREAM, id);
        memcpy(p, body, body_bytes);
        p += body_bytes;
        self->send_window -= (int64_t)body_bytes;
    }
    tw_transport_commit(&self->transport, (size_t)(p - head));
    self->next_id += 2;
    self->active++;
    return id;
}

void tw_h2_done(tw_h2_t *self)
{
    assert(self->active > 0);
    self->active--;
}

void tw_h2_give_window(tw_h2_t *self, uint32_t stream_id, uint32_t bytes)
{
    char *p = tw_transport_reserve(&self->transport, TW_H2_FRAME_HEAD_BYTES + 4);
    tw_h2_write32(tw_h2_frame_head(p, 4, TW_H2_WINDOW_UPDATE, 0, stream_id), bytes);
    tw_transport_commit(&self->transport, TW_H2_FRAME_HEAD_BYTES + 4);
}

void tw_h2_reset(tw_h2_t *self, uint32_t stream_id, uint32_t error)
{
    char *p = tw_transport_reserve(&self->transport, TW_H2_FRAME_HEAD_BYTES + 4);
    tw_h2_write32(tw_h2_frame_head(p, 4, TW_H2_RST_STREAM, 0, stream_id), error);
    tw_transport_commit(&self->transport, TW_H2_FRAME_HEAD_BYTES + 4);
}

void tw_h2_dispose(tw_h2_t *self)
{
    tw_transport_dispose(&self->transport);
    if (self->deflater != NULL)
        nghttp2_hd_deflate_del(self->deflater);
    if (self->inflater != NULL)
        nghttp2_hd_inflate_del(self->inflater);
    self->deflater = NULL;
    self->inflater = NULL;
}
