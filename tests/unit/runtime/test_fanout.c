/* One worker's fan-out, and the streams of its connections, with a transport that writes into
 * memory. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "runtime/hub.h"
#include "runtime/join.h"
#include "runtime/upkeep.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"
#include "tests/support/random.h"
#include "tests/support/workers.h"

typedef struct tw_setup {
    tw_hub_t *hub;
    tw_test_workers_t workers;
    tw_fanout_t *fanout;
    uint64_t seq;
} tw_setup_t;

static void setup_with(tw_setup_t *s, const tw_hub_config_t *config)
{
    *s = (tw_setup_t){.seq = 0};
    s->hub = tw_hub_create(config);
    tw_test_workers_init(&s->workers, s->hub);
    s->fanout = &s->workers.items[0].fanout;
}

static void setup(tw_setup_t *s)
{
    tw_hub_config_t config = tw_test_config();
    config.worker_count = 1;
    setup_with(s, &config);
}

static void teardown(tw_setup_t *s)
{
    tw_test_workers_stop(&s->workers);
    tw_hub_destroy(s->hub);
}

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_hub_leave(owner, subscriber);
}

static void connect_to(tw_setup_t *s, tw_fake_connection_t *connection)
{
    tw_fake_connection_init(connection, &s->fanout->shard, let_go, s->hub);
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_fake_stream_begin(data);
}

static void begin_stream(tw_setup_t *s, tw_fake_stream_t *stream, tw_fake_connection_t *connection,
                         const char *topics)
{
    tw_fake_stream_init(stream, connection, topics, NULL);
    assert_int_equal(tw_hub_join(s->hub, stream->subscriber, NULL, on_open, stream), TW_OK);
}

static void open_stream(tw_setup_t *s, tw_fake_stream_t *stream, tw_fake_connection_t *connection,
                        const char *topics)
{
    begin_stream(s, stream, connection, topics);
    tw_test_workers_pump(&s->workers);
    assert_int_equal(stream->subscriber->state, TW_SUBSCRIBER_LIVE);
}

static void end_stream(tw_fake_stream_t *stream)
{
    if (!stream->closed)
        tw_fake_stream_close(stream, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_stream_dispose(stream);
}

/* Delivers an event to the fan-out, past the hub; returns to how many it went. */
static size_t deliver(tw_setup_t *s, const char *topics, const char *id)
{
    tw_event_t *event = tw_test_event(topics, id, "x");
    event->position = (tw_position_t){.epoch = 7, .seq = ++s->seq};
    size_t delivered = tw_fanout_deliver(s->fanout, event, NULL);
    tw_event_unref(event);
    return delivered;
}

static void expect_ids(const tw_fake_stream_t *stream, const char *expected)
{
    char *ids = tw_fake_stream_ids(stream);
    assert_string_equal(ids, expected);
    free(ids);
}

/* --- deliveries --- */

static void test_fanout__gives_an_event_to_the_followers_of_its_topics(void **state)
{
    tw_setup_t s;
    tw_fake_connection_t one, two;
    tw_fake_stream_t a, b, ab;

    setup(&s);
    connect_to(&s, &one);
    connect_to(&s, &two);
    open_stream(&s, &a, &one, "a");
    open_stream(&s, &b, &two, "b");
    open_stream(&s, &ab, &one, "a,b");
    assert_int_equal(deliver(&s, "a", "1"), 2);
    assert_int_equal(deliver(&s, "b", "2"), 2);
    assert_int_equal(deliver(&s, "c", "3"), 0);
    assert_int_equal(deliver(&s, "b,c,a", "4"), 3);
    expect_ids(&a, "1 4");
    expect_ids(&b, "2 4");
    expect_ids(&ab, "1 2 4");
    assert_int_equal(ab.subscriber->stream->delivered, 3);
    assert_int_equal(s.fanout->shard.counters.deliveries, 7);
    /* "id: 1\ndata: x\n\n" */
    assert_int_equal(s.fanout->shard.counters.delivered_bytes, 7 * 15);
    assert_int_equal(s.fanout->shard.counters.streams, 3);
    end_stream(&a);
    assert_int_equal(deliver(&s, "a", "5"), 1);
    end_stream(&b);
    end_stream(&ab);
    assert_int_equal(deliver(&s, "a,b", "6"), 0);
    assert_int_equal(s.fanout->shard.counters.streams, 0);
    assert_int_equal(s.fanout->topics.count, 0);
    assert_int_equal(s.fanout->groups.count, 0);
    tw_fake_connection_dispose(&one);
    tw_fake_connection_dispose(&two);
    teardown(&s);
}

static void test_fanout__calls_a_transport_once_per_connection_and_topic(void **state)
{
    enum { STREAMS = 100 };
    tw_setup_t s;
    tw_fake_connection_t one, two;
    tw_fake_stream_t streams[STREAMS];

    setup(&s);
    connect_to(&s, &one);
    connect_to(&s, &two);
    for (size_t i = 0; i < STREAMS; ++i)
        open_stream(&s, &streams[i], i % 2 ? &one : &two, "t,u");
    assert_int_equal(deliver(&s, "t", "1"), STREAMS);
    assert_int_equal(one.deliver_calls, 1);
    assert_int_equal(two.deliver_calls, 1);
    assert_int_equal(deliver(&s, "t,u", "2"), STREAMS);
    assert_int_equal(one.deliver_calls, 3);
    for (size_t i = 0; i < STREAMS; ++i) {
        expect_ids(&streams[i], "1 2");
        end_stream(&streams[i]);
    }
    tw_fake_connection_dispose(&one);
    tw_fake_connection_dispose(&two);
    teardown(&s);
}

/* A position of another epoch is another event, whatever its number. */
/* Whatever its position, a stream that has got none yet gets it. */
static void test_fanout__a_first_event_of_several_topics_is_not_taken_for_none(void **state)
{
    static const tw_position_t positions[] = {{7, 7}, {UINT64_MAX, UINT32_MAX}, {0, 1}, {1, 0}};
    tw_setup_t s;
    tw_fake_connection_t connection;

    setup(&s);
    connect_to(&s, &connection);
    for (size_t i = 0; i < sizeof(positions) / sizeof(*positions); ++i) {
        tw_fake_stream_t stream;
        open_stream(&s, &stream, &connection, "a,b");
        tw_event_t *event = tw_test_event("a,b", "x", "");
        event->position = positions[i];
        assert_int_equal(tw_fanout_deliver(s.fanout, event, NULL), 1);
        tw_event_unref(event);
        expect_ids(&stream, "x");
        end_stream(&stream);
    }
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

static void
test_fanout__an_event_of_several_topics_is_not_taken_for_one_of_another_epoch(void **state)
{
    tw_setup_t s;
    tw_fake_connection_t connection;
    tw_fake_stream_t stream;

    setup(&s);
    connect_to(&s, &connection);
    open_stream(&s, &stream, &connection, "a,b");
    for (uint64_t epoch = 100; epoch < 103; ++epoch) {
        tw_event_t *event = tw_test_event("a,b", "x", "");
        event->position = (tw_position_t){.epoch = epoch, .seq = 1};
        assert_int_equal(tw_fanout_deliver(s.fanout, event, NULL), 1);
        tw_event_unref(event);
    }
    expect_ids(&stream, "x x x");
    end_stream(&stream);
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

enum { CROWD = 60, CROWD_CONNECTIONS = 5, CROWD_TOPICS = 4 };

/* Streams that come and go, and what each has to have got. */
typedef struct tw_crowd {
    tw_setup_t setup;
    tw_fake_connection_t connections[CROWD_CONNECTIONS];
    tw_fake_stream_t streams[CROWD];
    unsigned follows[CROWD]; /* bits of topics; 0: not open */
    size_t seen[CROWD];
} tw_crowd_t;

/* The names of topics given as bits, "a,c,". */
static void name_topics(unsigned topics, char names[16])
{
    names[0] = '\0';
    for (unsigned t = 0; t < CROWD_TOPICS; ++t)
        if (topics >> t & 1)
            snprintf(names + strlen(names), 16 - strlen(names), "%c,", 'a' + t);
}

static void deliver_to_crowd(tw_crowd_t *crowd, unsigned topics, const char *names)
{
    size_t expected = 0;

    for (size_t k = 0; k < CROWD; ++k)
        if ((crowd->follows[k] & topics) != 0) {
            ++expected;
            ++crowd->seen[k];
        }
    assert_int_equal(deliver(&crowd->setup, names, "e"), expected);
}

/* Opens a stream that is closed, closes one that is open, or delivers an event. */
static void do_something(tw_crowd_t *crowd, uint32_t what, uint32_t i, unsigned topics)
{
    char names[16];

    name_topics(topics, names);
    if (what == 0 && crowd->follows[i] == 0) {
        open_stream(&crowd->setup, &crowd->streams[i], &crowd->connections[i % CROWD_CONNECTIONS],
                    names);
        crowd->follows[i] = topics;
        crowd->seen[i] = 0;
    } else if (what == 1 && crowd->follows[i] != 0) {
        end_stream(&crowd->streams[i]);
        crowd->follows[i] = 0;
    } else if (what == 2) {
        deliver_to_crowd(crowd, topics, names);
        assert_true(crowd->follows[i] == 0 ||
                    crowd->streams[i].reader.message_count == crowd->seen[i]);
    }
}

/* Streams come and go at random; what each gets is what it follows at that moment. */
static void test_fanout__random_joins_and_leaves_against_an_oracle(void **state)
{
    static tw_crowd_t crowd;
    tw_test_random_t random;

    setup(&crowd.setup);
    tw_test_random_init(&random, "fanout", 11);
    for (size_t i = 0; i < CROWD_CONNECTIONS; ++i)
        connect_to(&crowd.setup, &crowd.connections[i]);
    for (uint32_t step = tw_test_runs(20000); step > 0; --step) {
        uint32_t i = tw_test_random_below(&random, CROWD);
        unsigned topics = 1 + tw_test_random_below(&random, (1U << CROWD_TOPICS) - 1);
        do_something(&crowd, tw_test_random_below(&random, 3), i, topics);
    }
    for (size_t i = 0; i < CROWD; ++i) {
        if (crowd.follows[i] == 0)
            continue;
        assert_int_equal(crowd.streams[i].reader.message_count, crowd.seen[i]);
        end_stream(&crowd.streams[i]);
    }
    for (size_t i = 0; i < CROWD_CONNECTIONS; ++i)
        tw_fake_connection_dispose(&crowd.connections[i]);
    teardown(&crowd.setup);
}

/* --- dooming --- */

static void test_fanout__doomed_streams_get_nothing_and_close_at_the_end_of_the_batch(void **state)
{
    tw_setup_t s;
    tw_fake_connection_t connection;
    tw_fake_stream_t doomed, other;

    setup(&s);
    connect_to(&s, &connection);
    open_stream(&s, &doomed, &connection, "t");
    open_stream(&s, &other, &connection, "t");
    tw_subscriber_doom(doomed.subscriber, TW_CLOSE_ADMIN);
    tw_subscriber_doom(doomed.subscriber, TW_CLOSE_DRAIN); /* only the first counts */
    assert_int_equal(deliver(&s, "t", "1"), 1);
    assert_false(doomed.closed);
    tw_fanout_reap(s.fanout);
    assert_true(doomed.closed);
    assert_int_equal(doomed.close_reason, TW_CLOSE_ADMIN);
    assert_false(other.closed);
    expect_ids(&doomed, "");
    expect_ids(&other, "1");
    end_stream(&doomed);
    end_stream(&other);
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

static void test_fanout__a_doomed_stream_may_close_before_its_turn(void **state)
{
    enum { STREAMS = 5 };
    tw_setup_t s;
    tw_fake_connection_t connection;
    tw_fake_stream_t streams[STREAMS];

    setup(&s);
    connect_to(&s, &connection);
    for (size_t first = 0; first < STREAMS; ++first) {
        for (size_t i = 0; i < STREAMS; ++i)
            open_stream(&s, &streams[i], &connection, "t");
        for (size_t i = 0; i < STREAMS; ++i)
            tw_subscriber_doom(streams[i].subscriber, TW_CLOSE_ADMIN);
        tw_fake_stream_close(&streams[first], TW_CLOSE_CLIENT_CLOSED);
        tw_fanout_reap(s.fanout);
        for (size_t i = 0; i < STREAMS; ++i) {
            assert_int_equal(streams[i].close_reason,
                             i == first ? TW_CLOSE_CLIENT_CLOSED : TW_CLOSE_ADMIN);
            end_stream(&streams[i]);
        }
    }
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

/* Its join is still in the mailbox when it is doomed and when it closes. */
static void test_fanout__a_doomed_stream_may_close_while_it_joins(void **state)
{
    tw_setup_t s;
    tw_fake_connection_t connection;
    tw_fake_stream_t live, joining;

    setup(&s);
    connect_to(&s, &connection);
    open_stream(&s, &live, &connection, "t");
    begin_stream(&s, &joining, &connection, "t");
    tw_subscriber_doom(live.subscriber, TW_CLOSE_ADMIN);
    tw_subscriber_doom(joining.subscriber, TW_CLOSE_ADMIN);
    tw_fake_stream_close(&joining, TW_CLOSE_CLIENT_CLOSED);
    tw_fanout_reap(s.fanout);
    assert_true(live.closed);
    tw_test_workers_pump(&s.workers);
    assert_int_equal(joining.close_reason, TW_CLOSE_CLIENT_CLOSED);
    end_stream(&live);
    end_stream(&joining);
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

/* One event may doom a whole connection; closing its streams must not cost the square of them. */
static void test_fanout__closing_many_doomed_streams_costs_no_more_than_their_number(void **state)
{
    enum { STREAMS = 50000 };
    tw_setup_t s;
    tw_fake_connection_t connection;
    tw_fake_stream_t *streams = tw_alloc(STREAMS * sizeof(*streams));

    setup(&s);
    connect_to(&s, &connection);
    for (size_t i = 0; i < STREAMS; ++i)
        begin_stream(&s, &streams[i], &connection, "t");
    tw_test_workers_pump(&s.workers);
    for (size_t i = 0; i < STREAMS; ++i)
        tw_subscriber_doom(streams[i].subscriber, TW_CLOSE_SLOW_CONSUMER);
    int64_t begun_ms = tw_test_cpu_ms();
    tw_fanout_reap(s.fanout);
    assert_true(tw_test_cpu_ms() - begun_ms < TW_TEST_CPU_MS_MAX);
    for (size_t i = 0; i < STREAMS; ++i)
        end_stream(&streams[i]);
    free(streams);
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

static void test_fanout__closes_some_streams_at_a_time(void **state)
{
    enum { STREAMS = 10 };
    tw_setup_t s;
    tw_fake_connection_t connections[3];
    tw_fake_stream_t streams[STREAMS];
    size_t open = STREAMS;

    setup(&s);
    for (size_t i = 0; i < 3; ++i)
        connect_to(&s, &connections[i]);
    for (size_t i = 0; i < STREAMS - 1; ++i)
        open_stream(&s, &streams[i], &connections[i % 3], "t");
    begin_stream(&s, &streams[STREAMS - 1], &connections[0], "t"); /* not open yet */
    while (open > 0) {
        size_t wanted = open < 4 ? open : 4;
        assert_int_equal(tw_fanout_close_some(s.fanout, 4, TW_CLOSE_DRAIN), wanted);
        open -= wanted;
        size_t closed = 0;
        for (size_t i = 0; i < STREAMS; ++i)
            closed += streams[i].closed;
        assert_int_equal(closed, STREAMS - open);
    }
    assert_int_equal(tw_fanout_close_some(s.fanout, 4, TW_CLOSE_DRAIN), 0);
    tw_test_workers_pump(&s.workers);
    for (size_t i = 0; i < STREAMS; ++i) {
        assert_int_equal(streams[i].close_reason, TW_CLOSE_DRAIN);
        end_stream(&streams[i]);
    }
    for (size_t i = 0; i < 3; ++i)
        tw_fake_connection_dispose(&connections[i]);
    teardown(&s);
}

/* --- slots and heartbeats --- */

static void test_connection__slots_stay_where_they_are(void **state)
{
    enum { STREAMS = 300 };
    static tw_fake_stream_t streams[STREAMS];
    tw_stream_t *slots[STREAMS] = {NULL};
    tw_fake_connection_t connection;
    tw_test_random_t random;
    tw_setup_t s;
    uint32_t count = 0;

    setup(&s);
    connect_to(&s, &connection);
    tw_test_random_init(&random, "slots", 3);
    assert_true(LIST_EMPTY(&s.fanout->shard.connections));
    for (uint32_t step = tw_test_runs(20000); step > 0; --step) {
        bool filling = step / 1000 % 2 == 0;
        uint32_t i = tw_test_random_below(&random, STREAMS);
        if (slots[i] == NULL && tw_test_random_below(&random, 10) < (filling ? 9 : 2)) {
            tw_fake_stream_init(&streams[i], &connection, "t", NULL);
            slots[i] = streams[i].subscriber->stream;
            slots[i]->transport = i;
            ++count;
        } else if (slots[i] != NULL && tw_test_random_below(&random, 10) < (filling ? 2 : 9)) {
            tw_subscriber_destroy(streams[i].subscriber);
            streams[i].subscriber = NULL;
            tw_fake_stream_dispose(&streams[i]);
            slots[i] = NULL;
            --count;
        }
        uint32_t k = tw_test_random_below(&random, STREAMS);
        if (slots[k] != NULL) {
            assert_ptr_equal(streams[k].subscriber->stream, slots[k]);
            assert_ptr_equal(slots[k]->subscriber, streams[k].subscriber);
            assert_int_equal(slots[k]->transport, k);
        }
        assert_int_equal(connection.super.stream_count, count);
        assert_ptr_equal(LIST_FIRST(&s.fanout->shard.connections),
                         count > 0 ? &connection.super : NULL);
    }
    for (size_t i = 0; i < STREAMS; ++i) {
        if (slots[i] == NULL)
            continue;
        tw_subscriber_destroy(streams[i].subscriber);
        streams[i].subscriber = NULL;
        tw_fake_stream_dispose(&streams[i]);
    }
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

#define SILENCE 8

static void advance(tw_setup_t *s, unsigned ticks)
{
    while (ticks-- > 0)
        tw_upkeep_heartbeat(s->fanout, SILENCE);
}

static void test_heartbeats__come_after_silence_only(void **state)
{
    tw_setup_t s;
    tw_fake_connection_t connection;
    tw_fake_stream_t silent, busy;

    setup(&s);
    connect_to(&s, &connection);
    open_stream(&s, &silent, &connection, "silent");
    open_stream(&s, &busy, &connection, "busy");
    advance(&s, SILENCE - 1);
    assert_int_equal(silent.heartbeats, 0);
    deliver(&s, "busy", "1");
    advance(&s, 1);
    assert_int_equal(silent.heartbeats, 1);
    assert_int_equal(busy.heartbeats, 0);
    for (unsigned round = 0; round < 10; ++round) {
        advance(&s, SILENCE / 2);
        deliver(&s, "busy", "x");
    }
    /* No stream is silent for longer, and none gets many more than it needs. */
    assert_in_range(silent.heartbeats, 6, 8);
    assert_int_equal(busy.heartbeats, 0);
    assert_int_equal(s.fanout->shard.counters.heartbeats, silent.heartbeats);
    assert_int_equal(silent.reader.comments, silent.heartbeats);
    assert_int_equal(silent.reader.message_count, 0);
    end_stream(&silent);
    end_stream(&busy);
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

static void test_heartbeats__never_go_to_streams_that_are_behind_doomed_or_not_begun(void **state)
{
    tw_setup_t s;
    tw_fake_connection_t connection;
    tw_fake_stream_t behind, held, fine;

    setup(&s);
    connect_to(&s, &connection);
    open_stream(&s, &behind, &connection, "t");
    tw_fake_stream_init(&held, &connection, "u", NULL);
    open_stream(&s, &fine, &connection, "v");
    connection.blocked = true;
    deliver(&s, "t", "1");
    advance(&s, 5 * SILENCE);
    assert_int_equal(behind.heartbeats, 0);
    assert_int_equal(held.heartbeats, 0);
    assert_true(fine.heartbeats >= 4);
    connection.blocked = false;
    tw_fake_stream_flush(&behind, SIZE_MAX);
    advance(&s, 3 * SILENCE);
    assert_true(behind.heartbeats >= 2);
    tw_subscriber_destroy(held.subscriber);
    held.subscriber = NULL;
    tw_fake_stream_dispose(&held);
    end_stream(&behind);
    end_stream(&fine);
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

static void test_heartbeats__survive_the_clocks_wrap_and_reach_every_stream(void **state)
{
    enum { STREAMS = 1200 }; /* more than one batch */
    tw_setup_t s;
    tw_fake_connection_t connection;
    tw_fake_stream_t *streams = tw_alloc(STREAMS * sizeof(*streams));
    size_t before[STREAMS];

    setup(&s);
    connect_to(&s, &connection);
    s.fanout->shard.tick = UINT16_MAX - SILENCE - 3;
    for (size_t i = 0; i < STREAMS; ++i)
        begin_stream(&s, &streams[i], &connection, "t");
    tw_test_workers_pump(&s.workers);
    for (unsigned round = 0; round < 4; ++round) {
        for (size_t i = 0; i < STREAMS; ++i)
            before[i] = streams[i].heartbeats;
        advance(&s, SILENCE);
        for (size_t i = 0; i < STREAMS; ++i)
            assert_in_range(streams[i].heartbeats - before[i], 1, 2);
    }
    for (size_t i = 0; i < STREAMS; ++i)
        end_stream(&streams[i]);
    free(streams);
    tw_fake_connection_dispose(&connection);
    teardown(&s);
}

/* --- lists --- */

typedef struct tw_visited {
    uint64_t numbers[32];
    size_t count;
} tw_visited_t;

static void visit(tw_subscriber_t *subscriber, void *data)
{
    tw_visited_t *visited = data;
    assert_true(visited->count < 32);
    visited->numbers[visited->count++] = subscriber->number;
}

enum { LISTED = 12 };

/* Pages of all streams, from each place, are in the order of their numbers. */
static void check_pages(tw_fanout_t *fanout, const tw_fake_stream_t *streams)
{
    for (size_t from = 0; from <= LISTED + 1; ++from) {
        tw_visited_t visited = {.count = 0};
        tw_fanout_list(fanout, from, 5, visit, &visited);
        size_t left = from < LISTED ? LISTED - from : 0;
        assert_int_equal(visited.count, left < 5 ? left : 5);
        for (size_t i = 0; i < visited.count; ++i)
            assert_int_equal(visited.numbers[i], streams[from + i].subscriber->number);
    }
}

/* Pages of one topic's streams, which is every other one, show each of them once. */
static void check_pages_of_topic(tw_fanout_t *fanout, const tw_fake_stream_t *streams)
{
    const tw_topic_name_t even = tw_topic_name("even", 4);
    tw_visited_t seen = {.count = 0};

    for (size_t from = 0; from < 8; from += 2)
        assert_int_equal(tw_fanout_list_topic(fanout, &even, from, 2, visit, &seen), LISTED / 2);
    assert_int_equal(seen.count, LISTED / 2);
    for (size_t i = 0; i < LISTED; i += 2) {
        size_t times = 0;
        for (size_t k = 0; k < seen.count; ++k)
            times += seen.numbers[k] == streams[i].subscriber->number;
        assert_int_equal(times, 1);
    }
}

static void test_fanout__lists_and_finds_by_number(void **state)
{
    tw_setup_t s;
    tw_fake_connection_t connections[3];
    tw_fake_stream_t streams[LISTED];

    setup(&s);
    for (size_t i = 0; i < 3; ++i)
        connect_to(&s, &connections[i]);
    for (size_t i = 0; i < LISTED; ++i)
        open_stream(&s, &streams[i], &connections[i % 3], i % 2 == 0 ? "all,even" : "all");
    check_pages(s.fanout, streams);
    check_pages_of_topic(s.fanout, streams);
    uint64_t gone = streams[3].subscriber->number;
    assert_ptr_equal(tw_fanout_find(s.fanout, gone), streams[3].subscriber);
    end_stream(&streams[3]);
    assert_null(tw_fanout_find(s.fanout, gone));
    assert_null(tw_fanout_find(s.fanout, 0));
    for (size_t i = 0; i < LISTED; ++i)
        if (i != 3)
            end_stream(&streams[i]);
    for (size_t i = 0; i < 3; ++i)
        tw_fake_connection_dispose(&connections[i]);
    teardown(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fanout__gives_an_event_to_the_followers_of_its_topics),
        cmocka_unit_test(test_fanout__calls_a_transport_once_per_connection_and_topic),
        cmocka_unit_test(test_fanout__a_first_event_of_several_topics_is_not_taken_for_none),
        cmocka_unit_test(
            test_fanout__an_event_of_several_topics_is_not_taken_for_one_of_another_epoch),
        cmocka_unit_test(test_fanout__random_joins_and_leaves_against_an_oracle),
        cmocka_unit_test(test_fanout__doomed_streams_get_nothing_and_close_at_the_end_of_the_batch),
        cmocka_unit_test(test_fanout__a_doomed_stream_may_close_before_its_turn),
        cmocka_unit_test(test_fanout__a_doomed_stream_may_close_while_it_joins),
        cmocka_unit_test(test_fanout__closing_many_doomed_streams_costs_no_more_than_their_number),
        cmocka_unit_test(test_fanout__closes_some_streams_at_a_time),
        cmocka_unit_test(test_connection__slots_stay_where_they_are),
        cmocka_unit_test(test_heartbeats__come_after_silence_only),
        cmocka_unit_test(test_heartbeats__never_go_to_streams_that_are_behind_doomed_or_not_begun),
        cmocka_unit_test(test_heartbeats__survive_the_clocks_wrap_and_reach_every_stream),
        cmocka_unit_test(test_fanout__lists_and_finds_by_number),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("fanout", tests, NULL, NULL);
}
