/**
 * The virtual machine that gateways run on: its time, its randomness and its log, in place of the
 * kernel's. Linking this folder replaces clock_gettime(), getrandom(), libuv's loop, the log of
 * base/log.h and the wire of runtime/redis/client/wire.h.
 *
 * Nothing here waits. The monotonic clock is moved by who runs the world; the wall clock of a host
 * is that plus an offset of its own, which may jump. One thread.
 */
#ifndef TW_SIM_MACHINE_H
#define TW_SIM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/random.h"

/** 2026-01-01: what the wall clock says when a world begins. */
#define TW_SIM_EPOCH_US INT64_C(1767225600000000)

/** What code that runs now believes about its host. */
typedef struct tw_sim_host {
    const char *name;
    int64_t wall_offset_us; /* of its wall clock */
    tw_test_random_t random;
} tw_sim_host_t;

/** Virtual microseconds since the world began. */
int64_t tw_sim_now_us(void);

/** A new world: time 0. */
void tw_sim_reset(void);

void tw_sim_set_now(int64_t now_us);

/** Time that passes while code of a gateway runs: each look at the clock costs a little, so that
 * who works until some time is over ends. Returns what has passed since the last call. */
int64_t tw_sim_take_spent_us(void);

/** Whose code runs from now on; NULL: nobody's. Returns whose did before. */
tw_sim_host_t *tw_sim_enter(tw_sim_host_t *host);

int64_t tw_sim_wall_us(const tw_sim_host_t *host);

/** Whether lines of the log are shown, with their virtual time. */
void tw_sim_show_log(bool shown);

/** One more line of the log's form, of the world itself. */
__attribute__((format(printf, 1, 2))) void tw_sim_say(const char *format, ...);

/** CPU time of the real machine, seconds. */
double tw_sim_cpu_seconds(void);

/** Bytes of the kernel's randomness: for fresh seeds. */
uint64_t tw_sim_fresh_seed(void);

#endif
