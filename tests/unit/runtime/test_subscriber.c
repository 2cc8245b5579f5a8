/* A subscriber's queue: what waits, how much may, and what is put in front of it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "runtime/hub.h"
#include "runtime/join.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"
#include "tests/support/random.h"
#include "tests/support/workers.h"

/* "id: N\ndata: \n\n" with a one-digit id. */
#define FRAME_LEN 14

typedef struct tw_setup {
    tw_hub_t *hub;
    tw_test_workers_t workers;
    tw_fake_connection_t connection;
    tw_fake_stream_t stream, other; /* LIVE; the connection takes nothing */
} tw_setup_t;

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_hub_leave(owner, subscriber);
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_fake_stream_begin(data);
}

static void setup(tw_setup_t *s, tw_hub_config_t config)
{
    tw_fake_stream_t *const streams[] = {&s->stream, &s->other};

    config.worker_count = 1;
    s->hub = tw_hub_create(&config);
    tw_test_workers_init(&s->workers, s->hub);
    tw_fake_connection_init(&s->connection, &s->workers.items[0].fanout.shard, let_go, s->hub);
    for (size_t i = 0; i < 2; ++i) {
        tw_fake_stream_init(streams[i], &s->connection, "t", "hint");
        assert_int_equal(tw_hub_join(s->hub, streams[i]->subscriber, NULL, on_open, streams[i]),
                         TW_OK);
    }
    tw_test_workers_pump(&s->workers);
    s->connection.blocked = true;
}

static void teardown(tw_setup_t *s)
{
    tw_fake_stream_t *const streams[] = {&s->stream, &s->other};

    for (size_t i = 0; i < 2; ++i) {
        if (!streams[i]->closed)
            tw_fake_stream_close(streams[i], TW_CLOSE_CLIENT_CLOSED);
        tw_fake_stream_dispose(streams[i]);
    }
    assert_int_equal(s->connection.super.budget.used, 0);
    assert_int_equal(s->workers.items[0].fanout.shard.counters.queued_bytes, 0);
    assert_int_equal(s->hub->backlog.queued_events, 0);
    tw_fake_connection_dispose(&s->connection);
    tw_test_workers_stop(&s->workers);
    tw_hub_destroy(s->hub);
}

static tw_event_t *make_event(uint64_t seq)
{
    char id[24];
    snprintf(id, sizeof(id), "%" PRIu64, seq);
    tw_event_t *event = tw_test_event("t", id, "");
    event->position.seq = seq;
    return event;
}

static void queue(tw_fake_stream_t *stream, uint64_t seq)
{
    tw_event_t *event = make_event(seq);
    tw_subscriber_queue(stream->subscriber, event);
    tw_event_unref(event);
}

static void replay(tw_fake_stream_t *stream, uint64_t from, uint64_t to)
{
    tw_event_t *events[16] = {NULL};
    size_t n = 0;

    for (uint64_t seq = from; seq <= to; ++seq)
        events[n++] = make_event(seq);
    tw_subscriber_replay(stream->subscriber, events, n);
}

static bool is_doomed(const tw_fake_stream_t *stream)
{
    return (stream->subscriber->stream->flags & TW_STREAM_DOOMED) != 0;
}

static bool is_behind(const tw_fake_stream_t *stream)
{
    return (stream->subscriber->stream->flags & TW_STREAM_BEHIND) != 0;
}

static void expect_flushed(tw_fake_stream_t *stream, const char *expected)
{
    tw_fake_stream_flush(stream, SIZE_MAX);
    char *ids = tw_fake_stream_ids(stream);
    assert_string_equal(ids, expected);
    free(ids);
    assert_false(is_behind(stream));
    assert_null(stream->subscriber->queue.ring);
}

static void test_subscriber__what_waits_comes_in_order(void **state)
{
    tw_setup_t s;
    size_t len;

    setup(&s, tw_test_config());
    assert_null(tw_subscriber_peek(s.stream.subscriber, &len));
    for (uint64_t seq = 1; seq <= 9; ++seq)
        queue(&s.stream, seq);
    assert_true(is_behind(&s.stream));
    assert_int_equal(s.stream.subscriber->live_bytes, 9 * FRAME_LEN);
    assert_int_equal(s.workers.items[0].fanout.shard.counters.queued_bytes, 9 * FRAME_LEN);
    assert_int_equal(s.hub->backlog.queued_events, 9);
    /* In pieces of every size: the ring wraps, frames are cut. */
    for (size_t piece = 1; piece < 40; piece += 3) {
        tw_fake_stream_flush(&s.stream, piece);
        tw_subscriber_peek(s.stream.subscriber, &len);
    }
    queue(&s.stream, 9);
    expect_flushed(&s.stream, "1 2 3 4 5 6 7 8 9 9");
    teardown(&s);
}

static void test_subscriber__too_far_behind_is_doomed(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;

    config.stream_buffer_bytes = 3 * FRAME_LEN;
    setup(&s, config);
    for (uint64_t seq = 1; seq <= 3; ++seq)
        queue(&s.stream, seq);
    assert_false(is_doomed(&s.stream)); /* exactly full */
    tw_fake_stream_flush(&s.stream, 1);
    queue(&s.stream, 4); /* one byte is not room for one event */
    assert_true(is_doomed(&s.stream));
    assert_int_equal(s.stream.subscriber->doom_reason, TW_CLOSE_SLOW_CONSUMER);
    assert_int_equal(s.stream.subscriber->queue.count, 3);
    assert_false(is_doomed(&s.other));
    teardown(&s);
}

static void test_subscriber__an_event_larger_than_the_limit_may_wait_alone(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;

    config.stream_buffer_bytes = FRAME_LEN - 1;
    setup(&s, config);
    queue(&s.stream, 1);
    assert_false(is_doomed(&s.stream));
    tw_fake_stream_flush(&s.stream, FRAME_LEN);
    queue(&s.stream, 2);
    assert_false(is_doomed(&s.stream));
    queue(&s.stream, 3);
    assert_true(is_doomed(&s.stream));
    teardown(&s);
}

static void test_subscriber__a_connections_streams_share_a_limit(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;

    config.connection_buffer_bytes = 3 * FRAME_LEN;
    setup(&s, config);
    queue(&s.stream, 1);
    queue(&s.stream, 2);
    queue(&s.other, 1);
    assert_false(is_doomed(&s.stream) || is_doomed(&s.other));
    queue(&s.other, 2);
    assert_true(is_doomed(&s.other));
    assert_false(is_doomed(&s.stream));
    teardown(&s);
}

static void test_subscriber__a_node_without_memory_closes_who_is_slow(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;

    setup(&s, config);
    s.hub->backlog.node_bytes_max = tw_event_live_bytes() + 1000;
    uint64_t seq = 1;
    while (!is_doomed(&s.stream) && seq < 100)
        queue(&s.stream, seq++);
    assert_in_range(seq, 2, 20);
    assert_int_equal(s.stream.subscriber->doom_reason, TW_CLOSE_NODE_MEMORY);
    teardown(&s);
}

static void test_subscriber__replayed_events_come_first_and_do_not_count(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;

    config.stream_buffer_bytes = 2 * FRAME_LEN;
    config.connection_buffer_bytes = 2 * FRAME_LEN;
    setup(&s, config);
    queue(&s.stream, 4);
    queue(&s.stream, 5);
    replay(&s.stream, 1, 4); /* 4 waits already: it is the same */
    assert_int_equal(s.stream.subscriber->queue.count, 5);
    assert_int_equal(s.stream.subscriber->queue.replay_left, 4 * FRAME_LEN);
    assert_int_equal(s.connection.super.budget.used, FRAME_LEN);
    queue(&s.stream, 6);
    assert_false(is_doomed(&s.stream));
    tw_fake_stream_flush(&s.stream, 2 * FRAME_LEN); /* replayed ones: makes no room */
    queue(&s.stream, 7);
    assert_true(is_doomed(&s.stream));
    assert_int_equal(s.workers.items[0].fanout.shard.counters.replayed, 4);
    expect_flushed(&s.stream, "1 2 3 4 5 6");
    teardown(&s);
}

static void test_subscriber__replaying_nothing_changes_nothing(void **state)
{
    tw_setup_t s;

    setup(&s, tw_test_config());
    queue(&s.stream, 1);
    tw_subscriber_replay(s.stream.subscriber, NULL, 0);
    tw_subscriber_replay(s.other.subscriber, NULL, 0);
    assert_false(is_behind(&s.other));
    replay(&s.other, 1, 3);
    expect_flushed(&s.other, "1 2 3");
    expect_flushed(&s.stream, "1");
    teardown(&s);
}

static void test_subscriber__a_text_of_its_own_goes_before_everything(void **state)
{
    static const char text[] = "id: ~0\n\n";
    tw_setup_t s;
    size_t len;

    setup(&s, tw_test_config());
    for (uint64_t seq = 4; seq <= 8; ++seq)
        queue(&s.stream, seq);
    replay(&s.stream, 1, 3);
    tw_event_t *event = tw_event_create_text(text, sizeof(text) - 1);
    tw_subscriber_queue_first(s.stream.subscriber, event);
    tw_event_unref(event);
    const char *first = tw_subscriber_peek(s.stream.subscriber, &len);
    assert_int_equal(len, sizeof(text) - 1);
    assert_memory_equal(first, text, len);
    assert_int_equal(s.connection.super.budget.used, 5 * FRAME_LEN);
    expect_flushed(&s.stream, "1 2 3 4 5 6 7 8");
    teardown(&s);
}

/* Queues, replays and writes at random against a list of what should come. */
static void test_subscriber__random_writes_keep_the_order_and_the_counts(void **state)
{
    tw_setup_t s;
    tw_test_random_t random;
    tw_test_text_t expected = {0};
    uint64_t queued = 0, written = 0, next = 1;

    setup(&s, tw_test_config());
    tw_test_random_init(&random, "subscriber", 4);
    tw_test_text_append(&expected, "", 0);
    for (uint32_t step = tw_test_runs(5000); step > 0; --step) {
        if (tw_test_random_below(&random, 2) == 0) {
            char id[24];
            int len = snprintf(id, sizeof(id), expected.len > 0 ? " %" PRIu64 : "%" PRIu64, next);
            tw_test_text_append(&expected, id, (size_t)len);
            tw_event_t *event = make_event(next++);
            tw_subscriber_queue(s.stream.subscriber, event);
            queued += event->frame_len;
            tw_event_unref(event);
        } else {
            written += tw_fake_stream_flush(&s.stream, tw_test_random_below(&random, 50));
        }
        assert_int_equal(s.stream.subscriber->live_bytes, queued - written);
        assert_int_equal(s.connection.super.budget.used, queued - written);
        assert_int_equal(is_behind(&s.stream), queued > written);
    }
    expect_flushed(&s.stream, expected.bytes);
    tw_test_text_dispose(&expected);
    teardown(&s);
}

static void test_subscriber__without_memory_is_none(void **state)
{
    tw_setup_t s;
    tw_topic_list_t topics;

    setup(&s, tw_test_config());
    tw_topic_list_init(&topics, 2);
    assert_int_equal(tw_topic_list_add(&topics, "a,b", 3), TW_TOPIC_LIST_OK);
    for (unsigned n = 1; n <= 2; ++n) {
        tw_alloc_fail_after(n);
        assert_null(tw_subscriber_create(&s.connection.super, &topics, "x", 1));
        tw_alloc_fail_after(0);
        assert_int_equal(s.connection.super.stream_count, 2);
    }
    tw_subscriber_t *subscriber = tw_subscriber_create(&s.connection.super, &topics, "xyz", 2);
    assert_non_null(subscriber);
    assert_string_equal(subscriber->client_id, "xy");
    tw_topic_list_dispose(&topics);
    tw_topic_name_t name = tw_subscriber_topic(subscriber, 1);
    assert_int_equal(name.len, 1);
    assert_memory_equal(name.base, "b", 1);
    tw_subscriber_destroy(subscriber);
    teardown(&s);
}

static void test_subscriber__ids_sort_by_worker_and_age(void **state)
{
    tw_setup_t s;
    char first[TW_STREAM_ID_SIZE], second[TW_STREAM_ID_SIZE], expected[64];

    setup(&s, tw_test_config());
    tw_subscriber_id(s.stream.subscriber, first);
    tw_subscriber_id(s.other.subscriber, second);
    snprintf(expected, sizeof(expected), "%08" PRIx32 "-000000000001", s.hub->shards.instance);
    assert_string_equal(first, expected);
    assert_true(strcmp(first, second) < 0);
    s.other.subscriber->number = UINT64_C(0xffffffffff);
    tw_subscriber_id(s.other.subscriber, second);
    assert_int_equal(strlen(second), TW_STREAM_ID_SIZE - 1);
    s.other.subscriber->number = 2;
    teardown(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subscriber__what_waits_comes_in_order),
        cmocka_unit_test(test_subscriber__too_far_behind_is_doomed),
        cmocka_unit_test(test_subscriber__an_event_larger_than_the_limit_may_wait_alone),
        cmocka_unit_test(test_subscriber__a_connections_streams_share_a_limit),
        cmocka_unit_test(test_subscriber__a_node_without_memory_closes_who_is_slow),
        cmocka_unit_test(test_subscriber__replayed_events_come_first_and_do_not_count),
        cmocka_unit_test(test_subscriber__replaying_nothing_changes_nothing),
        cmocka_unit_test(test_subscriber__a_text_of_its_own_goes_before_everything),
        cmocka_unit_test(test_subscriber__random_writes_keep_the_order_and_the_counts),
        cmocka_unit_test(test_subscriber__without_memory_is_none),
        cmocka_unit_test(test_subscriber__ids_sort_by_worker_and_age),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("subscriber", tests, NULL, NULL);
}
