/**
 * The turns of a loop, and slices, by which work that can wait is spread over several turns so that
 * none holds the loop for long.
 *
 * A turn has a budget of nominal time. Who has work that many may want at once (a resume, what a
 * stream has missed, requests that were read together) asks tw_turn_has_time(), does it and says
 * what it has cost; or defers a slice, which runs in a later turn, in the order in which slices
 * were deferred. Live events never ask. Costs are estimates, so that what a turn does depends on
 * the work alone and not on the machine.
 *
 * Belongs to its loop's thread.
 */
#ifndef TW_BASE_TURN_H
#define TW_BASE_TURN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

/** What a turn may spend, nanoseconds. */
#define TW_TURN_NS 3000000

/** What writing a frame or two costs, and each byte of them: nearly all of it is encryption and the
 * kernel. */
#define TW_TURN_WRITE_NS(bytes) (500 + 3 * (bytes))

typedef struct tw_slice tw_slice_t;
typedef void (*tw_slice_fn)(tw_slice_t *slice);

/** Work that waits for a later turn: embedded in what it is about. All zero: does not wait. */
struct tw_slice {
    TAILQ_ENTRY(tw_slice) link;
    tw_slice_fn run; /* not NULL while it waits */
};

typedef struct tw_turn {
    uv_prepare_t prepare; /* between two turns */
    uv_idle_t idle;       /* active while slices wait: the loop does not sleep then */
    int64_t left_ns;
    TAILQ_HEAD(tw_slice_list, tw_slice) waiting;
} tw_turn_t;

/** On the loop's thread, or before it runs. */
void tw_turn_init(tw_turn_t *turn, uv_loop_t *loop);

/** Begins to close the loop handles; no slice waits, and none is deferred any more. */
void tw_turn_close(tw_turn_t *turn);

/** Whether the turn may begin something more. */
static inline bool tw_turn_has_time(const tw_turn_t *turn)
{
    return turn->left_ns > 0;
}

/** Something that costs about so many nanoseconds is done in this turn. */
static inline void tw_turn_spend(tw_turn_t *turn, uint64_t ns)
{
    turn->left_ns -= (int64_t)ns;
}

/** Calls run(slice) once in a later turn. Nothing when the slice waits already. */
void tw_turn_defer(tw_turn_t *turn, tw_slice_t *slice, tw_slice_fn run);

/** The slice waits no more, if it did. */
void tw_turn_cancel(tw_turn_t *turn, tw_slice_t *slice);

/** Begins a turn: a new budget, of which the slices that wait have theirs first. The loop does it
 * by itself: this is for tests without one. */
void tw_turn_begin(tw_turn_t *turn);

#endif
