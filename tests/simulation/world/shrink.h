/** The smallest part of a schedule that breaks the same promise. */
#ifndef TW_SIM_SHRINK_H
#define TW_SIM_SHRINK_H

#include "tests/simulation/world/checker.h"
#include "tests/simulation/world/schedule.h"

/** Leaves out entries of `schedule` (which breaks `verdict`) as long as that stays so, in at most
 * `runs` runs. */
void tw_sim_shrink(tw_sim_schedule_t *schedule, tw_sim_verdict_t verdict, unsigned runs);

#endif
