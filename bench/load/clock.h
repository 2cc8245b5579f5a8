/* Time as everything in the load generator takes it: nanoseconds that only move forward. */
#ifndef TW_BENCH_CLOCK_H
#define TW_BENCH_CLOCK_H

#include <stdint.h>
#include <time.h>

#define TW_NS_PER_SECOND UINT64_C(1000000000)
#define TW_NS_PER_MS UINT64_C(1000000)

static inline uint64_t tw_clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * TW_NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

static inline uint64_t tw_now_ns(void)
{
    return tw_clock_ns(CLOCK_MONOTONIC);
}

#endif
