/**
 * The adapter that shares all state between nodes through Redis.
 *
 * It lives on the control loop: two connections (commands; what is published to us), the routes of
 * the topics that this node follows, the node's part of the registry. Workers send it requests and
 * get answers by mailbox. docs/redis.md says what holds when Redis fails.
 */
#ifndef TW_REDIS_ADAPTER_H
#define TW_REDIS_ADAPTER_H

#include "runtime/adapter.h"
#include "runtime/counters.h"
#include "runtime/hub.h"
#include "runtime/redis/client/access.h"

typedef struct tw_redis_config {
    tw_redis_access_config_t access; /* copied */
} tw_redis_config_t;

/**
 * `info` is borrowed and outlives the adapter. NULL with one line in `error` when the access
 * cannot be used as it is configured; Redis itself is only looked for once the adapter is started,
 * and for as long as it takes.
 */
tw_adapter_t *tw_redis_adapter_create(tw_hub_t *hub, const tw_node_info_t *info,
                                      const tw_redis_config_t *config, char *error,
                                      size_t error_size);

/* field, metric, type, help */
#define TW_REDIS_STATS_TABLE(X)                                                                    \
    X(up, "tideway_redis_up", TW_GAUGE, "1 while events flow through Redis.")                      \
    X(connects, "tideway_redis_connects_total", TW_COUNTER,                                        \
      "Times that Redis was found and the node caught up.")                                        \
    X(losses, "tideway_redis_losses_total", TW_COUNTER, "Times that a working Redis was lost.")    \
    X(attempts_failed, "tideway_redis_attempts_failed_total", TW_COUNTER,                          \
      "Attempts to connect that failed.")                                                          \
    X(received, "tideway_redis_events_received_total", TW_COUNTER, "Events that came from Redis.") \
    X(filled, "tideway_redis_events_filled_total", TW_COUNTER,                                     \
      "Events that were missed while Redis was away and taken from its history.")                  \
    X(gaps, "tideway_redis_gaps_total", TW_COUNTER, "Topics whose streams were told of a gap.")    \
    X(routes, "tideway_redis_routes", TW_GAUGE, "Topics that this node gets from Redis.")          \
    X(registry_backlog, "tideway_redis_registry_backlog", TW_GAUGE,                                \
      "Changes that wait to be registered.")                                                       \
    X(probe_us, "tideway_redis_probe_microseconds", TW_GAUGE,                                      \
      "How long the last delivery probe took.")                                                    \
    X(nodes_buried, "tideway_redis_nodes_buried_total", TW_COUNTER,                                \
      "Dead nodes whose keys this one removed.")

typedef struct tw_redis_stats {
#define X(field, metric, type, help) uint64_t field;
    TW_REDIS_STATS_TABLE(X)
#undef X
} tw_redis_stats_t;

#endif
