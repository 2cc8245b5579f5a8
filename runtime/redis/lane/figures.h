/**
 * What a node counts, as it says so to the others with its lease: a JSON object whose members are
 * named after the fields of tw_stats_t and tw_counters_t. What is 0 is left out, and so is what
 * nobody lists (latencies). Names that one side does not know are 0, so that nodes of two versions
 * read each other. Any thread. Callers: runtime/redis/lane/lease.c (writes),
 * runtime/redis/queries.c (reads).
 */
#ifndef TW_REDIS_FIGURES_H
#define TW_REDIS_FIGURES_H

#include <stdbool.h>

#include "runtime/stats.h"

/** Writes them, with the wall clock's time at which they were counted; free() the text. */
char *tw_redis_figures_write(const tw_stats_t *stats, int64_t counted_at_ms);

/** Reads them; false, with both untouched, when the text holds none. */
bool tw_redis_figures_read(const char *text, tw_stats_t *stats, int64_t *counted_at_ms);

#endif
