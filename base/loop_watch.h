/**
 * How long the turns of a loop take: what everything on the loop waits for at worst.
 *
 * A turn is what happens between two waits for events. Its length is wall time, which on a busy
 * machine includes pauses that the kernel made; the CPU time beside it is the loop's own work. Part
 * of tw_loop_t and written by its thread; any thread may read.
 *
 * Callers: base/loop.c, which embeds and writes it; handlers/ops.c, which reads it.
 */
#ifndef TW_BASE_LOOP_WATCH_H
#define TW_BASE_LOOP_WATCH_H

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

#define TW_LOOP_STALL_US 20000

/** The longest turn of a period, microseconds. The CPU time is rounded up by at most one
 * millisecond. */
typedef struct tw_loop_longest {
    _Atomic uint64_t wall_us, cpu_us;
} tw_loop_longest_t;

typedef struct tw_loop_watch {
    char name[16];
    uint64_t turned_ns, idle_ns;  /* when the last turn ended; time spent waiting until then */
    uint64_t cpu_ns, cpu_read_ns; /* the thread's CPU time when it was last read; when that was */
    uint64_t period_began_ns;
    tw_loop_longest_t longest[2];                  /* of this period, and of the one before */
    _Atomic uint64_t stalls;                       /* turns longer than TW_LOOP_STALL_US */
    _Atomic uint64_t turns_over_budget, deferrals; /* counted by the loop, see base/loop.h */
} tw_loop_watch_t;

/** Begins to watch, before the loop first runs. `name` is copied, and cut to its first 15 bytes. */
void tw_loop_watch_init(tw_loop_watch_t *watch, uv_loop_t *uv, const char *name);

/** Ends a turn and begins the next one; called right before the loop waits for events. */
void tw_loop_watch_turn(tw_loop_watch_t *watch, uv_loop_t *uv);

/** The longest turn of the last 30 to 60 seconds, microseconds of wall time and of CPU. */
uint64_t tw_loop_watch_wall_us(const tw_loop_watch_t *watch);
uint64_t tw_loop_watch_cpu_us(const tw_loop_watch_t *watch);

#endif
