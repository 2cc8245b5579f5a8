/*
 * Subscribers: one thread with its loop, its share of the connections, and all their streams. Opens
 * them within limits, verifies and times every delivery, and keeps what a stream needs in 32
 * octets.
 *
 * Threads: a load_subscriber_thread_t belongs to the thread that it starts; others read the atomics
 * while it runs, and everything once load_subscriber_thread_join() has returned.
 */
#ifndef LOAD_SUBSCRIBER_H
#define LOAD_SUBSCRIBER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/load/checker.h"
#include "bench/load/h2.h"
#include "bench/load/histogram.h"
#include "bench/load/payload.h"
#include "bench/load/run.h"

enum { LOAD_STREAM_FREE, LOAD_STREAM_OPENING, LOAD_STREAM_OPEN };

typedef struct load_stream {
    uint32_t id;         /* HTTP/2's, odd; the table is indexed with its lower bits */
    uint32_t topic : 24; /* the first that it follows */
    uint32_t state : 7;
    uint32_t resumed : 1;     /* was cut and came back */
    load_checker_slot_t slot; /* when it needs only one */
    load_bytes_t *carry;      /* owned; the beginning of an event that is not whole yet */
    uint32_t window_used;
    uint32_t tally; /* digest of the order of events; with churn: how many */
} load_stream_t;

/* What a thread has seen. */
typedef struct load_subscriber_counts {
    load_checker_counts_t checks;
    uint64_t measured;    /* deliveries of events sent since measure_from_ns */
    uint64_t comments;    /* heartbeats and the like */
    uint64_t foreign;     /* events of topics that the stream does not follow */
    uint64_t corrupt;     /* events with other bytes than were published */
    uint64_t refused;     /* streams not answered with 200 */
    uint64_t closed;      /* streams ended by the server */
    uint64_t slow_closed; /* of those on slow connections */
    uint64_t churned;     /* streams closed here to open others */
    uint64_t resumed;     /* streams cut that have asked to go on */
    uint64_t caught_up;   /* of those: that have got all they had missed */
    uint64_t connections_lost;
    int refused_status;   /* the last one; 0: reset */
    const char *lost_why; /* static text of the last connection lost, or NULL */
} load_subscriber_counts_t;

typedef struct load_subscriber_thread {
    load_run_t *run;
    pthread_t thread;
    load_loop_t loop;
    struct load_subscriber *connections; /* owned */
    uint32_t connection_count;
    uint32_t connection_first; /* over all threads */
    uint32_t connecting;
    uint32_t connect_next;
    load_phase_t phase_seen;
    load_subscriber_counts_t counts;
    load_histogram_t latency;
    load_histogram_t catch_up; /* of streams that resume: until all they had missed is there */
    load_request_t request;

    bool cut;                 /* connections are cut and have not been made again yet */
    uint32_t resume_at;       /* sequence number of the last topic at which they are */
    uint32_t resume_sequence; /* and to which they have missed events: 0 before that */
    uint64_t resume_ns;
    uint64_t cpu_ns; /* this thread's, set when it ends */

    /* The last DATA frame that was one whole event: most are the same in a fan-out. */
    char last_frame[512];
    size_t last_frame_bytes;
    load_payload_t last_payload;

    _Atomic uint64_t delivered;
    _Atomic uint64_t open;     /* streams open now */
    _Atomic uint64_t failures; /* anything that makes opening everything impossible */
    _Atomic uint64_t comments;
    _Atomic uint64_t churned;
    _Atomic uint64_t slow_closed;
} load_subscriber_thread_t;

/* Starts the `index`th of the run's threads. 0, or -1 after a line on stderr. */
int load_subscriber_thread_start(load_subscriber_thread_t *self, load_run_t *run, uint32_t index);

/* Waits until the thread has ended; the phase must be LOAD_PHASE_STOP. */
void load_subscriber_thread_join(load_subscriber_thread_t *self);

/*
 * After join: counts what never came. `digests` ([topics], zeroed before the first thread) holds
 * what order each topic's subscribers saw. Returns how many streams saw another order than the
 * first of their topic.
 */
uint64_t load_subscriber_thread_finish(load_subscriber_thread_t *self, uint32_t *digests);

/* After join. */
void load_subscriber_thread_dispose(load_subscriber_thread_t *self);

#endif
