/**
 * Time. Any thread.
 *
 * Callers: everybody.
 */
#ifndef TW_BASE_CLOCK_H
#define TW_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/** Milliseconds since 1970, for people and other machines. This clock may jump. */
static inline int64_t tw_clock_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/** Microseconds since an arbitrary start, for durations and deadlines. This clock never jumps. */
static inline int64_t tw_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/** Milliseconds of the same clock. */
static inline int64_t tw_clock_ms(void)
{
    return tw_clock_us() / 1000;
}

#endif
