/**
 * A node of the cluster: the rooms of the Redis adapter, one struct each, and what holds them
 * together. Each room's fields are touched by its own files only; calls go down this list, and up
 * it only by callbacks.
 *
 *     lease, registry       its place in the cluster; its streams in listings
 *     queries, peers        the admin's reads; requests between nodes
 *     publishing            events that are published here
 *     openings              streams on their way to being open
 *     history               what resuming streams need of before
 *     routes                the topics that this node gets
 *     inbox                 what Redis has for this node, in order
 *     session               links, epoch and registration
 */
#ifndef TW_REDIS_NODE_H
#define TW_REDIS_NODE_H

#include "runtime/redis/lease.h"
#include "runtime/redis/openings.h"
#include "runtime/redis/publishing.h"
#include "runtime/redis/query.h"
#include "runtime/redis/registry.h"

typedef struct tw_redis_node {
    tw_adapter_t super;
    tw_hub_t *hub; /* borrowed */
    tw_redis_session_t session;
    tw_redis_inbox_t inbox;
    tw_redis_routes_t routes;
    tw_redis_history_t history;
    tw_redis_openings_t openings;
    tw_redis_publishing_t publishing;
    tw_redis_peers_t peers;
    tw_redis_queries_t queries;
    tw_redis_registry_t registry;
    tw_redis_lease_t lease;
    tw_redis_stats_t stats;
    tw_loop_t *loop;        /* borrowed: the control loop; NULL: never started */
    uv_prepare_t turn;      /* the end of each turn: sends what the turn has gathered */
    uv_timer_t pulse;       /* every 250 ms */
    uv_timer_t registering; /* every 5 ms */
    unsigned handles;       /* of these three, open */
    void (*on_stopped)(void *data);
    void *stop_data;
} tw_redis_node_t;

#endif
