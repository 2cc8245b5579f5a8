#include "tests/fuzz/clock.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000

static _Atomic int64_t ahead_ns; /* other threads, such as the log's, ask for the time, too */

void tw_fuzz_clock_advance(uint64_t ms)
{
    atomic_fetch_add(&ahead_ns, (int64_t)ms * 1000000);
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    if (syscall(SYS_clock_gettime, id, now) != 0)
        return -1;
    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE) {
        int64_t ns = now->tv_nsec + atomic_load(&ahead_ns);
        now->tv_sec += ns / NS_PER_S;
        now->tv_nsec = ns % NS_PER_S;
    }
    return 0;
}
