/** What is to happen, by virtual time; at the same time in the order in which it was put in. */
#ifndef TW_SIM_AGENDA_H
#define TW_SIM_AGENDA_H

#include <stdint.h>

typedef void (*tw_sim_happening_fn)(void *data);

void tw_sim_agenda_add(int64_t at_us, tw_sim_happening_fn run, void *data);

/** When the next one is due; INT64_MAX: there is none. */
int64_t tw_sim_agenda_due_us(void);

/** Runs the next one. */
void tw_sim_agenda_run(void);

/** Nothing with this data happens any more. */
void tw_sim_agenda_cancel(const void *data);

/** Forgets all. */
void tw_sim_agenda_clear(void);

#endif
