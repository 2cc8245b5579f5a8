/* Connections that reach their maximal age: told to go, and their streams closed one after another.
 */
#include "base/clock.h"
#include "runtime/connection.h"
#include "runtime/hub.h"
#include "runtime/upkeep.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"
#include "tests/support/loop.h"

#define AGE_MS 10000
#define SPREAD_MS 1000
#define STEP_MS 100
#define STREAMS 50

typedef struct aged {
    uv_loop_t loop;
    tw_hub_t *hub;
    tw_fanout_t fanout;
    tw_fake_connection_t connection;
    tw_fake_stream_t streams[STREAMS];
    tw_close_reason_t reason; /* of the last stream that was closed */
    size_t closed;
} aged_t;

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    aged_t *aged = owner;
    aged->reason = reason;
    ++aged->closed;
    tw_subscriber_destroy(subscriber);
}

/* Streams whose openings are written, except for the first `held` ones. */
static void open_aged(aged_t *aged, int64_t age_ms, size_t held)
{
    const tw_hub_config_t config = {
        .worker_count = 1, .streams_max = 1000, .connection_age_max_ms = age_ms};

    *aged = (aged_t){0};
    tw_test_loop_init(&aged->loop);
    aged->hub = tw_hub_create(&config);
    tw_hub_add_worker(aged->hub, &aged->fanout, 0, &aged->loop);
    tw_fake_connection_init(&aged->connection, &aged->fanout.shard, let_go, aged);
    for (size_t i = 0; i < STREAMS; ++i) {
        tw_fake_stream_init(&aged->streams[i], &aged->connection, "t", NULL);
        if (i >= held)
            aged->streams[i].subscriber->stream->flags &= (uint8_t)~TW_STREAM_HELD;
    }
}

static void close_aged(aged_t *aged)
{
    for (size_t i = 0; i < STREAMS; ++i) {
        if (!aged->streams[i].closed)
            tw_fake_stream_close(&aged->streams[i], TW_CLOSE_CLIENT_CLOSED);
        tw_fake_stream_dispose(&aged->streams[i]);
    }
    tw_fake_connection_dispose(&aged->connection);
    tw_fanout_close(&aged->fanout);
    tw_test_loop_close(&aged->loop, 1000);
    tw_fanout_dispose(&aged->fanout);
    tw_hub_destroy(aged->hub);
}

static void step(aged_t *aged, int64_t now_ms)
{
    tw_upkeep_age(&aged->fanout, now_ms, SPREAD_MS, STEP_MS);
}

static void test_age__never_comes_when_it_is_off(void **state)
{
    aged_t aged;

    open_aged(&aged, 0, 0);
    step(&aged, tw_clock_ms() + INT64_C(1) * 365 * 86400 * 1000);
    assert_false(aged.connection.retired);
    assert_int_equal(aged.closed, 0);
    close_aged(&aged);
}

static void test_age__lies_within_a_tenth_of_what_was_asked_for_and_is_spread(void **state)
{
    aged_t aged;
    size_t fifths[5] = {0};

    open_aged(&aged, AGE_MS, 0);
    for (size_t i = 0; i < 1000; ++i) {
        int64_t before = tw_clock_ms();
        int64_t age = tw_shard_next_retirement(&aged.fanout.shard) - before;
        assert_in_range(age, AGE_MS * 9 / 10, AGE_MS * 11 / 10 + 5);
        size_t fifth = (size_t)((age - AGE_MS * 9 / 10) * 5 / (AGE_MS / 5));
        ++fifths[fifth < 5 ? fifth : 4];
    }
    for (size_t i = 0; i < 5; ++i)
        assert_in_range(fifths[i], 180, 220);
    close_aged(&aged);
}

static void test_age__closes_the_streams_evenly_over_the_spread(void **state)
{
    aged_t aged;

    open_aged(&aged, AGE_MS, 0);
    int64_t due = aged.connection.super.retire_at_ms;
    step(&aged, due - 1);
    assert_false(aged.connection.retired);
    for (int i = 0; i < SPREAD_MS / STEP_MS; ++i) {
        step(&aged, due + (int64_t)i * STEP_MS);
        assert_true(aged.connection.retired);
        assert_int_equal(aged.closed, (i + 1) * STREAMS / (SPREAD_MS / STEP_MS));
        assert_int_equal(aged.reason, TW_CLOSE_CONNECTION_AGE);
    }
    assert_int_equal(aged.closed, STREAMS);
    close_aged(&aged);
}

static void test_age__leaves_streams_that_are_being_opened_for_later(void **state)
{
    aged_t aged;

    open_aged(&aged, AGE_MS, 3);
    int64_t due = aged.connection.super.retire_at_ms;
    step(&aged, due);
    step(&aged, due + SPREAD_MS); /* everything that is left */
    assert_int_equal(aged.closed, STREAMS - 3);
    for (size_t i = 0; i < 3; ++i)
        aged.streams[i].subscriber->stream->flags &= (uint8_t)~TW_STREAM_HELD;
    step(&aged, due + SPREAD_MS + STEP_MS);
    assert_int_equal(aged.closed, STREAMS);
    close_aged(&aged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_age__never_comes_when_it_is_off),
        cmocka_unit_test(test_age__lies_within_a_tenth_of_what_was_asked_for_and_is_spread),
        cmocka_unit_test(test_age__closes_the_streams_evenly_over_the_spread),
        cmocka_unit_test(test_age__leaves_streams_that_are_being_opened_for_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
