/* Streams: opening, closing, what reaches them. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/conformance/suite.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/random.h"

static void test_streams__get_what_is_published_after_they_opened(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *first = tw_test_client_open(tw_suite_place(&cluster, 0), "news", NULL);
    assert_int_equal(first->status, TW_OK);
    assert_int_equal(first->gap, TW_GAP_NONE);
    tw_test_publish(tw_suite_place(&cluster, 0), "news", "1", "one");
    tw_test_client_t *second = tw_test_client_open(tw_suite_place(&cluster, 1), "news", NULL);
    tw_test_publish(tw_suite_place(&cluster, 1), "news", "2", "two");
    tw_test_client_expect(first, "1 2");
    tw_test_client_expect(second, "2");
    tw_test_client_free(first);
    tw_test_client_free(second);
    tw_test_cluster_close(&cluster);
}

static void test_streams__get_an_event_of_several_of_their_topics_once(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *all = tw_test_client_open(tw_suite_place(&cluster, 0), "a,b,c", NULL);
    tw_test_client_t *other = tw_test_client_open(tw_suite_place(&cluster, 1), "b,x", NULL);
    tw_test_publish(tw_suite_place(&cluster, 1), "c,b,a", "1", "");
    tw_test_publish(tw_suite_place(&cluster, 0), "a,b", "2", "");
    tw_test_publish(tw_suite_place(&cluster, 0), "a", "3", "");
    tw_test_publish(tw_suite_place(&cluster, 1), "x,c", "4", "");
    tw_test_client_expect(all, "1 2 3 4");
    tw_test_client_expect(other, "1 2 4");
    tw_test_client_free(all);
    tw_test_client_free(other);
    tw_test_cluster_close(&cluster);
}

static void test_streams__leave_their_topics_when_they_close(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    tw_suite_open(&cluster, run, &config);
    for (size_t i = 0; i < tw_suite_place_count(&cluster); ++i) {
        tw_suite_ask_t ask = {.at = tw_suite_place(&cluster, i), .topics = "a,b,c"};
        tw_test_client_t *one = tw_test_client_open(tw_suite_place(&cluster, 0), "a,b", NULL);
        tw_test_client_t *two = tw_test_client_open(tw_suite_place(&cluster, 1), "b", NULL);
        tw_test_eventually(tw_suite_followed, &ask, "110");
        tw_test_client_free(one);
        tw_test_eventually(tw_suite_followed, &ask, "010");
        tw_test_client_free(two);
        tw_test_eventually(tw_suite_followed, &ask, "000");
        tw_test_published_t dropped = tw_test_publish(ask.at, "a,b", "1", "nobody");
        assert_int_equal(dropped.status, TW_OK);
        assert_int_equal(dropped.accepted_count, 0);
    }
    tw_test_cluster_close(&cluster);
}

/* Opens and closes in one go, on the worker's thread: the close comes before on_open can. */
typedef struct tw_brief {
    tw_test_place_t at;
    tw_fake_connection_t connection;
    tw_fake_stream_t stream;
    tw_topic_list_t topics;
    bool opened;
} tw_brief_t;

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_adapter_t *adapter = owner;
    adapter->ops->close_stream(adapter, subscriber, reason);
}

static void on_brief_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_brief_t *brief = data;
    brief->opened = true;
}

static void open_and_close(void *data)
{
    tw_brief_t *brief = data;
    tw_adapter_t *adapter = brief->at.node->adapter;

    tw_fake_connection_init(&brief->connection, &brief->at.worker->fanout.shard, let_go, adapter);
    tw_fake_stream_init(&brief->stream, &brief->connection, "t,u", NULL);
    adapter->ops->open_stream(adapter, brief->stream.subscriber, NULL, on_brief_open, brief);
    tw_fake_stream_close(&brief->stream, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_stream_dispose(&brief->stream);
    tw_fake_connection_dispose(&brief->connection);
}

static void test_streams__closed_while_they_open_never_open(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    tw_brief_t briefs[32];

    tw_suite_open(&cluster, run, &config);
    for (size_t i = 0; i < 32; ++i) {
        briefs[i] = (tw_brief_t){.at = tw_suite_place(&cluster, i)};
        tw_test_thread_call(&briefs[i].at.worker->thread, open_and_close, &briefs[i]);
    }
    /* A stream that opens after them on each worker: theirs would have come by then. */
    for (size_t i = 0; i < tw_suite_place_count(&cluster); ++i) {
        tw_test_client_t *after = tw_test_client_open(tw_suite_place(&cluster, i), "t", NULL);
        tw_test_publish(tw_suite_place(&cluster, i), "t", "1", "");
        tw_test_client_expect(after, "1");
        tw_test_client_free(after);
    }
    for (size_t i = 0; i < 32; ++i)
        assert_false(briefs[i].opened);
    tw_suite_ask_t ask = {.at = tw_suite_place(&cluster, 0), .topics = "t,u"};
    tw_test_eventually(tw_suite_followed, &ask, "00");
    tw_test_cluster_close(&cluster);
}

/* Publishes from on_open itself: the event belongs to the stream. */
static void test_streams__miss_nothing_published_once_they_are_open(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    uint32_t tries = tw_test_runs(5000 / (uint32_t)run->nodes);
    size_t places;

    tw_suite_open(&cluster, run, &config);
    places = tw_suite_place_count(&cluster);
    for (uint32_t i = 0; i < tries; ++i) {
        char topic[16];
        snprintf(topic, sizeof(topic), "t%u", i % 7);
        tw_test_client_t *client =
            tw_test_client_open(tw_suite_place(&cluster, i % places), topic, NULL);
        tw_test_published_t published =
            tw_test_publish(tw_suite_place(&cluster, i / places), topic, "1", "x");
        assert_int_equal(client->status, TW_OK);
        assert_int_equal(published.status, TW_OK);
        assert_int_equal(published.accepted_count, 1);
        tw_test_client_expect(client, "1");
        tw_test_client_free(client);
    }
    tw_test_cluster_close(&cluster);
}

static void test_streams__over_the_node_limit_are_refused(const tw_suite_run_t *run)
{
    tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    config.streams_max = 2;
    tw_suite_open(&cluster, run, &config);
    for (size_t node = 0; node < cluster.node_count; ++node) {
        tw_test_place_t a = tw_test_place(&cluster, node, 0), b = tw_test_place(&cluster, node, 1);
        tw_test_client_t *one = tw_test_client_open(a, "t", NULL);
        tw_test_client_t *two = tw_test_client_open(b, "t", NULL);
        tw_test_client_t *three = tw_test_client_open(a, "t", NULL);
        assert_int_equal(one->status, TW_OK);
        assert_int_equal(two->status, TW_OK);
        assert_int_equal(three->status, TW_OVER_CAPACITY);
        tw_test_client_free(one);
        tw_test_client_t *four = tw_test_client_open(a, "t", NULL);
        assert_int_equal(four->status, TW_OK);
        tw_test_client_free(two);
        tw_test_client_free(three);
        tw_test_client_free(four);
    }
    tw_test_cluster_close(&cluster);
}

static void test_streams__too_far_behind_are_closed_alone_and_can_resume(const tw_suite_run_t *run)
{
    tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char payload[1001], ids[256] = "", id[16];

    config.stream_buffer_bytes = 8192;
    memset(payload, 'x', 1000);
    payload[1000] = '\0';
    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *slow = tw_test_client_open(tw_suite_place(&cluster, 0), "t", NULL);
    tw_test_client_t *fast = tw_test_client_open(tw_suite_place(&cluster, 0), "t", NULL);
    tw_test_client_block(slow, true);
    for (int i = 1; i <= 20; ++i) {
        snprintf(id, sizeof(id), "%d", i);
        tw_test_publish(tw_suite_place(&cluster, 1), "t", id, payload);
        snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), i > 1 ? " %d" : "%d", i);
    }
    assert_int_equal(tw_test_client_wait_closed(slow), TW_CLOSE_SLOW_CONSUMER);
    tw_test_client_expect(fast, ids);
    /* It saw nothing: its opening block's id leads it to everything. */
    char position[TW_POSITION_ID_SIZE];
    tw_position_id(slow->position, position);
    tw_test_client_t *back = tw_test_client_open(tw_suite_place(&cluster, 1), "t", position);
    assert_int_equal(back->gap, TW_GAP_NONE);
    tw_test_client_expect(back, ids);
    tw_test_client_t *end = tw_test_client_open(tw_suite_place(&cluster, 0), "t", "20");
    assert_int_equal(end->gap, TW_GAP_NONE);
    tw_test_client_expect(end, "");
    tw_test_client_free(slow);
    tw_test_client_free(fast);
    tw_test_client_free(back);
    tw_test_client_free(end);
    tw_test_cluster_close(&cluster);
}

#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

const tw_suite_test_t tw_suite_streams[] = {
    TEST(test_streams__get_what_is_published_after_they_opened),
    TEST(test_streams__get_an_event_of_several_of_their_topics_once),
    TEST(test_streams__leave_their_topics_when_they_close),
    TEST(test_streams__closed_while_they_open_never_open),
    TEST(test_streams__miss_nothing_published_once_they_are_open),
    TEST(test_streams__over_the_node_limit_are_refused),
    TEST(test_streams__too_far_behind_are_closed_alone_and_can_resume),
    {NULL, NULL},
};
