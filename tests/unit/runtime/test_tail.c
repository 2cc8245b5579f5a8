/* The ring of a topic's last events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "runtime/model/tail.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"

static tw_event_t *make_event(uint64_t seq, const char *id)
{
    tw_event_t *event = tw_test_event("t", id, "x");
    event->position.seq = seq;
    return event;
}

/* Pushes an event with this number, whose id is the number; returns that of the one that went. */
static uint64_t push(tw_tail_t *tail, uint64_t seq, uint32_t max)
{
    char id[24];
    snprintf(id, sizeof(id), "%llu", (unsigned long long)seq);
    tw_event_t *gone = tw_tail_push(tail, make_event(seq, id), max);
    uint64_t gone_seq = gone != NULL ? gone->position.seq : 0;
    tw_event_unref(gone);
    return gone_seq;
}

static void empty(tw_tail_t *tail)
{
    while (tail->count > 0)
        tw_event_unref(tw_tail_shift(tail));
    tw_tail_dispose(tail);
}

static void test_tail__keeps_the_newest_up_to_its_maximum(void **state)
{
    static const uint32_t maxima[] = {1, 2, 3, 4, 5, 7, 8, 100};

    for (size_t m = 0; m < sizeof(maxima) / sizeof(maxima[0]); ++m) {
        uint32_t max = maxima[m];
        tw_tail_t tail = {0};
        for (uint64_t seq = 1; seq <= 50; ++seq) {
            uint64_t gone = push(&tail, seq * 10, max);
            assert_int_equal(gone, seq > max ? (seq - max) * 10 : 0);
            assert_int_equal(tail.lost_seq, gone);
            assert_int_equal(tail.count, seq < max ? seq : max);
            for (uint32_t i = 0; i < tail.count; ++i)
                assert_int_equal(tw_tail_at(&tail, i)->position.seq,
                                 (seq - tail.count + 1 + i) * 10);
        }
        empty(&tail);
    }
}

/* Growing while the ring has wrapped around must not change the order. */
static void test_tail__grows_when_it_has_wrapped(void **state)
{
    tw_tail_t tail = {0};
    uint64_t seq = 0;

    for (int round = 0; round < 6; ++round) {
        for (int i = 0; i < 3; ++i)
            push(&tail, ++seq, 1000);
        tw_event_unref(tw_tail_shift(&tail));
    }
    assert_int_equal(tail.count, 12);
    assert_int_equal(tail.lost_seq, 6);
    for (uint32_t i = 0; i < tail.count; ++i)
        assert_int_equal(tw_tail_at(&tail, i)->position.seq, 7 + i);
    empty(&tail);
}

static void test_tail__a_smaller_maximum_takes_effect_step_by_step(void **state)
{
    tw_tail_t tail = {0};

    for (uint64_t seq = 1; seq <= 5; ++seq)
        push(&tail, seq, 5);
    assert_int_equal(push(&tail, 6, 2), 1);
    assert_int_equal(tail.count, 5);
    empty(&tail);
}

static void test_tail__finds_what_is_newer_than_a_number(void **state)
{
    tw_tail_t tail = {0};

    assert_int_equal(tw_tail_after(&tail, 0), 0);
    for (uint64_t seq = 10; seq <= 100; seq += 10)
        push(&tail, seq, 7);
    for (uint64_t seq = 0; seq <= 120; ++seq) {
        uint32_t expected = 0;
        while (expected < tail.count && tw_tail_at(&tail, expected)->position.seq <= seq)
            ++expected;
        assert_int_equal(tw_tail_after(&tail, seq), expected);
    }
    assert_int_equal(tw_tail_after(&tail, UINT64_MAX), tail.count);
    empty(&tail);
}

static tw_event_t *find(const tw_tail_t *tail, const char *id)
{
    return tw_tail_find_id(tail, id, strlen(id), tw_hash(id, strlen(id)));
}

static void test_tail__finds_the_newest_with_an_id(void **state)
{
    tw_tail_t tail = {0};

    assert_null(find(&tail, "a"));
    tw_tail_push(&tail, make_event(1, "a"), 10);
    tw_tail_push(&tail, make_event(2, "b"), 10);
    tw_tail_push(&tail, make_event(3, "a"), 10);
    assert_int_equal(find(&tail, "a")->position.seq, 3);
    assert_int_equal(find(&tail, "b")->position.seq, 2);
    assert_null(find(&tail, "c"));
    assert_null(find(&tail, ""));
    empty(&tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail__keeps_the_newest_up_to_its_maximum),
        cmocka_unit_test(test_tail__grows_when_it_has_wrapped),
        cmocka_unit_test(test_tail__a_smaller_maximum_takes_effect_step_by_step),
        cmocka_unit_test(test_tail__finds_what_is_newer_than_a_number),
        cmocka_unit_test(test_tail__finds_the_newest_with_an_id),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
