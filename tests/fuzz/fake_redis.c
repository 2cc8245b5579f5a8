#include "tests/fuzz/fake_redis.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <hiredis/hiredis.h>

#include "tests/support/check.h"
#include "tests/support/sse_reader.h"

#define DEPTH_MAX 4
#define FIRST_SEQ UINT64_C(1000000000)

struct tw_fake_redis_client {
    uv_tcp_t tcp;
    tw_fake_redis_t *redis;
    tw_fake_redis_client_t *next;
    redisReader *reader; /* owned */
    char bytes[65536];
};

/* --- writing RESP --- */

typedef tw_test_text_t text_t;

static void put(text_t *out, const char *text)
{
    tw_test_text_append(out, text, strlen(text));
}

static void put_head(text_t *out, char kind, uint64_t number)
{
    char head[32];
    snprintf(head, sizeof(head), "%c%" PRIu64 "\r\n", kind, number);
    put(out, head);
}

static void put_bulk(text_t *out, const char *bytes, size_t len)
{
    put_head(out, '$', len);
    tw_test_text_append(out, bytes, len);
    put(out, "\r\n");
}

static void put_text(text_t *out, const char *text)
{
    put_bulk(out, text, strlen(text));
}

static void put_number(text_t *out, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, number);
    put_text(out, text);
}

/* --- what the input makes --- */

/* Texts that mean something to the adapter, so that the input need not find them. */
static const char *const words[] = {
    "n",
    "other",
    "a",
    "b",
    "1000000005-1000000001",
    "1000000005-0",
    "e",
    "m",
    "cut",
    "hostname",
    "ip",
    "startedAt",
    "version",
    "instance",
    "state",
    "aa 1 2 17 1 1 0\naid: 1\ndata: x\n\n",
    "aa 1 2 17 3 1 1\na,bid: 2\nevent: e\ndata: y\n\n",
    "bb 1 2 17 1 1 0\naid: 3\ndata: z\n\n",
    "Q{\"from\":\"other\",\"token\":4,\"op\":\"list\",\"prefix\":\"\",\"count\":0,\"skip\":0}",
    "Q{\"from\":\"other\",\"token\":1,\"op\":\"list\",\"topic\":\"a\",\"count\":5,\"skip\":0}",
    "Q{\"from\":\"o\",\"token\":2,\"op\":\"list\",\"prefix\":\"01-\",\"count\":5,\"skip\":0}",
    "Q{\"from\":\"n\",\"token\":3,\"op\":\"close\",\"id\":\"00000001-1\"}",
    "A{\"token\":1,\"total\":7,\"rows\":[{\"i\":\"1\",\"t\":[\"a\"],\"a\":\"x\",\"o\":1}]}",
    "A{\"token\":2,\"closed\":true}",
    "00000009-1",
    "00000000000000aa",
    "master",
};

static void make_value(text_t *out, tw_fuzz_input_t *input, unsigned depth);

static void make_text(text_t *out, tw_fuzz_input_t *input)
{
    uint8_t pick = tw_fuzz_byte(input);
    if (pick < 128) {
        put_text(out, words[pick % (sizeof(words) / sizeof(words[0]))]);
        return;
    }
    tw_fuzz_text_t text = tw_fuzz_bytes(input, pick - 128);
    put_bulk(out, text.base, text.len);
}

static void make_array(text_t *out, tw_fuzz_input_t *input, unsigned depth)
{
    unsigned count = depth < DEPTH_MAX ? tw_fuzz_byte(input) % 8 : 0;
    put_head(out, '*', count);
    while (count-- > 0)
        make_value(out, input, depth + 1);
}

static void make_value(text_t *out, tw_fuzz_input_t *input, unsigned depth)
{
    switch (tw_fuzz_byte(input) % 8) {
    case 0:
    case 1:
        make_text(out, input);
        break;
    case 2:
        put_head(out, ':', tw_fuzz_byte(input));
        break;
    case 3:
        make_array(out, input, depth);
        break;
    case 4:
        put(out, "$-1\r\n");
        break;
    case 5:
        put(out, tw_fuzz_byte(input) % 2 != 0 ? "-EPOCH no\r\n" : "-ERR no\r\n");
        break;
    case 6:
        put_number(out, FIRST_SEQ + tw_fuzz_byte(input));
        break;
    default: {
        tw_fuzz_text_t raw = tw_fuzz_until(input, '\0');
        tw_test_text_append(out, raw.base != NULL ? raw.base : "", raw.len);
        break;
    }
    }
}

/* --- connections --- */

static void on_closed(uv_handle_t *handle)
{
    tw_fake_redis_client_t *client = handle->data;
    --client->redis->handles;
    redisReaderFree(client->reader);
    free(client);
}

static void drop(tw_fake_redis_client_t *client)
{
    tw_fake_redis_client_t **at = &client->redis->clients;

    if (uv_is_closing((uv_handle_t *)&client->tcp))
        return;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    if (client->redis->reader == client)
        client->redis->reader = NULL;
    uv_tcp_close_reset(&client->tcp, on_closed); /* leaves no TIME_WAIT behind */
}

/* Sends the text and empties it. */
static void send_text(tw_fake_redis_client_t *client, text_t *text)
{
    uv_buf_t buf = uv_buf_init(text->bytes, (unsigned)text->len);
    if (text->len > 0 && !uv_is_closing((uv_handle_t *)&client->tcp) &&
        uv_try_write((uv_stream_t *)&client->tcp, &buf, 1) != (int)text->len)
        drop(client);
    tw_test_text_dispose(text);
}

/* --- the inbox --- */

/* Answers the read that waits with what is there. */
static void deliver(tw_fake_redis_t *redis)
{
    tw_fake_redis_client_t *reader = redis->reader;
    text_t out = {0};

    if (reader == NULL || redis->entry_count == 0)
        return;
    redis->reader = NULL;
    put(&out, "*1\r\n*2\r\n");
    put_text(&out, "inbox");
    put_head(&out, '*', redis->entry_count);
    tw_test_text_append(&out, redis->entries.bytes, redis->entries.len);
    tw_test_text_dispose(&redis->entries);
    redis->entry_count = 0;
    send_text(reader, &out);
}

/* Begins an entry of so many fields, which follow. */
static void begin_entry(tw_fake_redis_t *redis, uint64_t number, size_t fields)
{
    char id[48];

    snprintf(id, sizeof(id), "%" PRIu64 "-%" PRIu64, number, redis->inbox_end);
    redis->inbox_end = number;
    ++redis->entry_count;
    put(&redis->entries, "*2\r\n");
    put_text(&redis->entries, id);
    put_head(&redis->entries, '*', fields);
}

void tw_fake_redis_publish(tw_fake_redis_t *redis)
{
    uint8_t kind = tw_fuzz_byte(redis->input);

    if (kind % 8 == 7) { /* an entry that is anything */
        make_value(&redis->entries, redis->input, 1);
        ++redis->entry_count;
    } else {
        redis->seq += 1 + kind % 3;
        redis->inbox_end -= kind % 16 == 8; /* it names another one before it */
        begin_entry(redis, redis->seq, 2);
        if (kind % 8 == 6)
            put_text(&redis->entries, "m");
        else
            put_number(&redis->entries, redis->seq);
        make_text(&redis->entries, redis->input);
    }
    deliver(redis);
}

static void on_clock(uv_timer_t *clock)
{
    tw_fake_redis_t *redis = clock->data;
    tw_fake_redis_client_t *reader = redis->reader;
    text_t out = {0};

    redis->reader = NULL;
    put(&out, "*-1\r\n");
    if (reader != NULL)
        send_text(reader, &out);
    else
        tw_test_text_dispose(&out);
}

static void read_inbox(tw_fake_redis_client_t *client)
{
    client->redis->reader = client;
    uv_timer_start(&client->redis->clock, on_clock, 1000, 0);
    deliver(client->redis);
}

/* --- answers as they should be --- */

static const char *argument(const redisReply *command, size_t i)
{
    return i < command->elements ? command->element[i]->str : "";
}

/* EVALSHA sha 1 lane epoch registration keep limit events {body renew topics topic…}… */
static void answer_publish(tw_fake_redis_t *redis, const redisReply *command, text_t *out)
{
    size_t events = strtoul(argument(command, 8), NULL, 10), at = 9, topics;

    put_head(out, '*', command->elements - 8 - events);
    put_number(out, redis->seq + 1);
    begin_entry(redis, redis->seq + events, 2 * events);
    for (; at + 3 < command->elements; at += 3 + topics) {
        topics = strtoul(argument(command, at + 2), NULL, 10);
        put_number(&redis->entries, ++redis->seq);
        put_bulk(&redis->entries, command->element[at]->str, command->element[at]->len);
        put(out, ":0\r\n:1\r\n");
        for (size_t i = 0; i < topics; ++i)
            put(out, ":1\r\n");
    }
    deliver(redis);
}

static void answer_join(tw_fake_redis_t *redis, text_t *out)
{
    put(out, "*6\r\n");
    put_text(out, "00000000000000aa");
    put_number(out, redis->seq);
    put_number(out, FIRST_SEQ);
    put_text(out, "0");
    put_head(out, ':', redis->joined);
    put_number(out, redis->inbox_end);
    redis->joined = true;
}

static void answer_lease(const tw_fake_redis_t *redis, text_t *out)
{
    put(out, "*6\r\n");
    put_number(out, redis->seq);
    put_number(out, redis->inbox_end);
    put(out, ":0\r\n$1\r\n0\r\n");
    put_text(out, "00000009-1");
    put_text(out, redis->node_id);
}

/* One 1 for each argument from the `first` element of the command on. */
static void answer_each(const redisReply *command, size_t first, text_t *out)
{
    put_head(out, '*', command->elements - first);
    for (size_t i = first; i < command->elements; ++i)
        put(out, ":1\r\n");
}

static void answer_script(tw_fake_redis_t *redis, const redisReply *command, text_t *out)
{
    int script = 0;
    while (script < TW_REDIS_SCRIPT_COUNT && strcmp(redis->sha[script], argument(command, 1)) != 0)
        ++script;
    switch (script) {
    case TW_REDIS_SCRIPT_JOIN:
        answer_join(redis, out);
        break;
    case TW_REDIS_SCRIPT_PUBLISH:
        answer_publish(redis, command, out);
        break;
    case TW_REDIS_SCRIPT_LEASE:
        answer_lease(redis, out);
        break;
    case TW_REDIS_SCRIPT_FOLLOW:
        put(out, "*2\r\n");
        put_number(out, redis->seq);
        put_number(out, redis->inbox_end);
        break;
    case TW_REDIS_SCRIPT_FOLLOWED:
        answer_each(command, 5, out);
        break;
    case TW_REDIS_SCRIPT_MISSED:
        answer_each(command, 8, out);
        break;
    case TW_REDIS_SCRIPT_READ:
        put(out, "*3\r\n:0\r\n$1\r\n0\r\n$1\r\n0\r\n");
        break;
    case TW_REDIS_SCRIPT_REVOCATIONS:
        put(out, "*2\r\n$0\r\n\r\n$1\r\n0\r\n");
        break;
    case TW_REDIS_SCRIPT_LEAVE:
    case TW_REDIS_SCRIPT_SWEEP:
        put(out, ":0\r\n");
        break;
    case TW_REDIS_SCRIPT_ACK:
        put_number(out, redis->inbox_end);
        break;
    case TW_REDIS_SCRIPT_LIST_TOPICS:
        put(out, "*1\r\n:0\r\n");
        break;
    case TW_REDIS_SCRIPT_LIST_NODES:
        put(out, "*1\r\n*2\r\n");
        put_text(out, "00000009-1");
        put_text(out, "other");
        break;
    default:
        put(out, ":1\r\n");
        break;
    }
}

static void answer_as_it_should(tw_fake_redis_client_t *client, const redisReply *command)
{
    const char *name = argument(command, 0);
    text_t out = {0};

    if (strcmp(name, "HELLO") == 0) {
        put(&out, "*6\r\n");
        put_text(&out, "version");
        put_text(&out, "7.0.15");
        put_text(&out, "mode");
        put_text(&out, "standalone");
        put_text(&out, "role");
        put_text(&out, "master");
    } else if (strcmp(name, "INFO") == 0) {
        put_text(&out, "# Server\r\nrun_id:r\r\nmaster_replid:h\r\nloading:0\r\nmaxmemory:0\r\n");
    } else if (strcmp(name, "EVALSHA") == 0) {
        answer_script(client->redis, command, &out);
    } else if (strcmp(name, "XREAD") == 0 && strcmp(argument(command, 1), "COUNT") == 0) {
        read_inbox(client);
    } else {
        put(&out, strcmp(name, "XREAD") == 0 ? "*-1\r\n" : "+OK\r\n");
    }
    send_text(client, &out);
}

/* --- commands --- */

static bool is_greeting(const redisReply *command)
{
    const char *name = argument(command, 0);
    return strcmp(name, "HELLO") == 0 || strcmp(name, "COMMAND") == 0 ||
           strcmp(name, "INFO") == 0 || strcmp(name, "SCRIPT") == 0;
}

static void on_command(tw_fake_redis_client_t *client, const redisReply *command)
{
    tw_fake_redis_t *redis = client->redis;
    uint8_t how = is_greeting(command) && !redis->rude ? 0 : tw_fuzz_byte(redis->input);
    text_t out = {0};

    ++redis->commands;
    if (how == 255) {
        drop(client);
    } else if ((how & 3) == 3) {
        make_value(&out, redis->input, 0);
        send_text(client, &out);
    } else {
        answer_as_it_should(client, command);
    }
    if ((how & 7) == 6)
        tw_fake_redis_publish(redis);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    tw_fake_redis_client_t *client = stream->data;
    void *command = NULL;

    if (n < 0) {
        drop(client);
        return;
    }
    redisReaderFeed(client->reader, buf->base, (size_t)n);
    while (!uv_is_closing((uv_handle_t *)stream) &&
           redisReaderGetReply(client->reader, &command) == REDIS_OK && command != NULL) {
        on_command(client, command);
        freeReplyObject(command);
        command = NULL;
    }
    tw_check(client->reader->err == 0); /* the gateway's commands are Redis' protocol */
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    tw_fake_redis_client_t *client = handle->data;
    *buf = uv_buf_init(client->bytes, sizeof(client->bytes));
}

static void on_connection(uv_stream_t *listener, int status)
{
    tw_fake_redis_t *redis = listener->data;
    tw_fake_redis_client_t *client = calloc(1, sizeof(*client));

    tw_check(client != NULL && status == 0);
    client->redis = redis;
    client->reader = redisReaderCreate();
    client->next = redis->clients;
    redis->clients = client;
    ++redis->handles;
    uv_tcp_init(listener->loop, &client->tcp);
    client->tcp.data = client;
    tw_check(uv_accept(listener, (uv_stream_t *)&client->tcp) == 0);
    uv_tcp_nodelay(&client->tcp, 1);
    tw_check(uv_read_start((uv_stream_t *)&client->tcp, on_alloc, on_read) == 0);
}

/* --- life --- */

void tw_fake_redis_init(tw_fake_redis_t *redis, uv_loop_t *loop, const char *node_id,
                        tw_fuzz_input_t *input)
{
    struct sockaddr_in address;
    int len = sizeof(address);

    *redis = (tw_fake_redis_t){.node_id = node_id, .input = input, .seq = FIRST_SEQ + 1};
    for (int i = 0; i < TW_REDIS_SCRIPT_COUNT; ++i)
        tw_redis_script_sha((tw_redis_script_t)i, redis->sha[i]);
    redis->inbox_end = redis->seq;
    uv_tcp_init(loop, &redis->listener);
    uv_timer_init(loop, &redis->clock);
    redis->listener.data = redis->clock.data = redis;
    redis->handles = 2;
    tw_check(uv_ip4_addr("127.0.0.1", 0, &address) == 0);
    tw_check(uv_tcp_bind(&redis->listener, (struct sockaddr *)&address, 0) == 0);
    tw_check(uv_listen((uv_stream_t *)&redis->listener, 8, on_connection) == 0);
    tw_check(uv_tcp_getsockname(&redis->listener, (struct sockaddr *)&address, &len) == 0);
    redis->port = ntohs(address.sin_port);
}

static void on_handle_closed(uv_handle_t *handle)
{
    tw_fake_redis_t *redis = handle->data;
    --redis->handles;
}

void tw_fake_redis_close(tw_fake_redis_t *redis)
{
    while (redis->clients != NULL)
        drop(redis->clients);
    tw_test_text_dispose(&redis->entries);
    redis->entry_count = 0;
    uv_close((uv_handle_t *)&redis->listener, on_handle_closed);
    uv_close((uv_handle_t *)&redis->clock, on_handle_closed);
}
