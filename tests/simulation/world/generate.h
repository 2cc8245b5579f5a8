/** A schedule out of a seed: what clients do, and faults of every kind. */
#ifndef TW_SIM_GENERATE_H
#define TW_SIM_GENERATE_H

#include "tests/simulation/world/schedule.h"

/** Fills a schedule that was initialised. The same seed always makes the same. */
/** The number of lanes of all worlds; 0: each seed has its own. */
extern int64_t tw_sim_generate_lanes;

void tw_sim_generate(tw_sim_schedule_t *schedule, uint64_t seed);

#endif
