/*
 * Resuming as a property: clients on up to eight topics are cut and come back at random, anywhere,
 * while up to three publishers publish. What a client sees over all its sessions must be what was
 * accepted for its topics, each event once and in order, or it is told of a gap exactly where
 * something was lost.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/conformance/suite.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/random.h"

#define TOPICS_MAX 8
#define PUBLISHERS_MAX 3
#define CLIENTS_MAX 3
#define EVENTS_MAX 60 /* of one publisher: all of them fit into a usual tail */
#define LOG_MAX (PUBLISHERS_MAX * EVENTS_MAX + 1)
#define FIN "fin"

/* An event that was accepted for at least one topic. */
typedef struct tw_accepted {
    uint64_t seq;
    char id[16];
    uint8_t topics; /* those that accepted it, as bits */
} tw_accepted_t;

typedef struct tw_run {
    const tw_suite_run_t *suite;
    tw_test_cluster_t *cluster;
    uint32_t number, topic_count;
    uint32_t tail_events;
    pthread_mutex_t lock;
    tw_accepted_t log[LOG_MAX]; /* under the lock until all is over; then sorted */
    size_t log_count;
} tw_run_t;

/* "3-0,3-2": the topics of these bits; they are the run's own. */
static void name_topics(const tw_run_t *run, uint8_t topics, char *text, size_t size)
{
    size_t len = 0;
    for (uint32_t i = 0; i < run->topic_count; ++i)
        if ((topics >> i & 1) != 0)
            len += (size_t)snprintf(text + len, size - len, "%s%" PRIu32 "-%" PRIu32,
                                    len > 0 ? "," : "", run->number, i);
}

static uint8_t topic_bit(const tw_topic_name_t *name)
{
    tw_check(name->len > 2);
    return (uint8_t)(1U << (name->base[name->len - 1] - '0'));
}

static uint8_t some_topics(const tw_run_t *run, tw_test_random_t *random)
{
    return (uint8_t)(1 + tw_test_random_below(random, (1U << run->topic_count) - 1));
}

static tw_test_place_t some_place(const tw_run_t *run, tw_test_random_t *random)
{
    return tw_suite_place(run->cluster, tw_test_random_below(random, 1000));
}

/* --- publishers: each sends its next event when the last is answered --- */

typedef struct tw_publisher {
    tw_run_t *run;
    tw_test_place_t at;
    tw_test_random_t random;
    char name;
    uint32_t sent, count;
    tw_event_t *event; /* the one under way */
    tw_test_latch_t done;
} tw_publisher_t;

static void publish_next(tw_publisher_t *publisher);

static void log_accepted(tw_run_t *run, const tw_event_t *event, const tw_dispatch_result_t *result)
{
    pthread_mutex_lock(&run->lock);
    tw_check(run->log_count < LOG_MAX);
    tw_accepted_t *accepted = &run->log[run->log_count++];
    *accepted = (tw_accepted_t){.seq = result->position.seq};
    memcpy(accepted->id, tw_event_id(event), event->id_len);
    for (uint32_t i = 0; i < event->topic_count; ++i)
        if (result->accepted[i])
            accepted->topics |= topic_bit(&event->topics[i]);
    pthread_mutex_unlock(&run->lock);
}

static void on_published(void *data, tw_status_t status, const tw_dispatch_result_t *result)
{
    tw_publisher_t *publisher = data;

    tw_check(status == TW_OK);
    if (result->accepted_count > 0)
        log_accepted(publisher->run, publisher->event, result);
    tw_event_unref(publisher->event);
    if (publisher->sent < publisher->count)
        publish_next(publisher);
    else
        tw_test_latch_set(&publisher->done);
}

static void publish_event(tw_publisher_t *publisher, uint8_t to, const char *id)
{
    tw_adapter_t *adapter = publisher->at.node->adapter;
    char topics[TOPICS_MAX * 16];

    name_topics(publisher->run, to, topics, sizeof(topics));
    publisher->event = tw_test_event(topics, id, "x");
    adapter->ops->publish(adapter, &publisher->at.worker->fanout.shard.loop, publisher->event,
                          on_published, publisher);
}

static void publish_next(tw_publisher_t *publisher)
{
    char id[16];

    snprintf(id, sizeof(id), "%c%" PRIu32, publisher->name, publisher->sent++);
    publish_event(publisher, some_topics(publisher->run, &publisher->random), id);
}

static void start_publishing(void *data)
{
    publish_next(data);
}

/* The last event of the run, to all of its topics. */
static void publish_fin(void *data)
{
    tw_publisher_t *publisher = data;
    publish_event(publisher, (uint8_t)((1U << publisher->run->topic_count) - 1), FIN);
}

/* --- clients: sessions one after the other, each somewhere else --- */

typedef struct tw_session {
    struct tw_session *next;
    struct tw_client *client;
    tw_fake_connection_t connection;
    tw_fake_stream_t stream;
    char from_id[TW_POSITION_ID_SIZE]; /* Last-Event-ID; empty: a fresh stream */
    bool opened;
    tw_position_t position;
    tw_gap_t gap;
    uint8_t gap_topics;
} tw_session_t;

typedef struct tw_client {
    tw_run_t *run;
    tw_test_random_t random;
    uint8_t topics;
    uint32_t cuts_left, hops_left;
    char last_id[TW_POSITION_ID_SIZE];
    tw_test_place_t at; /* where the session is, or will be */
    tw_session_t *first, *session;
    tw_test_latch_t stays; /* open, and will not be cut any more */
    _Atomic bool has_fin;
} tw_client_t;

static void open_session(void *owner, void *data);

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_adapter_t *adapter = owner;
    adapter->ops->close_stream(adapter, subscriber, reason);
}

static void on_written(tw_fake_stream_t *stream)
{
    tw_client_t *client = stream->data;
    size_t count = stream->reader.message_count;

    if (count == 0)
        return;
    const char *id = stream->reader.messages[count - 1].last_event_id.bytes;
    snprintf(client->last_id, sizeof(client->last_id), "%s", id);
    if (strcmp(id, FIN) == 0)
        atomic_store(&client->has_fin, true);
}

static void cut(tw_client_t *client)
{
    tw_fake_stream_close(&client->session->stream, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_connection_dispose(&client->session->connection);
    --client->cuts_left;
    client->at = some_place(client->run, &client->random);
    tw_loop_post(&client->at.worker->thread.loop, open_session, client);
}

/* Lets some turns of the loop go by, and cuts. */
static void on_hop(void *owner, void *data)
{
    tw_client_t *client = data;
    if (client->hops_left-- > 0)
        tw_loop_post(&client->at.worker->thread.loop, on_hop, client);
    else
        cut(client);
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_session_t *session = data;
    tw_client_t *client = session->client;

    tw_check(status == TW_OK && !session->opened);
    session->opened = true;
    session->position = opening->position;
    session->gap = opening->gap;
    for (size_t i = 0; i < opening->topic_count; ++i)
        session->gap_topics |= topic_bit(&opening->topics[i]);
    /* The opening block's id is the client's last one from now on. */
    tw_position_id(opening->position, client->last_id);
    tw_fake_stream_begin(&session->stream);
    if (client->cuts_left == 0)
        tw_test_latch_set(&client->stays);
}

static void open_session(void *owner, void *data)
{
    tw_client_t *client = data;
    tw_adapter_t *adapter = client->at.node->adapter;
    tw_session_t *session = tw_alloc(sizeof(*session));
    char topics[TOPICS_MAX * 16];

    *(client->session != NULL ? &client->session->next : &client->first) = session;
    client->session = session;
    session->client = client;
    memcpy(session->from_id, client->last_id, sizeof(session->from_id));
    name_topics(client->run, client->topics, topics, sizeof(topics));
    tw_fake_connection_init(&session->connection, &client->at.worker->fanout.shard, let_go,
                            adapter);
    tw_fake_stream_init(&session->stream, &session->connection, topics, NULL);
    session->stream.on_written = on_written;
    session->stream.data = client;
    const tw_resume_t resume = {.last_event_id = session->from_id,
                                .last_event_id_len = strlen(session->from_id)};
    adapter->ops->open_stream(adapter, session->stream.subscriber, &resume, on_open, session);
    if (client->cuts_left == 0)
        return;
    client->hops_left = tw_test_random_below(&client->random, 40);
    if (client->hops_left == 0) /* sometimes before it has opened */
        cut(client);
    else
        tw_loop_post(&client->at.worker->thread.loop, on_hop, client);
}

static void end_client(void *data)
{
    tw_client_t *client = data;
    tw_fake_stream_close(&client->session->stream, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_connection_dispose(&client->session->connection);
}

/* --- judging: all is over, and the log is sorted --- */

static int compare_accepted(const void *a, const void *b)
{
    uint64_t x = ((const tw_accepted_t *)a)->seq, y = ((const tw_accepted_t *)b)->seq;
    return x < y ? -1 : x > y;
}

static const tw_accepted_t *find_id(const tw_run_t *run, const char *id)
{
    for (size_t i = 0; i < run->log_count; ++i)
        if (strcmp(run->log[i].id, id) == 0)
            return &run->log[i];
    return NULL;
}

/* Whether the tails of all these topics may have lost the event by now. */
static bool may_be_evicted(const tw_run_t *run, const tw_accepted_t *event, uint8_t topics)
{
    for (uint32_t t = 0; t < run->topic_count; ++t) {
        uint32_t newer = 0;
        if ((event->topics & topics & 1U << t) == 0)
            continue;
        for (const tw_accepted_t *later = event + 1; later < run->log + run->log_count; ++later)
            newer += later->topics >> t & 1;
        if (newer < run->tail_events)
            return false;
    }
    return true;
}

typedef struct tw_judge {
    const tw_run_t *run;
    const tw_client_t *client;
    const tw_session_t *session;
    uint64_t seen; /* everything up to here was seen, or the client was told of it */
} tw_judge_t;

static _Noreturn void complain(const tw_judge_t *judge, const char *what,
                               const tw_accepted_t *event)
{
    const tw_session_t *session = judge->session;
    char *ids = tw_fake_stream_ids(&session->stream);

    fprintf(stderr,
            "run %" PRIu32 ": %s (event %s, seq %" PRIu64
            ", topics %02x)\nclient topics %02x, "
            "session from '%s', gap %s, gap topics %02x, position %" PRIu64 ", before it %" PRIu64
            "\nsession saw: %s\naccepted:",
            judge->run->number, what, event != NULL ? event->id : "-",
            event != NULL ? event->seq : 0, event != NULL ? event->topics : 0,
            judge->client->topics, session->from_id, tw_gap_label(session->gap),
            session->gap_topics, session->position.seq, judge->seen, ids);
    for (size_t i = 0; i < judge->run->log_count; ++i)
        fprintf(stderr, " %s/%" PRIu64 "/%02x", judge->run->log[i].id, judge->run->log[i].seq,
                judge->run->log[i].topics);
    fprintf(stderr, "\n");
    free(ids);
    abort();
}

/* What the client did not get of (seen, until) must be lost for good, and the client told of it. */
static void pass_over(tw_judge_t *judge, uint64_t until)
{
    const tw_run_t *run = judge->run;

    for (size_t i = 0; i < run->log_count && run->log[i].seq < until; ++i) {
        const tw_accepted_t *event = &run->log[i];
        uint8_t topics = event->topics & judge->client->topics;
        if (event->seq <= judge->seen || topics == 0)
            continue;
        if (judge->session->gap == TW_GAP_NONE)
            complain(judge, "an event is missing and no gap was told", event);
        if ((topics & ~judge->session->gap_topics) != 0)
            complain(judge, "an event is missing of a topic that the gap does not name", event);
        if (!may_be_evicted(run, event, topics))
            complain(judge, "an event is missing that is still kept", event);
    }
    if (judge->seen < until - 1)
        judge->seen = until - 1;
}

static void judge_messages(tw_judge_t *judge)
{
    const tw_sse_reader_t *reader = &judge->session->stream.reader;
    uint64_t last = judge->session->position.seq;

    for (size_t i = 0; i < reader->message_count; ++i) {
        const tw_accepted_t *event = find_id(judge->run, reader->messages[i].last_event_id.bytes);
        if (event == NULL || (event->topics & judge->client->topics) == 0)
            complain(judge, "an event that was not accepted for these topics", event);
        if (event->seq <= last)
            complain(judge, "an event twice, out of order, or before the opening", event);
        last = event->seq;
        if (event->seq <= judge->seen) {
            if (judge->session->gap != TW_GAP_UNKNOWN_ID)
                complain(judge, "an event again", event);
            continue;
        }
        pass_over(judge, event->seq);
        judge->seen = event->seq;
    }
}

/* Whether something of this topic that the client had not seen may be lost. A node that reads tails
 * anew from elsewhere knows that they lost something, not what another of the topics kept of it. */
static bool may_have_lost(const tw_judge_t *judge, uint8_t topic)
{
    const tw_run_t *run = judge->run;
    bool exact = run->suite->factory->nodes_max == 1;

    for (const tw_accepted_t *event = run->log; event < run->log + run->log_count; ++event)
        if (event->seq > judge->seen && (event->topics & topic) != 0 &&
            may_be_evicted(run, event, exact ? judge->client->topics : topic))
            return true;
    return false;
}

static void judge_evicted(const tw_judge_t *judge)
{
    if (judge->session->gap_topics == 0)
        complain(judge, "a gap without topics", NULL);
    for (uint32_t t = 0; t < judge->run->topic_count; ++t) {
        uint8_t topic = (uint8_t)(judge->session->gap_topics & 1U << t);
        if (topic != 0 && !may_have_lost(judge, topic))
            complain(judge, "a gap was told, and nothing was lost", NULL);
    }
}

static void judge_session(tw_judge_t *judge)
{
    const tw_session_t *session = judge->session;

    if (session->gap == TW_GAP_OTHER_EPOCH)
        complain(judge, "the epoch did not change", NULL);
    if (session->gap == TW_GAP_UNKNOWN_ID) {
        const tw_accepted_t *from = find_id(judge->run, session->from_id);
        if (from == NULL || !may_be_evicted(judge->run, from, judge->client->topics))
            complain(judge, "the id is known", from);
    }
    if (session->gap == TW_GAP_EVICTED)
        judge_evicted(judge);
    if (session->from_id[0] == '\0') /* the client begins here */
        judge->seen = session->position.seq;
    pass_over(judge, session->position.seq + 1);
    judge_messages(judge);
}

static void judge_client(const tw_run_t *run, const tw_client_t *client)
{
    tw_judge_t judge = {.run = run, .client = client};

    for (judge.session = client->first; judge.session != NULL; judge.session = judge.session->next)
        if (judge.session->opened)
            judge_session(&judge);
    /* It was open to the end, so it has seen the end. */
    tw_check(judge.seen == run->log[run->log_count - 1].seq);
}

/* --- one run --- */

static void free_client(tw_client_t *client)
{
    for (tw_session_t *session = client->first, *next; session != NULL; session = next) {
        next = session->next;
        tw_fake_stream_dispose(&session->stream);
        free(session);
    }
    tw_test_latch_dispose(&client->stays);
}

static bool has_fin(void *data)
{
    tw_client_t *client = data;
    return atomic_load(&client->has_fin);
}

static void start(tw_run_t *run, tw_test_random_t *random, tw_client_t *clients,
                  size_t client_count, tw_publisher_t *publishers, size_t publisher_count)
{
    for (size_t i = 0; i < client_count; ++i) {
        tw_client_t *client = &clients[i];
        *client = (tw_client_t){.run = run,
                                .random = {.state = tw_test_random_next(random)},
                                .topics = some_topics(run, random),
                                .cuts_left = tw_test_random_below(random, 7),
                                .at = some_place(run, random)};
        tw_test_latch_init(&client->stays);
        tw_loop_post(&client->at.worker->thread.loop, open_session, client);
    }
    for (size_t i = 0; i < publisher_count; ++i) {
        publishers[i] = (tw_publisher_t){.run = run,
                                         .at = some_place(run, random),
                                         .random = {.state = tw_test_random_next(random)},
                                         .name = (char)('a' + i),
                                         .count = 1 + tw_test_random_below(random, EVENTS_MAX)};
        tw_test_latch_init(&publishers[i].done);
    }
    for (size_t i = 0; i < publisher_count; ++i)
        tw_test_thread_call(&publishers[i].at.worker->thread, start_publishing, &publishers[i]);
}

static void finish(tw_run_t *run, tw_client_t *clients, size_t client_count,
                   tw_publisher_t *publishers, size_t publisher_count)
{
    tw_publisher_t *last = &publishers[0];

    for (size_t i = 0; i < publisher_count; ++i)
        tw_test_latch_wait(&publishers[i].done);
    for (size_t i = 0; i < client_count; ++i)
        tw_test_latch_wait(&clients[i].stays);
    last->done.set = false; /* nobody else looks at it now */
    tw_test_thread_call(&last->at.worker->thread, publish_fin, last);
    tw_test_latch_wait(&last->done);
    for (size_t i = 0; i < client_count; ++i) {
        tw_test_until(has_fin, &clients[i]);
        tw_test_thread_call(&clients[i].at.worker->thread, end_client, &clients[i]);
    }
    qsort(run->log, run->log_count, sizeof(run->log[0]), compare_accepted);
    for (size_t i = 0; i < client_count; ++i) {
        judge_client(run, &clients[i]);
        free_client(&clients[i]);
    }
    for (size_t i = 0; i < publisher_count; ++i)
        tw_test_latch_dispose(&publishers[i].done);
}

static void play(const tw_suite_run_t *suite, const char *name, uint32_t tail_events, uint32_t runs)
{
    tw_hub_config_t config = tw_test_config();
    tw_test_cluster_t cluster;
    tw_test_random_t random;
    tw_client_t clients[CLIENTS_MAX] = {{.run = NULL}};
    tw_publisher_t publishers[PUBLISHERS_MAX] = {{.run = NULL}};

    tw_test_random_init(&random, name, 20260101);
    config.tail_events = tail_events;
    tw_suite_open(&cluster, suite, &config);
    for (uint32_t i = 0; i < runs; ++i) {
        tw_run_t *run = tw_alloc(sizeof(*run));
        *run = (tw_run_t){.suite = suite,
                          .cluster = &cluster,
                          .number = i,
                          .topic_count = 1 + tw_test_random_below(&random, TOPICS_MAX),
                          .tail_events = tail_events};
        size_t client_count = 1 + tw_test_random_below(&random, CLIENTS_MAX);
        size_t publisher_count = 1 + tw_test_random_below(&random, PUBLISHERS_MAX);
        pthread_mutex_init(&run->lock, NULL);
        start(run, &random, clients, client_count, publishers, publisher_count);
        finish(run, clients, client_count, publishers, publisher_count);
        pthread_mutex_destroy(&run->lock);
        free(run);
    }
    tw_test_cluster_close(&cluster);
}

static void test_property__resumed_streams_lose_and_repeat_nothing(const tw_suite_run_t *suite)
{
    play(suite, "resume", LOG_MAX, tw_test_runs(2000));
}

static void test_property__gaps_are_told_where_something_was_lost(const tw_suite_run_t *suite)
{
    play(suite, "resume with small tails", 3, tw_test_runs(1000));
}

#define TEST(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

const tw_suite_test_t tw_suite_property[] = {
    TEST(test_property__resumed_streams_lose_and_repeat_nothing),
    TEST(test_property__gaps_are_told_where_something_was_lost),
    {NULL, NULL},
};
