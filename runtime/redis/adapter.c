/* The contract's table, and how the rooms hang together. */
#include "runtime/redis/adapter.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "runtime/join.h"
#include "runtime/redis/node.h"

#define PULSE_MS 250
#define REGISTER_EVERY_MS 5
#define LEAVE_TIMEOUT_MS 3000 /* a stopping node waits so long for Redis */

static tw_redis_node_t *node_of(tw_adapter_t *adapter)
{
    return (tw_redis_node_t *)adapter;
}

/* --- between the rooms --- */

static void on_up(void *data, const tw_redis_joined_t *joined)
{
    tw_redis_node_t *node = data;
    bool kept = joined->membership == TW_REDIS_KEPT;

    if (joined->membership == TW_REDIS_BEGUN || joined->membership == TW_REDIS_OTHER_EPOCH)
        tw_hub_set_epoch(node->hub, 0, node->session.epoch_number);
    if (!kept) {
        tw_hub_advance(node->hub, 0, joined->newest);
        tw_redis_publishing_expire(&node->publishing, 0, true);
    }
    tw_redis_routes_up(&node->routes, joined->membership);
    tw_redis_inbox_up(&node->inbox, kept, joined->inbox_end);
    tw_redis_registry_up(&node->registry, kept);
    tw_redis_lease_up(&node->lease);
    tw_redis_openings_up(&node->openings);
}

static void on_down(void *data)
{
    tw_redis_node_t *node = data;
    tw_redis_inbox_down(&node->inbox);
    tw_redis_history_down(&node->history);
    tw_redis_lease_down(&node->lease);
}

static void on_event(void *data, uint64_t seq, const char *body, size_t len)
{
    tw_redis_node_t *node = data;
    tw_redis_publishing_arrived(&node->publishing, seq, body, len);
}

static void on_message(void *data, const char *message, size_t len)
{
    tw_redis_node_t *node = data;
    tw_redis_peers_message(&node->peers, message, len);
}

static void on_hole(void *data, uint64_t after, uint64_t upto)
{
    tw_redis_node_t *node = data;
    tw_redis_routes_find_missed(&node->routes, after, upto);
}

static void on_opened(void *data, char *member, tw_redis_route_t *const *routes, size_t count)
{
    tw_redis_node_t *node = data;
    tw_redis_registry_add(&node->registry, member, routes, count);
}

static void on_granted(void *data)
{
    tw_redis_node_t *node = data;
    tw_redis_registry_granted(&node->registry);
}

/* --- the control loop --- */

static void on_turn(uv_prepare_t *turn)
{
    tw_redis_node_t *node = turn->data;
    tw_redis_publishing_turn(&node->publishing);
    tw_redis_openings_turn(&node->openings);
    tw_redis_routes_turn(&node->routes);
    tw_redis_session_flush(&node->session);
}

static void on_registering(uv_timer_t *timer)
{
    tw_redis_node_t *node = timer->data;
    tw_redis_routes_flush(&node->routes);
    tw_redis_registry_flush(&node->registry);
    tw_redis_lease_pulse(&node->lease, uv_now(node->loop->uv));
}

static void on_pulse(uv_timer_t *timer)
{
    tw_redis_node_t *node = timer->data;
    uint64_t now_ms = uv_now(node->loop->uv);

    tw_redis_inbox_pulse(&node->inbox, now_ms);
    tw_redis_openings_expire(&node->openings, now_ms, false);
    tw_redis_publishing_expire(&node->publishing, now_ms, false);
    tw_redis_peers_expire(&node->peers, now_ms, false);
}

static int start(tw_adapter_t *adapter, tw_loop_t *control)
{
    static const tw_redis_session_callbacks_t callbacks = {.on_up = on_up, .on_down = on_down};
    tw_redis_node_t *node = node_of(adapter);

    node->loop = node->openings.loop = node->publishing.loop = node->peers.loop =
        node->queries.loop = node->registry.loop = control;
    uv_prepare_init(control->uv, &node->turn);
    uv_timer_init(control->uv, &node->pulse);
    uv_timer_init(control->uv, &node->registering);
    node->turn.data = node->pulse.data = node->registering.data = node;
    node->handles = 3;
    tw_redis_session_start(&node->session, control, &callbacks, node);
    uv_prepare_start(&node->turn, on_turn);
    uv_timer_start(&node->pulse, on_pulse, PULSE_MS, PULSE_MS);
    uv_timer_start(&node->registering, on_registering, REGISTER_EVERY_MS, REGISTER_EVERY_MS);
    return 0;
}

/* --- the end --- */

static void end_when_idle(tw_redis_node_t *node);

static void on_handle_closed(uv_handle_t *handle)
{
    tw_redis_node_t *node = handle->data;
    if (--node->handles > 0)
        return;
    node->registry.stopped = true;
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
    tw_redis_publishing_turn(&node->publishing); /* what was asked last is answered, too */
    tw_redis_openings_expire(&node->openings, 0, true);
    if (tw_redis_registry_busy(&node->registry) || node->publishing.count > 0 ||
        node->openings.count > 0 || node->peers.serving > 0) {
        uv_timer_start(&node->pulse, on_ending, 1, 0);
        return;
    }
    uv_close((uv_handle_t *)&node->turn, on_handle_closed);
    uv_close((uv_handle_t *)&node->pulse, on_handle_closed);
    uv_close((uv_handle_t *)&node->registering, on_handle_closed);
}

static void on_left(void *data)
{
    tw_redis_node_t *node = data;
    uv_timer_stop(&node->registering);
    uv_timer_stop(&node->pulse);
    uv_prepare_stop(&node->turn);
    tw_redis_session_stop(&node->session);
    tw_redis_inbox_end(&node->inbox);
    tw_redis_openings_expire(&node->openings, 0, true);
    tw_redis_publishing_expire(&node->publishing, 0, true);
    tw_redis_peers_expire(&node->peers, 0, true);
    end_when_idle(node);
}

static void on_leave_timeout(uv_timer_t *timer)
{
    tw_redis_node_t *node = timer->data;
    tw_log(TW_LOG_WARN, "left the cluster without Redis' answer: its other nodes will notice",
           tw_log_text("registration", node->session.registration));
    tw_redis_lease_abandon_leave(&node->lease);
}

static void stop(tw_adapter_t *adapter, void (*on_stopped)(void *data), void *data)
{
    tw_redis_node_t *node = node_of(adapter);

    node->openings.stopping = node->registry.stopping = true;
    node->on_stopped = on_stopped;
    node->stop_data = data;
    uv_timer_start(&node->registering, on_leave_timeout, LEAVE_TIMEOUT_MS, 0);
    tw_redis_lease_leave(&node->lease, on_left, node);
}

static void destroy(tw_adapter_t *adapter)
{
    tw_redis_node_t *node = node_of(adapter);

    if (node->loop != NULL) {
        tw_redis_registry_dispose(&node->registry);
        tw_redis_routes_dispose(&node->routes);
        tw_redis_publishing_dispose(&node->publishing);
    }
    tw_redis_session_dispose(&node->session);
    free(node);
}

/* --- any thread --- */

static bool ready(tw_adapter_t *adapter, const char **why_not)
{
    *why_not = tw_redis_session_reason(&node_of(adapter)->session);
    return *why_not == NULL;
}

static void visit_stats(tw_adapter_t *adapter, tw_stat_fn visit, void *data)
{
    tw_redis_stats_t *stats = &node_of(adapter)->stats;
#define X(field, metric, type, help)                                                               \
    visit(metric, type, help, atomic_load_explicit(&stats->field, memory_order_relaxed), data);
    TW_REDIS_STATS_TABLE(X)
#undef X
}

static void drain(tw_adapter_t *adapter)
{
    tw_redis_lease_drain(&node_of(adapter)->lease);
}

/* --- workers' threads --- */

static void open_stream(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                        const tw_resume_t *resume, tw_opened_fn on_open, void *data)
{
    tw_redis_openings_begin(&node_of(adapter)->openings, subscriber, resume, on_open, data);
}

static void close_stream(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                         tw_close_reason_t reason)
{
    tw_redis_node_t *node = node_of(adapter);

    tw_count(&subscriber->connection->shard->counters.closes[reason], 1);
    if (subscriber->state != TW_SUBSCRIBER_LIVE) {
        tw_redis_openings_close(&node->openings, subscriber);
        return;
    }
    tw_redis_registry_remove(&node->registry, subscriber);
    tw_hub_leave(node->hub, subscriber);
}

static void has_subscribers(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_list_t *topics,
                            tw_followed_fn on_answer, void *data)
{
    tw_redis_node_t *node = node_of(adapter);
    if (tw_redis_session_up(&node->session))
        tw_redis_publishing_ask(&node->publishing, from, topics, on_answer, data);
    else
        on_answer(data, TW_UNAVAILABLE, NULL);
}

static void publish(tw_adapter_t *adapter, tw_loop_t *from, tw_event_t *event,
                    tw_published_fn on_done, void *data)
{
    tw_redis_node_t *node = node_of(adapter);
    if (tw_redis_session_up(&node->session))
        tw_redis_publishing_begin(&node->publishing, from, event, on_done, data);
    else
        on_done(data, TW_UNAVAILABLE, NULL);
}

static void list_topics(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *query,
                        tw_topics_fn on_page, void *data)
{
    tw_redis_list_topics(&node_of(adapter)->queries, from, query, on_page, data);
}

static void list_streams(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *query,
                         tw_streams_fn on_page, void *data)
{
    tw_redis_list_streams(&node_of(adapter)->queries, from, query, on_page, data);
}

static void list_nodes(tw_adapter_t *adapter, tw_loop_t *from, tw_nodes_fn on_nodes, void *data)
{
    tw_redis_list_nodes(&node_of(adapter)->queries, from, on_nodes, data);
}

static void tail_events(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                        const tw_position_t *after, size_t limit, tw_tail_fn on_tail, void *data)
{
    tw_redis_tail_events(&node_of(adapter)->queries, from, topic, after, limit, on_tail, data);
}

static void close_by_id(tw_adapter_t *adapter, tw_loop_t *from, const char *stream_id,
                        tw_close_reason_t reason, tw_status_fn on_done, void *data)
{
    tw_redis_peers_close(&node_of(adapter)->peers, from, stream_id, reason, on_done, data);
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
    .list_topics = list_topics,
    .list_streams = list_streams,
    .list_nodes = list_nodes,
    .tail_events = tail_events,
    .close_by_id = close_by_id,
};

tw_adapter_t *tw_redis_adapter_create(tw_hub_t *hub, const tw_node_info_t *info,
                                      const tw_redis_config_t *config, char *error,
                                      size_t error_size)
{
    static const tw_redis_inbox_callbacks_t callbacks = {
        .on_event = on_event, .on_message = on_message, .on_hole = on_hole};
    tw_redis_node_t *node = tw_alloc(sizeof(*node));

    node->super = (tw_adapter_t){.ops = &redis_ops};
    node->hub = hub;
    if (tw_redis_session_init(&node->session, &config->access, config->prefix, hub->shards.instance,
                              &node->stats, error, error_size) != 0) {
        destroy(&node->super);
        return NULL;
    }
    tw_redis_inbox_init(&node->inbox, &node->session, &callbacks, node);
    tw_redis_routes_init(&node->routes, &node->session, &node->inbox, hub);
    tw_redis_history_init(&node->history, &node->routes, hub);
    tw_redis_openings_init(&node->openings, &node->history, hub, on_opened, node);
    tw_redis_publishing_init(&node->publishing, &node->routes, hub);
    tw_redis_peers_init(&node->peers, &node->session, hub, info->node_id);
    node->queries =
        (tw_redis_queries_t){.session = &node->session, .peers = &node->peers, .hub = hub};
    tw_redis_registry_init(&node->registry, &node->routes, hub);
    tw_redis_lease_init(&node->lease, &node->inbox, hub, info, on_granted, node);
    return &node->super;
}
