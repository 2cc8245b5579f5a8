/* Streams whose topics are in several lanes: they resume exactly in each, or are told of a gap. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "runtime/hub.h"
#include "runtime/join.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"
#include "tests/support/workers.h"

#define LANES 4

typedef struct tw_setup {
    tw_hub_t *hub;
    tw_test_workers_t workers;
    char topics[LANES][8]; /* one in each lane */
    uint64_t numbers[LANES];
} tw_setup_t;

static uint64_t epoch_of(uint32_t lane)
{
    return 100 + lane;
}

static void setup(tw_setup_t *s)
{
    tw_hub_config_t config = tw_test_config();
    uint32_t found = 0;

    memset(s, 0, sizeof(*s));
    config.lanes = LANES;
    s->hub = tw_hub_create(&config);
    tw_test_workers_init(&s->workers, s->hub);
    for (int i = 0; found < LANES; ++i) {
        char name[16];
        const tw_topic_name_t topic =
            tw_topic_name(name, (size_t)snprintf(name, sizeof(name), "t%d", i));
        char *place = s->topics[tw_hub_lane_of(s->hub, &topic)];
        found += place[0] == '\0';
        if (place[0] == '\0')
            memcpy(place, name, topic.len + 1);
    }
    for (uint32_t lane = 0; lane < LANES; ++lane) {
        const tw_topic_name_t topic = tw_topic_name(s->topics[lane], strlen(s->topics[lane]));
        tw_hub_set_epoch(s->hub, lane, epoch_of(lane));
        tw_hub_advance(s->hub, lane, 0);
        tw_hub_hold(s->hub, &topic, 0); /* so that it keeps events without followers */
    }
}

static void teardown(tw_setup_t *s)
{
    tw_test_workers_stop(&s->workers);
    tw_hub_destroy(s->hub);
}

typedef struct tw_client {
    tw_fake_connection_t connection;
    tw_fake_stream_t stream;
    tw_gap_t gap;
    char gap_topics[64];
    char begins[TW_POSITIONS_ID_SIZE];
} tw_client_t;

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_hub_leave(owner, subscriber);
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_client_t *client = data;

    client->gap = opening->gap;
    for (size_t i = 0; i < opening->topic_count; ++i)
        strncat(client->gap_topics, opening->topics[i].base, opening->topics[i].len);
    tw_positions_id(opening->positions, opening->position_count, client->begins);
    tw_fake_stream_begin(&client->stream);
}

/* A stream on the topics of the lanes "02" from an id. */
static tw_client_t *open_client(tw_setup_t *s, const char *lanes, const char *from_id)
{
    tw_client_t *client = tw_alloc(sizeof(*client));
    const tw_resume_t resume = {.last_event_id = from_id,
                                .last_event_id_len = from_id != NULL ? strlen(from_id) : 0};
    char topics[64] = "";

    for (; *lanes != '\0'; ++lanes)
        strcat(strcat(topics, s->topics[*lanes - '0']), ",");
    tw_fake_connection_init(&client->connection, &s->workers.items[0].fanout.shard, let_go, s->hub);
    tw_fake_stream_init(&client->stream, &client->connection, topics, NULL);
    assert_int_equal(tw_hub_join(s->hub, client->stream.subscriber, &resume, on_open, client),
                     TW_OK);
    tw_test_workers_pump(&s->workers);
    return client;
}

static void free_client(tw_client_t *client)
{
    tw_fake_stream_close(&client->stream, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_stream_dispose(&client->stream);
    tw_fake_connection_dispose(&client->connection);
    free(client);
}

static void publish(tw_setup_t *s, uint32_t lane, const char *id, bool is_part)
{
    const tw_position_t at = {.epoch = epoch_of(lane), .seq = ++s->numbers[lane]};
    tw_event_t *event = tw_test_event(s->topics[lane], id, "");
    event->is_part = is_part;
    tw_hub_dispatch(s->hub, NULL, event, &at, NULL, NULL);
    tw_event_unref(event);
    tw_test_workers_pump(&s->workers);
}

static void expect(tw_client_t *client, const char *expected)
{
    char *ids = tw_fake_stream_ids(&client->stream);
    assert_string_equal(ids, expected);
    free(ids);
}

/* What it gets from an id on; frees nothing of the id. */
static void expect_resume(tw_setup_t *s, const char *lanes, const char *id, tw_gap_t gap,
                          const char *expected)
{
    tw_client_t *client = open_client(s, lanes, id);
    tw_fake_stream_flush(&client->stream, SIZE_MAX);
    expect(client, expected);
    assert_int_equal(client->gap, gap);
    free_client(client);
}

static char *last_id_of(const tw_client_t *client)
{
    return tw_strndup(client->stream.reader.last_event_id.bytes,
                      client->stream.reader.last_event_id.len);
}

static void test_lanes__a_topic_is_always_in_the_same_one(void **state)
{
    const tw_topic_name_t names[] = {tw_topic_name("orders", 6), tw_topic_name("a", 1),
                                     tw_topic_name("weather/berlin", 14)};
    uint32_t seen[8] = {0};

    assert_int_equal(tw_topic_lane(&names[0], 1), 0);
    /* Other versions and other nodes must find the same. */
    assert_int_equal(tw_topic_lane(&names[0], 8), 6);
    assert_int_equal(tw_topic_lane(&names[1], 8), 0);
    assert_int_equal(tw_topic_lane(&names[2], 64), 51);
    for (int i = 0; i < 8000; ++i) {
        char text[24];
        tw_topic_name_t name = tw_topic_name(text, (size_t)sprintf(text, "topic-%d", i));
        ++seen[tw_topic_lane(&name, 8)];
    }
    for (int i = 0; i < 8; ++i)
        assert_in_range(seen[i], 850, 1150);
}

static void test_lanes__a_stream_that_spans_them_resumes_exactly(void **state)
{
    tw_setup_t s;

    setup(&s);
    tw_client_t *client = open_client(&s, "02", NULL), *other = open_client(&s, "1", NULL);
    publish(&s, 0, "a1", false);
    publish(&s, 2, "c1", false);
    publish(&s, 1, "b1", false);
    publish(&s, 0, "a2", false);
    expect(client, "a1 c1 a2");
    expect(other, "b1");
    char *at = last_id_of(client), *one = last_id_of(other);
    assert_string_equal(at,
                        "~0000000000000064-2,0000000000000065-1,0000000000000066-1,"
                        "0000000000000067-0");
    assert_string_equal(one, "b1");
    assert_int_equal(client->stream.subscriber->stream->delivered, 3);
    publish(&s, 2, "c2", false);
    publish(&s, 0, "a3", false);
    publish(&s, 1, "b2", false);
    expect_resume(&s, "02", at, TW_GAP_NONE, "a3 c2");
    expect_resume(&s, "2", at, TW_GAP_NONE, "c2"); /* with other topics than before */
    expect_resume(&s, "1", at, TW_GAP_NONE, "b2");
    expect_resume(&s, "1", one, TW_GAP_NONE, "b2");
    expect_resume(&s, "02", client->begins, TW_GAP_NONE, "a1 a2 a3 c1 c2");
    assert_int_equal(s.hub->spanning, 1);
    free(at);
    free(one);
    free_client(client);
    free_client(other);
    assert_int_equal(s.hub->spanning, 0);
    teardown(&s);
}

/* Each id that a client may hold while missed events come leads to the rest of them. */
static void test_lanes__a_resume_may_be_cut_anywhere(void **state)
{
    tw_setup_t s;

    setup(&s);
    tw_client_t *first = open_client(&s, "02", NULL);
    for (int i = 1; i <= 9; ++i) {
        char id[16];
        snprintf(id, sizeof(id), "a%d", i);
        publish(&s, 0, id, false);
        id[0] = 'c';
        publish(&s, 2, id, false);
    }
    for (size_t cut = 0; cut < 18; ++cut) {
        tw_client_t *client = open_client(&s, "02", first->begins);
        while (client->stream.reader.message_count <= cut)
            assert_true(tw_fake_stream_flush(&client->stream, 1) == 1);
        while (client->stream.reader.last_event_id.bytes[0] != '~')
            assert_true(tw_fake_stream_flush(&client->stream, 1) == 1);
        size_t seen = client->stream.reader.message_count;
        char *id = last_id_of(client);
        tw_client_t *back = open_client(&s, "02", id);
        tw_fake_stream_flush(&back->stream, SIZE_MAX);
        assert_int_equal(back->gap, TW_GAP_NONE);
        assert_int_equal(back->stream.reader.message_count, 18 - seen);
        free(id);
        free_client(back);
        free_client(client);
    }
    free_client(first);
    teardown(&s);
}

static void test_lanes__what_an_id_does_not_tell_is_a_gap_and_repeats(void **state)
{
    tw_setup_t s;

    setup(&s);
    publish(&s, 0, "a1", false);
    publish(&s, 2, "c1", false);
    publish(&s, 0, "a2", false);
    publish(&s, 0, "both", true);
    publish(&s, 2, "both", true);
    publish(&s, 2, "c2", false);
    /* A publisher's id tells of its own lane. */
    tw_client_t *client = open_client(&s, "02", "a1");
    tw_fake_stream_flush(&client->stream, SIZE_MAX);
    expect(client, "a2 both c1 both c2");
    assert_int_equal(client->gap, TW_GAP_UNKNOWN_ID);
    assert_string_equal(client->gap_topics, s.topics[2]);
    free_client(client);
    /* By which lane the client got it is not known. */
    expect_resume(&s, "02", "both", TW_GAP_UNKNOWN_ID, "a1 a2 both c1 both c2");
    expect_resume(&s, "0", "both", TW_GAP_NONE, "");
    expect_resume(&s, "2", "both", TW_GAP_NONE, "c2");
    expect_resume(&s, "02", "nobody's", TW_GAP_UNKNOWN_ID, "a1 a2 both c1 both c2");
    /* An id of one lane, or of another epoch, or of what has not been. */
    expect_resume(&s, "02", "~0000000000000064-2", TW_GAP_OTHER_EPOCH, "both c1 both c2");
    expect_resume(&s, "02", "~0000000000000064-2,0000000000000001-9", TW_GAP_OTHER_EPOCH,
                  "both c1 both c2");
    expect_resume(&s, "02", "~0000000000000064-2,0000000000000066-9", TW_GAP_UNKNOWN_ID,
                  "both c1 both c2");
    /* Of two positions in one lane the first counts. */
    expect_resume(&s, "02", "~0000000000000064-2,0000000000000064-3,0000000000000066-2",
                  TW_GAP_NONE, "both c2");
    teardown(&s);
}

/* Until the streams of a lane were told of gaps, what comes of others does not say that they were.
 */
static void test_lanes__another_epoch_is_in_no_id_before_streams_know_of_it(void **state)
{
    tw_setup_t s;

    setup(&s);
    tw_client_t *client = open_client(&s, "02", NULL);
    publish(&s, 0, "a1", false);
    publish(&s, 2, "c1", false);
    tw_hub_set_epoch(s.hub, 2, 999);
    publish(&s, 0, "a2", false);
    char *at = last_id_of(client);
    assert_string_equal(at,
                        "~0000000000000064-2,0000000000000065-0,0000000000000066-1,"
                        "0000000000000067-0");
    expect_resume(&s, "02", at, TW_GAP_OTHER_EPOCH, "");
    tw_hub_advance(s.hub, 2, 5);
    publish(&s, 0, "a3", false);
    free(at);
    at = last_id_of(client);
    assert_string_equal(at,
                        "~0000000000000064-3,0000000000000065-0,00000000000003e7-5,"
                        "0000000000000067-0");
    free(at);
    free_client(client);
    teardown(&s);
}

static void test_lanes__an_epoch_takes_its_own_events_away(void **state)
{
    tw_setup_t s;

    setup(&s);
    publish(&s, 0, "a1", false);
    publish(&s, 1, "b1", false);
    publish(&s, 0, "a2", false);
    tw_hub_set_epoch(s.hub, 0, 999);
    assert_int_equal(s.hub->kept_events, 1);
    expect_resume(&s, "1", "~0000000000000065-0", TW_GAP_NONE, "b1");
    expect_resume(&s, "0", "~0000000000000064-1", TW_GAP_OTHER_EPOCH, "");
    teardown(&s);
}

/* Behind gaps, which have no id: once for each stream, also for one of several of the topics. */
static void test_lanes__a_position_can_be_announced(void **state)
{
    tw_setup_t s;
    tw_topic_name_t names[LANES];
    const tw_topic_list_t topics = {.items = names, .count = LANES};

    setup(&s);
    for (uint32_t lane = 0; lane < LANES; ++lane)
        names[lane] = tw_topic_name(s.topics[lane], strlen(s.topics[lane]));
    tw_client_t *both = open_client(&s, "02", NULL), *one = open_client(&s, "1", NULL);
    tw_hub_advance(s.hub, 2, 7);
    tw_hub_announce_position(s.hub, &topics);
    tw_test_workers_pump(&s.workers);
    char *at = last_id_of(both), *same = last_id_of(one);
    assert_string_equal(at,
                        "~0000000000000064-0,0000000000000065-0,0000000000000066-7,"
                        "0000000000000067-0");
    assert_string_equal(at, same);
    assert_int_equal(both->stream.subscriber->stream->delivered, 1);
    expect(both, "");
    free(at);
    free(same);
    free_client(both);
    free_client(one);
    teardown(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes__a_topic_is_always_in_the_same_one),
        cmocka_unit_test(test_lanes__a_stream_that_spans_them_resumes_exactly),
        cmocka_unit_test(test_lanes__a_resume_may_be_cut_anywhere),
        cmocka_unit_test(test_lanes__what_an_id_does_not_tell_is_a_gap_and_repeats),
        cmocka_unit_test(test_lanes__another_epoch_is_in_no_id_before_streams_know_of_it),
        cmocka_unit_test(test_lanes__a_position_can_be_announced),
        cmocka_unit_test(test_lanes__an_epoch_takes_its_own_events_away),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
