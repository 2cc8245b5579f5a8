/*
 * What the threads of one run share: the immutable plan, and the few counters through which
 * publisher, subscribers and the main thread see each other.
 *
 * Threads: the main thread makes the run, moves `phase` forward and reads the counters. Everything
 * that is not atomic is written before the threads start.
 */
#ifndef TW_BENCH_RUN_H
#define TW_BENCH_RUN_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdint.h>

#include "bench/load/dialect.h"
#include "bench/load/options.h"

/* In this order, each at most once. */
typedef enum {
    TW_PHASE_OPEN,    /* subscribers connect and open their streams */
    TW_PHASE_WARM_UP, /* the publisher publishes, slow connections stop reading */
    TW_PHASE_MEASURE, /* the publisher publishes what counts */
    TW_PHASE_RELEASE, /* slow connections read again */
    TW_PHASE_STOP     /* threads end */
} tw_phase_t;

struct st_tw_loop_t;
struct st_tw_subscriber_thread_t;

typedef struct st_tw_run_t {
    const tw_load_options_t *options;
    const tw_dialect_t *dialect;
    tw_dialect_server_t servers[TW_LOAD_ADDRESSES_MAX];
    SSL_CTX *tls;        /* owned; NULL for cleartext */
    uint32_t *followers; /* owned; of each topic, slow streams left out */
    uint32_t followers_max;
    _Atomic uint32_t *sent; /* owned; [topic * lanes + lane]: the last sequence number sent */
    struct st_tw_subscriber_thread_t *threads; /* owned; options->threads many */
    _Atomic int phase;
    _Atomic uint64_t measure_from_ns; /* events sent from then on count */

    /* Of the publisher. */
    _Atomic int finished_phase;          /* the last phase in which it has published everything */
    _Atomic uint64_t expected;           /* deliveries that it has caused */
    _Atomic uint64_t published;          /* events sent plus answers received */
    _Atomic uint64_t wake_at;            /* wake it at so many deliveries; UINT64_MAX: do not */
    struct st_tw_loop_t *publisher_loop; /* borrowed; set before the threads start */
} tw_run_t;

/* Makes the plan; 0, or -1 after a line on stderr. `options` must outlive the run. */
int tw_run_init(tw_run_t *run, const tw_load_options_t *options);

void tw_run_dispose(tw_run_t *run);

/* Deliveries so far, over all threads; any thread. */
uint64_t tw_run_delivered(const tw_run_t *run);

/* The topic that stream `index` (over all connections) follows as its `nth`. */
static inline uint32_t tw_run_topic(const tw_run_t *run, uint32_t index, uint32_t nth)
{
    return (index + nth) % run->options->topics;
}

static inline tw_phase_t tw_run_phase(const tw_run_t *run)
{
    return (tw_phase_t)atomic_load_explicit(&run->phase, memory_order_acquire);
}

#endif
