/**
 * A gateway without HTTP: a hub, a worker with its fan-out, and the Redis adapter on its control
 * loop, all real, on virtual loops. Seen from outside by the adapter's contract alone.
 */
#ifndef TW_SIM_GATEWAY_H
#define TW_SIM_GATEWAY_H

#include <stdbool.h>
#include <sys/queue.h>

#include "runtime/adapter.h"
#include "runtime/hub.h"
#include "tests/simulation/virtual/loop.h"

typedef struct tw_sim_gateway {
    LIST_ENTRY(tw_sim_gateway) link; /* in the list of all, also of those that end */
    uint32_t place;
    char id[32];
    tw_node_info_t info;
    tw_sim_host_t host;
    tw_sim_loop_t control_uv, worker_uv;
    tw_loop_t control;
    tw_fanout_t fanout;
    tw_hub_t *hub;
    tw_adapter_t *adapter;
    unsigned fails_after; /* so many allocations that peers size; 0: none fails */
    int64_t stalled_until_us;
    int64_t swept_us;
    int64_t ready_since_us; /* when ready() changed last, as far as was looked */
    bool was_ready;
    bool is_ending, has_stopped;
} tw_sim_gateway_t;

/** Starts one. `ordinal` makes its randomness its own. */
tw_sim_gateway_t *tw_sim_gateway_start(uint32_t place, const char *id, uint64_t seed,
                                       const tw_hub_config_t *config);

/** Leaves the cluster in order; its streams are closed. It is stepped on until it is over. */
void tw_sim_gateway_stop(tw_sim_gateway_t *gateway);

/** Dies: the network gets nothing of it any more. What is left of it is stepped on until its memory
 * can be freed. */
void tw_sim_gateway_crash(tw_sim_gateway_t *gateway);

/** Whether an ending one has nothing left to do; then it can be destroyed. */
bool tw_sim_gateway_is_over(const tw_sim_gateway_t *gateway);
void tw_sim_gateway_destroy(tw_sim_gateway_t *gateway);

bool tw_sim_gateway_is_ready(tw_sim_gateway_t *gateway);

/** When it takes its next step; and the step of the loop that is due. */
int64_t tw_sim_gateway_due_us(const tw_sim_gateway_t *gateway);
void tw_sim_gateway_step(tw_sim_gateway_t *gateway);

/** The loop of its one worker, by which the contract's calls are made. */
static inline tw_loop_t *tw_sim_gateway_worker(tw_sim_gateway_t *gateway)
{
    return &gateway->fanout.shard.loop;
}

#endif
