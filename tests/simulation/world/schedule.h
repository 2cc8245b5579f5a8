/**
 * What happens in a world, as a list: what clients do and what goes wrong, each with its time. Made
 * from a seed, or read from a file; printed in the same form, so that what was shrunk can be kept
 * as a scenario. A file has lines "set NAME VALUE", "expect KIND", and "MS OPERATION name=value…".
 */
#ifndef TW_SIM_SCHEDULE_H
#define TW_SIM_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TW_SIM_PARAMS 6

/* name, value unless it is set, meaning */
#define TW_SIM_SETTING_TABLE(X)                                                                    \
    X(seed, 1, "of delays and of gateways' randomness")                                            \
    X(nodes, 3, "gateways, at most TW_SIM_PLACES")                                                 \
    X(lanes, 1, "TIDEWAY_REDIS_LANES")                                                             \
    X(masters, 1, "that lanes are on, at most TW_SIM_MASTERS")                                     \
    X(topics, 10, "that there are")                                                                \
    X(tail_events, 200, "TIDEWAY_TAIL_EVENTS of gateways as they start")                           \
    X(window_ms, 0, "TIDEWAY_RESUME_WINDOW_MS")                                                    \
    X(least_us, 100, "each way of a pipe takes at least so long")                                  \
    X(spread_us, 200, "and up to so much longer")                                                  \
    X(duration_ms, 20000, "then all faults end")

typedef struct tw_sim_settings {
#define X(name, usual, meaning) int64_t name;
    TW_SIM_SETTING_TABLE(X)
#undef X
} tw_sim_settings_t;

/*
 * name, text, whether it is a fault, parameters (missing ones are 0). `place` is a gateway's,
 * `which` counts its pipes from the newest (-1: all), `ways` is 1 up, 2 down, 3 both, `topic` and
 * `topics` are a range of topics. `left_behind` has a bit for each place that does not learn of a
 * failover, for join_ms or to the end.
 */
#define TW_SIM_OPERATION_TABLE(X)                                                                  \
    X(OPEN, "open", false, "client", "place", "topic", "topics", "", "")                           \
    X(DROP, "drop", false, "client", "place", "back_ms", "", "", "")                               \
    X(LEAVE, "leave", false, "client", "", "", "", "", "")                                         \
    X(DEAF, "deaf", false, "client", "", "", "", "", "")                                           \
    X(TEAR, "tear", false, "client", "place", "back_ms", "blocks", "", "")                         \
    X(BLOCK, "block", false, "client", "for_ms", "", "", "", "")                                   \
    X(PUBLISH, "publish", false, "place", "topic", "topics", "count", "every_us", "bytes")         \
    X(ASK, "ask", false, "place", "topic", "topics", "count", "every_us", "")                      \
    X(LIST, "list", false, "place", "", "", "", "", "")                                            \
    X(REVOKE, "revoke", false, "place", "client", "", "", "", "")                                  \
    X(RESUME, "resume", false, "client", "place", "topic", "topics", "", "")                       \
    X(CUT, "cut", true, "place", "which", "", "", "", "")                                          \
    X(SWALLOW, "swallow", true, "place", "which", "ways", "for_ms", "", "")                        \
    X(DELAY, "delay", true, "place", "which", "ways", "least_us", "spread_us", "for_ms")           \
    X(CRASH, "crash", true, "place", "back_ms", "new_id", "", "", "")                              \
    X(RESTART, "restart", true, "place", "back_ms", "tail_events", "", "", "")                     \
    X(STALL, "stall", true, "place", "for_ms", "", "", "", "")                                     \
    X(CLOCK, "clock", true, "place", "by_ms", "", "", "", "")                                      \
    X(NO_MEMORY, "no-memory", true, "place", "after", "", "", "", "")                              \
    X(SNAPSHOT, "snapshot", true, "master", "", "", "", "", "")                                    \
    X(REDIS_RESTART, "redis-restart", true, "back_ms", "snapshot", "master", "", "", "")           \
    X(REDIS_STALL, "redis-stall", true, "for_ms", "master", "", "", "", "")                        \
    X(REDIS_CLOCK, "redis-clock", true, "by_ms", "", "", "", "", "")                               \
    X(FLUSH, "flush", true, "master", "", "", "", "", "")                                          \
    X(REPLICATE, "replicate", true, "master", "", "", "", "", "")                                  \
    X(FAILOVER, "failover", true, "left_behind", "master", "join_ms", "", "", "")                  \
    X(FULL, "full", true, "for_ms", "master", "", "", "", "")                                      \
    X(MEMORY, "memory", false, "spare_bytes", "", "", "", "", "")

typedef enum tw_sim_operation {
#define X(name, ...) TW_SIM_OP_##name,
    TW_SIM_OPERATION_TABLE(X)
#undef X
        TW_SIM_OPERATIONS
} tw_sim_operation_t;

typedef struct tw_sim_entry {
    int64_t at_us;
    tw_sim_operation_t operation;
    int64_t params[TW_SIM_PARAMS];
} tw_sim_entry_t;

typedef struct tw_sim_schedule {
    tw_sim_settings_t settings;
    tw_sim_entry_t *entries; /* owned; by time */
    size_t count, capacity;
} tw_sim_schedule_t;

void tw_sim_schedule_init(tw_sim_schedule_t *schedule);
void tw_sim_schedule_dispose(tw_sim_schedule_t *schedule);

/** Copies the settings, and those entries of which keep[i] is set (NULL: all). */
void tw_sim_schedule_copy(tw_sim_schedule_t *to, const tw_sim_schedule_t *from, const bool *keep);

void tw_sim_schedule_add(tw_sim_schedule_t *schedule, int64_t at_us, tw_sim_operation_t operation,
                         const int64_t *params, size_t count);

/** Into the order of time; those of one time stay in theirs. */
void tw_sim_schedule_sort(tw_sim_schedule_t *schedule);

void tw_sim_schedule_print(const tw_sim_schedule_t *schedule, FILE *out);

/** Reads a scenario; false: a line that is none was named on stderr. */
bool tw_sim_schedule_read(tw_sim_schedule_t *schedule, const char *path);

const char *tw_sim_operation_text(tw_sim_operation_t operation);
bool tw_sim_operation_is_fault(tw_sim_operation_t operation);

#endif
