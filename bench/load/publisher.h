/*
 * The publisher: one thread, its connections, and the pace. In open loop every event has a time at
 * which it should be sent, and its latency counts from then, however late it really left
 * (no coordinated omission). In closed loop an event follows when earlier ones were answered and
 * received.
 *
 * Threads: belongs to the thread that it starts; others read it after load_publisher_join().
 */
#ifndef LOAD_PUBLISHER_H
#define LOAD_PUBLISHER_H

#include <pthread.h>
#include <stdint.h>

#include "bench/load/h2.h"
#include "bench/load/histogram.h"
#include "bench/load/run.h"

typedef struct load_publisher_counts {
    uint64_t sent;
    uint64_t sent_measured; /* of `sent`, after warming up */
    uint64_t accepted;
    uint64_t dropped;
    uint64_t failed;          /* answered with an error, reset, or lost with the connection */
    uint64_t miscounted;      /* answers whose `delivered` is not the number of followers */
    uint64_t dropped_wrongly; /* dropped although somebody follows, or the reverse */
    int failed_status;        /* the last one; 0: reset or lost */
    const char *lost_why;     /* static text, or NULL */
} load_publisher_counts_t;

typedef struct load_publisher {
    load_run_t *run;
    pthread_t thread;
    load_loop_t loop;
    struct load_publisher_connection *connections; /* owned; options->publishers many */
    uint32_t ready;                                /* connections that can publish */
    uint32_t in_flight;                            /* events not answered yet */
    load_phase_t phase_seen;

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

    load_publisher_counts_t counts;
    load_histogram_t answer_latency;
    uint64_t measure_start_ns;    /* the first measured event */
    uint64_t measure_sent_ns;     /* the last measured event */
    uint64_t measure_answered_ns; /* the last answer to one */
    uint64_t cpu_ns;
    load_request_t request;
    char payload[LOAD_PAYLOAD_BYTES_MAX];
    _Atomic int connected; /* all connections are ready (1), or one failed (-1) */
} load_publisher_t;

/* Connects and starts the thread; it publishes as run->phase says. 0, or -1 after a stderr line. */
int load_publisher_start(load_publisher_t *self, load_run_t *run);

/* Waits until the thread has ended; the phase must be LOAD_PHASE_STOP. */
void load_publisher_join(load_publisher_t *self);

/* After join. */
void load_publisher_dispose(load_publisher_t *self);

#endif
