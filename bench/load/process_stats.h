/*
 * What the measured processes use, as the kernel sees it in /proc: CPU time to the nanosecond for
 * each thread (schedstat), and resident memory (smaps_rollup). Any thread; sampling takes no lock.
 */
#ifndef TW_BENCH_PROCESS_STATS_H
#define TW_BENCH_PROCESS_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TW_PROCESS_THREADS_MAX = 128 };

typedef struct st_tw_process_thread_t {
    pid_t pid, tid;
    uint64_t cpu_ns;
    char name[16];
} tw_process_thread_t;

typedef struct st_tw_process_cpu_t {
    uint64_t total_ns;                 /* over all threads that are alive */
    uint64_t user_ticks, system_ticks; /* of sysconf(_SC_CLK_TCK), dead threads included */
    tw_process_thread_t threads[TW_PROCESS_THREADS_MAX];
    size_t thread_count; /* further threads are in the total only */
} tw_process_cpu_t;

typedef struct st_tw_process_memory_t {
    uint64_t rss_bytes;
    uint64_t pss_bytes; /* what several processes share is divided between them */
} tw_process_memory_t;

/* Sums over `pids`; processes that are gone count nothing. */
void tw_process_cpu_sample(const pid_t *pids, size_t count, tw_process_cpu_t *cpu);
void tw_process_memory_sample(const pid_t *pids, size_t count, tw_process_memory_t *memory);

#endif
