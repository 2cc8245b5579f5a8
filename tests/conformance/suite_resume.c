/* Resuming: what a stream that comes back gets, and when it is told of a gap. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/suite.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"

/* Publishes ids from…to on a topic, from one place after the other. */
static void publish_range(tw_test_cluster_t *cluster, const char *topics, int from, int to)
{
    char id[16];

    for (int i = from; i <= to; ++i) {
        snprintf(id, sizeof(id), "%d", i);
        tw_test_published_t published =
            tw_test_publish(tw_suite_place(cluster, (size_t)i), topics, id, "x");
        assert_int_equal(published.status, TW_OK);
        assert_true(published.accepted_count > 0);
    }
}

/* Opens at each place in turn with this id; all must get the same. */
static void expect_resume(tw_test_cluster_t *cluster, const char *topics, const char *last_event_id,
                          tw_gap_t gap, const char *gap_topics, const char *ids)
{
    for (size_t i = 0; i < tw_suite_place_count(cluster); ++i) {
        tw_test_client_t *client =
            tw_test_client_open(tw_suite_place(cluster, i), topics, last_event_id);
        assert_int_equal(client->status, TW_OK);
        assert_int_equal(client->gap, gap);
        assert_string_equal(client->gap_topics, gap_topics);
        tw_test_client_expect(client, ids);
        tw_test_client_free(client);
    }
}

static void test_resume__sends_every_later_event_of_all_topics_in_order(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *keeper = tw_test_client_open(tw_suite_place(&cluster, 0), "a,b,c", NULL);
    publish_range(&cluster, "a", 1, 3);
    publish_range(&cluster, "b", 4, 4);
    publish_range(&cluster, "a,b", 5, 6);
    publish_range(&cluster, "c", 7, 7);
    publish_range(&cluster, "b,a", 8, 8);
    tw_test_client_expect(keeper, "1 2 3 4 5 6 7 8");
    expect_resume(&cluster, "a,b", "2", TW_GAP_NONE, "", "3 4 5 6 8");
    expect_resume(&cluster, "b,a,c", "4", TW_GAP_NONE, "", "5 6 7 8");
    expect_resume(&cluster, "a", "5", TW_GAP_NONE, "", "6 8");
    expect_resume(&cluster, "b", "8", TW_GAP_NONE, "", "");
    expect_resume(&cluster, "a,b", "", TW_GAP_NONE, "", "");
    tw_test_client_free(keeper);
    tw_test_cluster_close(&cluster);
}

static void test_resume__goes_on_with_live_events(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *keeper = tw_test_client_open(tw_suite_place(&cluster, 0), "t", NULL);
    publish_range(&cluster, "t", 1, 4);
    tw_test_client_t *back = tw_test_client_open(tw_suite_place(&cluster, 1), "t", "1");
    publish_range(&cluster, "t", 5, 6);
    tw_test_client_expect(back, "2 3 4 5 6");
    tw_test_client_free(back);
    tw_test_client_free(keeper);
    tw_test_cluster_close(&cluster);
}

static void test_resume__from_the_gateways_own_id(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char before[TW_POSITION_ID_SIZE], middle[TW_POSITION_ID_SIZE], end[TW_POSITION_ID_SIZE];

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *keeper = tw_test_client_open(tw_suite_place(&cluster, 0), "a,b", NULL);
    tw_position_id(keeper->position, before);
    publish_range(&cluster, "a", 1, 2);
    tw_test_client_t *second = tw_test_client_open(tw_suite_place(&cluster, 1), "b", NULL);
    tw_position_id(second->position, middle);
    publish_range(&cluster, "b,a", 3, 4);
    tw_test_client_expect(second, "3 4");
    tw_test_client_expect(keeper, "1 2 3 4");
    expect_resume(&cluster, "a,b", before, TW_GAP_NONE, "", "1 2 3 4");
    expect_resume(&cluster, "b", middle, TW_GAP_NONE, "", "3 4");
    tw_test_client_t *last = tw_test_client_open(tw_suite_place(&cluster, 0), "a", middle);
    /* Its opening block stands right before what it will carry. */
    tw_position_id(last->position, end);
    tw_test_client_expect(last, "3 4");
    expect_resume(&cluster, "a", end, TW_GAP_NONE, "", "3 4");
    tw_test_client_free(last);
    tw_test_client_free(second);
    tw_test_client_free(keeper);
    tw_test_cluster_close(&cluster);
}

static void test_resume__an_id_used_twice_means_the_latest(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *keeper = tw_test_client_open(tw_suite_place(&cluster, 0), "a,b", NULL);
    tw_test_publish(tw_suite_place(&cluster, 0), "a", "same", "");
    publish_range(&cluster, "a", 1, 2);
    tw_test_publish(tw_suite_place(&cluster, 0), "b", "same", "");
    publish_range(&cluster, "a", 3, 3);
    tw_test_client_expect(keeper, "same 1 2 same 3");
    expect_resume(&cluster, "a", "same", TW_GAP_NONE, "", "1 2 3");
    expect_resume(&cluster, "a,b", "same", TW_GAP_NONE, "", "3");
    tw_test_client_free(keeper);
    tw_test_cluster_close(&cluster);
}

static void test_resume__says_what_was_evicted(const tw_suite_run_t *run)
{
    tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char before[TW_POSITION_ID_SIZE];

    config.tail_events = 3;
    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *keeper = tw_test_client_open(tw_suite_place(&cluster, 0), "a,b", NULL);
    tw_position_id(keeper->position, before);
    publish_range(&cluster, "b", 1, 1);
    publish_range(&cluster, "a", 2, 6);
    tw_test_client_expect(keeper, "1 2 3 4 5 6");
    /* 2 and 3 are gone: whoever has not seen them is told, and whoever has is not. */
    expect_resume(&cluster, "a,b", before, TW_GAP_EVICTED, "a", "1 4 5 6");
    expect_resume(&cluster, "b,a", "1", TW_GAP_EVICTED, "a", "4 5 6");
    expect_resume(&cluster, "b", before, TW_GAP_NONE, "", "1");
    expect_resume(&cluster, "a", "4", TW_GAP_NONE, "", "5 6");
    expect_resume(&cluster, "a,b", "3", TW_GAP_UNKNOWN_ID, "a,b", "1 4 5 6");
    tw_test_client_free(keeper);
    tw_test_cluster_close(&cluster);
}

static void test_resume__unknown_and_hostile_ids_get_a_gap(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char future[TW_POSITION_ID_SIZE], other[TW_POSITION_ID_SIZE], capital[TW_POSITION_ID_SIZE];
    char long_id[4096];

    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *keeper = tw_test_client_open(tw_suite_place(&cluster, 0), "a,b", NULL);
    publish_range(&cluster, "a", 1, 2);
    tw_test_client_expect(keeper, "1 2");
    tw_position_t position = keeper->position;
    position.seq += UINT64_C(1000000000000);
    tw_position_id(position, future);
    position = keeper->position;
    position.epoch ^= 0x10;
    tw_position_id(position, other);
    snprintf(capital, sizeof(capital), "~%016" PRIX64 "-%" PRIu64,
             keeper->position.epoch | UINT64_C(0xa), keeper->position.seq);
    for (size_t i = 0; i < sizeof(long_id) - 1; ++i)
        long_id[i] = (char)('0' + i % 10);
    long_id[sizeof(long_id) - 1] = '\0';
    const char *const ids[] = {"nobody",
                               "~",
                               "~~",
                               "~-",
                               "~0-0",
                               "~0000000000000000",
                               "\x01\x7f",
                               "~00000000000000000-1",
                               "~ 000000000000001-1",
                               "~+00000000000001-1",
                               "~0x00000000000001-1",
                               "~0000000000000001--1",
                               future,
                               capital,
                               long_id};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); ++i)
        expect_resume(&cluster, "a,b", ids[i], TW_GAP_UNKNOWN_ID, "a,b", "1 2");
    expect_resume(&cluster, "b,a", other, TW_GAP_OTHER_EPOCH, "b,a", "1 2");
    tw_test_client_free(keeper);
    tw_test_cluster_close(&cluster);
}

static void test_resume__a_node_without_a_tail_says_so(const tw_suite_run_t *run)
{
    tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char before[TW_POSITION_ID_SIZE];

    config.tail_events = 0;
    tw_suite_open(&cluster, run, &config);
    tw_test_client_t *keeper = tw_test_client_open(tw_suite_place(&cluster, 0), "t", NULL);
    tw_position_id(keeper->position, before);
    expect_resume(&cluster, "t", before, TW_GAP_NONE, "", "");
    publish_range(&cluster, "t", 1, 1);
    tw_test_client_expect(keeper, "1");
    expect_resume(&cluster, "t", before, TW_GAP_EVICTED, "t", "");
    expect_resume(&cluster, "t", "1", TW_GAP_UNKNOWN_ID, "t", "");
    tw_test_client_free(keeper);
    tw_test_cluster_close(&cluster);
}

static void test_resume__forgotten_events_are_evicted_everywhere(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char before[TW_POSITION_ID_SIZE];

    tw_suite_open(&cluster, run, &config);
    for (size_t i = 0; i < tw_suite_place_count(&cluster); ++i) {
        tw_test_place_t at = tw_suite_place(&cluster, i);
        tw_test_client_t *keeper =
            tw_test_client_open(tw_suite_place(&cluster, 0), "t,other", NULL);
        tw_position_id(keeper->position, before);
        publish_range(&cluster, "t", 1, 3);
        publish_range(&cluster, "other", 4, 4);
        tw_test_client_expect(keeper, "1 2 3 4");
        expect_resume(&cluster, "t", before, TW_GAP_NONE, "", "1 2 3");
        assert_int_equal(tw_test_forget(at, "t"), TW_OK);
        expect_resume(&cluster, "t", before, TW_GAP_EVICTED, "t", "");
        expect_resume(&cluster, "t,other", before, TW_GAP_EVICTED, "t", "4");
        expect_resume(&cluster, "other", before, TW_GAP_NONE, "", "4");
        publish_range(&cluster, "t", 5, 6);
        tw_test_client_expect(keeper, "1 2 3 4 5 6"); /* it misses nothing */
        expect_resume(&cluster, "t", before, TW_GAP_EVICTED, "t", "5 6");
        expect_resume(&cluster, "t,other", "4", TW_GAP_NONE, "", "5 6");
        expect_resume(&cluster, "t", "5", TW_GAP_NONE, "", "6");
        assert_int_equal(tw_test_forget(at, "t"), TW_OK);
        assert_int_equal(tw_test_forget(at, "t"), TW_OK); /* there is nothing any more */
        assert_int_equal(tw_test_forget(at, "other"), TW_OK);
        assert_int_equal(tw_test_forget(at, "nobody"), TW_OK);
        tw_test_client_free(keeper);
    }
    tw_test_cluster_close(&cluster);
}

#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

const tw_suite_test_t tw_suite_resume[] = {
    TEST(test_resume__sends_every_later_event_of_all_topics_in_order),
    TEST(test_resume__goes_on_with_live_events),
    TEST(test_resume__from_the_gateways_own_id),
    TEST(test_resume__an_id_used_twice_means_the_latest),
    TEST(test_resume__says_what_was_evicted),
    TEST(test_resume__unknown_and_hostile_ids_get_a_gap),
    TEST(test_resume__a_node_without_a_tail_says_so),
    TEST(test_resume__forgotten_events_are_evicted_everywhere),
    {NULL, NULL},
};
