/* Publishing: answers, order, what is dropped. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/conformance/suite.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/random.h"

static void test_publish__says_which_topics_had_a_receiver(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *client = tw_test_client_open(tw_suite_place(&cluster, 0), "b,d", NULL);
    for (size_t i = 0; i < tw_suite_place_count(&cluster); ++i) {
        tw_test_place_t at = tw_suite_place(&cluster, i);
        tw_test_published_t some = tw_test_publish(at, "a,b,c,d", "x", "");
        assert_int_equal(some.status, TW_OK);
        assert_int_equal(some.accepted_count, 2);
        assert_false(some.accepted[0]);
        assert_true(some.accepted[1]);
        assert_false(some.accepted[2]);
        assert_true(some.accepted[3]);
        tw_test_published_t none = tw_test_publish(at, "a,c", "y", "");
        assert_int_equal(none.status, TW_OK);
        assert_int_equal(none.accepted_count, 0);
        assert_int_equal(none.delivered, 0);
    }
    tw_test_client_free(client);
    tw_test_cluster_close(&cluster);
}

static char *ask_delivered(void *data)
{
    const tw_suite_ask_t *ask = data;
    char *text = tw_alloc(24);
    snprintf(text, 24, "%llu",
             (unsigned long long)tw_test_publish(ask->at, ask->topics, "x", "").delivered);
    return text;
}

static void test_publish__counts_each_stream_once(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    size_t places;
    char expected[24];

    tw_suite_open(&cluster, run, &config);
    places = tw_suite_place_count(&cluster);
    tw_test_client_t **clients = tw_alloc(places * sizeof(tw_test_client_t *));
    for (size_t i = 0; i < places; ++i)
        clients[i] = tw_test_client_open(tw_suite_place(&cluster, i), "a", NULL);
    snprintf(expected, sizeof(expected), "%zu", places);
    for (size_t i = 0; i < places; ++i) {
        tw_suite_ask_t ask = {.at = tw_suite_place(&cluster, i), .topics = "a,b"};
        tw_test_eventually(ask_delivered, &ask, expected);
    }
    for (size_t i = 0; i < places; ++i)
        tw_test_client_free(clients[i]);
    free(clients);
    /* Streams that follow several of the topics: on one node the count is exact. */
    tw_test_client_t *both = tw_test_client_open(tw_test_place(&cluster, 0, 0), "a,b", NULL);
    tw_test_client_t *one = tw_test_client_open(tw_test_place(&cluster, 0, 1), "b", NULL);
    tw_suite_ask_t ask = {.at = tw_test_place(&cluster, 0, 1), .topics = "a,b,c"};
    tw_test_eventually(ask_delivered, &ask, "2");
    tw_test_client_free(both);
    tw_test_client_free(one);
    tw_test_cluster_close(&cluster);
}

static void test_publish__payloads_arrive_as_they_were(const tw_suite_run_t *run)
{
    static const char *const payloads[] = {
        "", "x", "two\nlines", "\n", "gr\xc3\xbc\xc3\x9f", "a: b", " led by a blank", "data: data"};
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    const size_t count = sizeof(payloads) / sizeof(payloads[0]);
    char large[65537];

    tw_suite_open(&cluster, run, &config);
    memset(large, 'y', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    tw_test_client_t *client = tw_test_client_open(tw_suite_place(&cluster, 0), "t", NULL);
    for (size_t i = 0; i < count; ++i)
        tw_test_publish(tw_suite_place(&cluster, i), "t", "i", payloads[i]);
    tw_test_publish(tw_suite_place(&cluster, 0), "t", "i", large);
    tw_test_client_expect(client, "i i i i i i i i i");
    for (size_t i = 0; i <= count; ++i) {
        const char *payload = i < count ? payloads[i] : large;
        const tw_sse_message_t *message = &client->stream.reader.messages[i];
        assert_true(tw_test_text_is(&message->data, payload, strlen(payload)));
        assert_true(tw_test_text_is(&message->type, "message", 7));
    }
    tw_test_client_free(client);
    tw_test_cluster_close(&cluster);
}

/* --- many publishers at once --- */

#define EVENTS_PER_PUBLISHER 200

/* Publishes one event after the other's answer, on its worker's thread. */
typedef struct tw_publisher {
    tw_test_place_t at;
    char name;
    uint32_t sent;
    uint64_t last_seq;
    tw_test_latch_t done;
} tw_publisher_t;

static void publish_next(tw_publisher_t *publisher);

static void on_published(void *data, tw_status_t status, const tw_dispatch_result_t *result)
{
    tw_publisher_t *publisher = data;

    tw_check(status == TW_OK && result->accepted_count == 1);
    tw_check(result->position.seq > publisher->last_seq);
    publisher->last_seq = result->position.seq;
    if (publisher->sent < EVENTS_PER_PUBLISHER)
        publish_next(publisher);
    else
        tw_test_latch_set(&publisher->done);
}

static void publish_next(tw_publisher_t *publisher)
{
    tw_adapter_t *adapter = publisher->at.node->adapter;
    char id[16];

    snprintf(id, sizeof(id), "%c%u", publisher->name, publisher->sent++);
    tw_event_t *event = tw_test_event("t", id, "x");
    adapter->ops->publish(adapter, &publisher->at.worker->fanout.shard.loop, event, on_published,
                          publisher);
    tw_event_unref(event);
}

static void start_publishing(void *data)
{
    publish_next(data);
}

static void check_publisher_order(const tw_test_client_t *client, size_t publishers)
{
    uint32_t next[16] = {0};

    for (size_t i = 0; i < client->stream.reader.message_count; ++i) {
        const char *id = client->stream.reader.messages[i].last_event_id.bytes;
        size_t p = (size_t)(id[0] - 'a');
        assert_true(p < publishers);
        assert_int_equal(strtoul(id + 1, NULL, 10), next[p]++);
    }
}

typedef struct tw_count_ask {
    tw_test_client_t *client;
    size_t count;
} tw_count_ask_t;

static void read_count(void *data)
{
    tw_count_ask_t *ask = data;
    ask->count = ask->client->stream.reader.message_count;
}

static char *ask_count(void *data)
{
    tw_count_ask_t *ask = data;
    char *text = tw_alloc(24);
    tw_test_thread_call(&ask->client->at.worker->thread, read_count, ask);
    snprintf(text, 24, "%zu", ask->count);
    return text;
}

static void test_publish__all_streams_see_one_order(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    tw_test_client_t *clients[8];
    tw_publisher_t publishers[4];
    char expected[24];

    tw_suite_open(&cluster, run, &config);
    for (size_t i = 0; i < 8; ++i)
        clients[i] = tw_test_client_open(tw_suite_place(&cluster, i), "t", NULL);
    for (size_t i = 0; i < 4; ++i) {
        publishers[i] =
            (tw_publisher_t){.at = tw_suite_place(&cluster, i), .name = (char)('a' + i)};
        tw_test_latch_init(&publishers[i].done);
    }
    for (size_t i = 0; i < 4; ++i)
        tw_test_thread_call(&publishers[i].at.worker->thread, start_publishing, &publishers[i]);
    for (size_t i = 0; i < 4; ++i) {
        tw_test_latch_wait(&publishers[i].done);
        tw_test_latch_dispose(&publishers[i].done);
    }
    snprintf(expected, sizeof(expected), "%d", 4 * EVENTS_PER_PUBLISHER);
    for (size_t i = 0; i < 8; ++i) {
        tw_count_ask_t ask = {.client = clients[i]};
        tw_test_eventually(ask_count, &ask, expected);
    }
    char *order = tw_fake_stream_ids(&clients[0]->stream);
    check_publisher_order(clients[0], 4);
    for (size_t i = 1; i < 8; ++i) {
        char *other = tw_fake_stream_ids(&clients[i]->stream);
        assert_string_equal(other, order);
        free(other);
    }
    free(order);
    for (size_t i = 0; i < 8; ++i)
        tw_test_client_free(clients[i]);
    tw_test_cluster_close(&cluster);
}

static void
test_publish__topics_without_followers_accept_within_the_resume_window(const tw_suite_run_t *run)
{
    tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    config.resume_window_ms = 60000;
    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *client = tw_test_client_open(tw_suite_place(&cluster, 0), "t", NULL);
    char position[TW_POSITION_ID_SIZE];
    tw_position_id(client->position, position);
    tw_test_client_free(client);
    tw_test_published_t published = tw_test_publish(tw_suite_place(&cluster, 0), "t", "1", "");
    assert_int_equal(published.accepted_count, 1);
    assert_int_equal(published.delivered, 0);
    char *followed = tw_test_followed(tw_suite_place(&cluster, 0), "t,never");
    assert_string_equal(followed, "10");
    free(followed);
    client = tw_test_client_open(tw_suite_place(&cluster, 1), "t", position);
    assert_int_equal(client->gap, TW_GAP_NONE);
    tw_test_client_expect(client, "1");
    tw_test_client_free(client);
    tw_test_cluster_close(&cluster);
}

static void test_publish__drops_when_the_resume_window_has_run_out(const tw_suite_run_t *run)
{
    tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    config.resume_window_ms = 50;
    tw_suite_open(&cluster, run, &config);
    tw_test_place_t at = tw_suite_place(&cluster, 0);
    tw_test_client_free(tw_test_client_open(at, "t", NULL));
    tw_suite_ask_t ask = {.at = at, .topics = "t"};
    tw_test_eventually(tw_suite_followed, &ask, "0");
    assert_int_equal(tw_test_publish(at, "t", "1", "").accepted_count, 0);
    tw_test_cluster_close(&cluster);
}

#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

const tw_suite_test_t tw_suite_publish[] = {
    TEST(test_publish__says_which_topics_had_a_receiver),
    TEST(test_publish__counts_each_stream_once),
    TEST(test_publish__payloads_arrive_as_they_were),
    TEST(test_publish__all_streams_see_one_order),
    TEST(test_publish__topics_without_followers_accept_within_the_resume_window),
    TEST(test_publish__drops_when_the_resume_window_has_run_out),
    {NULL, NULL},
};
