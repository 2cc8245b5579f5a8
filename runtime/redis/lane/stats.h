/** What the Redis adapter counts, besides what all adapters do. Part of tw_redis_common_t. The
 * control loop writes; any thread may read, with visit_stats of the adapter. */
#ifndef TW_REDIS_STATS_H
#define TW_REDIS_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#include "runtime/counters.h"

/* field, metric, type, help */
#define TW_REDIS_STATS_TABLE(X)                                                                    \
    X(up, "tideway_redis_up", TW_GAUGE, "1 while events flow through Redis.")                      \
    X(connects, "tideway_redis_connects_total", TW_COUNTER,                                        \
      "Times that Redis was found and the node is part of the cluster.")                           \
    X(losses, "tideway_redis_losses_total", TW_COUNTER, "Times that a working Redis was lost.")    \
    X(attempts_failed, "tideway_redis_attempts_failed_total", TW_COUNTER,                          \
      "Attempts to connect that failed.")                                                          \
    X(received, "tideway_redis_events_received_total", TW_COUNTER, "Events that came from Redis.") \
    X(filled, "tideway_redis_events_filled_total", TW_COUNTER,                                     \
      "Events that were missed while Redis was away and came when it was back.")                   \
    X(holes, "tideway_redis_inbox_holes_total", TW_COUNTER,                                        \
      "Times that part of what this node was to get was gone.")                                    \
    X(gaps, "tideway_redis_gaps_total", TW_COUNTER, "Topics whose streams were told of a gap.")    \
    X(routes, "tideway_redis_routes", TW_GAUGE, "Topics that this node gets from Redis.")          \
    X(openings, "tideway_redis_openings_waiting", TW_GAUGE, "New streams that wait for Redis.")    \
    X(pieces, "tideway_redis_history_pieces_total", TW_COUNTER,                                    \
      "Pieces of history that were read for streams that resume.")                                 \
    X(history_waiting, "tideway_redis_history_waiting", TW_GAUGE,                                  \
      "Topics whose history waits to be read.")                                                    \
    X(registry_backlog, "tideway_redis_registry_backlog", TW_GAUGE,                                \
      "Changes that wait to be registered.")                                                       \
    X(probe_us, "tideway_redis_probe_microseconds", TW_GAUGE,                                      \
      "How long Redis took to renew the last lease.")                                              \
    X(nodes_buried, "tideway_redis_nodes_buried_total", TW_COUNTER,                                \
      "Dead nodes whose keys this one removed.")

typedef struct tw_redis_stats {
#define X(field, metric, type, help) _Atomic uint64_t field;
    TW_REDIS_STATS_TABLE(X)
#undef X
} tw_redis_stats_t;

#endif
