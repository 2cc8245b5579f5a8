/* The hub: one order, tails, joins that neither miss nor repeat. Some tests run all workers on
 * their own thread, step by step; others give each its thread. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "runtime/hub.h"
#include "runtime/join.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"
#include "tests/support/random.h"
#include "tests/support/workers.h"

typedef struct tw_setup {
    tw_hub_t *hub;
    tw_test_workers_t workers;
} tw_setup_t;

static void setup(tw_setup_t *s, const tw_hub_config_t *config)
{
    s->hub = tw_hub_create(config);
    tw_test_workers_init(&s->workers, s->hub);
}

static void teardown(tw_setup_t *s)
{
    assert_int_equal(s->hub->streams.count, 0);
    tw_test_workers_stop(&s->workers);
    tw_hub_destroy(s->hub);
}

/* --- clients, on a connection each --- */

typedef struct tw_client {
    tw_fake_connection_t connection;
    tw_fake_stream_t stream;
    tw_status_t status;
    bool opened;
    tw_position_t position;
    tw_gap_t gap;
    size_t gap_topics;
    char gap_topic[16]; /* the first */
} tw_client_t;

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_hub_leave(owner, subscriber);
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_client_t *client = data;

    tw_check(!client->opened && status == TW_OK);
    client->opened = true;
    client->position = opening->position;
    client->gap = opening->gap;
    client->gap_topics = opening->topic_count;
    if (opening->topic_count > 0)
        snprintf(client->gap_topic, sizeof(client->gap_topic), "%.*s", (int)opening->topics[0].len,
                 opening->topics[0].base);
    tw_fake_stream_begin(&client->stream);
}

/* Begins to join; nothing is run. */
static tw_client_t *begin(tw_setup_t *s, uint32_t worker, const char *topics, const char *from_id)
{
    tw_client_t *client = tw_alloc(sizeof(*client));
    const tw_resume_t resume = {.last_event_id = from_id,
                                .last_event_id_len = from_id != NULL ? strlen(from_id) : 0};

    tw_fake_connection_init(&client->connection, &s->workers.items[worker].fanout.shard, let_go,
                            s->hub);
    tw_fake_stream_init(&client->stream, &client->connection, topics, NULL);
    client->status = tw_hub_join(s->hub, client->stream.subscriber, &resume, on_open, client);
    return client;
}

static tw_client_t *open_client(tw_setup_t *s, uint32_t worker, const char *topics,
                                const char *from_id)
{
    tw_client_t *client = begin(s, worker, topics, from_id);
    assert_int_equal(client->status, TW_OK);
    assert_false(client->opened);
    tw_test_workers_pump(&s->workers);
    assert_true(client->opened);
    return client;
}

static void free_client(tw_client_t *client)
{
    if (!client->stream.closed)
        tw_fake_stream_close(&client->stream, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_stream_dispose(&client->stream);
    tw_fake_connection_dispose(&client->connection);
    free(client);
}

static void expect_ids(const tw_client_t *client, const char *expected)
{
    char *ids = tw_fake_stream_ids(&client->stream);
    assert_string_equal(ids, expected);
    free(ids);
}

/* Opens, compares what was replayed, and closes. */
static void expect_resume(tw_setup_t *s, const char *topics, const char *from_id, tw_gap_t gap,
                          const char *ids)
{
    tw_client_t *client = open_client(s, 1, topics, from_id);
    assert_int_equal(client->gap, gap);
    assert_int_equal(client->gap_topics > 0, gap != TW_GAP_NONE);
    expect_ids(client, ids);
    free_client(client);
}

/* --- publishing, step by step --- */

typedef struct tw_answer {
    unsigned count;
    tw_position_t position;
    uint64_t delivered;
    size_t accepted_count;
} tw_answer_t;

static void on_done(void *data, const tw_dispatch_result_t *result)
{
    tw_answer_t *answer = data;
    ++answer->count;
    answer->position = result->position;
    answer->delivered = result->delivered;
    answer->accepted_count = result->accepted_count;
}

static void dispatch(tw_setup_t *s, const char *topics, const char *id, const tw_position_t *at,
                     tw_answer_t *answer)
{
    tw_event_t *event = tw_test_event(topics, id, "");
    *answer = (tw_answer_t){.count = 0};
    tw_hub_dispatch(s->hub, &s->workers.items[0].fanout.shard.loop, event, at, on_done, answer);
    tw_event_unref(event);
}

static tw_answer_t publish(tw_setup_t *s, const char *topics, const char *id)
{
    tw_answer_t answer;
    dispatch(s, topics, id, NULL, &answer);
    tw_test_workers_pump(&s->workers);
    assert_int_equal(answer.count, 1);
    return answer;
}

static void publish_range(tw_setup_t *s, const char *topics, int from, int to)
{
    char id[16];
    for (int i = from; i <= to; ++i) {
        snprintf(id, sizeof(id), "%d", i);
        publish(s, topics, id);
    }
}

/* --- the order --- */

static void test_hub__answers_when_the_last_worker_has_queued_it(void **state)
{
    const tw_hub_config_t config = tw_test_config();
    tw_setup_t s;
    tw_answer_t answer;

    setup(&s, &config);
    tw_client_t *one = open_client(&s, 0, "a", NULL), *two = open_client(&s, 1, "a,b", NULL);
    dispatch(&s, "b,a", "1", NULL, &answer);
    assert_int_equal(answer.count, 0);
    tw_loop_run_calls(&s.workers.items[0].fanout.shard.loop);
    expect_ids(one, "1");
    assert_int_equal(answer.count, 0);
    tw_loop_run_calls(&s.workers.items[1].fanout.shard.loop);
    expect_ids(two, "1");
    assert_int_equal(answer.count, 0); /* it comes on the caller's loop */
    tw_loop_run_calls(&s.workers.items[0].fanout.shard.loop);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.delivered, 2);
    assert_int_equal(answer.accepted_count, 2);
    dispatch(&s, "nobody", "2", NULL, &answer);
    assert_int_equal(answer.count, 1); /* at once: none has to queue it */
    assert_int_equal(answer.accepted_count, 0);
    assert_int_equal(answer.delivered, 0);
    free_client(one);
    free_client(two);
    teardown(&s);
}

static void test_hub__positions_ascend_in_one_epoch(void **state)
{
    const tw_hub_config_t config = tw_test_config();
    tw_setup_t s;

    setup(&s, &config);
    tw_position_t begin_at = tw_hub_position(s.hub, 0);
    assert_int_equal(begin_at.seq, 0);
    for (uint64_t i = 1; i <= 5; ++i) {
        tw_position_t at = publish(&s, "t", "x").position;
        assert_true(at.epoch == begin_at.epoch && at.seq == i);
    }
    assert_int_equal(tw_hub_position(s.hub, 0).seq, 5);
    teardown(&s);
}

static void test_hub__takes_positions_of_another_order_and_ignores_repeats(void **state)
{
    const tw_hub_config_t config = tw_test_config();
    tw_setup_t s;
    tw_answer_t answer;

    setup(&s, &config);
    tw_client_t *client = open_client(&s, 1, "t", NULL);
    tw_position_t at = {.epoch = client->position.epoch, .seq = 10};
    dispatch(&s, "t", "1", &at, &answer);
    dispatch(&s, "t", "again", &at, &answer);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.delivered, 0);
    at.seq = 9;
    dispatch(&s, "t", "old", &at, &answer);
    at.seq = 500;
    dispatch(&s, "t", "2", &at, &answer);
    tw_test_workers_pump(&s.workers);
    expect_ids(client, "1 2");
    assert_int_equal(answer.position.seq, 500);
    assert_int_equal(tw_hub_position(s.hub, 0).seq, 500);
    /* Nobody waits for it. */
    tw_event_t *event = tw_test_event("t", "3", "");
    tw_hub_dispatch(s.hub, NULL, event, NULL, NULL, NULL);
    tw_event_unref(event);
    tw_test_workers_pump(&s.workers);
    expect_ids(client, "1 2 3");
    free_client(client);
    teardown(&s);
}

/* A join stands in the same order as the events: what came before it is not live, what comes after
 * it is, also while both wait in the mailbox. */
static void test_hub__a_join_has_its_place_among_the_events(void **state)
{
    const tw_hub_config_t config = tw_test_config();
    tw_setup_t s;
    tw_answer_t answers[4];

    setup(&s, &config);
    tw_client_t *keeper = open_client(&s, 0, "t", NULL);
    dispatch(&s, "t", "1", NULL, &answers[0]);
    tw_client_t *fresh = begin(&s, 0, "t", NULL);
    dispatch(&s, "t", "2", NULL, &answers[1]);
    tw_client_t *resumed = begin(&s, 0, "t", "1");
    dispatch(&s, "t", "3", NULL, &answers[2]);
    tw_client_t *late = begin(&s, 0, "t", "1");
    tw_test_workers_pump(&s.workers);
    expect_ids(keeper, "1 2 3");
    expect_ids(fresh, "2 3");
    expect_ids(resumed, "2 3");
    expect_ids(late, "2 3");
    assert_int_equal(answers[0].delivered, 1);
    assert_int_equal(answers[1].delivered, 2);
    assert_int_equal(answers[2].delivered, 3);
    assert_int_equal(fresh->position.seq, 1);
    assert_int_equal(resumed->position.seq, 1);
    assert_int_equal(late->position.seq, 1);
    free_client(keeper);
    free_client(fresh);
    free_client(resumed);
    free_client(late);
    teardown(&s);
}

static void test_hub__who_leaves_while_joining_never_opens(void **state)
{
    const tw_hub_config_t config = tw_test_config();
    const tw_topic_name_t topic = tw_topic_name("t", 1);
    tw_setup_t s;
    tw_answer_t answer;

    setup(&s, &config);
    tw_client_t *keeper = open_client(&s, 0, "t", NULL);
    publish_range(&s, "t", 1, 3);
    free_client(keeper);
    tw_client_t *client = begin(&s, 0, "t", "1");
    assert_true(tw_hub_accepts(s.hub, &topic));
    dispatch(&s, "t", "4", NULL, &answer);
    free_client(client); /* its replay and its connection go; the join is still posted */
    assert_false(tw_hub_accepts(s.hub, &topic));
    tw_test_workers_pump(&s.workers);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.delivered, 0);
    assert_int_equal(answer.accepted_count, 1); /* it was followed when it was accepted */
    teardown(&s);
}

static void test_hub__refuses_streams_beyond_its_maximum(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;

    config.streams_max = 1;
    setup(&s, &config);
    tw_client_t *one = begin(&s, 0, "t", NULL), *two = begin(&s, 1, "t", NULL);
    assert_int_equal(one->status, TW_OK);
    assert_int_equal(two->status, TW_OVER_CAPACITY);
    assert_int_equal(two->stream.subscriber->state, TW_SUBSCRIBER_NEW);
    tw_test_workers_pump(&s.workers);
    assert_false(two->opened);
    assert_int_equal(s.hub->streams.count, 1);
    tw_subscriber_destroy(two->stream.subscriber);
    two->stream.subscriber = NULL;
    two->stream.closed = true;
    free_client(one);
    free_client(two);
    teardown(&s);
}

static void use_up_the_turn(tw_setup_t *s, uint32_t worker)
{
    tw_loop_spend(&s->workers.items[worker].fanout.shard.loop, TW_TURN_NS);
}

/* When many resume at once their loop takes them in slices; each is as exact as if it were alone.
 */
static void test_hub__resumes_wait_for_their_loop_to_have_time(void **state)
{
    const tw_hub_config_t config = tw_test_config();
    tw_setup_t s;
    tw_answer_t answers[3];

    setup(&s, &config);
    tw_client_t *keeper = open_client(&s, 0, "t", NULL);
    publish_range(&s, "t", 1, 2);
    use_up_the_turn(&s, 0);
    tw_client_t *fresh = begin(&s, 0, "t", NULL), *late = begin(&s, 0, "t", "1");
    tw_loop_run_calls(&s.workers.items[0].fanout.shard.loop);
    assert_true(fresh->opened);
    assert_false(late->opened);
    dispatch(&s, "t", "3", NULL, &answers[0]);
    tw_loop_run_calls(&s.workers.items[0].fanout.shard.loop);
    assert_int_equal(answers[0].delivered, 2);
    tw_test_workers_pump(&s.workers);
    assert_true(late->opened);
    expect_ids(late, "2 3");
    assert_int_equal(late->gap, TW_GAP_NONE);
    publish_range(&s, "t", 4, 4);
    expect_ids(late, "2 3 4");
    free_client(late);
    free_client(fresh);
    free_client(keeper);
    teardown(&s);
}

static void test_hub__who_leaves_while_its_resume_waits_never_opens(void **state)
{
    const tw_hub_config_t config = tw_test_config();
    tw_setup_t s;

    setup(&s, &config);
    use_up_the_turn(&s, 0);
    tw_client_t *client = begin(&s, 0, "t", "1");
    assert_int_equal(s.hub->streams.count, 1);
    free_client(client);
    assert_int_equal(s.hub->streams.count, 0);
    tw_test_workers_pump(&s.workers);
    assert_int_equal(s.workers.items[0].fanout.shard.counters.streams_opened, 0);
    teardown(&s);
}

/* --- tails --- */

static void test_hub__evicts_the_oldest_events_of_all_topics_at_its_limit(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;
    tw_event_t *sample = tw_test_event("a", "1", "");
    char before[TW_POSITION_ID_SIZE];

    config.tail_bytes = 5 * tw_event_bytes(sample);
    tw_event_unref(sample);
    setup(&s, &config);
    tw_client_t *client = open_client(&s, 0, "a,b,c", NULL);
    tw_position_id(client->position, before);
    publish_range(&s, "a", 1, 2);
    publish_range(&s, "b", 3, 3);
    publish_range(&s, "a", 4, 5);
    assert_int_equal(s.hub->kept_events, 5);
    expect_resume(&s, "a,b,c", before, TW_GAP_NONE, "1 2 3 4 5");
    publish_range(&s, "c", 6, 7); /* 1 and 2 must go */
    assert_int_equal(s.hub->kept_events, 5);
    assert_true(s.hub->backlog.kept_bytes <= config.tail_bytes);
    expect_resume(&s, "a,b", before, TW_GAP_EVICTED, "3 4 5");
    expect_resume(&s, "b,c", before, TW_GAP_NONE, "3 6 7");
    expect_resume(&s, "a", "4", TW_GAP_NONE, "5");
    expect_resume(&s, "a", "2", TW_GAP_UNKNOWN_ID, "4 5");
    free_client(client);
    teardown(&s);
}

/* A gap is told where continuity is lost, and only there: what one topic's tail has let go, the
 * tail of another of the stream's topics may still keep. */
static void test_hub__no_gap_for_what_another_topic_keeps(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;
    char before[TW_POSITION_ID_SIZE];

    config.tail_events = 4;
    setup(&s, &config);
    tw_client_t *client = open_client(&s, 0, "a,b,c", NULL);
    tw_position_id(client->position, before);
    publish_range(&s, "a,b", 1, 2);
    publish_range(&s, "a", 3, 6); /* 1 and 2 are out of the tail of a */
    expect_resume(&s, "a,b", before, TW_GAP_NONE, "1 2 3 4 5 6");
    expect_resume(&s, "b", before, TW_GAP_NONE, "1 2");
    expect_resume(&s, "a", before, TW_GAP_EVICTED, "3 4 5 6");
    expect_resume(&s, "a,c", before, TW_GAP_EVICTED, "3 4 5 6");
    expect_resume(&s, "a", "3", TW_GAP_NONE, "4 5 6");
    expect_resume(&s, "a,b", "1", TW_GAP_NONE, "2 3 4 5 6");
    publish_range(&s, "b", 7, 9); /* 1 is gone for good, 2 is not */
    expect_resume(&s, "a,b", before, TW_GAP_EVICTED, "2 3 4 5 6 7 8 9");
    tw_client_t *told = open_client(&s, 1, "c,b,a", before);
    assert_int_equal(told->gap_topics, 2);
    assert_string_equal(told->gap_topic, "b");
    free_client(told);
    expect_resume(&s, "a,b", "2", TW_GAP_NONE, "3 4 5 6 7 8 9");
    publish_range(&s, "a", 10, 10); /* 3 is kept nowhere: what a let go before it counts no more */
    expect_resume(&s, "a,b", "2", TW_GAP_EVICTED, "4 5 6 7 8 9 10");
    free_client(client);
    teardown(&s);
}

static void test_hub__an_event_too_large_for_the_tails_is_delivered_and_lost(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;
    char before[TW_POSITION_ID_SIZE];

    config.tail_bytes = 10;
    setup(&s, &config);
    tw_client_t *client = open_client(&s, 0, "t", NULL);
    tw_position_id(client->position, before);
    assert_int_equal(publish(&s, "t", "1").delivered, 1);
    expect_ids(client, "1");
    assert_int_equal(s.hub->backlog.kept_bytes, 0);
    expect_resume(&s, "t", before, TW_GAP_EVICTED, "");
    free_client(client);
    /* The topic is gone, what it lost is not forgotten. */
    expect_resume(&s, "t", before, TW_GAP_EVICTED, "");
    teardown(&s);
}

static void test_hub__keeps_an_event_of_several_topics_once(void **state)
{
    tw_hub_config_t config = tw_test_config();
    tw_setup_t s;

    config.tail_events = 2;
    setup(&s, &config);
    tw_client_t *client = open_client(&s, 0, "a,b", NULL);
    publish_range(&s, "a,b,nobody", 1, 1);
    assert_int_equal(s.hub->kept_events, 1);
    publish_range(&s, "a", 2, 3); /* out of a's tail, still in b's */
    assert_int_equal(s.hub->kept_events, 3);
    expect_resume(&s, "b", "0", TW_GAP_UNKNOWN_ID, "1");
    publish_range(&s, "b", 4, 5);
    assert_int_equal(s.hub->kept_events, 4);
    expect_resume(&s, "a,b", "2", TW_GAP_NONE, "3 4 5");
    free_client(client);
    teardown(&s);
}

static void test_hub__gives_the_newest_of_a_tail(void **state)
{
    const tw_hub_config_t config = tw_test_config();
    const tw_topic_name_t topic = tw_topic_name("t", 1), none = tw_topic_name("none", 4);
    tw_event_t *events[8];
    tw_setup_t s;

    setup(&s, &config);
    tw_client_t *client = open_client(&s, 0, "t", NULL);
    publish_range(&s, "t", 1, 6);
    assert_int_equal(tw_hub_tail(s.hub, &none, 0, events, 8), 0);
    assert_int_equal(tw_hub_tail(s.hub, &topic, 0, events, 0), 0);
    assert_int_equal(tw_hub_tail(s.hub, &topic, 6, events, 8), 0);
    assert_int_equal(tw_hub_tail(s.hub, &topic, 1, events, 3), 3);
    for (size_t i = 0; i < 3; ++i) {
        assert_int_equal(events[i]->position.seq, 4 + i);
        tw_event_unref(events[i]);
    }
    free_client(client);
    teardown(&s);
}

static void test_hub__a_new_epoch_begins_with_nothing(void **state)
{
    const tw_hub_config_t config = tw_test_config();
    tw_setup_t s;
    char before[TW_POSITION_ID_SIZE], after[TW_POSITION_ID_SIZE];

    setup(&s, &config);
    tw_client_t *client = open_client(&s, 0, "a,b", NULL);
    tw_position_id(client->position, before);
    publish_range(&s, "a,b", 1, 3);
    tw_hub_set_epoch(s.hub, 0, 77);
    tw_hub_set_epoch(s.hub, 0, 77);
    assert_int_equal(s.hub->kept_events, 0);
    assert_int_equal(s.hub->backlog.kept_bytes, 0);
    assert_true(tw_hub_position(s.hub, 0).epoch == 77 && tw_hub_position(s.hub, 0).seq == 0);
    publish_range(&s, "b,a", 4, 6); /* the same numbers again */
    expect_ids(client, "1 2 3 4 5 6");
    expect_resume(&s, "a,b", before, TW_GAP_OTHER_EPOCH, "4 5 6");
    tw_position_id((tw_position_t){.epoch = 77, .seq = 2}, after);
    free_client(client);
    client = open_client(&s, 0, "a", after);
    expect_ids(client, "6");
    free_client(client);
    teardown(&s);
}

static void test_hub__topics_are_gone_when_their_window_has_run_out(void **state)
{
    tw_hub_config_t config = tw_test_config();
    const tw_topic_name_t topic = tw_topic_name("t", 1);
    tw_setup_t s;

    config.resume_window_ms = 20;
    setup(&s, &config);
    free_client(open_client(&s, 0, "t", NULL));
    int64_t left_ms = tw_clock_ms();
    while (tw_hub_accepts(s.hub, &topic))
        assert_true(tw_clock_ms() - left_ms < TW_TEST_DEADLINE_MS);
    assert_true(tw_clock_ms() - left_ms >= 19);
    tw_hub_sweep(s.hub);
    tw_index_stripe_t *stripe = tw_topic_index_lock(&s.hub->index, &topic);
    assert_null(tw_topic_index_find(stripe, &topic));
    tw_topic_index_unlock(stripe);
    teardown(&s);
}

/* --- real threads --- */

#define PUBLISHERS 3

typedef struct tw_publisher {
    tw_setup_t *setup;
    uint32_t worker;
    uint32_t sent, count;
    tw_test_latch_t done;
} tw_publisher_t;

static void publish_next(tw_publisher_t *publisher);

static void on_dispatched(void *data, const tw_dispatch_result_t *result)
{
    tw_publisher_t *publisher = data;
    tw_check(result->accepted_count == 1);
    if (publisher->sent < publisher->count)
        publish_next(publisher);
    else
        tw_test_latch_set(&publisher->done);
}

static void publish_next(tw_publisher_t *publisher)
{
    char id[24];
    snprintf(id, sizeof(id), "%c%" PRIu32, (char)('a' + publisher->worker), publisher->sent++);
    tw_event_t *event = tw_test_event("t", id, "");
    tw_hub_dispatch(publisher->setup->hub,
                    &publisher->setup->workers.items[publisher->worker].fanout.shard.loop, event,
                    NULL, on_dispatched, publisher);
    tw_event_unref(event);
}

static void start_publishing(void *data)
{
    publish_next(data);
}

typedef struct tw_threaded_client {
    tw_setup_t *setup;
    uint32_t worker;
    const char *from_id;
    tw_client_t *client;
} tw_threaded_client_t;

static void begin_on_thread(void *data)
{
    tw_threaded_client_t *threaded = data;
    threaded->client = begin(threaded->setup, threaded->worker, "t", threaded->from_id);
}

static void free_on_thread(void *data)
{
    tw_threaded_client_t *threaded = data;
    free_client(threaded->client);
}

static void call_worker(tw_threaded_client_t *threaded, void (*call)(void *data))
{
    tw_test_thread_call(&threaded->setup->workers.items[threaded->worker].thread, call, threaded);
}

/* Streams that open while three workers publish: each sees the rest of the one order, without a
 * hole at its beginning. */
static void test_hub__joins_under_load_miss_and_repeat_nothing(void **state)
{
    enum { LATE = 40 };
    tw_hub_config_t config = tw_test_config();
    tw_publisher_t publishers[PUBLISHERS];
    tw_threaded_client_t keeper, late[LATE];
    tw_setup_t s;

    config.worker_count = PUBLISHERS;
    config.tail_events = 100000;
    setup(&s, &config);
    tw_test_workers_start(&s.workers);
    keeper = (tw_threaded_client_t){.setup = &s};
    call_worker(&keeper, begin_on_thread);
    for (uint32_t i = 0; i < PUBLISHERS; ++i) {
        publishers[i] = (tw_publisher_t){.setup = &s, .worker = i, .count = tw_test_runs(3000)};
        tw_test_latch_init(&publishers[i].done);
        tw_test_thread_call(&s.workers.items[i].thread, start_publishing, &publishers[i]);
    }
    for (uint32_t i = 0; i < LATE; ++i) {
        /* Every other one resumes from the first event, so that it must see all. */
        late[i] = (tw_threaded_client_t){
            .setup = &s, .worker = i % PUBLISHERS, .from_id = i % 2 == 0 ? "a0" : NULL};
        call_worker(&late[i], begin_on_thread);
    }
    for (uint32_t i = 0; i < PUBLISHERS; ++i) {
        tw_test_latch_wait(&publishers[i].done);
        tw_test_latch_dispose(&publishers[i].done);
    }
    tw_test_workers_pause(&s.workers);
    char *order = tw_fake_stream_ids(&keeper.client->stream);
    size_t total = keeper.client->stream.reader.message_count;
    assert_int_equal(total, PUBLISHERS * publishers[0].count);
    for (uint32_t i = 0; i < LATE; ++i) {
        char *ids = tw_fake_stream_ids(&late[i].client->stream);
        size_t seen = late[i].client->stream.reader.message_count;
        assert_true(strlen(ids) <= strlen(order));
        assert_string_equal(ids, order + strlen(order) - strlen(ids));
        assert_int_equal(late[i].client->gap, TW_GAP_NONE);
        assert_int_equal(seen, total - late[i].client->position.seq);
        free(ids);
        free_on_thread(&late[i]);
    }
    free(order);
    free_on_thread(&keeper);
    teardown(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hub__answers_when_the_last_worker_has_queued_it),
        cmocka_unit_test(test_hub__positions_ascend_in_one_epoch),
        cmocka_unit_test(test_hub__takes_positions_of_another_order_and_ignores_repeats),
        cmocka_unit_test(test_hub__a_join_has_its_place_among_the_events),
        cmocka_unit_test(test_hub__who_leaves_while_joining_never_opens),
        cmocka_unit_test(test_hub__refuses_streams_beyond_its_maximum),
        cmocka_unit_test(test_hub__resumes_wait_for_their_loop_to_have_time),
        cmocka_unit_test(test_hub__who_leaves_while_its_resume_waits_never_opens),
        cmocka_unit_test(test_hub__evicts_the_oldest_events_of_all_topics_at_its_limit),
        cmocka_unit_test(test_hub__no_gap_for_what_another_topic_keeps),
        cmocka_unit_test(test_hub__an_event_too_large_for_the_tails_is_delivered_and_lost),
        cmocka_unit_test(test_hub__keeps_an_event_of_several_topics_once),
        cmocka_unit_test(test_hub__gives_the_newest_of_a_tail),
        cmocka_unit_test(test_hub__a_new_epoch_begins_with_nothing),
        cmocka_unit_test(test_hub__topics_are_gone_when_their_window_has_run_out),
        cmocka_unit_test(test_hub__joins_under_load_miss_and_repeat_nothing),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("hub", tests, NULL, NULL);
}
