/*
 * What the measured processes use, as the kernel sees it in /proc: CPU time to the nanosecond for
 * each thread (schedstat), and resident memory (smaps_rollup). Any thread; sampling takes no lock.
 */
#ifndef LOAD_PROCESS_STATS_H
#define LOAD_PROCESS_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LOAD_PROCESS_THREADS_MAX = 128 };

typedef struct load_process_thread {
    pid_t pid, tid;
    uint64_t cpu_ns;
    char name[16];
} load_process_thread_t;

typedef struct load_process_cpu {
    uint64_t total_ns;                 /* over all threads that are alive */
    uint64_t user_ticks, system_ticks; /* of sysconf(_SC_CLK_TCK), dead threads included */
    load_process_thread_t threads[LOAD_PROCESS_THREADS_MAX];
    size_t thread_count; /* further threads are in the total only */
} load_process_cpu_t;

typedef struct load_process_memory {
    uint64_t rss_bytes;
    uint64_t pss_bytes; /* what several processes share is divided between them */
} load_process_memory_t;

/* Sums over `pids`; processes that are gone count nothing. */
void load_process_cpu_sample(const pid_t *pids, size_t count, load_process_cpu_t *cpu);
void load_process_memory_sample(const pid_t *pids, size_t count, load_process_memory_t *memory);

#endif
