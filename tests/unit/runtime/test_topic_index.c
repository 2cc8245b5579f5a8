/* The node's topics: followers, listing, resume windows, what is remembered of the freed. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "runtime/topic_index.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"
#include "tests/support/random.h"

#define WINDOW_MS 1000

static tw_topic_index_t *make_index(int64_t window_ms)
{
    tw_topic_index_t *index = tw_alloc(sizeof(*index));
    tw_topic_index_init(index, 2, window_ms);
    return index;
}

static void free_index(tw_topic_index_t *index)
{
    tw_topic_index_dispose(index);
    free(index);
}

static tw_topic_name_t name_of(const char *text)
{
    return tw_topic_name(text, strlen(text));
}

static void follow(tw_topic_index_t *index, const char *text, uint32_t worker)
{
    tw_topic_name_t name = name_of(text);
    tw_index_stripe_t *stripe = tw_topic_index_lock(index, &name);
    tw_topic_t *topic = tw_topic_index_follow(index, stripe, &name, worker);
    assert_ptr_equal(topic, tw_topic_index_find(stripe, &name));
    tw_topic_index_unlock(stripe);
}

static void unfollow(tw_topic_index_t *index, const char *text, uint32_t worker, int64_t now_ms)
{
    tw_topic_name_t name = name_of(text);
    tw_topic_index_unfollow(index, &name, worker, now_ms);
}

static bool accepts(tw_topic_index_t *index, const char *text, int64_t now_ms)
{
    tw_topic_name_t name = name_of(text);
    return tw_topic_index_accepts_name(index, &name, now_ms);
}

static bool exists(tw_topic_index_t *index, const char *text)
{
    tw_topic_name_t name = name_of(text);
    tw_index_stripe_t *stripe = tw_topic_index_lock(index, &name);
    bool found = tw_topic_index_find(stripe, &name) != NULL;
    tw_topic_index_unlock(stripe);
    return found;
}

static void visit(const char *name, size_t name_len, uint32_t followers, void *data)
{
    char row[TW_TOPIC_NAME_MAX + 16];
    int len = snprintf(row, sizeof(row), "%.*s=%u ", (int)name_len, name, followers);
    tw_test_text_append(data, row, (size_t)len);
}

static void expect_list(tw_topic_index_t *index, const char *prefix, size_t from, size_t count,
                        size_t total, const char *expected)
{
    tw_test_text_t rows = {0};
    size_t prefix_len = prefix != NULL ? strlen(prefix) : 0;

    tw_test_text_append(&rows, "", 0);
    assert_int_equal(tw_topic_index_list(index, prefix, prefix_len, from, count, visit, &rows),
                     total);
    assert_string_equal(rows.bytes, expected);
    tw_test_text_dispose(&rows);
}

static void test_topic_index__exists_while_it_is_followed(void **state)
{
    tw_topic_index_t *index = make_index(0);

    assert_false(accepts(index, "t", 0));
    follow(index, "t", 0);
    follow(index, "t", 1);
    follow(index, "t", 1);
    assert_true(accepts(index, "t", 0));
    expect_list(index, NULL, 0, 10, 1, "t=3 ");
    unfollow(index, "t", 1, 0);
    unfollow(index, "t", 0, 0);
    assert_true(accepts(index, "t", 0));
    expect_list(index, NULL, 0, 10, 1, "t=1 ");
    unfollow(index, "t", 1, 0);
    assert_false(accepts(index, "t", 0));
    assert_false(exists(index, "t"));
    expect_list(index, NULL, 0, 10, 0, "");
    assert_int_equal(index->topic_count, 0);
    free_index(index);
}

static void test_topic_index__knows_which_workers_follow(void **state)
{
    tw_topic_index_t *index = make_index(0);
    tw_topic_name_t name = name_of("odd-length-name");

    follow(index, "odd-length-name", 1);
    follow(index, "odd-length-name", 1);
    tw_index_stripe_t *stripe = tw_topic_index_lock(index, &name);
    const tw_topic_t *topic = tw_topic_index_find(stripe, &name);
    assert_int_equal(topic->by_worker[0], 0);
    assert_int_equal(topic->by_worker[1], 2);
    tw_topic_index_unlock(stripe);
    unfollow(index, "odd-length-name", 1, 0);
    assert_int_equal(topic->by_worker[1], 1);
    free_index(index); /* followers may be left */
}

static void test_topic_index__lists_by_prefix_in_byte_order(void **state)
{
    static const char *const names[] = {"b", "a", "ab", "abc", "abd", "~", "!", "B", "ac"};
    tw_topic_index_t *index = make_index(0);
    char longest[TW_TOPIC_NAME_MAX + 2];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
        follow(index, names[i], i % 2);
    expect_list(index, NULL, 0, 100, 9, "!=1 B=1 a=1 ab=1 abc=1 abd=1 ac=1 b=1 ~=1 ");
    expect_list(index, "", 7, 100, 9, "b=1 ~=1 ");
    expect_list(index, "a", 0, 100, 5, "a=1 ab=1 abc=1 abd=1 ac=1 ");
    expect_list(index, "ab", 1, 1, 3, "abc=1 ");
    expect_list(index, "ab", 3, 1, 3, "");
    expect_list(index, "ab", SIZE_MAX, SIZE_MAX, 3, "");
    expect_list(index, "ab", 0, 0, 3, "");
    expect_list(index, "abcd", 0, 9, 0, "");
    expect_list(index, "~", 0, 9, 1, "~=1 ");
    expect_list(index, "~~", 0, 9, 0, "");
    expect_list(index, "\x7f", 0, 9, 0, "");
    expect_list(index, "\xff", 0, 9, 0, "");
    memset(longest, '~', sizeof(longest));
    longest[TW_TOPIC_NAME_MAX + 1] = '\0';
    expect_list(index, longest, 0, 9, 0, ""); /* longer than any name */
    longest[TW_TOPIC_NAME_MAX] = '\0';
    follow(index, longest, 0);
    tw_test_text_t rows = {0};
    assert_int_equal(tw_topic_index_list(index, longest, TW_TOPIC_NAME_MAX, 0, 9, visit, &rows), 1);
    tw_test_text_dispose(&rows);
    free_index(index);
}

static void test_topic_index__keeps_so_many_resume_windows_and_no_more(void **state)
{
    tw_topic_index_t *index = make_index(WINDOW_MS);
    char name[32] = "";
    size_t kept = 0;

    index->lingering_max = 1;
    for (int i = 0; i < 1000; ++i) {
        snprintf(name, sizeof(name), "topic-%d", i);
        follow(index, name, 0);
        unfollow(index, name, 0, 100);
        assert_true(accepts(index, name, 101)); /* the newest has its window */
    }
    for (int i = 0; i < 1000; ++i) {
        snprintf(name, sizeof(name), "topic-%d", i);
        kept += exists(index, name);
        assert_int_equal(accepts(index, name, 101), exists(index, name));
    }
    assert_in_range(kept, 1, TW_INDEX_STRIPES);
    assert_int_equal(index->windows_cut, 1000 - kept);
    tw_topic_index_sweep(index, 100 + WINDOW_MS);
    assert_false(exists(index, name));
    free_index(index);
}

static void test_topic_index__accepts_until_the_resume_window_has_run_out(void **state)
{
    tw_topic_index_t *index = make_index(WINDOW_MS);

    follow(index, "t", 0);
    unfollow(index, "t", 0, 5000);
    expect_list(index, NULL, 0, 10, 0, ""); /* listed are the followed */
    assert_true(accepts(index, "t", 5000));
    assert_true(accepts(index, "t", 5000 + WINDOW_MS - 1));
    assert_false(accepts(index, "t", 5000 + WINDOW_MS));
    tw_topic_index_sweep(index, 5000 + WINDOW_MS - 1);
    assert_true(exists(index, "t"));
    tw_topic_index_sweep(index, 5000 + WINDOW_MS);
    assert_false(exists(index, "t"));
    free_index(index);
}

static void test_topic_index__a_new_follower_ends_the_window(void **state)
{
    tw_topic_index_t *index = make_index(WINDOW_MS);

    follow(index, "t", 0);
    unfollow(index, "t", 0, 0);
    follow(index, "t", 1);
    tw_topic_index_sweep(index, 10 * WINDOW_MS);
    assert_true(accepts(index, "t", 10 * WINDOW_MS));
    unfollow(index, "t", 1, 10 * WINDOW_MS); /* and the next one begins when it leaves */
    assert_true(accepts(index, "t", 11 * WINDOW_MS - 1));
    tw_topic_index_sweep(index, 11 * WINDOW_MS);
    assert_false(exists(index, "t"));
    free_index(index);
}

static void test_topic_index__sweeps_only_what_has_run_out(void **state)
{
    enum { TOPICS = 500 };
    tw_topic_index_t *index = make_index(WINDOW_MS);
    char name[16];

    for (int i = 0; i < TOPICS; ++i) {
        snprintf(name, sizeof(name), "t%d", i);
        follow(index, name, 0);
        unfollow(index, name, 0, i);
    }
    for (int now = 0; now <= TOPICS; now += 50) {
        tw_topic_index_sweep(index, WINDOW_MS + now);
        for (int i = 0; i < TOPICS; ++i) {
            snprintf(name, sizeof(name), "t%d", i);
            assert_int_equal(exists(index, name), i > now);
        }
    }
    free_index(index);
}

/* Puts an event into the topic's tail, or takes the oldest out. */
static void keep(tw_topic_index_t *index, const char *text, uint64_t seq)
{
    tw_topic_name_t name = name_of(text);
    tw_index_stripe_t *stripe = tw_topic_index_lock(index, &name);
    tw_topic_t *topic = tw_topic_index_find(stripe, &name);
    tw_event_t *event = tw_test_event(text, "1", "");
    event->position.seq = seq;
    assert_null(tw_tail_push(&topic->tail, event, 10));
    tw_topic_index_unlock(stripe);
}

static void lose_oldest(tw_topic_index_t *index, const char *text, int64_t now_ms)
{
    tw_topic_name_t name = name_of(text);
    tw_index_stripe_t *stripe = tw_topic_index_lock(index, &name);
    tw_topic_t *topic = tw_topic_index_find(stripe, &name);
    tw_event_unref(tw_tail_shift(&topic->tail));
    tw_topic_index_collect(index, stripe, topic, now_ms);
    tw_topic_index_unlock(stripe);
}

static uint64_t lost_seq(tw_topic_index_t *index, const char *text)
{
    tw_topic_name_t name = name_of(text);
    tw_index_stripe_t *stripe = tw_topic_index_lock(index, &name);
    uint64_t seq = tw_topic_index_find(stripe, &name)->tail.lost_seq;
    tw_topic_index_unlock(stripe);
    return seq;
}

static void test_topic_index__exists_while_its_tail_holds_events(void **state)
{
    tw_topic_index_t *index = make_index(WINDOW_MS);

    follow(index, "t", 0);
    keep(index, "t", 7);
    keep(index, "t", 8);
    unfollow(index, "t", 0, 0);
    tw_topic_index_sweep(index, 2 * WINDOW_MS);
    assert_true(exists(index, "t"));
    assert_false(accepts(index, "t", 2 * WINDOW_MS));
    lose_oldest(index, "t", 2 * WINDOW_MS);
    assert_true(exists(index, "t"));
    lose_oldest(index, "t", 2 * WINDOW_MS);
    assert_false(exists(index, "t"));
    free_index(index);
}

static void test_topic_index__remembers_what_a_freed_topic_lost(void **state)
{
    tw_topic_index_t *index = make_index(0);

    follow(index, "t", 0);
    assert_int_equal(lost_seq(index, "t"), 0);
    keep(index, "t", 41);
    keep(index, "t", 42);
    unfollow(index, "t", 0, 0);
    lose_oldest(index, "t", 0);
    lose_oldest(index, "t", 0);
    assert_false(exists(index, "t"));
    follow(index, "t", 0);
    assert_int_equal(lost_seq(index, "t"), 42);
    unfollow(index, "t", 0, 0);
    follow(index, "t", 1); /* not forgotten by being freed without a loss */
    assert_int_equal(lost_seq(index, "t"), 42);
    free_index(index);
}

static void test_topic_index__random_follows_against_counts(void **state)
{
    enum { TOPICS = 50 };
    tw_topic_index_t *index = make_index(0);
    uint32_t followers[TOPICS][2] = {{0}};
    tw_test_random_t random;
    char name[16];

    tw_test_random_init(&random, "topic_index", 8);
    for (uint32_t step = tw_test_runs(20000); step > 0; --step) {
        uint32_t i = tw_test_random_below(&random, TOPICS), w = tw_test_random_below(&random, 2);
        snprintf(name, sizeof(name), "t%u", i);
        if (tw_test_random_below(&random, 2) == 0) {
            follow(index, name, w);
            ++followers[i][w];
        } else if (followers[i][w] > 0) {
            unfollow(index, name, w, 0);
            --followers[i][w];
        }
        assert_int_equal(accepts(index, name, 0), followers[i][0] + followers[i][1] > 0);
    }
    size_t listed = 0;
    for (uint32_t i = 0; i < TOPICS; ++i)
        listed += followers[i][0] + followers[i][1] > 0;
    assert_int_equal(index->topic_count, listed);
    free_index(index);
}

/* --- several threads --- */

typedef struct tw_shared {
    tw_topic_index_t *index;
    _Atomic bool stop;
} tw_shared_t;

static void *follow_and_unfollow(void *data)
{
    tw_shared_t *shared = data;
    const tw_topic_name_t name = name_of("t");

    for (uint32_t i = tw_test_runs(30000); i > 0; --i) {
        tw_index_stripe_t *stripe = tw_topic_index_lock(shared->index, &name);
        tw_topic_index_follow(shared->index, stripe, &name, 0);
        tw_topic_index_unlock(stripe);
        tw_topic_index_unfollow(shared->index, &name, 0, 0);
    }
    atomic_store(&shared->stop, true);
    return NULL;
}

static void check_followed(const char *name, size_t name_len, uint32_t followers, void *data)
{
    tw_check(followers > 0);
}

static void test_topic_index__never_lists_a_topic_without_followers(void **state)
{
    tw_shared_t shared = {.index = make_index(0)};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, follow_and_unfollow, &shared), 0);
    while (!atomic_load(&shared.stop))
        tw_topic_index_list(shared.index, NULL, 0, 0, 10, check_followed, NULL);
    pthread_join(thread, NULL);
    free_index(shared.index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topic_index__exists_while_it_is_followed),
        cmocka_unit_test(test_topic_index__knows_which_workers_follow),
        cmocka_unit_test(test_topic_index__lists_by_prefix_in_byte_order),
        cmocka_unit_test(test_topic_index__keeps_so_many_resume_windows_and_no_more),
        cmocka_unit_test(test_topic_index__accepts_until_the_resume_window_has_run_out),
        cmocka_unit_test(test_topic_index__a_new_follower_ends_the_window),
        cmocka_unit_test(test_topic_index__sweeps_only_what_has_run_out),
        cmocka_unit_test(test_topic_index__exists_while_its_tail_holds_events),
        cmocka_unit_test(test_topic_index__remembers_what_a_freed_topic_lost),
        cmocka_unit_test(test_topic_index__random_follows_against_counts),
        cmocka_unit_test(test_topic_index__never_lists_a_topic_without_followers),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("topic_index", tests, NULL, NULL);
}
