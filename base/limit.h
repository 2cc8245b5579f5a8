/**
 * A number of things that may exist at the same time, and how many were refused beyond it.
 *
 * Any thread. `max` is set before the first use.
 *
 * A limit belongs to whoever embeds it. Callers: everybody.
 */
#ifndef TW_BASE_LIMIT_H
#define TW_BASE_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct tw_limit {
    uint64_t max; /* 0: no limit */
    _Atomic uint64_t count;
    _Atomic uint64_t refused;
} tw_limit_t;

/** Takes one more. False: there are `max` already, which is counted as a refusal. */
static inline bool tw_limit_take(tw_limit_t *limit)
{
    if (atomic_fetch_add_explicit(&limit->count, 1, memory_order_relaxed) < limit->max ||
        limit->max == 0)
        return true;
    atomic_fetch_sub_explicit(&limit->count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&limit->refused, 1, memory_order_relaxed);
    return false;
}

/** Gives one back that was taken. */
static inline void tw_limit_give(tw_limit_t *limit)
{
    atomic_fetch_sub_explicit(&limit->count, 1, memory_order_relaxed);
}

static inline uint64_t tw_limit_count(const tw_limit_t *limit)
{
    return atomic_load_explicit(&limit->count, memory_order_relaxed);
}

#endif
