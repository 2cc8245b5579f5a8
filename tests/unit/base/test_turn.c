/* Turns of a loop: work in slices. */
#include <string.h>

#include "base/turn.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/loop.h"

typedef struct tw_work {
    tw_slice_t slice;
    tw_turn_t *turn;
    char name;
    uint64_t costs_ns;
    int again; /* so often it is deferred anew */
    char *log;
} tw_work_t;

typedef struct tw_setup {
    uv_loop_t loop;
    tw_turn_t turn;
    char log[64];
} tw_setup_t;

static void setup(tw_setup_t *s)
{
    *s = (tw_setup_t){0};
    tw_test_loop_init(&s->loop);
    tw_turn_init(&s->turn, &s->loop);
}

static void teardown(tw_setup_t *s)
{
    tw_turn_close(&s->turn);
    tw_test_loop_close(&s->loop, TW_TEST_DEADLINE_MS);
}

static void run_work(tw_slice_t *slice)
{
    tw_work_t *work = (tw_work_t *)slice;

    work->log[strlen(work->log)] = work->name;
    tw_turn_spend(work->turn, work->costs_ns);
    if (work->again-- > 0)
        tw_turn_defer(work->turn, &work->slice, run_work);
}

static void defer(tw_setup_t *s, tw_work_t *work, char name, uint64_t costs_ns)
{
    *work = (tw_work_t){.turn = &s->turn, .name = name, .costs_ns = costs_ns, .log = s->log};
    tw_turn_defer(&s->turn, &work->slice, run_work);
}

static void test_turn__runs_slices_in_order_while_there_is_time(void **state)
{
    tw_setup_t s;
    tw_work_t a, b, c;

    (void)state;
    setup(&s);
    defer(&s, &a, 'a', TW_TURN_NS / 2);
    defer(&s, &b, 'b', TW_TURN_NS / 2);
    defer(&s, &c, 'c', 1);
    tw_turn_defer(&s.turn, &a.slice, run_work); /* waits already */
    assert_string_equal(s.log, "");
    tw_turn_begin(&s.turn);
    assert_string_equal(s.log, "ab");
    assert_false(tw_turn_has_time(&s.turn));
    tw_turn_begin(&s.turn);
    assert_string_equal(s.log, "abc");
    assert_true(tw_turn_has_time(&s.turn));
    teardown(&s);
}

static void test_turn__slice_that_waits_again_is_behind_the_others(void **state)
{
    tw_setup_t s;
    tw_work_t a, b;

    (void)state;
    setup(&s);
    defer(&s, &a, 'a', TW_TURN_NS);
    a.again = 1;
    defer(&s, &b, 'b', TW_TURN_NS);
    for (int i = 0; i < 3; ++i)
        tw_turn_begin(&s.turn);
    assert_string_equal(s.log, "aba");
    teardown(&s);
}

static void test_turn__cancelled_slice_does_not_run(void **state)
{
    tw_setup_t s;
    tw_work_t a, b;

    (void)state;
    setup(&s);
    defer(&s, &a, 'a', 1);
    defer(&s, &b, 'b', 1);
    tw_turn_cancel(&s.turn, &a.slice);
    tw_turn_cancel(&s.turn, &a.slice);
    tw_turn_begin(&s.turn);
    assert_string_equal(s.log, "b");
    teardown(&s);
}

static bool all_ran(void *data)
{
    const tw_setup_t *s = data;
    return strlen(s->log) == 3;
}

static void test_turn__loop_goes_on_while_slices_wait_and_sleeps_afterwards(void **state)
{
    tw_setup_t s;
    tw_work_t a;

    (void)state;
    setup(&s);
    defer(&s, &a, 'a', TW_TURN_NS);
    a.again = 2;
    tw_test_loop_until(&s.loop, all_ran, &s, TW_TEST_DEADLINE_MS);
    assert_string_equal(s.log, "aaa");
    uv_run(&s.loop, UV_RUN_NOWAIT);
    assert_false(uv_is_active((const uv_handle_t *)&s.turn.idle));
    teardown(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turn__runs_slices_in_order_while_there_is_time),
        cmocka_unit_test(test_turn__slice_that_waits_again_is_behind_the_others),
        cmocka_unit_test(test_turn__cancelled_slice_does_not_run),
        cmocka_unit_test(test_turn__loop_goes_on_while_slices_wait_and_sleeps_afterwards),
    };
    return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
