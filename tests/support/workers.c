#include "tests/support/workers.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "tests/support/check.h"

tw_hub_config_t tw_test_config(void)
{
    return (tw_hub_config_t){.worker_count = 2,
                             .streams_max = 1000000,
                             .stream_buffer_bytes = 1 << 20,
                             .connection_buffer_bytes = 64 << 20,
                             .node_buffer_bytes = 0,
                             .tail_events = 200,
                             .tail_bytes = 64 << 20,
                             .resume_window_ms = 0};
}

void tw_test_workers_init(tw_test_workers_t *workers, tw_hub_t *hub)
{
    workers->count = hub->config.worker_count;
    workers->items = tw_alloc(workers->count * sizeof(*workers->items));
    for (uint32_t i = 0; i < workers->count; ++i) {
        tw_test_worker_t *worker = &workers->items[i];
        tw_test_thread_init(&worker->thread);
        tw_hub_add_worker(hub, &worker->fanout, i, &worker->thread.uv);
    }
}

void tw_test_workers_start(tw_test_workers_t *workers)
{
    for (uint32_t i = 0; i < workers->count; ++i)
        tw_test_thread_start(&workers->items[i].thread);
}

static bool has_posts(tw_test_workers_t *workers)
{
    for (uint32_t i = 0; i < workers->count; ++i)
        if (workers->items[i].fanout.shard.loop.posted.count > 0 ||
            !TAILQ_EMPTY(&workers->items[i].fanout.shard.loop.waiting))
            return true;
    return false;
}

void tw_test_workers_pump(tw_test_workers_t *workers)
{
    while (has_posts(workers))
        for (uint32_t i = 0; i < workers->count; ++i) {
            tw_loop_run_slices(&workers->items[i].fanout.shard.loop);
            tw_loop_run_calls(&workers->items[i].fanout.shard.loop);
        }
}

void tw_test_workers_pause(tw_test_workers_t *workers)
{
    for (uint32_t i = 0; i < workers->count; ++i)
        tw_test_thread_pause(&workers->items[i].thread);
    tw_test_workers_pump(workers);
}

static void close_fanout(void *data)
{
    tw_test_worker_t *worker = data;
    tw_check(LIST_EMPTY(&worker->fanout.shard.connections)); /* the test has closed its streams */
    tw_fanout_close(&worker->fanout);
}

void tw_test_workers_stop(tw_test_workers_t *workers)
{
    for (uint32_t i = 0; i < workers->count; ++i) {
        tw_test_worker_t *worker = &workers->items[i];
        tw_test_thread_call(&worker->thread, close_fanout, worker);
        tw_test_thread_stop(&worker->thread);
        tw_fanout_dispose(&worker->fanout);
    }
    free(workers->items);
}
