/**
 * Slots of a Redis Cluster: which one a key is in, who serves it, and what redirections say.
 *
 * No state; any thread.
 *
 * Callers: runtime/redis/client/client.c, runtime/redis/client/locator.c.
 */
#ifndef TW_REDIS_SLOTS_H
#define TW_REDIS_SLOTS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/redis/client/url.h"

#define TW_REDIS_NODES_MAX 64

/* Nodes of a cluster, masters and replicas. */
typedef struct tw_redis_nodes {
    tw_redis_endpoint_t items[TW_REDIS_NODES_MAX];
    size_t count; /* nodes beyond the maximum are left out */
} tw_redis_nodes_t;

/** The slot of a key: CRC16 of what stands between the first { and the next }, if anything does, or
 * of all of it, modulo 16384. */
uint16_t tw_redis_slot_of(const char *key);

/**
 * Reads an answer to CLUSTER SLOTS that came from `asked`: the master of the slot, and the nodes of
 * all slots. Nodes without an address of their own have that of `asked`. Returns whether the slot
 * has a master.
 */
bool tw_redis_slots_read(const redisReply *reply, uint16_t slot, const tw_redis_endpoint_t *asked,
                         tw_redis_endpoint_t *master, tw_redis_nodes_t *nodes);

/** Reads "MOVED slot host:port", an error that came from `asked`; returns whether it is one. */
bool tw_redis_slots_read_moved(const char *error, const tw_redis_endpoint_t *asked,
                               tw_redis_endpoint_t *master);

#endif
