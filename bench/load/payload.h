/*
 * What the load generator publishes, so that every delivery proves itself: a fixed head with the
 * intended time of sending, the topic, the publisher's lane and a sequence number, then filler that
 * is known byte by byte.
 *
 *     tw1-TTTTTTTTTTTTTTTTSSSSSSSSPPPPPPLL<filler>
 *         time, ns        sequence topic lane, all in lower case hexadecimal digits
 *
 * Only characters that need no escaping in JSON, forms or SSE are used. Pure; any thread.
 */
#ifndef LOAD_PAYLOAD_H
#define LOAD_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define LOAD_PAYLOAD_MARK "tw1-"
#define LOAD_PAYLOAD_BYTES_MIN 36
#define LOAD_PAYLOAD_BYTES_MAX 16000 /* fits one DATA frame of any peer, and its first window */
#define LOAD_PAYLOAD_TOPICS_MAX (UINT32_C(1) << 24)
#define LOAD_PAYLOAD_LANES_MAX 256

typedef struct load_payload {
    uint64_t time_ns; /* CLOCK_MONOTONIC when the event should have been sent */
    uint32_t sequence;
    uint32_t topic; /* below LOAD_PAYLOAD_TOPICS_MAX */
    uint32_t lane;  /* below LOAD_PAYLOAD_LANES_MAX */
} load_payload_t;

/* Writes exactly `bytes` (LOAD_PAYLOAD_BYTES_MIN to LOAD_PAYLOAD_BYTES_MAX) to `text`. */
void load_payload_write(char *text, size_t bytes, const load_payload_t *payload);

/* Reads what load_payload_write() wrote; -1 when a byte that is known beforehand differs. */
int load_payload_read(const char *text, size_t bytes, load_payload_t *payload);

#endif
