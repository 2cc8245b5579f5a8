/**
 * The adapter that shares all state between nodes through Redis.
 *
 * It lives on the control loop: for each lane of the hub two links (commands; the inbox, in which
 * Redis puts what concerns this node) and the routes of the topics that this node follows.
 * Workers post requests to it and get answers the same way. docs/redis.md says what holds when
 * Redis fails, docs/internals/redis.md how it works.
 *
 * The process owns it. Callers: server/process.c, on the main thread, before the workers start;
 * everything else goes through runtime/adapter.h.
 */
#ifndef TW_REDIS_ADAPTER_H
#define TW_REDIS_ADAPTER_H

#include "runtime/adapter.h"
#include "runtime/hub.h"
#include "runtime/redis/client/access.h"

typedef struct tw_redis_config {
    tw_redis_access_config_t access; /* copied */
    const char *prefix;              /* of all keys; NULL: "tw:"; copied */
} tw_redis_config_t;

/**
 * `info` is borrowed and outlives the adapter. NULL with one line in `error` when the URL or the
 * authorities cannot be used; Redis itself is only looked for once the adapter is started, and for
 * as long as it takes.
 */
tw_adapter_t *tw_redis_adapter_create(tw_hub_t *hub, const tw_node_info_t *info,
                                      const tw_redis_config_t *config, char *error,
                                      size_t error_size);

#endif
