/*
 * The Redis adapter against a Redis that answers with anything (tests/fuzz/fake_redis.h): replies,
 * messages, lost connections, while streams open and close, events are published and admins read.
 * The first byte: bit 0, greetings are made of the input, too; bit 1, topics have a resume window.
 * Then steps, each a byte, and between them what the fake Redis takes. Checked: every question is
 * answered once, a node that is stopped stops, and what a subscriber gets is events and nothing
 * else.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "runtime/model/sse.h"
#include "runtime/redis/adapter.h"
#include "tests/fuzz/clock.h"
#include "tests/fuzz/fake_redis.h"
#include "tests/support/check.h"
#include "tests/support/fake_transport.h"
#include "tests/support/workers.h"

#define STREAMS 3
#define QUIET_TURNS 4
#define TURN_MS 5
#define STEPS_MAX 48
#define TURNS_MAX 4000 /* 20 s of the adapter's time: above each of its timeouts */

typedef struct tw_node_test {
    uv_loop_t uv;
    tw_loop_t loop; /* the control loop */
    tw_fake_redis_t redis;
    tw_hub_t *hub;
    tw_adapter_t *adapter;
    tw_test_workers_t workers;
    tw_fake_connection_t connection;
    tw_fake_stream_t streams[STREAMS];
    bool in_use[STREAMS];
    unsigned asked, answered;
    bool stopped;
} tw_node_test_t;

static tw_node_test_t *test;
static const tw_node_info_t info = {
    .node_id = "n", .hostname = "h", .ip = "127.0.0.1", .version = "0", .started_at_ms = 1};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    signal(SIGPIPE, SIG_IGN); /* as the server does */
    tw_log_start(open("/dev/null", O_WRONLY | O_CLOEXEC), TW_LOG_DEBUG, true);
    return 0;
}

/* --- turns --- */

static void turn(void)
{
    uv_run(&test->uv, UV_RUN_NOWAIT);
    tw_test_workers_pump(&test->workers);
}

/* Until nothing moves any more: no command comes, nothing is being connected or looked up. */
static void settle(void)
{
    for (unsigned quiet = 0, turns = 0; quiet < QUIET_TURNS && turns < TURNS_MAX; ++turns) {
        size_t commands = test->redis.commands;
        turn();
        bool moved = test->redis.commands != commands || test->uv.active_reqs.count > 0;
        quiet = moved ? 0 : quiet + 1;
    }
}

/* Lets time pass until it holds; false: it did not within the adapter's longest timeout. */
static bool pass_until(bool (*holds)(void))
{
    for (unsigned turns = 0; !holds(); ++turns) {
        if (turns == TURNS_MAX)
            return false;
        settle();
        tw_fuzz_clock_advance(TURN_MS);
    }
    return true;
}

/* --- answers --- */

static void on_followed(void *data, tw_status_t status, const uint8_t *followed)
{
    ++test->answered;
}

static void on_published(void *data, tw_status_t status, const tw_dispatch_result_t *result)
{
    tw_check((status == TW_OK) == (result != NULL));
    ++test->answered;
}

static void on_topics(void *data, tw_status_t status, uint64_t total, const tw_topic_row_t *rows,
                      size_t count)
{
    for (size_t i = 0; i < count; ++i)
        for (size_t j = 0; j < rows[i].node_count; ++j)
            tw_check(rows[i].nodes[j].node_id != NULL);
    ++test->answered;
}

static void on_connections(void *data, tw_status_t status, uint64_t total,
                           const tw_stream_row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        tw_check(rows[i].stream_id != NULL && rows[i].node_id != NULL &&
                 rows[i].remote_address != NULL && rows[i].protocol != NULL);
    ++test->answered;
}

static void on_nodes(void *data, tw_status_t status, const tw_node_row_t *rows, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        tw_check(rows[i].node_id != NULL && rows[i].hostname != NULL && rows[i].ip != NULL &&
                 rows[i].version != NULL && rows[i].state != NULL);
    ++test->answered;
}

static void on_tail(void *data, tw_status_t status, tw_event_t *const *events, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        tw_check(events[i]->id_len > 0);
    ++test->answered;
}

static void on_status(void *data, tw_status_t status)
{
    ++test->answered;
}

static void on_subject_closed(void *data, tw_status_t status, uint64_t count)
{
    on_status(data, status);
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_fake_stream_t *stream = data;

    if (status == TW_OK) {
        tw_fake_stream_begin(stream);
        return;
    }
    tw_subscriber_destroy(stream->subscriber);
    stream->subscriber = NULL;
}

/* --- steps --- */

static const char *pick_topics(uint8_t byte)
{
    static const char *const lists[] = {"a", "b", "a,b", "c"};
    return lists[byte % 4];
}

/* Frames of events, whole, and nothing between them. */
static void check_stream(const tw_fake_stream_t *stream)
{
    tw_check(stream->reader.line.len == 0 && stream->reader.data.len == 0);
    tw_check(stream->reader.retry_ms == -1 && stream->reader.comments == 0);
}

static void end_stream(size_t i)
{
    tw_fake_stream_t *stream = &test->streams[i];

    if (!test->in_use[i])
        return;
    test->in_use[i] = false;
    check_stream(stream);
    if (stream->subscriber != NULL)
        tw_fake_stream_close(stream, TW_CLOSE_CLIENT_CLOSED);
    tw_fake_stream_dispose(stream);
}

static void open_stream(tw_fuzz_input_t *input)
{
    static const tw_claims_t ann = {.subject = "ann", .subject_len = 3, .issued_at_ms = 1};
    uint8_t how = tw_fuzz_byte(input);
    size_t i = how % STREAMS;
    tw_fake_stream_t *stream = &test->streams[i];
    tw_fuzz_text_t id = {0};

    if ((how & 0x80) != 0)
        id = tw_fuzz_bytes(input, tw_fuzz_byte(input) % 40);
    end_stream(i);
    test->in_use[i] = true;
    tw_fake_stream_init(stream, &test->connection, pick_topics(how >> 2), NULL);
    if ((how & 0x40) != 0)
        tw_subscriber_set_claims(stream->subscriber, &ann);
    const tw_resume_t resume = {.last_event_id = id.base, .last_event_id_len = id.len};
    test->adapter->ops->open_stream(test->adapter, stream->subscriber, &resume, on_open, stream);
}

static void publish(uint8_t how)
{
    tw_event_t *event = tw_test_event(pick_topics(how), "7", "x\ny");
    tw_topic_list_t topics;

    tw_topic_list_init(&topics, 4);
    tw_check(tw_topic_list_add(&topics, "a,d", 3) == TW_TOPIC_LIST_OK);
    test->asked += 2;
    test->adapter->ops->has_subscribers(test->adapter, &test->workers.items[0].fanout.shard.loop,
                                        &topics, on_followed, NULL);
    test->adapter->ops->publish(test->adapter, &test->workers.items[0].fanout.shard.loop, event,
                                on_published, NULL);
    tw_topic_list_dispose(&topics);
    tw_event_unref(event);
}

static void read_state(uint8_t how)
{
    tw_loop_t *from = &test->workers.items[0].fanout.shard.loop;
    const tw_topic_name_t topic = tw_topic_name("a", 1);
    tw_page_query_t query = {.page = 1, .page_size = 10};

    ++test->asked;
    switch (how % 9) {
    case 0:
        test->adapter->ops->list_topics(test->adapter, from, &query, on_topics, NULL);
        break;
    case 1:
        query.topic = &topic;
        test->adapter->ops->list_streams(test->adapter, from, &query, on_connections, NULL);
        break;
    case 2:
        test->adapter->ops->list_streams(test->adapter, from, &query, on_connections, NULL);
        break;
    case 3:
        test->adapter->ops->list_nodes(test->adapter, from, on_nodes, NULL);
        break;
    case 4:
        test->adapter->ops->tail_events(test->adapter, from, &topic, NULL, 5, on_tail, NULL);
        break;
    case 5:
        query.subject = tw_text_of("ann");
        test->adapter->ops->list_streams(test->adapter, from, &query, on_connections, NULL);
        break;
    case 6:
        test->adapter->ops->close_subject(test->adapter, from, tw_text_of("ann"), TW_CLOSE_ADMIN,
                                          on_subject_closed, NULL);
        break;
    case 7:
        test->adapter->ops->revoke(test->adapter, from, tw_text_of("ann"), INT64_C(1) << 52,
                                   on_status, NULL);
        break;
    default:
        test->adapter->ops->close_by_id(test->adapter, from, "00000001-1", TW_CLOSE_ADMIN,
                                        on_status, NULL);
        break;
    }
}

static void step(tw_fuzz_input_t *input)
{
    uint8_t what = tw_fuzz_byte(input);

    switch (what % 8) {
    case 0:
    case 1:
        open_stream(input);
        break;
    case 2:
        publish(tw_fuzz_byte(input));
        break;
    case 3:
    case 4:
        read_state(tw_fuzz_byte(input));
        break;
    case 5:
        end_stream(tw_fuzz_byte(input) % STREAMS);
        break;
    case 6:
        tw_fake_redis_publish(&test->redis);
        break;
    default:
        tw_fuzz_clock_advance((uint64_t)tw_fuzz_byte(input) * 8);
        break;
    }
    if ((what & 0x40) == 0)
        settle();
}

/* --- life --- */

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    test->adapter->ops->close_stream(test->adapter, subscriber, reason);
}

static void set_up(tw_fuzz_input_t *input)
{
    uint8_t how = tw_fuzz_byte(input);
    tw_hub_config_t config = tw_test_config();
    char url[64], error[256];

    test = calloc(1, sizeof(*test));
    tw_check(test != NULL && uv_loop_init(&test->uv) == 0);
    tw_loop_init(&test->loop, &test->uv, "control", test, NULL);
    config.worker_count = 1;
    config.tail_events = 4;
    config.resume_window_ms = (how & 2) != 0 ? 1000 : 0;
    test->hub = tw_hub_create(&config);
    tw_fake_redis_init(&test->redis, &test->uv, info.node_id, input);
    test->redis.rude = (how & 1) != 0;
    snprintf(url, sizeof(url), "redis://127.0.0.1:%d", test->redis.port);
    const tw_redis_config_t redis = {.access = {.url = url}};
    test->adapter = tw_redis_adapter_create(test->hub, &info, &redis, error, sizeof(error));
    tw_check(test->adapter != NULL);
    tw_test_workers_init(&test->workers, test->hub);
    tw_fake_connection_init(&test->connection, &test->workers.items[0].fanout.shard, let_go, NULL);
    tw_check(test->adapter->ops->start(test->adapter, &test->loop) == 0);
}

static void on_stopped(void *data)
{
    test->stopped = true;
}

static bool has_stopped(void)
{
    return test->stopped;
}

static bool is_closed(void)
{
    return test->redis.handles == 0;
}

static void tear_down(void)
{
    for (size_t i = 0; i < STREAMS; ++i)
        end_stream(i);
    test->adapter->ops->stop(test->adapter, on_stopped, NULL);
    tw_check(pass_until(has_stopped));
    tw_fake_redis_close(&test->redis);
    tw_check(pass_until(is_closed));
    tw_test_workers_pump(&test->workers);
    tw_check(test->answered == test->asked);
    tw_fake_connection_dispose(&test->connection);
    tw_test_workers_stop(&test->workers);
    tw_loop_run_calls(&test->loop);
    tw_loop_close(&test->loop);
    while (uv_run(&test->uv, UV_RUN_NOWAIT) != 0)
        ;
    test->adapter->ops->destroy(test->adapter);
    tw_check(uv_loop_close(&test->uv) == 0);
    tw_loop_dispose(&test->loop);
    tw_hub_destroy(test->hub);
    free(test);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_fuzz_input_t input = {data, size};

    set_up(&input);
    settle();
    for (unsigned steps = 0; input.left > 0 && steps < STEPS_MAX; ++steps)
        step(&input);
    tear_down();
    return 0;
}
