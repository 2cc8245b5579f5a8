#include "tests/fuzz/clock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t ahead_s, ahead_ns;

void tw_fuzz_clock_advance(uint64_t ms)
{
    ahead_ns += (int64_t)(ms % 1000) * 1000000;
    ahead_s += (int64_t)(ms / 1000) + ahead_ns / 1000000000;
    ahead_ns %= 1000000000;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    if (syscall(SYS_clock_gettime, id, now) != 0)
        return -1;
    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) {
        now->tv_nsec += ahead_ns;
        now->tv_sec += ahead_s + now->tv_nsec / 1000000000;
        now->tv_nsec %= 1000000000;
    }
    return 0;
}
