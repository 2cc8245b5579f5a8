/**
 * The node's streams in Redis, for listings: a set of "<id> <json>", kept up to date in batches.
 *
 * Nothing that a stream gets depends on it. What Redis refused (a full one does) is not kept for
 * later, which could become any amount: all streams are registered again once a lease is granted.
 * Control loop only, unless noted.
 *
 * The node owns it, and it owns changes until they are sent, and batches until they are answered.
 * Callers: runtime/redis/node.c, runtime/redis/adapter.c (on workers), runtime/redis/openings.c
 * (tw_redis_member()).
 */
#ifndef TW_REDIS_REGISTRY_H
#define TW_REDIS_REGISTRY_H

#include "runtime/redis/lane/lane.h"

typedef struct tw_redis_change tw_redis_change_t;

typedef struct tw_redis_registry {
    tw_redis_lanes_t *lanes;                   /* borrowed */
    tw_redis_session_t *session;               /* borrowed: lane 0's */
    tw_hub_t *hub;                             /* borrowed */
    tw_loop_t *loop;                           /* borrowed */
    tw_redis_change_t *changes, **changes_end; /* streams to add or take away, oldest first */
    tw_table_t adds;                           /* those that add and were not sent, by id */
    size_t change_count;
    unsigned in_flight;     /* batches under way */
    unsigned leaving;       /* streams whose end waits for its turn */
    bool walking;           /* everything is being registered again */
    bool walk_again;        /* and once more after that */
    bool incomplete;        /* Redis refused something, or has lost it */
    bool stopping, stopped; /* no walks any more; no ends of streams any more */
} tw_redis_registry_t;

void tw_redis_registry_init(tw_redis_registry_t *registry, tw_redis_lanes_t *lanes, tw_hub_t *hub);

/** A session began; when not kept, nothing of ours is in Redis. */
void tw_redis_registry_up(tw_redis_registry_t *registry, bool kept);

/** A lease was granted: what was refused goes again. */
void tw_redis_registry_granted(tw_redis_registry_t *registry);

/** What the registry says of a live stream: "<id> <json>"; free() it. Worker's thread. */
char *tw_redis_member(const tw_subscriber_t *subscriber);

/** A stream is open: takes its member over, and counts it at its routes. */
void tw_redis_registry_add(tw_redis_registry_t *registry, char *member,
                           tw_redis_route_t *const *routes, size_t count);

/** A LIVE stream is closed: the registry forgets it, and its routes have a user less. Worker's
 * thread. */
void tw_redis_registry_remove(tw_redis_registry_t *registry, const tw_subscriber_t *subscriber);

/** Sends what changed, as far as the pace allows. */
void tw_redis_registry_flush(tw_redis_registry_t *registry);

/** Whether something of it is still on its way through the loops. */
bool tw_redis_registry_busy(const tw_redis_registry_t *registry);

void tw_redis_registry_dispose(tw_redis_registry_t *registry);

#endif
