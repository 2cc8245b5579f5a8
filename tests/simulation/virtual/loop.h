/**
 * A loop of libuv in virtual time: timers, idle and prepare handles, calls from other threads, and
 * what comes from the virtual network. A step is what libuv does between two waits: what has come,
 * closed handles, timers, idle and prepare handles, in libuv's order.
 */
#ifndef TW_SIM_LOOP_H
#define TW_SIM_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "tests/simulation/virtual/machine.h"

#define TW_SIM_HANDLES_MAX 512

typedef void (*tw_sim_input_fn)(void *data);

typedef struct tw_sim_input {
    tw_sim_input_fn run;
    void *data;
} tw_sim_input_t;

typedef struct tw_sim_loop {
    uv_loop_t uv; /* first: a uv_loop_t of the simulation is always one of these */
    tw_sim_host_t *host;
    uint32_t place; /* of the gateway that it belongs to: where its connections begin */
    bool is_dead;   /* its host has crashed: it reaches nobody */
    uv_handle_t *handles[TW_SIM_HANDLES_MAX];
    size_t handle_count;
    uint64_t timer_count;
    int64_t woken_us; /* when a call of another thread is seen; INT64_MAX: there is none */
    int64_t busy_until_us;
    tw_sim_input_t *inputs; /* owned */
    size_t input_count, input_capacity;
} tw_sim_loop_t;

void tw_sim_loop_init(tw_sim_loop_t *loop, tw_sim_host_t *host, uint32_t place);

/** All handles are closed. */
void tw_sim_loop_dispose(tw_sim_loop_t *loop);

/** When the next step is due; INT64_MAX: never, as things are. */
int64_t tw_sim_loop_due_us(const tw_sim_loop_t *loop);

void tw_sim_loop_step(tw_sim_loop_t *loop);

/** Has run(data) called in the next step, as if it had come from the network. */
void tw_sim_loop_input(tw_sim_loop_t *loop, tw_sim_input_fn run, void *data);

/** What was asked for with the same data does not come. */
void tw_sim_loop_cancel_input(tw_sim_loop_t *loop, const void *data);

#endif
