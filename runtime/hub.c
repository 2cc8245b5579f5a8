#include "runtime/hub.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"

/* An event that is posted to its workers. */
typedef struct tw_dispatch {
    tw_event_t *event; /* shared: ref */
    tw_event_t *trail; /* owned; NULL: none; comes behind it where a stream spans lanes */
    tw_loop_t *from;   /* NULL when nobody waits */
    tw_dispatched_fn on_done;
    void *data;
    atomic_uint pending; /* workers that have not written or queued it yet */
    _Atomic uint64_t delivered;
    size_t accepted_count;
    uint8_t accepted[]; /* for each topic of the event: 1 or 0 */
} tw_dispatch_t;

tw_hub_t *tw_hub_create(const tw_hub_config_t *config)
{
    assert(config->worker_count >= 1 && config->worker_count <= TW_WORKERS_MAX);
    tw_hub_t *hub = tw_alloc(sizeof(*hub));
    hub->config = *config;
    if (hub->config.lanes == 0)
        hub->config.lanes = 1;
    assert(hub->config.lanes <= TW_LANES_MAX);
    hub->backlog.stream_bytes_max = config->stream_buffer_bytes;
    hub->backlog.connection_bytes_max = config->connection_buffer_bytes;
    hub->backlog.node_bytes_max = config->node_buffer_bytes;
    hub->streams.max = config->streams_max;
    hub->shards.backlog = &hub->backlog;
    hub->shards.connection_age_max_ms = config->connection_age_max_ms;
    tw_random(&hub->shards.instance, sizeof(hub->shards.instance));
    for (uint32_t i = 0; i < hub->config.lanes; ++i) {
        tw_random(&hub->lanes[i].last.epoch, sizeof(hub->lanes[i].last.epoch));
        hub->lanes[i].shown = hub->lanes[i].last;
    }
    tw_topic_index_init(&hub->index, config->worker_count, config->resume_window_ms);
    tw_revocations_init(&hub->revocations);
    pthread_mutex_init(&hub->order, NULL);
    return hub;
}

void tw_hub_add_worker(tw_hub_t *hub, tw_fanout_t *fanout, uint32_t index, uv_loop_t *uv)
{
    assert(index < hub->config.worker_count);
    tw_fanout_init(fanout, &hub->shards, index, uv);
    hub->fanouts[index] = fanout;
}

bool tw_hub_accepts(tw_hub_t *hub, const tw_topic_name_t *topic)
{
    return tw_topic_index_accepts_name(&hub->index, topic, tw_clock_ms());
}

/* --- kept events: every function here is called under the order lock, except by tw_hub_destroy(),
 * when no other thread is left --- */

static void keep_newest(tw_hub_t *hub, tw_event_t *event)
{
    event->older = hub->newest;
    *(hub->newest != NULL ? &hub->newest->newer : &hub->oldest) = event;
    hub->newest = event;
    hub->backlog.kept_bytes += tw_event_bytes(event);
    hub->kept_events += 1;
}

/* Drops one tail's reference; the last one takes the event out of the list. */
static void drop_tail_ref(tw_hub_t *hub, tw_event_t *event)
{
    if (--event->kept == 0) {
        *(event->older != NULL ? &event->older->newer : &hub->oldest) = event->newer;
        *(event->newer != NULL ? &event->newer->older : &hub->newest) = event->older;
        hub->backlog.kept_bytes -= tw_event_bytes(event);
        hub->kept_events -= 1;
    }
    tw_event_unref(event);
}

/* Puts the event into the topic's tail. The topic's stripe is locked. */
static void keep_in(tw_hub_t *hub, tw_topic_t *topic, tw_event_t *event)
{
    if (hub->config.tail_events == 0) {
        topic->tail.lost_seq = event->position.seq;
        return;
    }
    if (event->kept++ == 0)
        keep_newest(hub, event);
    tw_event_t *oldest = tw_tail_push(&topic->tail, tw_event_ref(event), hub->config.tail_events);
    if (oldest != NULL)
        drop_tail_ref(hub, oldest);
}

/* Removes the oldest event of the node from all its tails, of each of which it is the oldest too.
 */
static void evict(tw_hub_t *hub, tw_event_t *event, int64_t now_ms)
{
    tw_event_ref(event);
    for (uint32_t i = 0; i < event->topic_count; ++i) {
        tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, &event->topics[i]);
        tw_topic_t *topic = tw_topic_index_find(stripe, &event->topics[i]);
        if (topic != NULL && topic->tail.count > 0 && tw_tail_at(&topic->tail, 0) == event) {
            drop_tail_ref(hub, tw_tail_shift(&topic->tail));
            tw_topic_index_collect(&hub->index, stripe, topic, now_ms);
        }
        tw_topic_index_unlock(stripe);
    }
    assert(event->kept == 0);
    tw_event_unref(event);
}

void tw_hub_destroy(tw_hub_t *hub)
{
    while (hub->oldest != NULL)
        evict(hub, hub->oldest, 0);
    tw_topic_index_dispose(&hub->index);
    tw_revocations_dispose(&hub->revocations);
    pthread_mutex_destroy(&hub->order);
    free(hub);
}

/* --- dispatch --- */

static void finish(tw_dispatch_t *dispatch)
{
    if (dispatch->on_done != NULL) {
        const tw_dispatch_result_t result = {.position = dispatch->event->position,
                                             .delivered = dispatch->delivered,
                                             .accepted = dispatch->accepted,
                                             .accepted_count = dispatch->accepted_count};
        dispatch->on_done(dispatch->data, &result);
    }
    tw_event_unref(dispatch->event);
    tw_event_unref(dispatch->trail);
    free(dispatch);
}

static void on_queued_everywhere(void *owner, void *data)
{
    finish(data);
}

static void on_dispatch(void *owner, void *data)
{
    tw_fanout_t *fanout = owner;
    tw_dispatch_t *dispatch = data;
    tw_loop_t *from = dispatch->from;

    atomic_fetch_add_explicit(&dispatch->delivered,
                              tw_fanout_deliver(fanout, dispatch->event, dispatch->trail),
                              memory_order_relaxed);
    if (atomic_fetch_sub_explicit(&dispatch->pending, 1, memory_order_acq_rel) != 1)
        return;
    if (from == NULL || from == &fanout->shard.loop)
        finish(dispatch);
    else
        tw_loop_post(from, on_queued_everywhere, dispatch);
}

/* Returns the workers that have followers of the event's topics, as bits. Keeps the event, and
 * marks the topics that accept it. */
static uint64_t route(tw_hub_t *hub, tw_dispatch_t *dispatch, int64_t now_ms)
{
    tw_event_t *event = dispatch->event;
    uint64_t workers = 0;

    for (uint32_t i = 0; i < event->topic_count; ++i) {
        tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, &event->topics[i]);
        tw_topic_t *topic = tw_topic_index_find(stripe, &event->topics[i]);
        if (tw_topic_index_accepts(&hub->index, topic, now_ms) || (topic != NULL && topic->held)) {
            dispatch->accepted[i] = 1;
            ++dispatch->accepted_count;
            for (uint32_t w = 0; w < hub->config.worker_count; ++w)
                workers |= (uint64_t)(topic->by_worker[w] > 0) << w;
            keep_in(hub, topic, event);
        }
        tw_topic_index_unlock(stripe);
    }
    return workers;
}

/* Hands the event to the workers, given as bits; under the order lock, so that all of them see one
 * order. */
static void post(tw_hub_t *hub, tw_dispatch_t *dispatch, uint64_t workers)
{
    atomic_init(&dispatch->pending, (unsigned)__builtin_popcountll(workers));
    for (uint64_t left = workers; left != 0; left &= left - 1)
        tw_loop_post(&hub->fanouts[__builtin_ctzll(left)]->shard.loop, on_dispatch, dispatch);
}

void tw_hub_dispatch(tw_hub_t *hub, tw_loop_t *from, tw_event_t *event, const tw_position_t *at,
                     tw_dispatched_fn on_done, void *data)
{
    tw_dispatch_t *dispatch = tw_alloc(sizeof(*dispatch) + event->topic_count);
    int64_t now_ms = tw_clock_ms();
    uint64_t workers = 0;

    assert((on_done == NULL) == (from == NULL));
    dispatch->event = tw_event_ref(event);
    dispatch->from = from;
    dispatch->on_done = on_done;
    dispatch->data = data;

    pthread_mutex_lock(&hub->order);
    tw_hub_lane_t *lane = &hub->lanes[tw_hub_lane_of(hub, &event->topics[0])];
    if (at == NULL || at->seq > lane->last.seq) {
        if (at == NULL)
            ++lane->last.seq;
        else
            lane->last = *at;
        event->position = lane->shown = lane->last;
        workers = route(hub, dispatch, now_ms);
        if (workers != 0 && hub->spanning > 0)
            dispatch->trail = tw_hub_trail_now(hub);
        while (hub->backlog.kept_bytes > hub->config.tail_bytes)
            evict(hub, hub->oldest, now_ms);
        post(hub, dispatch, workers);
    }
    pthread_mutex_unlock(&hub->order);
    if (workers == 0)
        finish(dispatch);
}

/* --- an order that is made elsewhere --- */

/* Empties the topic's tail. The topic's stripe is locked. */
static void drop_tail(tw_hub_t *hub, tw_topic_t *topic)
{
    while (topic->tail.count > 0)
        drop_tail_ref(hub, tw_tail_shift(&topic->tail));
}

void tw_hub_hold(tw_hub_t *hub, const tw_topic_name_t *name, uint64_t seq)
{
    pthread_mutex_lock(&hub->order);
    tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, name);
    tw_topic_t *topic = tw_topic_index_obtain(&hub->index, stripe, name);
    drop_tail(hub, topic);
    topic->held = true;
    topic->tail.lost_seq = seq;
    tw_topic_index_unlock(stripe);
    pthread_mutex_unlock(&hub->order);
}

void tw_hub_release(tw_hub_t *hub, const tw_topic_name_t *name)
{
    pthread_mutex_lock(&hub->order);
    tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, name);
    tw_topic_t *topic = tw_topic_index_find(stripe, name);
    if (topic != NULL) {
        drop_tail(hub, topic);
        topic->held = false;
        tw_topic_index_collect(&hub->index, stripe, topic, tw_clock_ms());
    }
    tw_topic_index_unlock(stripe);
    pthread_mutex_unlock(&hub->order);
}

/* Puts the event in front of the list, so that it is evicted first. */
static void keep_oldest(tw_hub_t *hub, tw_event_t *event)
{
    event->newer = hub->oldest;
    *(hub->oldest != NULL ? &hub->oldest->older : &hub->newest) = event;
    hub->oldest = event;
    hub->backlog.kept_bytes += tw_event_bytes(event);
    hub->kept_events += 1;
}

void tw_hub_restore(tw_hub_t *hub, const tw_topic_name_t *name, uint64_t since_seq,
                    tw_event_t *const *events, size_t n, uint64_t lost_seq)
{
    pthread_mutex_lock(&hub->order);
    tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, name);
    tw_topic_t *topic = tw_topic_index_find(stripe, name);
    if (topic != NULL && topic->held && tw_tail_newest_gone(&topic->tail) <= since_seq) {
        tw_tail_t *tail = &topic->tail;
        uint64_t before = tail->count > 0 ? tw_tail_at(tail, 0)->position.seq : UINT64_MAX;
        uint64_t erased = *tw_topic_index_erased(stripe, name);
        tail->lost_seq = lost_seq;
        for (; n > 0; --n) {
            tw_event_t *event = events[n - 1];
            if (event->position.seq >= before)
                continue;
            if (event->position.seq <= erased || tail->count >= hub->config.tail_events) {
                if (tail->lost_seq < event->position.seq)
                    tail->lost_seq = event->position.seq;
                break;
            }
            event->kept = 1;
            tw_tail_unshift(tail, tw_event_ref(event));
            keep_oldest(hub, event);
        }
    }
    tw_topic_index_unlock(stripe);
    while (hub->backlog.kept_bytes > hub->config.tail_bytes)
        evict(hub, hub->oldest, tw_clock_ms());
    pthread_mutex_unlock(&hub->order);
}

void tw_hub_forget(tw_hub_t *hub, const tw_topic_name_t *name, uint64_t seq)
{
    pthread_mutex_lock(&hub->order);
    tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, name);
    tw_topic_t *topic = tw_topic_index_find(stripe, name);
    *tw_topic_index_erased(stripe, name) =
        seq == UINT64_MAX ? hub->lanes[tw_hub_lane_of(hub, name)].last.seq : seq;
    if (topic != NULL) {
        while (topic->tail.count > 0 && tw_tail_at(&topic->tail, 0)->position.seq <= seq)
            drop_tail_ref(hub, tw_tail_shift(&topic->tail));
        tw_topic_index_collect(&hub->index, stripe, topic, tw_clock_ms());
    }
    tw_topic_index_unlock(stripe);
    pthread_mutex_unlock(&hub->order);
}

void tw_hub_announce(tw_hub_t *hub, tw_event_t *event)
{
    tw_dispatch_t *dispatch = tw_alloc(sizeof(*dispatch) + event->topic_count);
    uint64_t workers = 0;

    dispatch->event = tw_event_ref(event);
    pthread_mutex_lock(&hub->order);
    /* A place of its own, so that no stream takes it for an event that it has by another topic. */
    event->position = hub->lanes[tw_hub_lane_of(hub, &event->topics[0])].last;
    event->position.epoch = ~event->position.epoch;
    for (uint32_t i = 0; i < event->topic_count; ++i) {
        tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, &event->topics[i]);
        const tw_topic_t *topic = tw_topic_index_find(stripe, &event->topics[i]);
        for (uint32_t w = 0; topic != NULL && w < hub->config.worker_count; ++w)
            workers |= (uint64_t)(topic->by_worker[w] > 0) << w;
        tw_topic_index_unlock(stripe);
    }
    post(hub, dispatch, workers);
    pthread_mutex_unlock(&hub->order);
    if (workers == 0)
        finish(dispatch);
}

/* --- reading --- */

size_t tw_hub_tail(tw_hub_t *hub, const tw_topic_name_t *name, uint64_t after_seq,
                   tw_event_t **events, size_t max)
{
    size_t n = 0;
    tw_index_stripe_t *stripe = tw_topic_index_lock(&hub->index, name);
    const tw_topic_t *topic = tw_topic_index_find(stripe, name);

    if (topic != NULL) {
        uint32_t from = tw_tail_after(&topic->tail, after_seq);
        if (topic->tail.count - from > max)
            from = topic->tail.count - (uint32_t)max;
        for (; from < topic->tail.count; ++from)
            events[n++] = tw_event_ref(tw_tail_at(&topic->tail, from));
    }
    tw_topic_index_unlock(stripe);
    return n;
}

void tw_hub_set_epoch(tw_hub_t *hub, uint32_t lane, uint64_t epoch)
{
    tw_position_t *last = &hub->lanes[lane].last;
    tw_event_t *newer;

    pthread_mutex_lock(&hub->order);
    for (tw_event_t *event = last->epoch != epoch ? hub->oldest : NULL; event != NULL;
         event = newer) {
        newer = event->newer;
        if (tw_hub_lane_of(hub, &event->topics[0]) == lane)
            evict(hub, event, tw_clock_ms());
    }
    if (last->epoch != epoch) {
        *last = (tw_position_t){.epoch = epoch};
        tw_topic_index_clear_erased(&hub->index);
    }
    pthread_mutex_unlock(&hub->order);
}

void tw_hub_sweep(tw_hub_t *hub)
{
    tw_topic_index_sweep(&hub->index, tw_clock_ms());
    tw_revocations_sweep(&hub->revocations);
}
