/** The list of known faults: which scenarios and seeds may break which promise. See known_faults.
 */
#ifndef TW_SIM_KNOWN_H
#define TW_SIM_KNOWN_H

#include "tests/simulation/world/checker.h"

/** Reads the list; false: it cannot be read, or has a line that is none (named on stderr). */
bool tw_sim_known_read(const char *path);

/** What a scenario breaks as things are; TW_SIM_NONE: it must hold. `name` without folder and
 * ".sim". */
tw_sim_verdict_t tw_sim_known_of_scenario(const char *name);

/** Whether worlds out of seeds may break it. */
bool tw_sim_known_of_seeds(tw_sim_verdict_t verdict);

/** Names that were read and not asked for: no such scenario is left. Returns NULL at the end. */
const char *tw_sim_known_unused(void);

#endif
