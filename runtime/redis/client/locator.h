/**
 * Finds the server that we need: asks those who know, one after the other until one answers.
 *
 * Sentinels are asked where the master of a name is, nodes of a Redis Cluster which master serves a
 * slot. Who is asked is told who we are. The one that answered last is asked first, and of a
 * cluster all nodes are remembered that the last answer named. Control loop only.
 *
 * A client owns its locator. Callers: runtime/redis/client/client.c.
 */
#ifndef TW_REDIS_LOCATOR_H
#define TW_REDIS_LOCATOR_H

#include "runtime/redis/client/link.h"

typedef struct tw_redis_locator tw_redis_locator_t;

/**
 * The answer: `master` on success; else NULL, and `reason` is one line. The callback never runs
 * before tw_redis_locator_ask() returns; it may destroy the object.
 */
typedef void (*tw_redis_locator_cb)(const tw_redis_endpoint_t *master, const char *reason,
                                    void *data);

/**
 * `access` and `limits` are borrowed until the destroy; the URL is one of sentinels, or of a
 * cluster, and then `slot_key` is a key of the slot that is needed.
 */
tw_redis_locator_t *tw_redis_locator_create(uv_loop_t *loop, const tw_redis_access_t *access,
                                            const tw_redis_limits_t *limits, const char *slot_key);

/** Asks; one question at a time. */
void tw_redis_locator_ask(tw_redis_locator_t *locator, tw_redis_locator_cb callback, void *data);

/** A question that is open is forgotten, its callback never comes. NULL is a no-op. */
void tw_redis_locator_destroy(tw_redis_locator_t *locator);

#endif
