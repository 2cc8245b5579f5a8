/**
 * What this node holds and has done, at one moment: for metrics, the admin API and the control
 * loop.
 *
 * Any thread. The numbers are read one after the other while the workers go on counting, so they
 * need not add up exactly.
 *
 * The caller owns what is filled in. Callers: handlers/, runtime/memory/, runtime/redis/,
 * server/control.c.
 */
#ifndef TW_RUNTIME_STATS_H
#define TW_RUNTIME_STATS_H

#include <stdint.h>

#include "runtime/counters.h"

typedef struct tw_hub tw_hub_t;

typedef struct tw_stats {
    tw_counters_t counters;      /* the sum of all workers */
    uint64_t streams;            /* open, or being opened */
    uint64_t topics;             /* with subscribers */
    uint64_t resume_windows_cut; /* ended early, because too many ran */
    uint64_t kept_events;        /* in tails */
    uint64_t kept_bytes;         /* of these */
    uint64_t event_bytes;        /* of all events: in tails, in queues, on their way */
} tw_stats_t;

/** Reads everything. */
void tw_stats_read(const tw_hub_t *hub, tw_stats_t *stats);

/** tw_stats_t.streams alone. */
uint64_t tw_stats_streams(const tw_hub_t *hub);

#endif
