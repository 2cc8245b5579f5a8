/* Calls from any thread to a loop's own. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mailbox.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
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
        tw_mailbox_t *mailbox = async->data;
        if (pthread_mutex_trylock(&mailbox->lock) == EBUSY) {
            ++wakes_with_lock;
        } else {
            ++wakes_without;
            pthread_mutex_unlock(&mailbox->lock);
        }
    }
    return real(async);
}

/* --- one thread --- */

typedef struct tw_box {
    uv_loop_t loop;
    tw_mailbox_t mailbox;
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
    assert_int_equal(uv_loop_init(&box->loop), 0);
    tw_mailbox_init(&box->mailbox, &box->loop, box, on_batch);
}

static void box_close(tw_box_t *box)
{
    tw_mailbox_close(&box->mailbox);
    uv_run(&box->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&box->loop), 0);
    tw_mailbox_dispose(&box->mailbox);
}

static void note(void *owner, void *data)
{
    tw_box_t *box = owner;
    assert_true(box->count < 64);
    box->ran[box->count++] = (uintptr_t)data;
}

static void post_note(tw_box_t *box, uintptr_t data)
{
    tw_mailbox_post(&box->mailbox, note, (void *)data);
}

static void test_mailbox__runs_calls_in_order_in_one_batch(void **state)
{
    tw_box_t box;

    box_init(&box);
    for (uintptr_t i = 0; i < 50; ++i)
        post_note(&box, i);
    assert_int_equal(box.count, 0);
    uv_run(&box.loop, UV_RUN_ONCE);
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

static void test_mailbox__what_a_call_posts_runs_in_the_next_batch(void **state)
{
    tw_box_t box;

    box_init(&box);
    tw_mailbox_post(&box.mailbox, post_from_call, (void *)1);
    tw_mailbox_post(&box.mailbox, post_from_call, (void *)2);
    uv_run(&box.loop, UV_RUN_ONCE);
    assert_int_equal(box.count, 2);
    uv_run(&box.loop, UV_RUN_ONCE);
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
    tw_mailbox_run(&box->mailbox);
    assert_int_equal(box->ran[box->count - 1], 7);
}

static void test_mailbox__can_be_run_from_one_of_its_calls(void **state)
{
    tw_box_t box;

    box_init(&box);
    tw_mailbox_post(&box.mailbox, run_from_call, (void *)1);
    tw_mailbox_post(&box.mailbox, run_from_call, (void *)2);
    tw_mailbox_run(&box.mailbox);
    assert_int_equal(box.count, 4);
    assert_int_equal(box.batches, 3);
    tw_mailbox_run(&box.mailbox);
    assert_int_equal(box.count, 4);
    box_close(&box);
}

static void test_mailbox__drops_what_never_ran(void **state)
{
    tw_box_t box;

    box_init(&box);
    tw_mailbox_close(&box.mailbox);
    uv_run(&box.loop, UV_RUN_DEFAULT);
    tw_mailbox_dispose(&box.mailbox);
    assert_int_equal(uv_loop_close(&box.loop), 0);
    box_init(&box);
    tw_mailbox_run(&box.mailbox);
    for (uintptr_t i = 0; i < 5; ++i)
        post_note(&box, i);
    tw_mailbox_close(&box.mailbox);
    uv_run(&box.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&box.loop), 0);
    tw_mailbox_dispose(&box.mailbox);
    assert_int_equal(box.count, 0);
}

/* The call may close its mailbox, end the loop and free everything: the post must be over by then,
 * so a loop that takes the call must wait until it is woken. */
static void test_mailbox__a_call_cannot_run_before_its_post_has_woken_the_loop(void **state)
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
    uv_run(&box.loop, UV_RUN_ONCE);
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
        tw_mailbox_post(&poster->to->mailbox, on_numbered, numbered);
    }
}

static void test_mailbox__keeps_each_posters_order_and_loses_nothing(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mailbox__runs_calls_in_order_in_one_batch),
        cmocka_unit_test(test_mailbox__what_a_call_posts_runs_in_the_next_batch),
        cmocka_unit_test(test_mailbox__can_be_run_from_one_of_its_calls),
        cmocka_unit_test(test_mailbox__drops_what_never_ran),
        cmocka_unit_test(test_mailbox__a_call_cannot_run_before_its_post_has_woken_the_loop),
        cmocka_unit_test(test_mailbox__keeps_each_posters_order_and_loses_nothing),
    };
    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
