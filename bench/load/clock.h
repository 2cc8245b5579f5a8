/* Time as everything in the load generator takes it: nanoseconds that only move forward. */
#ifndef LOAD_CLOCK_H
#define LOAD_CLOCK_H

#include <stdint.h>
#include <time.h>

#define LOAD_NS_PER_SECOND UINT64_C(1000000000)
#define LOAD_NS_PER_MS UINT64_C(1000000)

static inline uint64_t load_clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * LOAD_NS_PER_SECOND + (uint64_t)ts.tv_nsec;
}

static inline uint64_t load_now_ns(void)
{
    return load_clock_ns(CLOCK_MONOTONIC);
}

#endif
