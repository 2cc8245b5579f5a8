/* Listing and finding streams over the workers of a hub, step by step on one thread. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "runtime/join.h"
#include "runtime/listing.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"
#include "tests/support/workers.h"

#define WORKERS 3
#define STREAMS 20

typedef struct tw_setup {
    tw_hub_t *hub;
    tw_test_workers_t workers;
    tw_fake_connection_t connections[WORKERS];
    tw_fake_stream_t
        streams[STREAMS]; /* i is on worker i % WORKERS, follows "all" and "w<worker>" */
    /* the last answer */
    unsigned answers;
    tw_status_t status;
    uint64_t total;
    size_t count;
    char ids[64][TW_STREAM_ID_SIZE];
} tw_setup_t;

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_hub_leave(owner, subscriber);
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_check(status == TW_OK);
    tw_fake_stream_begin(data);
}

static void setup(tw_setup_t *s)
{
    tw_hub_config_t config = tw_test_config();

    *s = (tw_setup_t){.answers = 0};
    config.worker_count = WORKERS;
    s->hub = tw_hub_create(&config);
    tw_test_workers_init(&s->workers, s->hub);
    for (size_t i = 0; i < WORKERS; ++i)
        tw_fake_connection_init(&s->connections[i], &s->workers.items[i].fanout.shard, let_go,
                                s->hub);
    for (size_t i = 0; i < STREAMS; ++i) {
        char topics[16];
        snprintf(topics, sizeof(topics), "all,w%zu", i % WORKERS);
        tw_fake_stream_init(&s->streams[i], &s->connections[i % WORKERS], topics, NULL);
        assert_int_equal(
            tw_hub_join(s->hub, s->streams[i].subscriber, NULL, on_open, &s->streams[i]), TW_OK);
    }
    tw_test_workers_pump(&s->workers);
}

static void teardown(tw_setup_t *s)
{
    for (size_t i = 0; i < STREAMS; ++i) {
        if (!s->streams[i].closed)
            tw_fake_stream_close(&s->streams[i], TW_CLOSE_CLIENT_CLOSED);
        tw_fake_stream_dispose(&s->streams[i]);
    }
    for (size_t i = 0; i < WORKERS; ++i)
        tw_fake_connection_dispose(&s->connections[i]);
    tw_test_workers_stop(&s->workers);
    tw_hub_destroy(s->hub);
}

static void on_page(void *data, tw_status_t status, uint64_t total, const tw_stream_row_t *rows,
                    size_t count)
{
    tw_setup_t *s = data;

    ++s->answers;
    s->status = status;
    s->total = total;
    s->count = count;
    assert_true(count <= 64);
    for (size_t i = 0; i < count; ++i) {
        snprintf(s->ids[i], sizeof(s->ids[i]), "%s", rows[i].stream_id);
        assert_string_equal(rows[i].node_id, "here");
        assert_int_equal(rows[i].topic_count, 2);
    }
}

static void list(tw_setup_t *s, const tw_page_query_t *query)
{
    unsigned before = s->answers;

    tw_listing_streams(s->hub, &s->workers.items[1].fanout.shard.loop, query, "here", on_page, s);
    assert_int_equal(s->answers, before); /* never before it returns */
    tw_test_workers_pump(&s->workers);
    assert_int_equal(s->answers, before + 1);
}

static void list_prefix(tw_setup_t *s, const char *prefix, size_t len)
{
    const tw_page_query_t query = {.page = 1, .page_size = 64, .prefix = prefix, .prefix_len = len};
    list(s, &query);
}

static void test_listing__goes_from_worker_to_worker(void **state)
{
    tw_setup_t s;
    char all[STREAMS][TW_STREAM_ID_SIZE];

    setup(&s);
    list(&s, &(tw_page_query_t){.page = 1, .page_size = 64});
    assert_int_equal(s.total, STREAMS);
    assert_int_equal(s.count, STREAMS);
    memcpy(all, s.ids, sizeof(all));
    for (size_t i = 1; i < STREAMS; ++i)
        assert_true(strcmp(all[i - 1], all[i]) < 0);
    for (uint64_t size = 1; size <= STREAMS; ++size) {
        for (uint64_t page = 1; page <= STREAMS / size + 2; ++page) {
            size_t from = (size_t)((page - 1) * size), left = from < STREAMS ? STREAMS - from : 0;
            list(&s, &(tw_page_query_t){.page = page, .page_size = size});
            assert_int_equal(s.total, STREAMS);
            assert_int_equal(s.count, left < size ? left : size);
            assert_memory_equal(s.ids, all[from < STREAMS ? from : 0], s.count * TW_STREAM_ID_SIZE);
        }
    }
    teardown(&s);
}

static void test_listing__every_prefix_of_an_id_gives_those_that_start_so(void **state)
{
    tw_setup_t s;
    char all[STREAMS][TW_STREAM_ID_SIZE];

    setup(&s);
    list_prefix(&s, NULL, 0);
    memcpy(all, s.ids, sizeof(all));
    for (size_t i = 0; i < STREAMS; ++i) {
        for (size_t len = 0; len < TW_STREAM_ID_SIZE; ++len) {
            size_t expected = 0;
            for (size_t k = 0; k < STREAMS; ++k)
                expected += memcmp(all[i], all[k], len) == 0;
            list_prefix(&s, all[i], len);
            assert_int_equal(s.total, expected);
            assert_int_equal(s.count, expected);
            for (size_t k = 0; k < s.count; ++k)
                assert_memory_equal(s.ids[k], all[i], len);
        }
    }
    teardown(&s);
}

static void test_listing__no_id_has_other_bytes_than_hex_digits(void **state)
{
    static const char strange[] = {'\0', 'g', 'A', ' ', '-', '\x7f', '\xff'};
    tw_setup_t s;
    char prefix[TW_STREAM_ID_SIZE + 1];

    setup(&s);
    for (size_t at = 0; at < TW_STREAM_ID_SIZE - 1; ++at) {
        for (size_t c = 0; c < sizeof(strange); ++c) {
            if (at == 8 && strange[c] == '-')
                continue;
            tw_subscriber_id(s.streams[0].subscriber, prefix);
            prefix[at] = strange[c];
            for (size_t len = at + 1; len < TW_STREAM_ID_SIZE; ++len) {
                list_prefix(&s, prefix, len);
                assert_int_equal(s.total, 0);
                assert_int_equal(s.count, 0);
            }
        }
    }
    tw_subscriber_id(s.streams[0].subscriber, prefix);
    prefix[TW_STREAM_ID_SIZE - 1] = '0';
    list_prefix(&s, prefix, TW_STREAM_ID_SIZE);
    assert_int_equal(s.total, 0);
    teardown(&s);
}

static void test_listing__of_a_topic_counts_its_followers(void **state)
{
    tw_setup_t s;
    const tw_topic_name_t all = tw_topic_name("all", 3), w1 = tw_topic_name("w1", 2),
                          none = tw_topic_name("none", 4);
    size_t seen = 0;

    setup(&s);
    for (uint64_t page = 1; page <= 4; ++page) {
        list(&s, &(tw_page_query_t){.page = page, .page_size = 6, .topic = &all});
        assert_int_equal(s.total, STREAMS);
        seen += s.count;
    }
    assert_int_equal(seen, STREAMS);
    list(&s, &(tw_page_query_t){.page = 1, .page_size = 64, .topic = &w1});
    assert_int_equal(s.total, 7);
    assert_int_equal(s.count, 7);
    list(&s, &(tw_page_query_t){.page = 1, .page_size = 64, .topic = &none});
    assert_int_equal(s.total, 0);
    list(&s, &(tw_page_query_t){.page = UINT64_MAX, .page_size = 64, .topic = &all});
    assert_int_equal(s.total, STREAMS);
    assert_int_equal(s.count, 0);
    teardown(&s);
}

static void on_status(void *data, tw_status_t status)
{
    tw_setup_t *s = data;
    ++s->answers;
    s->status = status;
}

static void test_listing__closes_by_id(void **state)
{
    tw_setup_t s;
    char id[TW_STREAM_ID_SIZE];

    setup(&s);
    for (size_t i = 0; i < 6; ++i) {
        tw_subscriber_id(s.streams[i].subscriber, id);
        assert_true(tw_listing_owns(s.hub, id));
        s.answers = 0;
        tw_listing_close(s.hub, &s.workers.items[0].fanout.shard.loop, id, TW_CLOSE_ADMIN,
                         on_status, &s);
        assert_int_equal(s.answers, 0);
        tw_test_workers_pump(&s.workers);
        assert_int_equal(s.answers, 1);
        assert_int_equal(s.status, TW_OK);
        assert_true(s.streams[i].closed);
        assert_int_equal(s.streams[i].close_reason, TW_CLOSE_ADMIN);
        tw_listing_close(s.hub, &s.workers.items[0].fanout.shard.loop, id, TW_CLOSE_ADMIN,
                         on_status, &s);
        tw_test_workers_pump(&s.workers);
        assert_int_equal(s.status, TW_NOT_FOUND);
    }
    /* Nobody waits. */
    tw_subscriber_id(s.streams[6].subscriber, id);
    tw_listing_close(s.hub, NULL, id, TW_CLOSE_DRAIN, NULL, NULL);
    tw_listing_close(s.hub, NULL, id, TW_CLOSE_DRAIN, NULL, NULL);
    tw_listing_close(s.hub, NULL, "nonsense", TW_CLOSE_DRAIN, NULL, NULL);
    tw_test_workers_pump(&s.workers);
    assert_int_equal(s.streams[6].close_reason, TW_CLOSE_DRAIN);
    assert_false(s.streams[7].closed);
    id[0] = id[0] == '0' ? '1' : '0';
    assert_false(tw_listing_owns(s.hub, id));
    teardown(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listing__goes_from_worker_to_worker),
        cmocka_unit_test(test_listing__every_prefix_of_an_id_gives_those_that_start_so),
        cmocka_unit_test(test_listing__no_id_has_other_bytes_than_hex_digits),
        cmocka_unit_test(test_listing__of_a_topic_counts_its_followers),
        cmocka_unit_test(test_listing__closes_by_id),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
