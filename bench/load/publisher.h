/*
 * The publisher: one thread, its connections, and the pace. In open loop every event has a time at
 * which it should be sent, and its latency counts from then, however late it really left
 * (no coordinated omission). In closed loop an event follows when earlier ones were answered and
 * received.
 *
 * Threads: belongs to the thread that it starts; others read it after tw_publisher_join().
 */
#ifndef TW_BENCH_PUBLISHER_H
#define TW_BENCH_PUBLISHER_H

#include <pthread.h>
#include <stdint.h>

#include "bench/load/h2.h"
#include "bench/load/histogram.h"
#include "bench/load/run.h"

typedef struct st_tw_publisher_counts_t {
    uint64_t sent;
    uint64_t sent_measured; /* of `sent`, after warming up */
    uint64_t accepted;
    uint64_t dropped;
    uint64_t failed;          /* answered with an error, reset, or lost with the connection */
    uint64_t miscounted;      /* answers whose `delivered` is not the number of followers */
    uint64_t dropped_wrongly; /* dropped although somebody follows, or the reverse */
    int failed_status;        /* the last one; 0: reset or lost */
    const char *lost_why;     /* static text, or NULL */
} tw_publisher_counts_t;

typedef struct st_tw_publisher_t {
    tw_run_t *run;
    pthread_t thread;
    tw_loop_t loop;
    struct st_tw_publisher_connection_t *connections; /* owned; options->publishers many */
    uint32_t ready;                                   /* connections that can publish */
    uint32_t in_flight;                               /* events not answered yet */
    tw_phase_t phase_seen;

    /* The pace of the current phase. */
    uint64_t start_ns;
    uint64_t until_ns;
    uint64_t events_max; /* 0: until until_ns */
    uint64_t events;     /* sent in this phase */
    bool starting;       /* waits for its connections */
    bool publishing;

    uint64_t turn;   /* counts events to followed topics: chooses topic and lane */
    uint64_t nobody; /* counts those to topics that nobody follows */
    uint64_t chosen; /* counts both: decides which it is */
    uint64_t expected;

    tw_publisher_counts_t counts;
    tw_histogram_t answer_latency;
    uint64_t measure_start_ns;    /* the first measured event */
    uint64_t measure_sent_ns;     /* the last measured event */
    uint64_t measure_answered_ns; /* the last answer to one */
    uint64_t cpu_ns;
    tw_request_t request;
    char payload[TW_PAYLOAD_BYTES_MAX];
    _Atomic int connected; /* all connections are ready (1), or one failed (-1) */
} tw_publisher_t;

/* Connects and starts the thread; it publishes as run->phase says. 0, or -1 after a stderr line. */
int tw_publisher_start(tw_publisher_t *self, tw_run_t *run);

/* Waits until the thread has ended; the phase must be TW_PHASE_STOP. */
void tw_publisher_join(tw_publisher_t *self);

/* After join. */
void tw_publisher_dispose(tw_publisher_t *self);

#endif
