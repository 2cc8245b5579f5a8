/*
 * What a run has measured, and how it is told: JSON on stdout for programs, one line on stderr for
 * people. Main thread, after the others have ended.
 */
#ifndef TW_BENCH_REPORT_H
#define TW_BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/load/process_stats.h"
#include "bench/load/publisher.h"
#include "bench/load/subscriber.h"

/* CPU and counters at one moment. */
typedef struct st_tw_sample_t {
    uint64_t time_ns;
    tw_process_cpu_t server;
    uint64_t client_cpu_ns;
    uint64_t comments;
    uint64_t churned;
} tw_sample_t;

typedef struct st_tw_results_t {
    const char *stopped_why; /* static text: what made the run end early; NULL: nothing */
    uint64_t open_ns;        /* from the first connect to the last 200 */
    uint64_t streams_open;
    tw_process_memory_t memory_before, memory_open, memory_after;
    tw_sample_t open_start, open_end;
    tw_sample_t hold_start, hold_end;
    tw_sample_t measure_start, measure_end;
    uint64_t disagreeing_streams;  /* saw their topic's events in another order than others */
    tw_subscriber_counts_t counts; /* summed over threads */
    tw_histogram_t latency;        /* merged */
    tw_histogram_t catch_up;       /* merged */
    uint64_t receiver_cpu_ns;      /* of all subscriber threads, the whole run */
} tw_results_t;

/* True when nothing was lost, repeated, reordered, altered or refused, and all was sent. */
bool tw_report_is_clean(const tw_run_t *run, const tw_publisher_t *publisher,
                        const tw_results_t *results);

void tw_report_print(const tw_run_t *run, const tw_publisher_t *publisher,
                     const tw_results_t *results);

#endif
