/* The contract's table, and what of it happens on the workers' threads. */
#include "runtime/redis/adapter.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "runtime/join.h"
#include "runtime/redis/node.h"

#define PULSE_MS 250

/* --- the control loop's own --- */

static void on_turn(uv_prepare_t *turn)
{
    tw_redis_node_t *node = turn->data;
    tw_redis_publishing_turn(node);
    tw_redis_asks_turn(node);
    tw_redis_routing_turn(node);
    tw_redis_session_turn(node);
}

static void on_registering(uv_timer_t *timer)
{
    tw_redis_registry_flush(timer->data);
}

static void end_when_idle(tw_redis_node_t *node);

static void on_pulse(uv_timer_t *timer)
{
    tw_redis_node_t *node = timer->data;
    uint64_t now_ms = uv_now(node->loop->uv);

    tw_redis_session_pulse(node, now_ms);
    tw_redis_registry_pulse(node, now_ms);
    tw_redis_openings_expire(node, now_ms, false);
    tw_redis_publishes_expire(node, now_ms, false);
    tw_redis_peers_expire(node, now_ms, false);
}

static int start(tw_adapter_t *adapter, tw_loop_t *control)
{
    tw_redis_node_t *node = tw_redis_node_of_adapter(adapter);

    node->loop = control;
    uv_prepare_init(control->uv, &node->turn);
    uv_timer_init(control->uv, &node->pulse);
    uv_timer_init(control->uv, &node->registering);
    node->turn.data = node->pulse.data = node->registering.data = node;
    node->handles = 3;
    tw_redis_session_start(node);
    uv_prepare_start(&node->turn, on_turn);
    uv_timer_start(&node->pulse, on_pulse, PULSE_MS, PULSE_MS);
    uv_timer_start(&node->registering, on_registering, TW_REDIS_REGISTER_EVERY_MS,
                   TW_REDIS_REGISTER_EVERY_MS);
    return 0;
}

/* --- the end --- */

static void on_handle_closed(uv_handle_t *handle)
{
    tw_redis_node_t *node = handle->data;
    if (--node->handles > 0)
        return;
    node->stopped = true;
    node->on_stopped(node->stop_data);
}

static void on_ending(uv_timer_t *timer)
{
    end_when_idle(timer->data);
}

/* Workers may still bring answers to what they were asked. What they report later, a stream that
 * was closed, is dropped. */
static void end_when_idle(tw_redis_node_t *node)
{
    tw_redis_publishing_turn(node); /* no turn will do it: what was asked last is answered, too */
    tw_redis_asks_turn(node);
    if (node->walking || node->steps > 0 || node->publishes_open > 0 || node->openings_open > 0 ||
        node->peer_reads > 0) {
        uv_timer_start(&node->pulse, on_ending, 1, 0);
        return;
    }
    uv_close((uv_handle_t *)&node->turn, on_handle_closed);
    uv_close((uv_handle_t *)&node->pulse, on_handle_closed);
    uv_close((uv_handle_t *)&node->registering, on_handle_closed);
}

static void on_gone(tw_redis_node_t *node)
{
    uv_timer_stop(&node->registering);
    uv_timer_stop(&node->pulse);
    uv_prepare_stop(&node->turn);
    tw_redis_session_end(node);
    tw_redis_publishing_unpark(node);
    tw_redis_openings_expire(node, 0, true);
    tw_redis_publishes_expire(node, 0, true);
    tw_redis_peers_expire(node, 0, true);
    end_when_idle(node);
}

static void on_leave_timeout(uv_timer_t *timer)
{
    tw_redis_node_t *node = timer->data;
    tw_log(TW_LOG_WARN, "left the cluster without Redis' answer: its other nodes will notice",
           tw_log_text("nodeId", node->info->node_id));
    tw_redis_registry_abandon_leave(node);
}

static void stop(tw_adapter_t *adapter, void (*on_stopped)(void *data), void *data)
{
    tw_redis_node_t *node = tw_redis_node_of_adapter(adapter);

    node->stopping = true;
    node->on_stopped = on_stopped;
    node->stop_data = data;
    uv_timer_start(&node->registering, on_leave_timeout, TW_REDIS_LEAVE_TIMEOUT_MS, 0);
    tw_redis_registry_leave(node, on_gone);
}

static void free_node(tw_redis_node_t *node)
{
    tw_redis_access_dispose(&node->access);
    free(node);
}

static void destroy(tw_adapter_t *adapter)
{
    tw_redis_node_t *node = tw_redis_node_of_adapter(adapter);

    if (node->loop != NULL) {
        tw_redis_history_lost(node);
        tw_redis_registry_dispose(node);
        tw_redis_routing_dispose(node);
        tw_redis_publishing_dispose(node);
        tw_redis_peers_dispose(node);
        tw_redis_session_dispose(node);
    }
    free_node(node);
}

/* --- any thread --- */

static bool ready(tw_adapter_t *adapter, const char **why_not)
{
    static const char *const reasons[] = {
#define X(name, label) label,
        TW_REDIS_PHASE_TABLE(X)
#undef X
    };
    tw_redis_node_t *node = tw_redis_node_of_adapter(adapter);
    int phase = atomic_load_explicit(&node->phase, memory_order_acquire);
    *why_not = phase == TW_REDIS_PHASE_UP ? NULL : reasons[phase];
    return phase == TW_REDIS_PHASE_UP;
}

static void visit_stats(tw_adapter_t *adapter, tw_stat_fn visit, void *data)
{
    tw_redis_node_t *node = tw_redis_node_of_adapter(adapter);
#define X(field, metric, type, help)                                                               \
    visit(metric, type, help,                                                                      \
          atomic_load_explicit(TW_REDIS_STAT(node, field), memory_order_relaxed), data);
    TW_REDIS_STATS_TABLE(X)
#undef X
}

static void drain(tw_adapter_t *adapter)
{
    tw_redis_registry_drain(tw_redis_node_of_adapter(adapter));
}

/* --- workers' threads --- */

static void open_stream(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                        const tw_resume_t *resume, tw_opened_fn on_open, void *data)
{
    tw_redis_node_t *node = tw_redis_node_of_adapter(adapter);
    size_t count = subscriber->topic_count;
    tw_redis_opening_t *opening =
        tw_alloc(sizeof(*opening) + tw_topic_names_size(subscriber->joining, count));

    opening->node = node;
    opening->worker = &subscriber->connection->shard->loop;
    opening->subscriber = subscriber;
    opening->on_open = on_open;
    opening->data = data;
    opening->topic_count = count;
    tw_topic_names_copy(opening->topics, subscriber->joining, count);
    if (resume != NULL && resume->last_event_id != NULL && resume->last_event_id_len > 0) {
        opening->last_event_id = tw_strndup(resume->last_event_id, resume->last_event_id_len);
        opening->last_event_id_len = resume->last_event_id_len;
    }
    subscriber->opening = opening;
    atomic_fetch_add(&node->openings_open, 1);
    tw_loop_post(node->loop, tw_redis_on_open_request, opening);
}

/* The control loop lets its topics go, and the registry the stream if it was open. */
static void post_left(tw_redis_node_t *node, const tw_subscriber_t *subscriber, bool was_open)
{
    tw_redis_left_t *left = tw_alloc(sizeof(*left) + tw_subscriber_topics_size(subscriber));

    left->node = node;
    left->was_open = was_open;
    left->topic_count = subscriber->topic_count;
    tw_subscriber_id(subscriber, left->id);
    tw_subscriber_copy_topics(subscriber, left->topics);
    tw_loop_post(node->loop, tw_redis_on_left, left);
}

static void close_stream(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                         tw_close_reason_t reason)
{
    tw_redis_node_t *node = tw_redis_node_of_adapter(adapter);

    tw_count(&subscriber->connection->shard->counters.closes[reason], 1);
    if (subscriber->state == TW_SUBSCRIBER_LIVE) {
        post_left(node, subscriber, true);
        tw_hub_leave(node->hub, subscriber);
        return;
    }
    tw_redis_opening_t *opening = subscriber->opening;
    assert(opening != NULL);
    subscriber->opening = NULL;
    opening->subscriber = NULL;
    if (subscriber->state == TW_SUBSCRIBER_NEW) {
        tw_subscriber_destroy(subscriber); /* the opening comes back and finds nobody */
    } else {
        /* The hub forgets the join without a word: its opening ends here. */
        tw_hub_leave(node->hub, subscriber);
        tw_redis_opening_give_up(opening);
    }
}

static void has_subscribers(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_list_t *topics,
                            tw_followed_fn on_answer, void *data)
{
    tw_redis_node_t *node = tw_redis_node_of_adapter(adapter);
    uint8_t *followed = tw_alloc(topics->count);
    size_t known = 0;

    for (size_t i = 0; i < topics->count; ++i)
        known += followed[i] = tw_hub_accepts(node->hub, &topics->items[i]);
    if (!tw_redis_node_up(node) || known == topics->count) {
        on_answer(data, tw_redis_node_up(node) ? TW_OK : TW_UNAVAILABLE, followed);
        free(followed);
        return;
    }
    tw_redis_ask_t *ask =
        tw_alloc(sizeof(*ask) + tw_topic_names_size(topics->items, topics->count));
    ask->node = node;
    ask->worker = from;
    ask->on_answer = on_answer;
    ask->data = data;
    ask->followed = followed;
    ask->topic_count = topics->count;
    tw_topic_names_copy(ask->topics, topics->items, topics->count);
    tw_loop_post(node->loop, tw_redis_on_ask_request, ask);
}

static void publish(tw_adapter_t *adapter, tw_loop_t *from, tw_event_t *event,
                    tw_published_fn on_done, void *data)
{
    tw_redis_node_t *node = tw_redis_node_of_adapter(adapter);

    if (!tw_redis_node_up(node)) {
        on_done(data, TW_UNAVAILABLE, NULL);
        return;
    }
    tw_redis_publish_t *publishing = tw_alloc(sizeof(*publishing));
    publishing->node = node;
    publishing->worker = from;
    publishing->event = tw_event_ref(event);
    publishing->on_done = on_done;
    publishing->data = data;
    atomic_fetch_add(&node->publishes_open, 1);
    tw_loop_post(node->loop, tw_redis_on_publish_request, publishing);
}

static const tw_adapter_ops_t redis_ops = {
    .name = "redis",
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .ready = ready,
    .drain = drain,
    .visit_stats = visit_stats,
    .open_stream = open_stream,
    .close_stream = close_stream,
    .has_subscribers = has_subscribers,
    .publish = publish,
    .list_topics = tw_redis_list_topics,
    .list_streams = tw_redis_list_streams,
    .list_nodes = tw_redis_list_nodes,
    .tail_events = tw_redis_tail_events,
    .close_by_id = tw_redis_close_by_id,
};

tw_adapter_t *tw_redis_adapter_create(tw_hub_t *hub, const tw_node_info_t *info,
                                      const tw_redis_config_t *config, char *error,
                                      size_t error_size)
{
    tw_redis_node_t *node = tw_alloc(sizeof(*node));

    if (tw_redis_access_init(&node->access, &config->access, error, error_size) != 0)
        goto failed;
    if (node->access.url.kind == TW_REDIS_URL_CLUSTER) {
        /* The keys of this adapter lie in many slots. */
        snprintf(error, error_size, "TIDEWAY_REDIS_URL names a cluster, which cannot be used");
        goto failed;
    }
    node->super = (tw_adapter_t){.ops = &redis_ops};
    node->hub = hub;
    node->info = info;
    node->keep = (hub->config.tail_events > 0 ? hub->config.tail_events : 1) + 1;
    tw_random(&node->origin, sizeof(node->origin));
    snprintf(node->client_name, sizeof(node->client_name), "tideway-%08x", hub->shards.instance);
    for (int i = 0; i < TW_REDIS_SCRIPT_COUNT; ++i)
        tw_redis_script_sha((tw_redis_script_t)i, node->sha[i]);
    TAILQ_INIT(&node->marks);
    TAILQ_INIT(&node->to_mark);
    TAILQ_INIT(&node->openings);
    TAILQ_INIT(&node->waiting);
    TAILQ_INIT(&node->changed_routes);
    TAILQ_INIT(&node->to_publish);
    TAILQ_INIT(&node->unreturned);
    TAILQ_INIT(&node->parked);
    TAILQ_INIT(&node->calls);
    LIST_INIT(&node->all_routes);
    tw_table_init(&node->routes);
    tw_table_init(&node->publishes);
    tw_table_init(&node->counts);
    tw_table_init(&node->adds);
    node->changes_end = &node->changes;
    return &node->super;

failed:
    free_node(node);
    return NULL;
}
