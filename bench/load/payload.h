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
#ifndef TW_BENCH_PAYLOAD_H
#define TW_BENCH_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define TW_PAYLOAD_MARK "tw1-"
#define TW_PAYLOAD_BYTES_MIN 36
#define TW_PAYLOAD_BYTES_MAX 16000 /* fits one DATA frame of any peer, and its first window */
#define TW_PAYLOAD_TOPICS_MAX (UINT32_C(1) << 24)
#define TW_PAYLOAD_LANES_MAX 256

typedef struct st_tw_payload_t {
    uint64_t time_ns; /* CLOCK_MONOTONIC when the event should have been sent */
    uint32_t sequence;
    uint32_t topic; /* below TW_PAYLOAD_TOPICS_MAX */
    uint32_t lane;  /* below TW_PAYLOAD_LANES_MAX */
} tw_payload_t;

/* Writes exactly `bytes` (TW_PAYLOAD_BYTES_MIN to TW_PAYLOAD_BYTES_MAX) to `text`. */
void tw_payload_write(char *text, size_t bytes, const tw_payload_t *payload);

/* Reads what tw_payload_write() wrote; -1 when a byte that is known beforehand differs. */
int tw_payload_read(const char *text, size_t bytes, tw_payload_t *payload);

#endif
