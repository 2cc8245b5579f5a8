#include "base/loop.h"

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"

/* A buffer that a burst of calls has made larger than this is freed after use. */
#define KEEP_CAPACITY 65536

static void on_wake(uv_async_t *wake)
{
    tw_loop_run_calls(wake->data);
}

/* Runs before the turn's end, in every turn in which slices wait. libuv does not sleep while an
 * idle handle is active. */
static void on_slicing(uv_idle_t *slicing)
{
    tw_loop_t *loop = slicing->data;

    tw_loop_run_slices(loop);
    loop->has_sliced = true;
    if (TAILQ_EMPTY(&loop->waiting))
        uv_idle_stop(slicing);
}

/* What the slices have left of the budget is for the input that is read next. */
static void on_turn_end(uv_prepare_t *turn_end)
{
    tw_loop_t *loop = turn_end->data;

    if (!tw_loop_has_time(loop))
        atomic_fetch_add_explicit(&loop->watch.turns_over_budget, 1, memory_order_relaxed);
    if (!loop->has_sliced)
        loop->left_ns = TW_TURN_NS;
    loop->has_sliced = false;
    tw_loop_watch_turn(&loop->watch, loop->uv);
}

void tw_loop_init(tw_loop_t *loop, uv_loop_t *uv, const char *name, void *owner,
                  void (*on_batch)(void *owner))
{
    *loop = (tw_loop_t){.uv = uv, .owner = owner, .on_batch = on_batch, .left_ns = TW_TURN_NS};
    TAILQ_INIT(&loop->waiting);
    pthread_mutex_init(&loop->lock, NULL);
    int error = uv_async_init(uv, &loop->wake, on_wake);
    assert(error == 0);
    uv_idle_init(uv, &loop->slicing);
    uv_prepare_init(uv, &loop->turn_end);
    loop->wake.data = loop->slicing.data = loop->turn_end.data = loop;
    uv_prepare_start(&loop->turn_end, on_turn_end);
    tw_loop_watch_init(&loop->watch, uv, name);
}

void tw_loop_close(tw_loop_t *loop)
{
    assert(TAILQ_EMPTY(&loop->waiting));
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->slicing, NULL);
    uv_close((uv_handle_t *)&loop->turn_end, NULL);
}

void tw_loop_dispose(tw_loop_t *loop)
{
    free(loop->posted.calls);
    free(loop->running.calls);
    pthread_mutex_destroy(&loop->lock);
}

/* --- calls --- */

void tw_loop_post(tw_loop_t *loop, tw_call_fn run, void *data)
{
    pthread_mutex_lock(&loop->lock);
    tw_call_batch_t *batch = &loop->posted;
    if (batch->count == batch->capacity) {
        batch->capacity = batch->capacity == 0 ? 64 : batch->capacity * 2;
        batch->calls = tw_realloc(batch->calls, batch->capacity * sizeof(*batch->calls));
    }
    batch->calls[batch->count++] = (tw_call_t){.run = run, .data = data};
    /* Inside the lock: this call may be the one that closes the loop and ends its thread, so it
     * must not run while its post still touches the loop. */
    if (batch->count == 1)
        uv_async_send(&loop->wake);
    pthread_mutex_unlock(&loop->lock);
}

void tw_loop_run_calls(tw_loop_t *loop)
{
    if (loop->running.capacity > KEEP_CAPACITY) {
        free(loop->running.calls);
        loop->running = (tw_call_batch_t){0};
    }
    pthread_mutex_lock(&loop->lock);
    tw_call_batch_t batch = loop->posted;
    loop->posted = loop->running;
    loop->posted.count = 0;
    pthread_mutex_unlock(&loop->lock);

    /* A call may run this function again (the end of a worker does), so `running` must not be this
     * batch meanwhile. */
    loop->running = (tw_call_batch_t){0};
    for (size_t i = 0; i < batch.count; ++i)
        batch.calls[i].run(loop->owner, batch.calls[i].data);
    free(loop->running.calls);
    batch.count = 0;
    loop->running = batch;
    if (loop->on_batch != NULL)
        loop->on_batch(loop->owner);
}

/* --- slices --- */

void tw_loop_defer(tw_loop_t *loop, tw_slice_t *slice, tw_slice_fn run)
{
    atomic_fetch_add_explicit(&loop->watch.deferrals, 1, memory_order_relaxed);
    if (slice->run != NULL)
        return;
    slice->run = run;
    slice->turn = loop->turn;
    TAILQ_INSERT_TAIL(&loop->waiting, slice, link);
    uv_idle_start(&loop->slicing, on_slicing);
}

void tw_loop_cancel(tw_loop_t *loop, tw_slice_t *slice)
{
    if (slice->run == NULL)
        return;
    slice->run = NULL;
    TAILQ_REMOVE(&loop->waiting, slice, link);
}

void tw_loop_run_slices(tw_loop_t *loop)
{
    tw_slice_t *slice;

    ++loop->turn;
    loop->left_ns = TW_TURN_NS;
    /* A slice that defers itself again waits for the next turn, even if there is time: others on
     * the loop are due first. */
    while (tw_loop_has_time(loop) && (slice = TAILQ_FIRST(&loop->waiting)) != NULL &&
           slice->turn != loop->turn) {
        tw_slice_fn run = slice->run;
        tw_loop_cancel(loop, slice);
        run(slice);
    }
}
