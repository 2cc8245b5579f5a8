/**
 * A thread with a loop of its own, as a gateway's workers and its control thread are, that a test
 * can call into.
 */
#ifndef TW_TEST_THREAD_H
#define TW_TEST_THREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/loop.h"

/** Something that one thread waits for and another one says. */
typedef struct tw_test_latch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool set;
} tw_test_latch_t;

void tw_test_latch_init(tw_test_latch_t *latch);
void tw_test_latch_dispose(tw_test_latch_t *latch);
void tw_test_latch_set(tw_test_latch_t *latch);

/** Returns when it is set; aborts after the deadline of check.h. */
void tw_test_latch_wait(tw_test_latch_t *latch);

typedef struct tw_test_thread {
    uv_loop_t uv;
    tw_loop_t loop;
    uv_thread_t thread;
    tw_test_latch_t ended;
    bool started;
} tw_test_thread_t;

/** A loop that does not run yet: what is to be on it from the start is added now. */
void tw_test_thread_init(tw_test_thread_t *thread);

/** Runs the loop on a thread of its own. */
void tw_test_thread_start(tw_test_thread_t *thread);

/** Runs call(data) on the thread and returns when it has returned. Before the start it runs at
 * once. */
void tw_test_thread_call(tw_test_thread_t *thread, void (*call)(void *data), void *data);

/** Takes the loop back from its thread, which ends: calls run on the caller's thread again. */
void tw_test_thread_pause(tw_test_thread_t *thread);

/** Ends the thread, once nothing else is on its loop, and proves that the loop closes: a handle
 * that was left open fails the test. */
void tw_test_thread_stop(tw_test_thread_t *thread);

/** CPU time of the calling thread, ms: for what must not cost the square of its size. Whatever else
 * the machine does, and however slow a sanitizer makes it, this stays far below TW_TEST_CPU_MS_MAX.
 */
int64_t tw_test_cpu_ms(void);

#ifdef TIDEWAY_SANITIZED
#define TW_TEST_CPU_MS_MAX 20000
#else
#define TW_TEST_CPU_MS_MAX 1000
#endif

/** Asks `holds` again and again, on the caller's thread, until it says yes; aborts after the
 * deadline. */
void tw_test_until(bool (*holds)(void *data), void *data);

#endif
