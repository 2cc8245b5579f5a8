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
    bool due;                /* the next look trims */
    bool worth_another;      /* the last trim gave much back, and what went after it waits */
} tw_trim_t;

/** Sets what malloc keeps; before threads run. */
void tw_trim_init(void);

/** Looks, about once a second. True: it is time, so every thread should free what it keeps for its
 * next use and call tw_trim_thread(); the trim itself comes with the next look, when they have. */
bool tw_trim_look(tw_trim_t *trim, const tw_load_t *load);

/** Gives back the free end of the calling thread's arena, which a trim does not reach. */
void tw_trim_thread(void);

#endif
