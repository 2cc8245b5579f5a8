#include "runtime/counters.h"

static const uint64_t bounds_us[] = TW_LATENCY_BOUNDS_US;

_Static_assert(sizeof(bounds_us) / sizeof(bounds_us[0]) == TW_LATENCY_BOUND_COUNT,
               "count the bounds");

void tw_count_latency(tw_counters_t *counters, uint64_t us)
{
    int bucket = 0;
    while (bucket < TW_LATENCY_BOUND_COUNT && us > bounds_us[bucket])
        ++bucket;
    tw_count(&counters->latency[bucket], 1);
    tw_count(&counters->latency_sum_us, us);
}

static void add(_Atomic uint64_t *to, const _Atomic uint64_t *from)
{
    tw_count(to, atomic_load_explicit(from, memory_order_relaxed));
}

void tw_counters_add(tw_counters_t *to, const tw_counters_t *from)
{
#define X(field, metric, labels, type, help) add(&to->field, &from->field);
    TW_COUNTER_TABLE(X)
#undef X
    for (int i = 0; i < TW_CLOSE_REASON_COUNT; ++i)
        add(&to->closes[i], &from->closes[i]);
    for (int i = 0; i <= TW_LATENCY_BOUND_COUNT; ++i)
        add(&to->latency[i], &from->latency[i]);
    add(&to->latency_sum_us, &from->latency_sum_us);
}
