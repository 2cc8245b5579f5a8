/**
 * A thread's loop: calls from other threads, work in slices, and how long its turns take.
 *
 * Three things share it, because all of them are about one question, what a loop does next:
 *
 * - Calls. tw_loop_post() is the only way in which work crosses threads. Calls run on the loop's
 *   thread, in the order in which they were posted, in batches; none is lost, and none runs inside
 *   the post. What bounds the queue is that each poster waits for an answer (publish, join) before
 *   it posts more for the same request.
 * - Slices. A turn (what happens between two waits for events) has a budget of nominal time. Code
 *   that clients can cause (bytes that are read, a frame, a request, a resume, what a stream has
 *   missed, a piece of a page) asks tw_loop_has_time() first. It then does the work and reports
 *   its cost with tw_loop_spend(), or defers a slice, which runs in a later turn. Slices run in
 *   the order in which they were deferred, before the turn's input is read. Live events never
 *   ask. Costs are estimates, so that what a turn does depends on the work alone and not on the
 *   machine.
 * - The watch (base/loop_watch.h) measures the turns.
 *
 * A loop belongs to the thread that runs it. Only tw_loop_post() and the readers of the watch may
 * be called from other threads.
 *
 * Callers: everybody. Whoever embeds a loop (runtime/shard.h, server/process.h) initialises,
 * closes and disposes of it.
 */
#ifndef TW_BASE_LOOP_H
#define TW_BASE_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/loop_watch.h"

/** The budget of a turn, nanoseconds. */
#define TW_TURN_NS 3000000

/** What it costs to read so many bytes, nanoseconds: decryption, the kernel, and HPACK, to which an
 * octet may be a whole field. */
#define TW_TURN_READ_NS(bytes) (8 * (bytes))

/** What it costs to write one or two frames of so many bytes, nanoseconds: nearly all of it is
 * encryption and the kernel. */
#define TW_TURN_WRITE_NS(bytes) (500 + 3 * (bytes))

/** A posted call: `owner` is the loop's, `data` the poster's. */
typedef void (*tw_call_fn)(void *owner, void *data);

typedef struct tw_call {
    tw_call_fn run;
    void *data;
} tw_call_t;

typedef struct tw_call_batch {
    tw_call_t *calls; /* owned */
    size_t count;
    size_t capacity;
} tw_call_batch_t;

typedef struct tw_slice tw_slice_t;
typedef void (*tw_slice_fn)(tw_slice_t *slice);

/** Work that waits for a later turn; embedded in what it is about. All zero: it does not wait. */
struct tw_slice {
    TAILQ_ENTRY(tw_slice) link;
    tw_slice_fn run; /* not NULL while the slice waits */
    uint32_t turn;   /* in which it was deferred */
};

typedef struct tw_loop {
    uv_loop_t *uv; /* borrowed: outlives this */
    void *owner;   /* borrowed: outlives this */
    void (*on_batch)(void *owner);
    uv_async_t wake;
    pthread_mutex_t lock;    /* guards `posted` */
    tw_call_batch_t posted;  /* calls that wait */
    uv_prepare_t turn_end;   /* the last callback before the loop waits for events */
    uv_idle_t slicing;       /* active while slices wait: the loop does not sleep then */
    tw_call_batch_t running; /* the loop thread's buffer */
    int64_t left_ns;         /* of this turn's budget */
    uint32_t turn;           /* counts; wraps */
    bool has_sliced;         /* slices had their part of this turn's budget */
    TAILQ_HEAD(tw_slice_list, tw_slice) waiting;
    tw_loop_watch_t watch;
} tw_loop_t;

/**
 * Prepares the loop, on its thread or before it runs. `name` is copied. owner is handed to every
 * call. on_batch, which may be NULL, runs after each batch of calls.
 */
void tw_loop_init(tw_loop_t *loop, uv_loop_t *uv, const char *name, void *owner,
                  void (*on_batch)(void *owner));

/** Begins to close the handles, on the loop's thread, when nobody posts or defers any more and no
 * slice waits. */
void tw_loop_close(tw_loop_t *loop);

/** Frees what is left, once libuv has closed the handles. Calls that never ran are dropped. */
void tw_loop_dispose(tw_loop_t *loop);

/** Has run(owner, data) called on the loop's thread. Any thread. */
void tw_loop_post(tw_loop_t *loop, tw_call_fn run, void *data);

/** Runs the calls that are posted now. The loop does this by itself; others need it at the very
 * end, and tests without a running loop. */
void tw_loop_run_calls(tw_loop_t *loop);

/** Whether the turn may begin something more. */
static inline bool tw_loop_has_time(const tw_loop_t *loop)
{
    return loop->left_ns > 0;
}

/** Reports that work of about so many nanoseconds has been done in this turn. */
static inline void tw_loop_spend(tw_loop_t *loop, uint64_t ns)
{
    loop->left_ns -= (int64_t)ns;
}

/** Has run(slice) called once, in a later turn. A slice that waits already keeps its place. Each
 * call counts as a piece of work that waits. */
void tw_loop_defer(tw_loop_t *loop, tw_slice_t *slice, tw_slice_fn run);

/** Takes the slice back. A no-op when it does not wait. */
void tw_loop_cancel(tw_loop_t *loop, tw_slice_t *slice);

/** Begins a turn: renews the budget and runs the slices that were deferred before it, as far as the
 * budget goes. The loop does this by itself; tests without a running loop need it. */
void tw_loop_run_slices(tw_loop_t *loop);

#endif
