/**
 * Calls posted from any thread to a loop's own: the only way in which work crosses threads.
 *
 * Calls run on the loop's thread in the order in which they were posted, in batches; none is lost,
 * none runs inside the post. What bounds the queue is that each poster waits for an answer
 * (publish, join) before it posts more for the same request.
 */
#ifndef TW_BASE_MAILBOX_H
#define TW_BASE_MAILBOX_H

#include <pthread.h>
#include <stddef.h>
#include <uv.h>

/** A posted call: `owner` is the mailbox's, `data` the poster's. */
typedef void (*tw_mailbox_fn)(void *owner, void *data);

typedef struct tw_call {
    tw_mailbox_fn run;
    void *data;
} tw_call_t;

typedef struct tw_call_batch {
    tw_call_t *calls; /* owned */
    size_t count;
    size_t capacity;
} tw_call_batch_t;

typedef struct tw_mailbox {
    uv_async_t wake;
    void *owner;
    void (*on_batch)(void *owner); /* after each batch; may be NULL */
    pthread_mutex_t lock;          /* guards `posted` */
    tw_call_batch_t posted;
    tw_call_batch_t running; /* the loop's own */
} tw_mailbox_t;

/** On the loop's thread (or before it runs). owner is borrowed and outlives the mailbox. */
void tw_mailbox_init(tw_mailbox_t *mailbox, uv_loop_t *loop, void *owner,
                     void (*on_batch)(void *owner));

/** From any thread. */
void tw_mailbox_post(tw_mailbox_t *mailbox, tw_mailbox_fn run, void *data);

/** Runs what is posted now; on the loop's thread. The loop does it by itself: this is for the very
 * end. */
void tw_mailbox_run(tw_mailbox_t *mailbox);

/** Begins to close the loop handle; on the loop's thread, when nobody posts any more. */
void tw_mailbox_close(tw_mailbox_t *mailbox);

/** Frees what is left, after the loop has closed the handle. Calls that never ran are dropped. */
void tw_mailbox_dispose(tw_mailbox_t *mailbox);

#endif
