/* The contract's table. */
#include "runtime/redis/adapter.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "runtime/join.h"
#include "runtime/redis/node.h"
#include "runtime/redis/spread.h"

static tw_redis_node_t *node_of(tw_adapter_t *adapter)
{
    return (tw_redis_node_t *)adapter;
}

static int start(tw_adapter_t *adapter, tw_loop_t *control)
{
    tw_redis_node_start(node_of(adapter), control);
    return 0;
}

static void stop(tw_adapter_t *adapter, void (*on_stopped)(void *data), void *data)
{
    tw_redis_node_stop(node_of(adapter), on_stopped, data);
}

static void destroy(tw_adapter_t *adapter)
{
    tw_redis_node_t *node = node_of(adapter);

    if (node->loop != NULL) {
        tw_redis_registry_dispose(&node->registry);
        TW_REDIS_FOR_EACH_LANE(lane, node)
        {
            tw_redis_routes_dispose(&lane->routes);
            tw_redis_publishing_dispose(&lane->publishing);
        }
    }
    tw_redis_common_dispose(&node->lanes.common);
    free(node->lanes.items);
    free(node);
}

/* --- any thread --- */

static bool ready(tw_adapter_t *adapter, const char **why_not)
{
    tw_redis_node_t *node = node_of(adapter);

    *why_not = NULL;
    for (uint32_t i = 0; i < node->lanes.count && *why_not == NULL && !node->is_partly; ++i)
        *why_not = tw_redis_session_reason(&node->lanes.items[i].session);
    return *why_not == NULL;
}

static void visit_stats(tw_adapter_t *adapter, tw_stat_fn visit, void *data)
{
    tw_redis_stats_t *stats = &node_of(adapter)->lanes.common.stats;
#define X(field, metric, type, help)                                                               \
    visit(metric, type, help, atomic_load_explicit(&stats->field, memory_order_relaxed), data);
    TW_REDIS_STATS_TABLE(X)
#undef X
}

static void drain(tw_adapter_t *adapter)
{
    TW_REDIS_FOR_EACH_LANE(lane, node_of(adapter))
    tw_redis_lease_drain(&lane->lease);
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
    tw_redis_spread_ask(&node_of(adapter)->lanes, from, topics, on_answer, data);
}

static void publish(tw_adapter_t *adapter, tw_loop_t *from, tw_event_t *event,
                    tw_published_fn on_done, void *data)
{
    tw_redis_spread_publish(&node_of(adapter)->lanes, from, event, on_done, data);
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

static void forget_tail(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                        tw_status_fn on_done, void *data)
{
    tw_redis_forget_tail(&node_of(adapter)->queries, from, topic, on_done, data);
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
    .forget_tail = forget_tail,
    .close_by_id = close_by_id,
};

tw_adapter_t *tw_redis_adapter_create(tw_hub_t *hub, const tw_node_info_t *info,
                                      const tw_redis_config_t *config, char *error,
                                      size_t error_size)
{
    uint32_t count = hub->config.lanes;
    tw_redis_node_t *node = tw_alloc(sizeof(*node));
    tw_redis_lanes_t *lanes = &node->lanes;

    node->super = (tw_adapter_t){.ops = &redis_ops};
    node->hub = hub;
    lanes->count = count;
    if (tw_redis_common_init(&lanes->common, &config->access, config->prefix, hub->shards.instance,
                             count, error, error_size) != 0) {
        destroy(&node->super);
        return NULL;
    }
    tw_redis_node_init(node, info);
    return &node->super;
}
