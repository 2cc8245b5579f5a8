/**
 * Asks Redis Sentinel where the master of a name is: one sentinel after the other until one knows.
 *
 * It says who we are to sentinels that ask for it, and begins with the one that answered last. Loop
 * thread only.
 */
#ifndef TW_REDIS_SENTINEL_H
#define TW_REDIS_SENTINEL_H

#include "runtime/redis/client/link.h"

typedef struct tw_redis_sentinel tw_redis_sentinel_t;

/**
 * The answer: `master` on success; else NULL, and `reason` is one line. The callback never runs
 * before tw_redis_sentinel_ask() returns; it may destroy the object.
 */
typedef void (*tw_redis_sentinel_cb)(const tw_redis_endpoint_t *master, const char *reason,
                                     void *data);

/** `access` and `limits` are borrowed until the destroy. */
tw_redis_sentinel_t *tw_redis_sentinel_create(uv_loop_t *loop, const tw_redis_access_t *access,
                                              const tw_redis_limits_t *limits);

/** Asks; one question at a time. */
void tw_redis_sentinel_ask(tw_redis_sentinel_t *sentinel, tw_redis_sentinel_cb callback,
                           void *data);

/** A question that is open is forgotten, its callback never comes. NULL is nothing. */
void tw_redis_sentinel_destroy(tw_redis_sentinel_t *sentinel);

#endif
