/**
 * Bytes that wait, and how many may: the one rule by which a queue is too long.
 *
 * What is larger than the budget may wait alone, since nobody could ever get it otherwise. Belongs
 * to whoever embeds it; not thread-safe.
 *
 * Callers: everybody, on the thread that the owner belongs to.
 */
#ifndef TW_BASE_BUDGET_H
#define TW_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tw_budget {
    uint64_t used; /* bytes that wait */
    uint64_t max;  /* 0: no limit */
} tw_budget_t;

/** Whether so many bytes more may wait. */
static inline bool tw_budget_fits(const tw_budget_t *budget, uint64_t bytes)
{
    return budget->max == 0 || budget->used == 0 || budget->used + bytes <= budget->max;
}

static inline void tw_budget_take(tw_budget_t *budget, uint64_t bytes)
{
    budget->used += bytes;
}

static inline void tw_budget_give(tw_budget_t *budget, uint64_t bytes)
{
    budget->used -= bytes;
}

#endif
