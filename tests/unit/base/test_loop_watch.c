/* How long a loop's turns take. */
#include <time.h>

#include "base/loop.h"
#include "tests/support/cmocka_test.h"

typedef struct tw_watched {
    uv_loop_t uv;
    tw_loop_t loop;
    uv_timer_t timer;
    uv_timer_cb then;
} tw_watched_t;

static void watched_init(tw_watched_t *watched)
{
    *watched = (tw_watched_t){.timer = {.data = NULL}};
    assert_int_equal(uv_loop_init(&watched->uv), 0);
    tw_loop_init(&watched->loop, &watched->uv, "test", NULL, NULL);
    uv_timer_init(&watched->uv, &watched->timer);
    watched->timer.data = watched;
}

static void on_first(uv_timer_t *timer)
{
    const tw_watched_t *watched = timer->data;
    uv_timer_start(timer, watched->then, 1, 0);
}

/* The turn in which a loop starts has no beginning: what is to be seen happens in a later one. */
static void watched_run(tw_watched_t *watched, uv_timer_cb then)
{
    watched->then = then;
    uv_timer_start(&watched->timer, on_first, 0, 0);
    uv_run(&watched->uv, UV_RUN_DEFAULT);
}

static void watched_close(tw_watched_t *watched)
{
    tw_loop_close(&watched->loop);
    uv_run(&watched->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&watched->uv), 0);
    tw_loop_dispose(&watched->loop);
}

static void on_last(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    uv_stop(timer->loop);
}

static void pause_ms(long ms)
{
    const struct timespec pause = {.tv_nsec = ms * 1000000};
    nanosleep(&pause, NULL);
}

static void on_blocking(uv_timer_t *timer)
{
    pause_ms(40);
    uv_timer_start(timer, on_last, 1, 0);
}

static void on_working(uv_timer_t *timer)
{
    struct timespec begun, now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while ((now.tv_sec - begun.tv_sec) * 1000000000 + now.tv_nsec - begun.tv_nsec < 40000000);
    uv_timer_start(timer, on_last, 1, 0);
}

static void test_loop_watch__sees_a_turn_that_blocks(void **state)
{
    tw_watched_t watched;
    watched_init(&watched);
    watched_run(&watched, on_blocking);
    assert_true(tw_loop_watch_wall_us(&watched.loop.watch) >= 40000);
    assert_true(tw_loop_watch_cpu_us(&watched.loop.watch) < 30000);
    assert_true(watched.loop.watch.stalls >= 1);
    watched_close(&watched);
}

static void test_loop_watch__sees_a_turn_that_works(void **state)
{
    tw_watched_t watched;
    watched_init(&watched);
    watched_run(&watched, on_working);
    assert_true(tw_loop_watch_wall_us(&watched.loop.watch) >= 40000);
    assert_true(tw_loop_watch_cpu_us(&watched.loop.watch) >= 40000);
    watched_close(&watched);
}

/* Half a second of nothing: a machine that is too busy to wake us adds some of it to the turn. */
static void test_loop_watch__leaves_waiting_out(void **state)
{
    tw_watched_t watched;
    watched_init(&watched);
    uv_timer_start(&watched.timer, on_last, 500, 0);
    uv_run(&watched.uv, UV_RUN_DEFAULT);
    assert_true(tw_loop_watch_wall_us(&watched.loop.watch) < 400000);
    assert_true(tw_loop_watch_cpu_us(&watched.loop.watch) < 20000);
    watched_close(&watched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop_watch__sees_a_turn_that_blocks),
        cmocka_unit_test(test_loop_watch__sees_a_turn_that_works),
        cmocka_unit_test(test_loop_watch__leaves_waiting_out),
    };
    return cmocka_run_group_tests_name("loop_watch", tests, NULL, NULL);
}
