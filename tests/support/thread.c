#include "tests/support/thread.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#include "base/clock.h"
#include "tests/support/check.h"

void tw_test_latch_init(tw_test_latch_t *latch)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&latch->lock, NULL);
    pthread_cond_init(&latch->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    latch->set = false;
}

void tw_test_latch_dispose(tw_test_latch_t *latch)
{
    pthread_cond_destroy(&latch->changed);
    pthread_mutex_destroy(&latch->lock);
}

void tw_test_latch_set(tw_test_latch_t *latch)
{
    pthread_mutex_lock(&latch->lock);
    latch->set = true;
    pthread_cond_signal(&latch->changed);
    pthread_mutex_unlock(&latch->lock);
}

void tw_test_latch_wait(tw_test_latch_t *latch)
{
    struct timespec deadline;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += TW_TEST_DEADLINE_MS / 1000;
    pthread_mutex_lock(&latch->lock);
    while (!latch->set)
        tw_check(pthread_cond_timedwait(&latch->changed, &latch->lock, &deadline) != ETIMEDOUT);
    pthread_mutex_unlock(&latch->lock);
}

void tw_test_thread_init(tw_test_thread_t *thread)
{
    tw_check(uv_loop_init(&thread->uv) == 0);
    tw_loop_init(&thread->loop, &thread->uv, "test", thread, NULL);
    tw_test_latch_init(&thread->ended);
    thread->started = false;
}

static void run(void *data)
{
    tw_test_thread_t *thread = data;
    uv_run(&thread->uv, UV_RUN_DEFAULT);
    tw_test_latch_set(&thread->ended);
}

void tw_test_thread_start(tw_test_thread_t *thread)
{
    tw_check(uv_thread_create(&thread->thread, run, thread) == 0);
    thread->started = true;
}

typedef struct tw_test_call {
    void (*call)(void *data);
    void *data;
    tw_test_latch_t done;
} tw_test_call_t;

static void on_call(void *owner, void *data)
{
    tw_test_call_t *call = data;
    call->call(call->data);
    tw_test_latch_set(&call->done);
}

void tw_test_thread_call(tw_test_thread_t *thread, void (*call)(void *data), void *data)
{
    tw_test_call_t posted = {.call = call, .data = data};

    if (!thread->started) {
        call(data);
        return;
    }
    tw_test_latch_init(&posted.done);
    tw_loop_post(&thread->loop, on_call, &posted);
    tw_test_latch_wait(&posted.done);
    tw_test_latch_dispose(&posted.done);
}

static void stop_loop(void *data)
{
    uv_stop(data);
}

void tw_test_thread_pause(tw_test_thread_t *thread)
{
    tw_test_thread_call(thread, stop_loop, &thread->uv);
    tw_test_latch_wait(&thread->ended);
    uv_thread_join(&thread->thread);
    thread->ended.set = false;
    thread->started = false;
}

static void close_loop(void *data)
{
    tw_loop_run_calls(data);
    tw_loop_close(data);
}

void tw_test_thread_stop(tw_test_thread_t *thread)
{
    tw_test_thread_call(thread, close_loop, &thread->loop);
    if (thread->started) {
        tw_test_latch_wait(&thread->ended);
        uv_thread_join(&thread->thread);
    } else {
        uv_run(&thread->uv, UV_RUN_DEFAULT);
    }
    tw_check(uv_loop_close(&thread->uv) == 0);
    tw_loop_dispose(&thread->loop);
    tw_test_latch_dispose(&thread->ended);
}

int64_t tw_test_cpu_ms(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

void tw_test_until(bool (*holds)(void *data), void *data)
{
    const struct timespec pause = {.tv_nsec = 200000};
    int64_t deadline_ms = tw_clock_ms() + TW_TEST_DEADLINE_MS;

    while (!holds(data)) {
        tw_check(tw_clock_ms() < deadline_ms);
        nanosleep(&pause, NULL);
    }
}
