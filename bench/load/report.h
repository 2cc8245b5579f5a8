/*
 * What a run has measured, and how it is told: JSON on stdout for programs, one line on stderr for
 * people. Main thread, after the others have ended.
 */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/load/process_stats.h"
#include "bench/load/publisher.h"
#include "bench/load/subscriber.h"

/* CPU and counters at one moment. */
typedef struct load_sample {
    uint64_t time_ns;
    load_process_cpu_t server;
    uint64_t client_cpu_ns;
    uint64_t comments;
    uint64_t churned;
} load_sample_t;

typedef struct load_results {
    const char *stopped_why; /* static text: what made the run end early; NULL: nothing */
    uint64_t open_ns;        /* from the first connect to the last 200 */
    uint64_t streams_open;
    load_process_memory_t memory_before, memory_open, memory_after;
    load_sample_t open_start, open_end;
    load_sample_t hold_start, hold_end;
    load_sample_t measure_start, measure_end;
    uint64_t disagreeing_streams;    /* saw their topic's events in another order than others */
    load_subscriber_counts_t counts; /* summed over threads */
    load_histogram_t latency;        /* merged */
    load_histogram_t catch_up;       /* merged */
    uint64_t receiver_cpu_ns;        /* of all subscriber threads, the whole run */
} load_results_t;

/* True when nothing was lost, repeated, reordered, altered or refused, and all was sent. */
bool load_report_is_clean(const load_run_t *run, const load_publisher_t *publisher,
                          const load_results_t *results);

void load_report_print(const load_run_t *run, const load_publisher_t *publisher,
                       const load_results_t *results);

#endif
