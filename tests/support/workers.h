/**
 * A hub's workers: a thread with a loop and a fan-out each, wired as the server wires them. Not
 * started, they are all the test's own thread's, which runs them with tw_test_workers_pump(): then
 * everything happens in an order that the test decides.
 */
#ifndef TW_TEST_WORKERS_H
#define TW_TEST_WORKERS_H

#include "runtime/fanout.h"
#include "runtime/hub.h"
#include "tests/support/thread.h"

typedef struct tw_test_worker {
    tw_test_thread_t thread;
    tw_fanout_t fanout;
} tw_test_worker_t;

typedef struct tw_test_workers {
    uint32_t count;
    tw_test_worker_t *items; /* owned */
} tw_test_workers_t;

/** Two workers, room for everything, 200 events a tail, no resume window. */
tw_hub_config_t tw_test_config(void);

/** Makes the hub's workers and attaches them. */
void tw_test_workers_init(tw_test_workers_t *workers, tw_hub_t *hub);

/** Gives each its thread. */
void tw_test_workers_start(tw_test_workers_t *workers);

/** Runs what was posted to workers that are not started, and what that posts, until nothing is
 * left. */
void tw_test_workers_pump(tw_test_workers_t *workers);

/** Takes the workers back from their threads, once they have run what was posted. */
void tw_test_workers_pause(tw_test_workers_t *workers);

/** Ends them all; their streams are closed. Proves that each loop closes. */
void tw_test_workers_stop(tw_test_workers_t *workers);

#endif
