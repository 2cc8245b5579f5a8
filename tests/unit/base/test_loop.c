/* A loop: calls from any thread to its own, and work in slices. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/loop.h"
#include "tests/support/thread.h"

/* Set by tests that look at how a post wakes its loop. */
static bool watch_wakes;
static unsigned wakes_with_lock, wakes_without;

/* In front of libuv's own. */
int uv_async_send(uv_async_t *async)
{
    static int (*real)(uv_async_t * async);

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "uv_async_send");
    if (watch_wakes) {
        tw_loop_t *loop = async->data;
        if (pthread_mutex_trylock(&loop->lock) == EBUSY) {
            ++wakes_with_lock;
        } else {
            ++wakes_without;
            pthread_mutex_unlock(&loop->lock);
        }
    }
    return real(async);
}

/* --- one thread --- */

typedef struct tw_box {
    uv_loop_t uv;
    tw_loop_t loop;
    unsigned batches;
    uintptr_t ran[64]; /* data of the calls that ran, in order */
    size_t count;
} tw_box_t;

static void on_batch(void *owner)
{
    tw_box_t *box = owner;
    ++box->batches;
}

static void box_init(tw_box_t *box)
{
    *box = (tw_box_t){.batches = 0};
    assert_int_equal(uv_loop_init(&box->uv), 0);
    tw_loop_init(&box->loop, &box->uv, "test", box, on_batch);
}

static void box_close(tw_box_t *box)
{
    tw_loop_close(&box->loop);
    uv_run(&box->uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&box->uv), 0);
    tw_loop_dispose(&box->loop);
}

static void note(void *owner, void *data)
{
    tw_box_t *box = owner;
    assert_true(box->count < 64);
    box->ran[box->count++] = (uintptr_t)data;
}

static void post_note(tw_box_t *box, uintptr_t data)
{
    tw_loop_post(&box->loop, note, (void *)data);
}

static void test_loop__runs_calls_in_order_in_one_batch(void **state)
{
    tw_box_t box;

    box_init(&box);
    for (uintptr_t i = 0; i < 50; ++i)
        post_note(&box, i);
    assert_int_equal(box.count, 0);
    uv_run(&box.uv, UV_RUN_ONCE);
    assert_int_equal(box.count, 50);
    assert_int_equal(box.batches, 1);
    for (uintptr_t i = 0; i < 50; ++i)
        assert_int_equal(box.ran[i], i);
    box_close(&box);
}

static void post_from_call(void *owner, void *data)
{
    tw_box_t *box = owner;
    note(owner, data);
    post_note(box, (uintptr_t)data + 100);
    assert_int_equal(box->ran[box->count - 1], (uintptr_t)data); /* it did not run inside */
}

static void test_loop__what_a_call_posts_runs_in_the_next_batch(void **state)
{
    tw_box_t box;

    box_init(&box);
    tw_loop_post(&box.loop, post_from_call, (void *)1);
    tw_loop_post(&box.loop, post_from_call, (void *)2);
    uv_run(&box.uv, UV_RUN_ONCE);
    assert_int_equal(box.count, 2);
    uv_run(&box.uv, UV_RUN_ONCE);
    assert_int_equal(box.count, 4);
    assert_int_equal(box.ran[2], 101);
    assert_int_equal(box.ran[3], 102);
    box_close(&box);
}

static void run_from_call(void *owner, void *data)
{
    tw_box_t *box = owner;
    note(owner, data);
    post_note(box, 7);
    tw_loop_run_calls(&box->loop);
    assert_int_equal(box->ran[box->count - 1], 7);
}

static void test_loop__calls_can_be_run_from_one_of_them(void **state)
{
    tw_box_t box;

    box_init(&box);
    tw_loop_post(&box.loop, run_from_call, (void *)1);
    tw_loop_post(&box.loop, run_from_call, (void *)2);
    tw_loop_run_calls(&box.loop);
    assert_int_equal(box.count, 4);
    assert_int_equal(box.batches, 3);
    tw_loop_run_calls(&box.loop);
    assert_int_equal(box.count, 4);
    box_close(&box);
}

static void test_loop__drops_calls_that_never_ran(void **state)
{
    tw_box_t box;

    box_init(&box);
    tw_loop_close(&box.loop);
    uv_run(&box.uv, UV_RUN_DEFAULT);
    tw_loop_dispose(&box.loop);
    assert_int_equal(uv_loop_close(&box.uv), 0);
    box_init(&box);
    tw_loop_run_calls(&box.loop);
    for (uintptr_t i = 0; i < 5; ++i)
        post_note(&box, i);
    tw_loop_close(&box.loop);
    uv_run(&box.uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&box.uv), 0);
    tw_loop_dispose(&box.loop);
    assert_int_equal(box.count, 0);
}

/* The call may close the loop, end its thread and free everything: the post must be over by then,
 * so a loop that takes the call must wait until it is woken. */
static void test_loop__a_call_cannot_run_before_its_post_has_woken_the_loop(void **state)
{
    tw_box_t box;

    box_init(&box);
    watch_wakes = true;
    wakes_with_lock = wakes_without = 0;
    post_note(&box, 1);
    post_note(&box, 2);
    watch_wakes = false;
    assert_int_equal(wakes_without, 0);
    assert_int_equal(wakes_with_lock, 1); /* one wake for both */
    uv_run(&box.uv, UV_RUN_ONCE);
    box_close(&box);
}

/* --- many threads --- */

#define POSTERS 4
#define POSTS 5000

typedef struct tw_poster {
    tw_test_thread_t *to;
    uint32_t index;
    uint32_t next; /* the loop thread's: which number comes next */
    tw_test_latch_t all_ran;
} tw_poster_t;

typedef struct tw_numbered {
    tw_poster_t *poster;
    uint32_t number;
} tw_numbered_t;

static void on_numbered(void *owner, void *data)
{
    tw_numbered_t *numbered = data;
    tw_poster_t *poster = numbered->poster;

    tw_check(uv_thread_equal(&(uv_thread_t){uv_thread_self()}, &poster->to->thread));
    tw_check(numbered->number == poster->next);
    if (++poster->next == POSTS)
        tw_test_latch_set(&poster->all_ran);
    free(numbered);
}

static void post_many(void *data)
{
    tw_poster_t *poster = data;
    for (uint32_t i = 0; i < POSTS; ++i) {
        tw_numbered_t *numbered = malloc(sizeof(*numbered));
        tw_check(numbered != NULL);
        *numbered = (tw_numbered_t){.poster = poster, .number = i};
        tw_loop_post(&poster->to->loop, on_numbered, numbered);
    }
}

static void test_loop__keeps_each_posters_order_and_loses_nothing(void **state)
{
    tw_test_thread_t to;
    tw_poster_t posters[POSTERS];
    uv_thread_t threads[POSTERS];

    tw_test_thread_init(&to);
    tw_test_thread_start(&to);
    for (uint32_t i = 0; i < POSTERS; ++i) {
        posters[i] = (tw_poster_t){.to = &to, .index = i};
        tw_test_latch_init(&posters[i].all_ran);
        assert_int_equal(uv_thread_create(&threads[i], post_many, &posters[i]), 0);
    }
    for (uint32_t i = 0; i < POSTERS; ++i) {
        tw_test_latch_wait(&posters[i].all_ran);
        uv_thread_join(&threads[i]);
        assert_int_equal(posters[i].next, POSTS);
        tw_test_latch_dispose(&posters[i].all_ran);
    }
    tw_test_thread_stop(&to);
}

/* --- slices --- */

typedef struct tw_work {
    tw_slice_t slice;
    tw_loop_t *loop;
    char name;
    uint64_t costs_ns;
    int again; /* so often it is deferred anew */
    char *log;
} tw_work_t;

typedef struct tw_setup {
    uv_loop_t uv;
    tw_loop_t loop;
    char log[64];
} tw_setup_t;

static void setup(tw_setup_t *s)
{
    *s = (tw_setup_t){0};
    tw_test_loop_init(&s->uv);
    tw_loop_init(&s->loop, &s->uv, "test", s, NULL);
}

static void teardown(tw_setup_t *s)
{
    tw_loop_close(&s->loop);
    tw_test_loop_close(&s->uv, TW_TEST_DEADLINE_MS);
}

static void run_work(tw_slice_t *slice)
{
    tw_work_t *work = (tw_work_t *)slice;

    work->log[strlen(work->log)] = work->name;
    tw_loop_spend(work->loop, work->costs_ns);
    if (work->again-- > 0)
        tw_loop_defer(work->loop, &work->slice, run_work);
}

static void defer(tw_setup_t *s, tw_work_t *work, char name, uint64_t costs_ns)
{
    *work = (tw_work_t){.loop = &s->loop, .name = name, .costs_ns = costs_ns, .log = s->log};
    tw_loop_defer(&s->loop, &work->slice, run_work);
}

static void test_loop__runs_slices_in_order_while_there_is_time(void **state)
{
    tw_setup_t s;
    tw_work_t a, b, c;

    setup(&s);
    defer(&s, &a, 'a', TW_TURN_NS / 2);
    defer(&s, &b, 'b', TW_TURN_NS / 2);
    defer(&s, &c, 'c', 1);
    tw_loop_defer(&s.loop, &a.slice, run_work); /* waits already */
    assert_string_equal(s.log, "");
    tw_loop_run_slices(&s.loop);
    assert_string_equal(s.log, "ab");
    assert_false(tw_loop_has_time(&s.loop));
    tw_loop_run_slices(&s.loop);
    assert_string_equal(s.log, "abc");
    assert_true(tw_loop_has_time(&s.loop));
    teardown(&s);
}

static void test_loop__slice_that_waits_again_is_behind_the_others(void **state)
{
    tw_setup_t s;
    tw_work_t a, b;

    setup(&s);
    defer(&s, &a, 'a', TW_TURN_NS);
    a.again = 1;
    defer(&s, &b, 'b', TW_TURN_NS);
    for (int i = 0; i < 3; ++i)
        tw_loop_run_slices(&s.loop);
    assert_string_equal(s.log, "aba");
    teardown(&s);
}

static void test_loop__slice_that_defers_itself_leaves_the_rest_of_its_turn_to_others(void **state)
{
    tw_setup_t s;
    tw_work_t a, b;

    setup(&s);
    defer(&s, &a, 'a', 1);
    a.again = 1;
    defer(&s, &b, 'b', 1);
    tw_loop_run_slices(&s.loop);
    assert_string_equal(s.log, "ab");
    assert_true(tw_loop_has_time(&s.loop));
    tw_loop_run_slices(&s.loop);
    assert_string_equal(s.log, "aba");
    teardown(&s);
}

static void test_loop__counts_what_waits_and_turns_that_are_over_budget(void **state)
{
    tw_setup_t s;
    tw_work_t a, b;

    setup(&s);
    defer(&s, &a, 'a', TW_TURN_NS);
    defer(&s, &b, 'b', 1);
    tw_loop_defer(&s.loop, &b.slice, b.slice.run); /* waits already, and is asked for again */
    assert_int_equal(s.loop.watch.deferrals, 3);
    uv_run(&s.uv, UV_RUN_NOWAIT);
    assert_string_equal(s.log, "a");
    assert_int_equal(s.loop.watch.turns_over_budget, 1);
    uv_run(&s.uv, UV_RUN_NOWAIT);
    assert_string_equal(s.log, "ab");
    assert_int_equal(s.loop.watch.turns_over_budget, 1);
    teardown(&s);
}

static void test_loop__slices_and_input_share_the_budget_of_a_turn(void **state)
{
    tw_setup_t s;
    tw_work_t a;

    setup(&s);
    defer(&s, &a, 'a', TW_TURN_NS - 1);
    uv_run(&s.uv, UV_RUN_NOWAIT);
    assert_string_equal(s.log, "a");
    assert_int_equal(s.loop.left_ns, 1);
    uv_run(&s.uv, UV_RUN_NOWAIT);
    assert_int_equal(s.loop.left_ns, TW_TURN_NS);
    teardown(&s);
}

static void test_loop__cancelled_slice_does_not_run(void **state)
{
    tw_setup_t s;
    tw_work_t a, b;

    setup(&s);
    defer(&s, &a, 'a', 1);
    defer(&s, &b, 'b', 1);
    tw_loop_cancel(&s.loop, &a.slice);
    tw_loop_cancel(&s.loop, &a.slice);
    tw_loop_run_slices(&s.loop);
    assert_string_equal(s.log, "b");
    teardown(&s);
}

static bool all_ran(void *data)
{
    const tw_setup_t *s = data;
    return strlen(s->log) == 3;
}

static void test_loop__does_not_sleep_while_slices_wait_and_sleeps_afterwards(void **state)
{
    tw_setup_t s;
    tw_work_t a;

    setup(&s);
    defer(&s, &a, 'a', TW_TURN_NS);
    a.again = 2;
    tw_test_loop_until(&s.uv, all_ran, &s, TW_TEST_DEADLINE_MS);
    assert_string_equal(s.log, "aaa");
    uv_run(&s.uv, UV_RUN_NOWAIT);
    assert_false(uv_is_active((const uv_handle_t *)&s.loop.slicing));
    teardown(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop__runs_calls_in_order_in_one_batch),
        cmocka_unit_test(test_loop__what_a_call_posts_runs_in_the_next_batch),
        cmocka_unit_test(test_loop__calls_can_be_run_from_one_of_them),
        cmocka_unit_test(test_loop__drops_calls_that_never_ran),
        cmocka_unit_test(test_loop__a_call_cannot_run_before_its_post_has_woken_the_loop),
        cmocka_unit_test(test_loop__keeps_each_posters_order_and_loses_nothing),
        cmocka_unit_test(test_loop__runs_slices_in_order_while_there_is_time),
        cmocka_unit_test(test_loop__slice_that_waits_again_is_behind_the_others),
        cmocka_unit_test(test_loop__slice_that_defers_itself_leaves_the_rest_of_its_turn_to_others),
        cmocka_unit_test(test_loop__counts_what_waits_and_turns_that_are_over_budget),
        cmocka_unit_test(test_loop__slices_and_input_share_the_budget_of_a_turn),
        cmocka_unit_test(test_loop__cancelled_slice_does_not_run),
        cmocka_unit_test(test_loop__does_not_sleep_while_slices_wait_and_sleeps_afterwards),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
