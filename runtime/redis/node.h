/**
 * A node of the cluster: the rooms of the Redis adapter, one struct each, and what holds them
 * together. Each room's fields are touched by its own files only; calls go down this list, and up
 * it only by callbacks.
 *
 *     peers                 requests between nodes
 *     revocations           whose tokens are refused
 *     openings              streams on their way to being open
 *     lanes                 everything that each order of events has for itself: lane.h
 *
 * Control loop only, but for the making, on the main thread before it runs. Callers:
 * runtime/redis/adapter.c, whose instance it is (its life), runtime/redis/ (tw_redis_node_of()).
 */
#ifndef TW_REDIS_NODE_H
#define TW_REDIS_NODE_H

#include "runtime/redis/openings.h"
#include "runtime/redis/peers.h"
#include "runtime/redis/revocations.h"

typedef struct tw_redis_node {
    tw_adapter_t super;
    tw_hub_t *hub; /* borrowed */
    tw_redis_lanes_t lanes;
    tw_redis_openings_t openings;
    tw_redis_peers_t peers;
    tw_redis_revocations_t revocations;
    tw_loop_t *loop;       /* borrowed: the control loop; NULL: never started */
    uv_prepare_t turn;     /* the end of each turn: sends what the turn has gathered */
    uv_timer_t pulse;      /* every 250 ms */
    uv_timer_t telling;    /* every 5 ms */
    unsigned handles;      /* of these three, open */
    unsigned leaving;      /* lanes that leave the cluster */
    uint64_t partly_ms;    /* since when some lanes are up and some are not; 0: that is not so */
    atomic_bool is_partly; /* that lasts: the node serves the topics of those that are */
    void (*on_stopped)(void *data);
    void *stop_data;
} tw_redis_node_t;

#define TW_REDIS_FOR_EACH_LANE(lane, node)                                                         \
    for (tw_redis_lane_t *lane = (node)->lanes.items, *end = lane + (node)->lanes.count;           \
         lane < end; ++lane)

static inline tw_redis_node_t *tw_redis_node_of(tw_adapter_t *adapter)
{
    return (tw_redis_node_t *)adapter;
}

/** Prepares all rooms; hub, and lanes without their items, are set. `info` is borrowed. */
void tw_redis_node_init(tw_redis_node_t *node, const tw_node_info_t *info);

/** See tw_adapter_ops_t. */
void tw_redis_node_start(tw_redis_node_t *node, tw_loop_t *control);
void tw_redis_node_stop(tw_redis_node_t *node, void (*on_stopped)(void *data), void *data);

#endif
