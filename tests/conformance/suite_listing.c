/* Listings, tails, and closing by id. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/conformance/suite.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"

typedef struct tw_list_ask {
    tw_test_place_t at;
    tw_test_page_t page;
    const char *stream_id;
} tw_list_ask_t;

static char *ask_topics(void *data)
{
    const tw_list_ask_t *ask = data;
    return tw_test_list_topics(ask->at, &ask->page);
}

static char *ask_connections(void *data)
{
    const tw_list_ask_t *ask = data;
    return tw_test_list_streams(ask->at, &ask->page);
}

static char *ask_row(void *data)
{
    const tw_list_ask_t *ask = data;
    return tw_test_stream_row(ask->at, ask->stream_id);
}

static char *ask_nodes(void *data)
{
    const tw_list_ask_t *ask = data;
    return tw_test_list_nodes(ask->at);
}

/* From everywhere: each worker of each node must come to give this answer. */
static void expect_page(tw_test_cluster_t *cluster, char *(*ask)(void *data), tw_test_page_t page,
                        const char *expected)
{
    for (size_t i = 0; i < tw_suite_place_count(cluster); ++i) {
        tw_list_ask_t one = {.at = tw_suite_place(cluster, i), .page = page};
        tw_test_eventually(ask, &one, expected);
    }
}

static void test_topics__are_listed_by_name_with_their_followers(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    tw_suite_open(&cluster, run, &config);
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 1, .page_size = 10}, "0|");
    tw_test_client_t *one = tw_test_client_open(tw_test_place(&cluster, 0, 0), "b,a,B", NULL);
    tw_test_client_t *two = tw_test_client_open(tw_test_place(&cluster, 0, 1), "b,ab", NULL);
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 1, .page_size = 10},
                "4|B=1:node-0,1 a=1:node-0,1 ab=1:node-0,1 b=2:node-0,2");
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 2, .page_size = 3},
                "4|b=2:node-0,2");
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 3, .page_size = 3}, "4|");
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = UINT64_MAX, .page_size = 500}, "4|");
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 1, .page_size = 10, .prefix = "a"},
                "2|a=1:node-0,1 ab=1:node-0,1");
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 2, .page_size = 1, .prefix = "a"},
                "2|ab=1:node-0,1");
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 1, .page_size = 1, .prefix = "c"},
                "0|");
    tw_test_client_free(one);
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 1, .page_size = 10},
                "2|ab=1:node-0,1 b=1:node-0,1");
    tw_test_client_free(two);
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 1, .page_size = 10}, "0|");
    tw_test_cluster_close(&cluster);
}

static void test_topics__name_the_nodes_that_follow_them(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    tw_test_text_t expected = {0};
    char text[64];

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t **clients = tw_alloc(cluster.node_count * sizeof(tw_test_client_t *));
    for (size_t i = 0; i < cluster.node_count; ++i)
        clients[i] = tw_test_client_open(tw_test_place(&cluster, i, i % 2), "t", NULL);
    snprintf(text, sizeof(text), "1|t=%zu", cluster.node_count);
    tw_test_text_append(&expected, text, strlen(text));
    for (size_t i = 0; i < cluster.node_count; ++i) {
        snprintf(text, sizeof(text), "%cnode-%zu,1", i == 0 ? ':' : ';', i);
        tw_test_text_append(&expected, text, strlen(text));
    }
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 1, .page_size = 10}, expected.bytes);
    tw_test_text_dispose(&expected);
    for (size_t i = 0; i < cluster.node_count; ++i)
        tw_test_client_free(clients[i]);
    free(clients);
    expect_page(&cluster, ask_topics, (tw_test_page_t){.page = 1, .page_size = 10}, "0|");
    tw_test_cluster_close(&cluster);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

#define LISTED 23

static char *expected_page(const char (*ids)[TW_STREAM_ID_SIZE], size_t from, size_t count)
{
    tw_test_text_t text = {0};
    char total[16];

    snprintf(total, sizeof(total), "%d|", LISTED);
    tw_test_text_append(&text, total, strlen(total));
    for (size_t i = from; i < from + count && i < LISTED; ++i) {
        tw_test_text_append(&text, " ", i > from);
        tw_test_text_append(&text, ids[i], TW_STREAM_ID_SIZE - 1);
    }
    return text.bytes;
}

static void test_connections__pages_cover_every_stream_once_in_order(const tw_suite_run_t *run)
{
    static const uint64_t sizes[] = {1, 4, 7, LISTED, 500};
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    tw_test_client_t *clients[LISTED];
    char ids[LISTED][TW_STREAM_ID_SIZE];

    tw_suite_open(&cluster, run, &config);
    for (size_t i = 0; i < LISTED; ++i) {
        clients[i] = tw_test_client_open(tw_suite_place(&cluster, i * i), "t", NULL);
        tw_test_client_id(clients[i], ids[i]);
    }
    qsort(ids, LISTED, sizeof(ids[0]), compare_ids);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); ++s) {
        for (uint64_t page = 1; page <= LISTED / sizes[s] + 2; ++page) {
            char *expected = expected_page(ids, (page - 1) * sizes[s], sizes[s]);
            tw_list_ask_t ask = {.at = tw_suite_place(&cluster, page),
                                 .page = {.page = page, .page_size = sizes[s]}};
            tw_test_eventually(ask_connections, &ask, expected);
            free(expected);
        }
    }
    expect_page(&cluster, ask_connections, (tw_test_page_t){.page = UINT64_MAX, .page_size = 500},
                "23|");
    for (size_t i = 0; i < LISTED; ++i)
        tw_test_client_free(clients[i]);
    expect_page(&cluster, ask_connections, (tw_test_page_t){.page = 1, .page_size = 500}, "0|");
    tw_test_cluster_close(&cluster);
}

static void test_connections__are_found_by_prefix_and_by_topic(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char id[TW_STREAM_ID_SIZE], other[TW_STREAM_ID_SIZE], expected[64];

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *one = tw_test_client_open(tw_suite_place(&cluster, 0), "a,b", NULL);
    tw_test_client_t *two = tw_test_client_open(tw_suite_place(&cluster, 1), "b", NULL);
    tw_test_client_id(one, id);
    tw_test_client_id(two, other);
    snprintf(expected, sizeof(expected), "1|%s", id);
    expect_page(&cluster, ask_connections,
                (tw_test_page_t){.page = 1, .page_size = 10, .prefix = id}, expected);
    expect_page(&cluster, ask_connections,
                (tw_test_page_t){.page = 1, .page_size = 10, .topic = "a"}, expected);
    expect_page(&cluster, ask_connections,
                (tw_test_page_t){.page = 2, .page_size = 1, .topic = "a"}, "1|");
    expect_page(&cluster, ask_connections,
                (tw_test_page_t){.page = 1, .page_size = 10, .topic = "z"}, "0|");
    expect_page(&cluster, ask_connections,
                (tw_test_page_t){.page = 3, .page_size = 1, .topic = "b"}, "2|");
    static const char *const strange[] = {"x", "zzzzzzzz-", "00000000000000000000000000000", "-",
                                          "~"};
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); ++i)
        expect_page(&cluster, ask_connections,
                    (tw_test_page_t){.page = 1, .page_size = 10, .prefix = strange[i]}, "0|");
    snprintf(expected, sizeof(expected), "1|%s", other);
    for (size_t len = TW_STREAM_ID_SIZE - 1; len > 0; --len) {
        if (strncmp(id, other, len) == 0)
            break; /* from here on both have the prefix */
        other[len] = '\0';
        expect_page(&cluster, ask_connections,
                    (tw_test_page_t){.page = 1, .page_size = 10, .prefix = other}, expected);
    }
    tw_test_client_free(one);
    tw_test_client_free(two);
    tw_test_cluster_close(&cluster);
}

static void test_connections__rows_say_what_a_stream_is(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char named_id[TW_STREAM_ID_SIZE], plain_id[TW_STREAM_ID_SIZE];

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *named =
        tw_test_client_begin(tw_suite_place(&cluster, 0), "b,a", "my-phone", NULL);
    tw_test_client_wait_open(named);
    tw_test_client_t *plain = tw_test_client_open(tw_suite_place(&cluster, 0), "c", NULL);
    tw_test_client_id(named, named_id);
    tw_test_client_id(plain, plain_id);
    for (size_t i = 0; i < tw_suite_place_count(&cluster); ++i) {
        tw_list_ask_t ask = {.at = tw_suite_place(&cluster, i), .stream_id = named_id};
        tw_test_eventually(ask_row, &ask, "my-phone b,a node-0 192.0.2.1:1234 h2 0 0");
        ask.stream_id = plain_id;
        tw_test_eventually(ask_row, &ask, "- c node-0 192.0.2.1:1234 h2 0 0");
    }
    /* Counters of a stream are exact where it is. */
    tw_test_publish(tw_suite_place(&cluster, 1), "a,b", "1", "x");
    tw_test_client_expect(named, "1");
    tw_test_client_block(named, true);
    tw_test_publish(tw_suite_place(&cluster, 1), "a", "2", "x");
    tw_list_ask_t ask = {.at = tw_suite_place(&cluster, 0), .stream_id = named_id};
    tw_test_eventually(ask_row, &ask, "my-phone b,a node-0 192.0.2.1:1234 h2 2 15");
    tw_test_client_free(named);
    tw_test_eventually(ask_row, &ask, "");
    tw_test_client_free(plain);
    tw_test_cluster_close(&cluster);
}

static void drain(void *data)
{
    tw_adapter_t *adapter = data;
    adapter->ops->drain(adapter);
}

static void test_nodes__are_listed_with_their_streams_and_state(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    tw_test_text_t before = {0}, after = {0};
    char text[64];

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *client = tw_test_client_open(tw_test_place(&cluster, 0, 1), "a,b", NULL);
    for (size_t i = 0; i < cluster.node_count; ++i) {
        snprintf(text, sizeof(text), "%snode-%zu:%d:", i > 0 ? " " : "", i, i == 0);
        tw_test_text_append(&before, text, strlen(text));
        tw_test_text_append(&after, text, strlen(text));
        tw_test_text_append(&before, "up", 2);
        tw_test_text_append(&after, i == 0 ? "draining" : "up", i == 0 ? 8 : 2);
        const char *counted = i == 0 ? ":1,2" : ":0,0";
        tw_test_text_append(&before, counted, strlen(counted));
        tw_test_text_append(&after, counted, strlen(counted));
    }
    expect_page(&cluster, ask_nodes, (tw_test_page_t){0}, before.bytes);
    tw_test_thread_call(&cluster.nodes[0].control, drain, cluster.nodes[0].adapter);
    expect_page(&cluster, ask_nodes, (tw_test_page_t){0}, after.bytes);
    tw_test_text_dispose(&before);
    tw_test_text_dispose(&after);
    tw_test_client_free(client);
    tw_test_cluster_close(&cluster);
}

static void test_close_connection__ends_a_stream_from_anywhere(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char id[TW_STREAM_ID_SIZE];

    tw_suite_open(&cluster, run, &config);
    for (size_t i = 0; i < tw_suite_place_count(&cluster); ++i) {
        tw_test_place_t at = tw_suite_place(&cluster, i);
        tw_test_client_t *client = tw_test_client_open(tw_suite_place(&cluster, 0), "t", NULL);
        tw_test_client_t *other = tw_test_client_open(tw_suite_place(&cluster, 0), "t", NULL);
        tw_test_client_id(client, id);
        tw_list_ask_t ask = {.at = at, .stream_id = id};
        tw_test_eventually(ask_row, &ask, "- t node-0 192.0.2.1:1234 h2 0 0");
        assert_int_equal(tw_test_close_by_id(at, id), TW_OK);
        assert_int_equal(tw_test_client_wait_closed(client), TW_CLOSE_ADMIN);
        tw_test_eventually(ask_row, &ask, "");
        assert_int_equal(tw_test_close_by_id(at, id), TW_NOT_FOUND);
        tw_test_publish(at, "t", "1", "");
        tw_test_client_expect(other, "1");
        tw_test_client_expect(client, "");
        tw_test_client_free(client);
        tw_test_client_free(other);
    }
    tw_test_cluster_close(&cluster);
}

static void test_close_connection__knows_no_strange_ids(const tw_suite_run_t *run)
{
    static const char *const strange[] = {"",
                                          "x",
                                          "00000000-000000000001",
                                          "00000000-ff0000000001",
                                          "0000000 -000000000001",
                                          "-0000001-000000000001",
                                          "00000000-00000000000g",
                                          "00000000-0000000000010"};
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char id[TW_STREAM_ID_SIZE + 1] = "";

    tw_suite_open(&cluster, run, &config);
    tw_test_place_t at = tw_suite_place(&cluster, 0);
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); ++i)
        assert_int_equal(tw_test_close_by_id(at, strange[i]), TW_NOT_FOUND);
    /* What is nearly a real one. */
    tw_test_client_t *client = tw_test_client_open(at, "t", NULL);
    tw_test_client_id(client, id);
    id[TW_STREAM_ID_SIZE - 1] = '0'; /* the array ends in a NUL more */
    assert_int_equal(tw_test_close_by_id(at, id), TW_NOT_FOUND);
    id[TW_STREAM_ID_SIZE - 1] = '\0';
    id[9] = '3'; /* a worker that is not there */
    assert_int_equal(tw_test_close_by_id(at, id), TW_NOT_FOUND);
    tw_test_client_free(client);
    tw_test_cluster_close(&cluster);
}

typedef struct tw_tail_ask {
    tw_test_place_t at;
    const char *topic;
    const tw_position_t *after;
    size_t limit;
} tw_tail_ask_t;

static char *ask_tail(void *data)
{
    const tw_tail_ask_t *ask = data;
    return tw_test_tail(ask->at, ask->topic, ask->after, ask->limit);
}

static void expect_tail(tw_test_cluster_t *cluster, const char *topic, const tw_position_t *after,
                        size_t limit, const char *expected)
{
    for (size_t i = 0; i < tw_suite_place_count(cluster); ++i) {
        tw_tail_ask_t ask = {
            .at = tw_suite_place(cluster, i), .topic = topic, .after = after, .limit = limit};
        tw_test_eventually(ask_tail, &ask, expected);
    }
}

static void test_tail__holds_the_newest_events_oldest_first(const tw_suite_run_t *run)
{
    tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    tw_position_t third = {0};
    char id[8], payload[8];

    config.tail_events = 5;
    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *client = tw_test_client_open(tw_suite_place(&cluster, 0), "t,u", NULL);
    expect_tail(&cluster, "t", NULL, 20, "");
    expect_tail(&cluster, "never", NULL, 20, "");
    for (int i = 1; i <= 8; ++i) {
        snprintf(id, sizeof(id), "%d", i);
        snprintf(payload, sizeof(payload), "p%d", i);
        tw_test_published_t published =
            tw_test_publish(tw_suite_place(&cluster, (size_t)i), i == 6 ? "t,u" : "t", id, payload);
        if (i == 6)
            third = published.position;
    }
    expect_tail(&cluster, "t", NULL, 20, "4:p4 5:p5 6:p6 7:p7 8:p8");
    expect_tail(&cluster, "t", NULL, 2, "7:p7 8:p8");
    expect_tail(&cluster, "t", NULL, 5, "4:p4 5:p5 6:p6 7:p7 8:p8");
    expect_tail(&cluster, "u", NULL, 20, "6:p6");
    expect_tail(&cluster, "t", &third, 20, "7:p7 8:p8");
    expect_tail(&cluster, "t", &third, 1, "8:p8");
    expect_tail(&cluster, "u", &third, 20, "");
    third.epoch ^= 1; /* another epoch's positions say nothing */
    expect_tail(&cluster, "t", &third, 20, "4:p4 5:p5 6:p6 7:p7 8:p8");
    tw_test_client_free(client);
    tw_test_cluster_close(&cluster);
}

#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

const tw_suite_test_t tw_suite_listing[] = {
    TEST(test_topics__are_listed_by_name_with_their_followers),
    TEST(test_topics__name_the_nodes_that_follow_them),
    TEST(test_connections__pages_cover_every_stream_once_in_order),
    TEST(test_connections__are_found_by_prefix_and_by_topic),
    TEST(test_connections__rows_say_what_a_stream_is),
    TEST(test_nodes__are_listed_with_their_streams_and_state),
    TEST(test_close_connection__ends_a_stream_from_anywhere),
    TEST(test_close_connection__knows_no_strange_ids),
    TEST(test_tail__holds_the_newest_events_oldest_first),
    {NULL, NULL},
};
