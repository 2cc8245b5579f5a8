/*
 * Last-Event-ID: positions, and resuming a stream over several topics, with a list of everything
 * ever published as oracle. The input is a series of publishes and resumes over four topics with
 * short tails. Checked: whoever is told of no gap gets exactly what came after the event that it
 * named; whoever is told of one gets no event twice, none that it has seen, and all in order;
 * whoever is told of a gap had a reason.
 */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/hub.h"
#include "runtime/join.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"
#include "tests/support/fake_transport.h"
#include "tests/support/workers.h"

#define TOPICS 4
#define TAIL_EVENTS 3
#define EVENTS_MAX 64

typedef struct tw_published {
    char id[64];
    unsigned topics; /* a bit for each */
    uint64_t seq;
} tw_published_t;

typedef struct tw_resume_test {
    tw_hub_t *hub;
    tw_test_workers_t workers;
    tw_fake_connection_t connection;
    tw_published_t published[EVENTS_MAX];
    size_t count;
    bool opened;
    tw_gap_t gap;
} tw_resume_test_t;

/* A list of the topics whose bits are set: "a,c". */
static void write_topics(unsigned topics, char text[2 * TOPICS])
{
    size_t len = 0;
    for (unsigned i = 0; i < TOPICS; ++i) {
        if ((topics >> i & 1) == 0)
            continue;
        if (len > 0)
            text[len++] = ',';
        text[len++] = (char)('a' + i);
    }
    text[len] = '\0';
}

static unsigned read_topics(tw_fuzz_input_t *input)
{
    unsigned topics = tw_fuzz_byte(input) % (1 << TOPICS);
    return topics != 0 ? topics : 1;
}

/* Printable, as publishers' ids are; a number sign stands for a position of the gateway's own. */
static void read_id(const tw_resume_test_t *test, tw_fuzz_input_t *input, char id[64])
{
    tw_fuzz_text_t text = tw_fuzz_bytes(input, 1 + tw_fuzz_byte(input) % 40);
    tw_position_t position = tw_hub_position(test->hub, 0);

    if (text.len > 1 && text.base[0] == '#') {
        position.seq -= (uint64_t)text.base[1] % 16;
        position.epoch += text.len > 2 ? (uint64_t)text.base[2] % 2 : 0;
        id[tw_position_id(position, id)] = '\0';
        return;
    }
    for (size_t i = 0; i < text.len; ++i)
        id[i] = (char)('!' + (unsigned char)text.base[i] % ('~' - '!'));
    id[text.len] = '\0';
    if (text.len == 0)
        strcpy(id, "0");
}

static void on_dispatched(void *data, const tw_dispatch_result_t *result)
{
    tw_published_t *published = data;
    published->seq = result->position.seq;
    tw_check(result->delivered == 1 && result->accepted_count > 0);
}

static void publish(tw_resume_test_t *test, tw_fuzz_input_t *input)
{
    char topics[2 * TOPICS];
    tw_published_t *published = &test->published[test->count];

    if (test->count == EVENTS_MAX)
        return;
    ++test->count;
    published->topics = read_topics(input);
    read_id(test, input, published->id);
    write_topics(published->topics, topics);
    tw_event_t *event = tw_test_event(topics, published->id, "x");
    tw_hub_dispatch(test->hub, &test->workers.items[0].fanout.shard.loop, event, NULL,
                    on_dispatched, published);
    tw_event_unref(event);
    tw_test_workers_pump(&test->workers);
    tw_check(published->seq > 0);
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_resume_test_t *test = data;
    tw_check(status == TW_OK && !test->opened);
    test->opened = true;
    test->gap = opening->gap;
}

/* Whether the event is still in one of the topics' tails: fewer than so many newer ones are there.
 */
static bool is_kept(const tw_resume_test_t *test, size_t index, unsigned topics)
{
    for (unsigned topic = 0; topic < TOPICS; ++topic) {
        unsigned bit = 1U << topic, newer = 0;
        if ((test->published[index].topics & topics & bit) == 0)
            continue;
        for (size_t i = index + 1; i < test->count; ++i)
            newer += (test->published[i].topics & bit) != 0;
        if (newer < TAIL_EVENTS)
            return true;
    }
    return false;
}

/* The number of the newest kept event that the id names in these topics, or of the position that it
 * is; 0: none. */
static uint64_t seen_by(const tw_resume_test_t *test, const char *id, unsigned topics, bool *known)
{
    tw_position_t position;

    for (size_t i = test->count; i-- > 0;) {
        const tw_published_t *published = &test->published[i];
        *known = strcmp(published->id, id) == 0 && (published->topics & topics) != 0 &&
                 is_kept(test, i, topics);
        if (*known)
            return published->seq;
    }
    tw_position_t last = tw_hub_position(test->hub, 0);
    *known = tw_position_parse(id, strlen(id), &position) && position.epoch == last.epoch &&
             position.seq <= last.seq;
    return *known ? position.seq : 0;
}

/* Exactly the published events of the topics after `seen`; those that are no longer kept may be
 * missing, and are counted. */
static size_t check_messages(const tw_resume_test_t *test, const tw_fake_stream_t *stream,
                             unsigned topics, uint64_t seen)
{
    size_t next = 0, missing = 0;

    for (size_t i = 0; i < test->count; ++i) {
        const tw_published_t *published = &test->published[i];
        if (published->seq <= seen || (published->topics & topics) == 0)
            continue;
        if (!is_kept(test, i, topics)) {
            ++missing;
            continue;
        }
        tw_check(next < stream->reader.message_count);
        const tw_test_text_t *id = &stream->reader.messages[next++].last_event_id;
        tw_check(tw_test_text_is(id, published->id, strlen(published->id)));
    }
    tw_check(next == stream->reader.message_count);
    return missing;
}

static void resume(tw_resume_test_t *test, tw_fuzz_input_t *input)
{
    unsigned topics = read_topics(input);
    char names[2 * TOPICS], id[64];
    tw_fake_stream_t stream;
    bool known;

    write_topics(topics, names);
    read_id(test, input, id);
    uint64_t seen = seen_by(test, id, topics, &known);
    test->opened = false;
    tw_fake_stream_init(&stream, &test->connection, names, NULL);
    const tw_resume_t how = {.last_event_id = id, .last_event_id_len = strlen(id)};
    tw_check(tw_hub_join(test->hub, stream.subscriber, &how, on_open, test) == TW_OK);
    tw_test_workers_pump(&test->workers);
    tw_check(test->opened);
    tw_fake_stream_begin(&stream);
    size_t missing = check_messages(test, &stream, topics, seen);
    tw_check(known || test->gap != TW_GAP_NONE);
    tw_check(missing == 0 || test->gap != TW_GAP_NONE);
    tw_fake_stream_close(&stream, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_stream_dispose(&stream);
}

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_hub_leave(owner, subscriber);
}

static void check_position(const uint8_t *data, size_t size)
{
    tw_position_t position;
    char again[TW_POSITION_ID_SIZE];

    if (tw_position_parse((const char *)data, size, &position))
        tw_check(tw_position_id(position, again) == size && memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_fuzz_input_t input = {data, size};
    tw_resume_test_t *test = calloc(1, sizeof(*test));
    tw_hub_config_t config = tw_test_config();
    tw_fake_stream_t follower; /* so that every publish is accepted */

    tw_check(test != NULL);
    check_position(data, size);
    config.worker_count = 1;
    config.tail_events = TAIL_EVENTS;
    test->hub = tw_hub_create(&config);
    tw_test_workers_init(&test->workers, test->hub);
    tw_fake_connection_init(&test->connection, &test->workers.items[0].fanout.shard, let_go,
                            test->hub);
    tw_fake_stream_init(&follower, &test->connection, "a,b,c,d", NULL);
    tw_check(tw_hub_join(test->hub, follower.subscriber, NULL, on_open, test) == TW_OK);
    tw_test_workers_pump(&test->workers);
    tw_fake_stream_begin(&follower);
    while (input.left > 0) {
        if (tw_fuzz_byte(&input) % 3 < 2)
            publish(test, &input);
        else
            resume(test, &input);
    }
    tw_check(follower.reader.message_count == test->count);
    tw_fake_stream_close(&follower, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_stream_dispose(&follower);
    tw_fake_connection_dispose(&test->connection);
    tw_test_workers_stop(&test->workers);
    tw_hub_destroy(test->hub);
    free(test);
    return 0;
}
