/**
 * An event as it travels through Redis: one line that says what follows, then topics, then the
 * frame that subscribers get. A comma behind the last topic says that the event has others, in
 * other lanes.
 *
 *     <epoch> <origin> <token> <published at> <topic bytes> <id bytes> <type
 * bytes>\n<topic>,<topic><frame>
 *
 * The first three are hexadecimal. Origin and token name the publishing process and its request, so
 * that it knows its own event again. Where several bodies stand one after the other each is an
 * item: its length, a space, and the body. Any thread.
 *
 * Callers: runtime/redis/lane/.
 */
#ifndef TW_REDIS_CODEC_H
#define TW_REDIS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/model/event.h"

typedef struct tw_redis_body {
    uint64_t epoch, origin, token;
    int64_t published_at_ms;
    const char *topics; /* comma-separated; ends with a comma when there are others elsewhere */
    size_t topics_len;
    const char *frame; /* begins with "id: <id>\n" */
    size_t frame_len;
    size_t id_len, type_len;
} tw_redis_body_t;

/** How many bytes the event's item has at most. */
size_t tw_redis_item_room(const tw_event_t *event);

/** Writes the event's item, "<bytes of the body> <body>", and returns its end. */
char *tw_redis_item_write(char *to, const tw_event_t *event, uint64_t epoch, uint64_t origin,
                          uint64_t token);

/** Takes the first item off the front of several, borrowing its bytes; false when nothing is left,
 * or what is there is not one. */
bool tw_redis_item_next(const char **items, size_t *len, const char **body, size_t *body_len);

/** Takes a body apart, borrowing its bytes; 0, or -1 when the bytes are not a body. */
int tw_redis_body_read(tw_redis_body_t *body, const char *bytes, size_t len);

/** The event in a body that was read, with one reference for the caller; NULL: no memory, or it
 * names no valid topic. */
tw_event_t *tw_redis_body_event(const tw_redis_body_t *body);

/** Reads a number in front of `end` bytes' delimiter: "123 …" or "123-0"; 0 without a number. */
uint64_t tw_redis_number(const char *bytes, size_t len, size_t *digits);

#endif
