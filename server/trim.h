/**
 * Gives memory back to the system when many clients have left. malloc keeps what is freed, and many
 * small pieces that were in use together leave chunks that it never gives back by itself.
 *
 * Belongs to the control loop. A trim locks each of malloc's arenas for a moment. So there is one
 * only when peers have given up half of what they held, and that was a lot, when much more is
 * resident than malloc has given out, or when nothing is delivered.
 */
#ifndef TW_SERVER_TRIM_H
#define TW_SERVER_TRIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is in use at one moment. */
typedef struct tw_load {
    uint64_t connections, streams;
    uint64_t event_bytes; /* memory of all events, tails included */
    uint64_t deliveries;  /* so far */
    size_t resident_bytes;
    size_t malloc_bytes; /* that malloc has given out, of tw_trim_malloc_bytes(); 0: not known */
} tw_load_t;

typedef struct tw_trim {
    tw_load_t last;          /* when tw_trim_look() was last called */
    uint64_t held_bytes_max; /* since the last trim, by estimate */
    size_t trimmed_bytes; /* resident after the last trim of an idle gateway; 0: there was no trim
                             yet */
    unsigned asked;       /* calls of tw_trim_malloc_bytes() */
    bool due;             /* the next call trims */
    bool worth_another;   /* the last trim gave a lot back, so the next one may, too */
} tw_trim_t;

/** Sets how much malloc keeps. Called before threads run. */
void tw_trim_init(void);

/**
 * Decides whether to trim; called about once a second. True: every thread should free what it keeps
 * for its next use and call tw_trim_thread(). The next call, by which they have done so, trims.
 */
bool tw_trim_look(tw_trim_t *trim, const tw_load_t *load);

/** What malloc has given out. That takes time and malloc's locks, so it is 0, not known, unless so
 * much is resident that it matters, and then in one of ten calls. */
size_t tw_trim_malloc_bytes(tw_trim_t *trim, size_t resident_bytes);

/** Gives back the free end of the calling thread's arena, which a trim does not reach. */
void tw_trim_thread(void);

#endif
