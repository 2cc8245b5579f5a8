/**
 * An event as it travels through Redis: one line that says what follows, then topics, then the
 * frame that subscribers get.
 *
 *     <epoch> <origin> <token> <published at> <topic bytes> <id bytes> <type
 * bytes>\n<topic>,<topic><frame>
 *
 * The first three are hexadecimal. Origin and token name the publishing process and its request, so
 * that it knows its own event again. What is published has the event's number and a space before
 * that. Any thread.
 */
#ifndef TW_REDIS_CODEC_H
#define TW_REDIS_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/model/event.h"

typedef struct tw_redis_body {
    uint64_t epoch, origin, token;
    int64_t published_at_ms;
    const char *topics; /* comma-separated */
    size_t topics_len;
    const char *frame; /* begins with "id: <id>\n" */
    size_t frame_len;
    size_t id_len, type_len;
} tw_redis_body_t;

/** The event's body; free() it. *len is set. NULL: no memory. */
char *tw_redis_body_write(const tw_event_t *event, uint64_t epoch, uint64_t origin, uint64_t token,
                          size_t *len);

/** Takes a body apart, borrowing its bytes; 0, or -1 when the bytes are not a body. */
int tw_redis_body_read(tw_redis_body_t *body, const char *bytes, size_t len);

/** The event in a body that was read, with one reference for the caller; NULL: no memory, or it
 * names no valid topic. */
tw_event_t *tw_redis_body_event(const tw_redis_body_t *body);

/** Reads a number in front of `end` bytes' delimiter: "123 …" or "123-0"; 0 without a number. */
uint64_t tw_redis_number(const char *bytes, size_t len, size_t *digits);

#endif
