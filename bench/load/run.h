/*
 * What the threads of one run share: the immutable plan, and the few counters through which
 * publisher, subscribers and the main thread see each other.
 *
 * Threads: the main thread makes the run, moves `phase` forward and reads the counters. Everything
 * that is not atomic is written before the threads start.
 */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdint.h>

#include "bench/load/dialect.h"
#include "bench/load/options.h"

/* In this order, each at most once. */
typedef enum {
    LOAD_PHASE_OPEN,    /* subscribers connect and open their streams */
    LOAD_PHASE_WARM_UP, /* the publisher publishes, slow connections stop reading */
    LOAD_PHASE_MEASURE, /* the publisher publishes what counts */
    LOAD_PHASE_RELEASE, /* slow connections read again */
    LOAD_PHASE_STOP     /* threads end */
} load_phase_t;

struct load_loop;
struct load_subscriber_thread;

typedef struct load_run {
    const load_options_t *options;
    const load_dialect_t *dialect;
    load_dialect_server_t servers[LOAD_ADDRESSES_MAX];
    SSL_CTX *tls;        /* owned; NULL for cleartext */
    uint32_t *followers; /* owned; of each topic, slow streams left out */
    uint32_t followers_max;
    _Atomic uint32_t *sent; /* owned; [topic * lanes + lane]: the last sequence number sent */
    struct load_subscriber_thread *threads; /* owned; options->threads many */
    _Atomic int phase;
    _Atomic uint64_t measure_from_ns; /* events sent from then on count */

    /* Of the publisher. */
    _Atomic int finished_phase;       /* the last phase in which it has published everything */
    _Atomic uint64_t expected;        /* deliveries that it has caused */
    _Atomic uint64_t published;       /* events sent plus answers received */
    _Atomic uint64_t wake_at;         /* wake it at so many deliveries; UINT64_MAX: do not */
    struct load_loop *publisher_loop; /* borrowed; set before the threads start */
} load_run_t;

/* Makes the plan; 0, or -1 after a line on stderr. `options` must outlive the run. */
int load_run_init(load_run_t *run, const load_options_t *options);

void load_run_dispose(load_run_t *run);

/* Deliveries so far, over all threads; any thread. */
uint64_t load_run_delivered(const load_run_t *run);

/* The topic that stream `index` (over all connections) follows as its `nth`. */
static inline uint32_t load_run_topic(const load_run_t *run, uint32_t index, uint32_t nth)
{
    return (index + nth) % run->options->topics;
}

static inline load_phase_t load_run_phase(const load_run_t *run)
{
    return (load_phase_t)atomic_load_explicit(&run->phase, memory_order_acquire);
}

#endif
