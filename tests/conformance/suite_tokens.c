/* Streams with tokens: they expire, are listed and closed by subject, and are revoked. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/conformance/suite.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"

static tw_claims_t claims(const char *subject, int64_t issued_at_ms, int64_t expires_at_ms)
{
    return (tw_claims_t){.subject = subject,
                         .subject_len = subject != NULL ? strlen(subject) : 0,
                         .issued_at_ms = issued_at_ms,
                         .expires_at_ms = expires_at_ms};
}

static tw_test_client_t *open_as(tw_test_place_t at, const char *subject, int64_t issued_at_ms)
{
    const tw_claims_t who = claims(subject, issued_at_ms, 0);
    return tw_test_client_open_as(at, "t", &who);
}

/* One client of the subject at each place; the caller frees them. */
static tw_test_client_t **open_everywhere(tw_test_cluster_t *cluster, const char *subject,
                                          int64_t issued_at_ms)
{
    size_t count = tw_suite_place_count(cluster);
    tw_test_client_t **clients = tw_alloc(count * sizeof(tw_test_client_t *));

    for (size_t i = 0; i < count; ++i) {
        clients[i] = open_as(tw_suite_place(cluster, i), subject, issued_at_ms);
        assert_int_equal(clients[i]->status, TW_OK);
    }
    return clients;
}

static void free_all(tw_test_cluster_t *cluster, tw_test_client_t **clients)
{
    for (size_t i = 0; i < tw_suite_place_count(cluster); ++i)
        tw_test_client_free(clients[i]);
    free(clients);
}

static void test_tokens__end_their_streams(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    int64_t now_ms = tw_clock_wall_ms();

    tw_suite_open(&cluster, run, &config);
    const tw_claims_t soon = claims("ann", now_ms, now_ms + 20), late = claims(NULL, 0, now_ms - 1),
                      never = claims("ann", now_ms, now_ms + 3600000);
    tw_test_client_t *stays = tw_test_client_open_as(tw_suite_place(&cluster, 0), "t", &never);
    tw_test_client_t *one = tw_test_client_open_as(tw_suite_place(&cluster, 1), "t", &soon);
    tw_test_client_t *two = tw_test_client_open_as(tw_suite_place(&cluster, 2), "t", &late);
    assert_int_equal(tw_test_client_wait_closed(one), TW_CLOSE_TOKEN_EXPIRED);
    assert_int_equal(tw_test_client_wait_closed(two), TW_CLOSE_TOKEN_EXPIRED);
    assert_true(tw_clock_wall_ms() >= now_ms + 20);
    assert_int_equal(tw_test_publish(stays->at, "t", "1", "x").status, TW_OK);
    tw_test_client_expect(stays, "1");
    tw_test_client_free(one);
    tw_test_client_free(two);
    tw_test_client_free(stays);
    tw_test_cluster_close(&cluster);
}

typedef struct tw_subject_ask {
    tw_test_place_t at;
    tw_test_page_t page;
    const char *stream_id;
} tw_subject_ask_t;

static char *ask_row(void *data)
{
    const tw_subject_ask_t *ask = data;
    return tw_test_stream_row(ask->at, ask->stream_id);
}

/* Only the rows of the page and the total: "total|rows". */
static char *ask_count(void *data)
{
    const tw_subject_ask_t *ask = data;
    char *text = tw_test_list_streams(ask->at, &ask->page), *rows = strchr(text, '|') + 1;
    size_t count = *rows != '\0';

    for (const char *c = rows; *c != '\0'; ++c)
        count += *c == ' ';
    snprintf(rows, 8, "%zu", count);
    return text;
}

static void expect_count(tw_test_cluster_t *cluster, tw_test_page_t page, size_t total, size_t rows)
{
    char expected[32];

    snprintf(expected, sizeof(expected), "%zu|%zu", total, rows);
    for (size_t i = 0; i < tw_suite_place_count(cluster); ++i) {
        tw_subject_ask_t ask = {.at = tw_suite_place(cluster, i), .page = page};
        tw_test_eventually(ask_count, &ask, expected);
    }
}

static void test_subjects__are_listed_and_closed_everywhere(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    char id[TW_STREAM_ID_SIZE], row[80];
    uint64_t closed;

    tw_suite_open(&cluster, run, &config);
    size_t places = tw_suite_place_count(&cluster);
    tw_test_client_t **anns = open_everywhere(&cluster, "ann", 1),
                     **bobs = open_everywhere(&cluster, "bob", 1),
                     **nobodies = open_everywhere(&cluster, NULL, 0);
    expect_count(&cluster, (tw_test_page_t){.page = 1, .page_size = 100, .subject = "ann"}, places,
                 places);
    expect_count(&cluster, (tw_test_page_t){.page = 2, .page_size = 1, .subject = "ann"}, places,
                 1);
    expect_count(&cluster, (tw_test_page_t){.page = 3, .page_size = places, .subject = "ann"},
                 places, 0);
    expect_count(&cluster, (tw_test_page_t){.page = 1, .page_size = 9, .subject = "an"}, 0, 0);
    tw_test_client_id(anns[1], id);
    tw_subject_ask_t ask = {.at = tw_suite_place(&cluster, places - 1), .stream_id = id};
    snprintf(row, sizeof(row), "- t %s 192.0.2.1:1234 h2 0 0 ann", anns[1]->at.node->id);
    tw_test_eventually(ask_row, &ask, row);
    assert_int_equal(tw_test_close_subject(tw_suite_place(&cluster, 0), "ann", &closed), TW_OK);
    assert_int_equal(closed, places);
    for (size_t i = 0; i < places; ++i)
        assert_int_equal(tw_test_client_wait_closed(anns[i]), TW_CLOSE_ADMIN);
    assert_int_equal(tw_test_close_subject(tw_suite_place(&cluster, 1), "ann", &closed), TW_OK);
    assert_int_equal(closed, 0);
    tw_test_client_t *again = open_as(tw_suite_place(&cluster, 2), "ann", 1);
    assert_int_equal(again->status, TW_OK);
    tw_test_client_free(again);
    assert_int_equal(tw_test_publish(bobs[0]->at, "t", "1", "x").status, TW_OK);
    for (size_t i = 0; i < places; ++i) {
        tw_test_client_expect(bobs[i], "1");
        tw_test_client_expect(nobodies[i], "1");
    }
    free_all(&cluster, anns);
    free_all(&cluster, bobs);
    free_all(&cluster, nobodies);
    tw_test_cluster_close(&cluster);
}

static void test_revoked_subjects__are_out_everywhere(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    int64_t now_ms = tw_clock_wall_ms();

    tw_suite_open(&cluster, run, &config);
    size_t places = tw_suite_place_count(&cluster);
    tw_test_client_t **anns = open_everywhere(&cluster, "ann", now_ms - 1000),
                     **bobs = open_everywhere(&cluster, "bob", now_ms - 1000);
    assert_int_equal(tw_test_revoke(tw_suite_place(&cluster, 0), "ann", now_ms + 60000), TW_OK);
    for (size_t i = 0; i < places; ++i)
        assert_int_equal(tw_test_client_wait_closed(anns[i]), TW_CLOSE_REVOKED);
    for (size_t i = 0; i < places; ++i) {
        tw_test_client_t *old = open_as(tw_suite_place(&cluster, i), "ann", now_ms - 1000);
        assert_int_equal(old->status, TW_REVOKED);
        tw_test_client_free(old);
        tw_test_client_t *new = open_as(tw_suite_place(&cluster, i), "ann", now_ms + 60000);
        assert_int_equal(new->status, TW_OK);
        tw_test_client_free(new);
    }
    assert_int_equal(tw_test_publish(bobs[0]->at, "t", "1", "x").status, TW_OK);
    for (size_t i = 0; i < places; ++i)
        tw_test_client_expect(bobs[i], "1");
    free_all(&cluster, anns);
    free_all(&cluster, bobs);
    tw_test_cluster_close(&cluster);
}

/* However the two meet, the stream is not open afterwards. */
static void test_revocations__meet_streams_that_open(const tw_suite_run_t *run)
{
    enum { CLIENTS = 40 };
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    tw_test_client_t *clients[CLIENTS];
    int64_t now_ms = tw_clock_wall_ms();
    const tw_claims_t ann = claims("ann", now_ms - 1000, 0);

    tw_suite_open(&cluster, run, &config);
    for (size_t i = 0; i < CLIENTS; ++i) {
        clients[i] = tw_test_client_begin_as(tw_suite_place(&cluster, i), "t,u", &ann);
        if (i == CLIENTS / 2)
            assert_int_equal(tw_test_revoke(tw_suite_place(&cluster, 0), "ann", now_ms + 60000),
                             TW_OK);
    }
    for (size_t i = 0; i < CLIENTS; ++i) {
        tw_test_client_wait_open(clients[i]);
        if (clients[i]->status == TW_OK)
            assert_int_equal(tw_test_client_wait_closed(clients[i]), TW_CLOSE_REVOKED);
        else
            assert_int_equal(clients[i]->status, TW_REVOKED);
        tw_test_client_free(clients[i]);
    }
    tw_test_cluster_close(&cluster);
}

static void test_revocations__end_when_their_time_is_over(const tw_suite_run_t *run)
{
    const tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    int64_t until_ms;

    tw_suite_open(&cluster, run, &config);
    until_ms = tw_clock_wall_ms() + 30;
    assert_int_equal(tw_test_revoke(tw_suite_place(&cluster, 0), "ann", until_ms), TW_OK);
    while (tw_clock_wall_ms() < until_ms)
        continue;
    for (size_t i = 0; i < tw_suite_place_count(&cluster); ++i) {
        tw_test_client_t *client = open_as(tw_suite_place(&cluster, i), "ann", 1);
        assert_int_equal(client->status, TW_OK);
        tw_test_client_free(client);
    }
    tw_test_cluster_close(&cluster);
}

#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

const tw_suite_test_t tw_suite_tokens[] = {
    TEST(test_tokens__end_their_streams),
    TEST(test_subjects__are_listed_and_closed_everywhere),
    TEST(test_revoked_subjects__are_out_everywhere),
    TEST(test_revocations__meet_streams_that_open),
    TEST(test_revocations__end_when_their_time_is_over),
    {NULL, NULL},
};
