/* The contract's table. */
#include "runtime/redis/adapter.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "runtime/join.h"
#include "runtime/redis/query.h"
#include "runtime/redis/spread.h"

static int start(tw_adapter_t *adapter, tw_loop_t *control)
{
    tw_redis_node_start(tw_redis_node_of(adapter), control);
    return 0;
}

static void stop(tw_adapter_t *adapter, void (*on_stopped)(void *data), void *data)
{
    tw_redis_node_stop(tw_redis_node_of(adapter), on_stopped, data);
}

static void destroy(tw_adapter_t *adapter)
{
    tw_redis_node_t *node = tw_redis_node_of(adapter);

    if (node->loop != NULL) {
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
    tw_redis_node_t *node = tw_redis_node_of(adapter);

    *why_not = NULL;
    for (uint32_t i = 0; i < node->lanes.count && *why_not == NULL && !node->is_partly; ++i)
        *why_not = tw_redis_session_reason(&node->lanes.items[i].session);
    if (*why_not == NULL && node->hub->revocations.is_incomplete && !node->is_partly)
        *why_not = "the revocations have not been read";
    return *why_not == NULL;
}

static void visit_stats(tw_adapter_t *adapter, tw_stat_fn visit, void *data)
{
    tw_redis_stats_t *stats = &tw_redis_node_of(adapter)->lanes.common.stats;
#define X(field, metric, type, help)                                                               \
    visit(metric, type, help, atomic_load_explicit(&stats->field, memory_order_relaxed), data);
    TW_REDIS_STATS_TABLE(X)
#undef X
}

static void drain(tw_adapter_t *adapter)
{
    TW_REDIS_FOR_EACH_LANE(lane, tw_redis_node_of(adapter))
    tw_redis_lease_drain(&lane->lease);
}

/* --- workers' threads --- */

static void open_stream(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                        const tw_resume_t *resume, tw_opened_fn on_open, void *data)
{
    tw_redis_node_t *node = tw_redis_node_of(adapter);

    /* While nobody knows yet, the stream waits for Redis like others, and is checked at the end. */
    if (tw_hub_check_token(node->hub, subscriber) == TW_REVOKED)
        on_open(data, TW_REVOKED, NULL);
    else
        tw_redis_openings_begin(&node->openings, subscriber, resume, on_open, data);
}

static void close_stream(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                         tw_close_reason_t reason)
{
    tw_redis_node_t *node = tw_redis_node_of(adapter);

    tw_count(&subscriber->connection->shard->counters.closes[reason], 1);
    tw_redis_openings_close(&node->openings, subscriber);
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
    .has_subscribers = tw_redis_has_subscribers,
    .publish = tw_redis_publish,
    .list_topics = tw_redis_list_topics,
    .list_streams = tw_redis_list_streams,
    .list_nodes = tw_redis_list_nodes,
    .tail_events = tw_redis_tail_events,
    .forget_tail = tw_redis_forget_tail,
    .close_by_id = tw_redis_close_by_id,
    .close_subject = tw_redis_close_subject,
    .revoke = tw_redis_revoke,
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
