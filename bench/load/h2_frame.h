/*
 * HTTP/2 frames on the wire (RFC 9113 section 4.1 and 6): just enough to read and write them. The
 * receive path of the load generator walks frames with these few instructions instead of a library,
 * since it must cost far less than the server that it measures. Pure; any thread.
 */
#ifndef LOAD_H2_FRAME_H
#define LOAD_H2_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define LOAD_H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define LOAD_H2_FRAME_HEAD_BYTES 9
#define LOAD_H2_FRAME_BYTES_MAX 16384 /* SETTINGS_MAX_FRAME_SIZE, left at its default */
#define LOAD_H2_WINDOW_DEFAULT 65535
#define LOAD_H2_WINDOW_MAX INT32_MAX

enum {
    LOAD_H2_DATA = 0,
    LOAD_H2_HEADERS = 1,
    LOAD_H2_RST_STREAM = 3,
    LOAD_H2_SETTINGS = 4,
    LOAD_H2_PUSH_PROMISE = 5,
    LOAD_H2_PING = 6,
    LOAD_H2_GOAWAY = 7,
    LOAD_H2_WINDOW_UPDATE = 8,
    LOAD_H2_CONTINUATION = 9
};

enum {
    LOAD_H2_FLAG_END_STREAM = 1,
    LOAD_H2_FLAG_ACK = 1,
    LOAD_H2_FLAG_END_HEADERS = 4,
    LOAD_H2_FLAG_PADDED = 8,
    LOAD_H2_FLAG_PRIORITY = 32
};

enum {
    LOAD_H2_SETTINGS_HEADER_TABLE_SIZE = 1,
    LOAD_H2_SETTINGS_ENABLE_PUSH = 2,
    LOAD_H2_SETTINGS_MAX_CONCURRENT_STREAMS = 3,
    LOAD_H2_SETTINGS_INITIAL_WINDOW_SIZE = 4
};

enum { LOAD_H2_NO_ERROR = 0, LOAD_H2_REFUSED_STREAM = 7, LOAD_H2_CANCEL = 8 };

typedef struct load_h2_frame {
    uint32_t bytes; /* of the payload */
    uint8_t type;
    uint8_t flags;
    uint32_t stream_id;
    const char *payload; /* borrowed from the input; padding and priority already cut off */
} load_h2_frame_t;

static inline uint32_t load_h2_read32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static inline char *load_h2_write32(char *p, uint32_t value)
{
    p[0] = (char)(value >> 24);
    p[1] = (char)(value >> 16);
    p[2] = (char)(value >> 8);
    p[3] = (char)value;
    return p + 4;
}

/* Cuts off padding and priority; -1 when they are longer than the frame. */
int load_h2_frame_strip(load_h2_frame_t *frame);

/*
 * The first frame in `data`: its length with the head, 0 when it is not whole yet, -1 when it
 * breaks the protocol.
 */
static inline long load_h2_frame_next(const char *data, size_t bytes, load_h2_frame_t *frame)
{
    if (bytes < LOAD_H2_FRAME_HEAD_BYTES)
        return 0;
    uint32_t length = load_h2_read32(data) >> 8;
    if (length > LOAD_H2_FRAME_BYTES_MAX)
        return -1;
    if (bytes < LOAD_H2_FRAME_HEAD_BYTES + (size_t)length)
        return 0;
    frame->bytes = length;
    frame->type = (uint8_t)data[3];
    frame->flags = (uint8_t)data[4];
    frame->stream_id = load_h2_read32(data + 5) & 0x7fffffff;
    frame->payload = data + LOAD_H2_FRAME_HEAD_BYTES;
    if (frame->flags & (LOAD_H2_FLAG_PADDED | LOAD_H2_FLAG_PRIORITY) &&
        frame->type <= LOAD_H2_HEADERS && load_h2_frame_strip(frame) != 0)
        return -1;
    return LOAD_H2_FRAME_HEAD_BYTES + (long)length;
}

/* Writes a frame's head; returns where its payload begins. */
static inline char *load_h2_frame_head(char *p, uint32_t bytes, uint8_t type, uint8_t flags,
                                       uint32_t stream_id)
{
    load_h2_write32(p, bytes << 8 | type);
    p[4] = (char)flags;
    return load_h2_write32(p + 5, stream_id);
}

#endif
