/**
 * Gives memory back to the system after a flood: malloc keeps what is freed, and many small pieces
 * that lived at once leave it in chunks that it never gives back by itself.
 *
 * Belongs to the control loop. A trim holds each of malloc's arenas for a moment, so there is one
 * only when peers have let go of half of what they held, and of much, or when nothing is delivered.
 */
#ifndef TW_SERVER_TRIM_H
#define TW_SERVER_TRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What there is at one moment. */
typedef struct tw_load {
    uint64_t connections, streams;
    uint64_t event_bytes; /* memory of all events, tails included */
    uint64_t deliveries;  /* so far */
    size_t resident_bytes;
} tw_load_t;

typedef struct tw_trim {
    tw_load_t last;          /* at the last look */
    uint64_t held_bytes_max; /* since the last trim, by estimate */
    size_t trimmed_bytes;    /* resident after the last trim of an idle gateway; 0: none yet */
} tw_trim_t;

/** Looks, about once a second, and trims if it is time. Whether it has. */
bool tw_trim_look(tw_trim_t *trim, const tw_load_t *load);

#endif
