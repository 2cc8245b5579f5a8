/* What a stream has missed is the same however much happens between two steps of its search. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/missed.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"
#include "tests/support/workers.h"

#define KEPT 600 /* more than two steps of events */

typedef struct tw_setup {
    tw_hub_t *hub;
    tw_test_workers_t workers;
    tw_topic_name_t topics[2];
    tw_lane_set_t set;
    tw_missed_t missed;
    tw_topic_name_t gap_topics[2];
    size_t gap_count;
} tw_setup_t;

static void setup(tw_setup_t *s)
{
    tw_hub_config_t config = tw_test_config();

    config.tail_events = KEPT;
    *s = (tw_setup_t){.topics = {tw_topic_name("a", 1), tw_topic_name("b", 1)}};
    s->hub = tw_hub_create(&config);
    tw_test_workers_init(&s->workers, s->hub);
    for (int i = 0; i < 2; ++i)
        tw_hub_hold(s->hub, &s->topics[i], 0);
}

static void teardown(tw_setup_t *s)
{
    tw_missed_dispose(&s->missed);
    tw_lane_set_dispose(&s->set);
    tw_test_workers_stop(&s->workers);
    tw_hub_destroy(s->hub);
}

static void publish(tw_setup_t *s, const char *topics, int from, int to)
{
    char id[16];

    for (int i = from; i <= to; ++i) {
        snprintf(id, sizeof(id), "%d", i);
        tw_event_t *event = tw_test_event(topics, id, "");
        tw_hub_dispatch(s->hub, NULL, event, NULL, NULL, NULL);
        tw_event_unref(event);
    }
}

static void begin(tw_setup_t *s, const char *id)
{
    const tw_resume_t resume = {.last_event_id = id, .last_event_id_len = strlen(id)};
    tw_lane_set_init(&s->set, s->hub, s->topics, 2);
    tw_missed_init(&s->missed, s->hub, &s->set, s->topics, 2, &resume);
}

/* Steps until the event that was seen is known, and so many more. */
static void search(tw_setup_t *s, unsigned more)
{
    uint64_t ns;

    while (!s->missed.found)
        assert_true(tw_missed_step(&s->missed, &ns));
    while (more-- > 0)
        assert_true(tw_missed_step(&s->missed, &ns));
}

/* The rest of it, as a join does it. */
static void finish(tw_setup_t *s)
{
    uint64_t ns;

    while (tw_missed_step(&s->missed, &ns))
        assert_true(ns > 0 || s->missed.rounds > 0);
    pthread_mutex_lock(&s->hub->order);
    assert_true(tw_missed_is_current(&s->missed));
    for (uint16_t i = 0; i < 2; ++i) {
        tw_index_stripe_t *stripe = tw_topic_index_lock(&s->hub->index, &s->topics[i]);
        tw_missed_take_rest(&s->missed, i, &tw_topic_index_find(stripe, &s->topics[i])->tail);
        tw_topic_index_unlock(stripe);
    }
    pthread_mutex_unlock(&s->hub->order);
    s->gap_count = tw_missed_settle(&s->missed, s->gap_topics);
}

static void expect(const tw_setup_t *s, tw_gap_t gap, size_t count, uint64_t first, uint64_t last)
{
    assert_int_equal(s->missed.gap, gap);
    assert_int_equal(s->gap_count > 0, gap != TW_GAP_NONE);
    assert_int_equal(s->missed.event_count, count);
    for (size_t i = 0; i < count; ++i)
        assert_true(i == 0 ||
                    s->missed.events[i]->position.seq > s->missed.events[i - 1]->position.seq);
    if (count > 0) {
        assert_int_equal(s->missed.events[0]->position.seq, first);
        assert_int_equal(s->missed.events[count - 1]->position.seq, last);
    }
}

static void test_missed__is_found_in_steps(void **state)
{
    tw_setup_t s;
    uint64_t ns;
    unsigned steps = 0;

    setup(&s);
    publish(&s, "a", 1, KEPT);
    publish(&s, "b", KEPT + 1, 2 * KEPT);
    begin(&s, "1");
    while (!s.missed.found) {
        assert_true(tw_missed_step(&s.missed, &ns));
        ++steps;
    }
    assert_true(steps > 4);
    finish(&s);
    expect(&s, TW_GAP_NONE, 2 * KEPT - 1, 2, 2 * KEPT);
    teardown(&s);
}

static void test_missed__includes_what_comes_during_the_search(void **state)
{
    tw_setup_t s;

    setup(&s);
    publish(&s, "a", 1, 300);
    begin(&s, "1");
    search(&s, 1);
    publish(&s, "a,b", 301, 400);
    finish(&s);
    expect(&s, TW_GAP_NONE, 399, 2, 400);
    teardown(&s);
}

static void test_missed__keeps_what_is_evicted_after_it_was_taken(void **state)
{
    tw_setup_t s;

    setup(&s);
    publish(&s, "a", 1, KEPT);
    begin(&s, "1");
    search(&s, 1);
    publish(&s, "a", KEPT + 1, KEPT + 200);
    finish(&s);
    expect(&s, TW_GAP_NONE, KEPT + 199, 2, KEPT + 200);
    teardown(&s);
}

static void test_missed__has_a_gap_when_something_is_evicted_before_it_is_taken(void **state)
{
    tw_setup_t s;

    setup(&s);
    publish(&s, "a", 1, KEPT);
    begin(&s, "1");
    search(&s, 1);
    publish(&s, "a", KEPT + 1, KEPT + 400);
    finish(&s);
    assert_int_equal(s.missed.gap, TW_GAP_EVICTED);
    assert_int_equal(s.gap_count, 1);
    assert_memory_equal(s.gap_topics[0].base, "a", 1);
    teardown(&s);
}

static void test_missed__is_not_lost_while_another_topic_keeps_it(void **state)
{
    tw_setup_t s;

    setup(&s);
    publish(&s, "a,b", 1, KEPT);
    begin(&s, "1");
    search(&s, 1);
    publish(&s, "a", KEPT + 1, KEPT + 400);
    finish(&s);
    expect(&s, TW_GAP_NONE, KEPT + 399, 2, KEPT + 400);
    teardown(&s);
}

/* The client cannot have seen an event that was published after it came back. */
static void test_missed__an_id_that_is_published_again_meanwhile_was_missed(void **state)
{
    tw_setup_t s;

    setup(&s);
    publish(&s, "a", 1, 3);
    begin(&s, "2");
    publish(&s, "a", 2, 2);
    search(&s, 0);
    finish(&s);
    expect(&s, TW_GAP_NONE, 2, 3, 4);
    teardown(&s);
}

static void test_missed__of_another_epoch_begins_anew(void **state)
{
    tw_setup_t s;

    setup(&s);
    publish(&s, "a", 1, 300);
    begin(&s, "1");
    search(&s, 1);
    tw_hub_set_epoch(s.hub, 0, tw_hub_position(s.hub, 0).epoch + 1);
    assert_false(tw_missed_is_current(&s.missed));
    tw_missed_restart(&s.missed);
    assert_true(tw_missed_is_current(&s.missed));
    finish(&s);
    assert_int_equal(s.missed.gap, TW_GAP_UNKNOWN_ID);
    assert_int_equal(s.missed.event_count, 0);
    teardown(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missed__is_found_in_steps),
        cmocka_unit_test(test_missed__includes_what_comes_during_the_search),
        cmocka_unit_test(test_missed__keeps_what_is_evicted_after_it_was_taken),
        cmocka_unit_test(test_missed__has_a_gap_when_something_is_evicted_before_it_is_taken),
        cmocka_unit_test(test_missed__is_not_lost_while_another_topic_keeps_it),
        cmocka_unit_test(test_missed__an_id_that_is_published_again_meanwhile_was_missed),
        cmocka_unit_test(test_missed__of_another_epoch_begins_anew),
    };
    return cmocka_run_group_tests_name("missed", tests, NULL, NULL);
}
