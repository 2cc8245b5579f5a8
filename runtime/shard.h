/**
 * A shard: what every connection and subscriber of one worker shares. Its loop, its heartbeat
 * clock, its counters, and the lists of its connections and of the streams that are about to be
 * closed.
 *
 * There is one in each worker's fan-out (runtime/fanout.h). It knows nobody: connections know their
 * shard, subscribers know their connection, the fan-out knows all of them. Belongs to the worker's
 * thread; other threads may post to its loop and read its counters.
 *
 * Callers: runtime/fanout.c, runtime/connection.c.
 */
#ifndef TW_RUNTIME_SHARD_H
#define TW_RUNTIME_SHARD_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/loop.h"
#include "runtime/backlog.h"
#include "runtime/counters.h"

#define TW_WORKERS_MAX 64

/** What all shards of a node have in common. */
typedef struct tw_shard_config {
    tw_backlog_t *backlog;         /* borrowed: outlives the shards */
    uint32_t instance;             /* drawn at start: the first part of every connection id */
    int64_t connection_age_max_ms; /* when connections with streams retire; 0: never */
} tw_shard_config_t;

typedef struct tw_shard {
    tw_loop_t loop;
    tw_shard_config_t config;
    uint32_t index;                                           /* of the worker, from 0 */
    uint32_t jitter;                                          /* of the next retirement */
    uint64_t next_number;                                     /* of the next subscriber */
    LIST_HEAD(tw_connection_list, tw_connection) connections; /* those with streams */
    LIST_HEAD(tw_doomed_list, tw_subscriber) doomed;          /* closed at the end of the batch */
    uint16_t tick;                                            /* heartbeat clock; wraps */
    tw_counters_t counters;
} tw_shard_t;

/** Prepares the shard, on the thread that runs `uv`, or before it runs. owner and on_batch are the
 * loop's. */
void tw_shard_init(tw_shard_t *shard, const tw_shard_config_t *config, uint32_t index,
                   uv_loop_t *uv, void *owner, void (*on_batch)(void *owner));

/** When a connection that is made now retires (tw_clock_ms()): at the maximal age, give or take a
 * tenth; 0: never. */
int64_t tw_shard_next_retirement(tw_shard_t *shard);

#endif
