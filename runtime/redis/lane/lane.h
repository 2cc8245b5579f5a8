/**
 * A lane: one of the independent orders of events that topics are spread over by hash. Each has a
 * session, a registration, an inbox and numbers of its own, so that what one loses costs its topics
 * alone. Listings of streams and nodes, and requests between nodes, go by lane 0.
 *
 * The rooms of a lane, one struct each; calls go down this list, and up it only by callbacks:
 *
 *     lease                 the node's place among the others
 *     publishing            events that are published here
 *     history               what resuming streams need of before
 *     routes                the topics that this node gets
 *     inbox                 what Redis has for this node, in order
 *     session               links, epoch and registration
 *
 * The node owns all lanes. Control loop only, unless noted. Callers: runtime/redis/.
 */
#ifndef TW_REDIS_LANE_H
#define TW_REDIS_LANE_H

#include "runtime/redis/lane/history.h"
#include "runtime/redis/lane/lease.h"
#include "runtime/redis/lane/publishing.h"

typedef struct tw_redis_lane {
    void *node; /* borrowed; for the callbacks of its rooms */
    tw_redis_session_t session;
    tw_redis_inbox_t inbox;
    tw_redis_routes_t routes;
    tw_redis_history_t history;
    tw_redis_publishing_t publishing;
    tw_redis_lease_t lease;
} tw_redis_lane_t;

typedef struct tw_redis_lanes {
    tw_redis_common_t common;
    tw_redis_lane_t *items; /* owned */
    uint32_t count;
} tw_redis_lanes_t;

/** The lane of a topic. Any thread. */
static inline tw_redis_lane_t *tw_redis_lane_of(const tw_redis_lanes_t *lanes,
                                                const tw_topic_name_t *topic)
{
    return &lanes->items[tw_topic_lane(topic, lanes->count)];
}

#endif
