#include "runtime/redis/client/connection.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* The reader moves what is left of its buffer after each KiB that it parsed: small pieces keep that
 * cheap. */
#define FEED_BYTES ((size_t)8 * 1024)
#define READER_IDLE_BYTES ((size_t)1024 * 1024)
#define HEAD_MAX 24 /* of a command or an argument */

typedef struct waiting {
    tw_redis_reply_cb on_reply;
    void *data;
    uint64_t sent_at_ms; /* the loop's clock */
} waiting_t;

struct tw_redis_connection {
    uv_loop_t *loop; /* borrowed */
    const tw_redis_limits_t *limits;
    const tw_redis_connection_callbacks_t *callbacks;
    void *data;
    tw_redis_link_t *link; /* owned; NULL once failed */
    redisReader *reader;   /* owned */
    bool open, closed;
    unsigned busy; /* callbacks of ours on the stack */
    unsigned handles;
    uv_prepare_t flush; /* before the loop waits: writes what the turn has sent */
    uv_timer_t clock;   /* looks at the oldest command that waits */
    uint64_t tick_ms, ticked_at_ms, read_at_ms;
    char *output; /* owned */
    size_t output_len, output_capacity;
    waiting_t *ring; /* owned; a ring of ring_capacity, a power of two or 0 */
    size_t ring_capacity, ring_head, ring_count;
};

static void free_when_idle(tw_redis_connection_t *connection)
{
    if (!connection->closed || connection->busy > 0 || connection->handles > 0)
        return;
    redisReaderFree(connection->reader);
    free(connection->output);
    free(connection->ring);
    free(connection);
}

static void on_handle_closed(uv_handle_t *handle)
{
    tw_redis_connection_t *connection = handle->data;
    --connection->handles;
    free_when_idle(connection);
}

static void ring_push(tw_redis_connection_t *connection, waiting_t waiting)
{
    if (connection->ring_count == connection->ring_capacity) {
        size_t capacity = connection->ring_capacity == 0 ? 64 : connection->ring_capacity * 2;
        waiting_t *ring = tw_alloc(capacity * sizeof(*ring));
        for (size_t i = 0; i < connection->ring_count; ++i)
            ring[i] =
                connection->ring[(connection->ring_head + i) & (connection->ring_capacity - 1)];
        free(connection->ring);
        connection->ring = ring;
        connection->ring_capacity = capacity;
        connection->ring_head = 0;
    }
    size_t at =
        (connection->ring_head + connection->ring_count++) & (connection->ring_capacity - 1);
    connection->ring[at] = waiting;
}

static waiting_t ring_pop(tw_redis_connection_t *connection)
{
    waiting_t first = connection->ring[connection->ring_head];
    connection->ring_head = (connection->ring_head + 1) & (connection->ring_capacity - 1);
    --connection->ring_count;
    return first;
}

/* Ends the link and tells everyone who waits. */
static void shut(tw_redis_connection_t *connection)
{
    if (connection->link == NULL)
        return;
    tw_redis_link_close(connection->link);
    connection->link = NULL;
    connection->open = false;
    uv_timer_stop(&connection->clock);
    uv_prepare_stop(&connection->flush);
    ++connection->busy;
    while (connection->ring_count > 0) {
        waiting_t waiting = ring_pop(connection);
        if (waiting.on_reply != NULL)
            waiting.on_reply(NULL, waiting.data);
    }
    --connection->busy;
}

void tw_redis_connection_fail(tw_redis_connection_t *connection, const char *reason)
{
    if (connection->link == NULL)
        return;
    ++connection->busy;
    shut(connection);
    if (!connection->closed)
        connection->callbacks->on_fail(reason, connection->data);
    --connection->busy;
    free_when_idle(connection);
}

void tw_redis_connection_close(tw_redis_connection_t *connection)
{
    if (connection == NULL)
        return;
    assert(!connection->closed);
    connection->closed = true;
    shut(connection);
    uv_close((uv_handle_t *)&connection->clock, on_handle_closed);
    uv_close((uv_handle_t *)&connection->flush, on_handle_closed);
}

void tw_redis_connection_flush(tw_redis_connection_t *connection)
{
    size_t len = connection->output_len;

    connection->output_len = 0;
    uv_prepare_stop(&connection->flush);
    if (len > 0 && connection->open)
        tw_redis_link_write(connection->link, connection->output, len);
}

static void on_flush(uv_prepare_t *flush)
{
    tw_redis_connection_flush(flush->data);
}

static void on_clock(uv_timer_t *timer)
{
    tw_redis_connection_t *connection = timer->data;
    uint64_t now_ms = uv_now(connection->loop);
    bool late = now_ms - connection->ticked_at_ms > 2 * connection->tick_ms;
    char reason[128];

    connection->ticked_at_ms = now_ms;
    /* A clock that is late means that we slept: replies may lie unread in the socket. */
    if (connection->ring_count == 0 || late)
        return;
    uint64_t since_ms = connection->ring[connection->ring_head].sent_at_ms;
    if (since_ms < connection->read_at_ms)
        since_ms = connection->read_at_ms; /* a long reply is on its way */
    if (now_ms - since_ms < connection->limits->command_timeout_ms)
        return;
    snprintf(reason, sizeof(reason), "no reply within %u ms",
             connection->limits->command_timeout_ms);
    tw_redis_connection_fail(connection, reason);
}

static void on_link_open(void *data)
{
    tw_redis_connection_t *connection = data;
    connection->open = true;
    connection->tick_ms = connection->limits->command_timeout_ms / 8 + 1;
    connection->ticked_at_ms = uv_now(connection->loop);
    uv_timer_start(&connection->clock, on_clock, connection->tick_ms, connection->tick_ms);
    connection->callbacks->on_open(connection->data);
}

static void dispatch(tw_redis_connection_t *connection, const redisReply *reply)
{
    /* A subscriber's connection mixes both: only what is published comes as an array of its own
     * kind. */
    if (connection->ring_count > 0) {
        waiting_t waiting = ring_pop(connection);
        if (waiting.on_reply != NULL)
            waiting.on_reply(reply, waiting.data);
        if (reply->type == REDIS_REPLY_ERROR && connection->link != NULL &&
            connection->callbacks->on_error != NULL)
            connection->callbacks->on_error(reply, connection->data);
    } else if (connection->callbacks->on_push != NULL) {
        connection->callbacks->on_push(reply, connection->data);
    } else {
        tw_redis_connection_fail(connection, "a reply came that nothing asked for");
    }
}

static void on_link_read(const char *bytes, size_t len, void *data)
{
    tw_redis_connection_t *connection = data;
    void *reply = NULL;

    connection->read_at_ms = uv_now(connection->loop);
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): while busy it is not freed, whatever a callback does
     */
    ++connection->busy;
    while (len > 0 && connection->link != NULL) {
        size_t piece = len < FEED_BYTES ? len : FEED_BYTES;
        redisReaderFeed(connection->reader, bytes, piece);
        bytes += piece;
        len -= piece;
        while (connection->link != NULL &&
               redisReaderGetReply(connection->reader, &reply) == REDIS_OK && reply != NULL) {
            dispatch(connection, reply);
            freeReplyObject(reply);
            reply = NULL;
        }
        if (connection->reader->err != 0)
            tw_redis_connection_fail(connection, "it does not speak Redis' protocol");
        else if (connection->reader->len > connection->limits->reply_bytes_max)
            tw_redis_connection_fail(connection, "its reply is too long");
    }
    --connection->busy;
    free_when_idle(connection);
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
}

static void on_link_fail(const char *reason, void *data)
{
    tw_redis_connection_fail(data, reason);
}

tw_redis_connection_t *tw_redis_connection_open(uv_loop_t *loop,
                                                const tw_redis_endpoint_t *endpoint, SSL_CTX *tls,
                                                const tw_redis_limits_t *limits,
                                                const tw_redis_connection_callbacks_t *callbacks,
                                                void *data)
{
    static const tw_redis_link_callbacks_t link_callbacks = {
        .on_open = on_link_open, .on_read = on_link_read, .on_fail = on_link_fail};
    tw_redis_connection_t *connection = tw_alloc(sizeof(*connection));

    connection->loop = loop;
    connection->limits = limits;
    connection->callbacks = callbacks;
    connection->data = data;
    connection->reader = redisReaderCreate();
    if (connection->reader == NULL)
        abort();
    connection->reader->maxbuf = READER_IDLE_BYTES;
    uv_prepare_init(loop, &connection->flush);
    connection->flush.data = connection;
    uv_timer_init(loop, &connection->clock);
    connection->clock.data = connection;
    connection->handles = 2;
    connection->link = tw_redis_link_open(loop, endpoint, tls, limits->connect_timeout_ms,
                                          &link_callbacks, connection);
    return connection;
}

/* Room for that many bytes more, which the bounds allow. */
static void reserve(tw_redis_connection_t *connection, size_t bytes)
{
    size_t needed = connection->output_len + bytes;
    size_t capacity = connection->output_capacity == 0 ? 4096 : connection->output_capacity;

    if (needed <= connection->output_capacity)
        return;
    while (capacity < needed)
        capacity *= 2;
    connection->output = tw_realloc(connection->output, capacity);
    connection->output_capacity = capacity;
}

/* "<kind><number>\r\n" */
static char *put_head(char *to, char kind, size_t number)
{
    char digits[20];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    *to++ = kind;
    while (count > 0)
        *to++ = digits[--count];
    *to++ = '\r';
    *to++ = '\n';
    return to;
}

/*
 * Appends the command to the turn's output, if the bounds allow it. By hand, since hiredis'
 * formatter makes a copy, with a printf for each argument: commands here have hundreds.
 */
static int append(tw_redis_connection_t *connection, int argc, const char *const *argv,
                  const size_t *lens)
{
    size_t bytes = HEAD_MAX;
    if (!connection->open || connection->ring_count >= connection->limits->pending_max)
        return -1;
    for (int i = 0; i < argc; ++i)
        bytes += HEAD_MAX + lens[i] + 2;
    if (connection->output_len + bytes + tw_redis_link_unsent(connection->link) >
        connection->limits->output_bytes_max)
        return -1;
    reserve(connection, bytes);
    if (connection->output_len == 0)
        uv_prepare_start(&connection->flush, on_flush);
    char *to = put_head(connection->output + connection->output_len, '*', (size_t)argc);
    for (int i = 0; i < argc; ++i) {
        to = put_head(to, '$', lens[i]);
        to = (char *)memcpy(to, argv[i], lens[i]) + lens[i];
        *to++ = '\r';
        *to++ = '\n';
    }
    connection->output_len = (size_t)(to - connection->output);
    return 0;
}

int tw_redis_connection_send(tw_redis_connection_t *connection, int argc, const char *const *argv,
                             const size_t *lens, tw_redis_reply_cb on_reply, void *data)
{
    if (append(connection, argc, argv, lens) != 0)
        return -1;
    ring_push(connection, (waiting_t){on_reply, data, uv_now(connection->loop)});
    return 0;
}

int tw_redis_connection_send_push(tw_redis_connection_t *connection, int argc,
                                  const char *const *argv, const size_t *lens)
{
    return append(connection, argc, argv, lens);
}
