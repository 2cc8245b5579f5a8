/**
 * What a worker does for its open streams when nothing is published: heartbeats for silent ones,
 * and the orderly end of connections that have reached their maximal age.
 *
 * The worker's timers call it, on its thread.
 *
 * It owns nothing. Callers: server/worker.c.
 */
#ifndef TW_RUNTIME_UPKEEP_H
#define TW_RUNTIME_UPKEEP_H

#include <stdint.h>

#include "runtime/fanout.h"

/** Advances the heartbeat clock by one tick and writes to the streams that have been silent for
 * `silence` ticks. */
void tw_upkeep_heartbeat(tw_fanout_t *fanout, uint16_t silence);

/**
 * Retires the connections that are due, and closes the streams of retired ones evenly over
 * spread_ms, so that their clients do not all come back at once. To be called every step_ms with
 * tw_clock_ms(). Streams that are still being opened are left for a later step.
 */
void tw_upkeep_age(tw_fanout_t *fanout, int64_t now_ms, int64_t spread_ms, int64_t step_ms);

#endif
