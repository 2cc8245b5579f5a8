#include "runtime/redis/client/link.h"

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

struct tw_redis_link {
    uv_loop_t *loop; /* borrowed */
    const tw_redis_limits_t *limits;
    const tw_redis_link_callbacks_t *callbacks;
    void *data;
    tw_redis_wire_t *wire; /* owned; NULL once failed */
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

static void free_when_idle(tw_redis_link_t *link)
{
    if (!link->closed || link->busy > 0 || link->handles > 0)
        return;
    redisReaderFree(link->reader);
    free(link->output);
    free(link->ring);
    free(link);
}

static void on_handle_closed(uv_handle_t *handle)
{
    tw_redis_link_t *link = handle->data;
    --link->handles;
    free_when_idle(link);
}

static void ring_push(tw_redis_link_t *link, waiting_t waiting)
{
    if (link->ring_count == link->ring_capacity) {
        size_t capacity = link->ring_capacity == 0 ? 64 : link->ring_capacity * 2;
        waiting_t *ring = tw_alloc(capacity * sizeof(*ring));
        for (size_t i = 0; i < link->ring_count; ++i)
            ring[i] = link->ring[(link->ring_head + i) & (link->ring_capacity - 1)];
        free(link->ring);
        link->ring = ring;
        link->ring_capacity = capacity;
        link->ring_head = 0;
    }
    size_t at = (link->ring_head + link->ring_count++) & (link->ring_capacity - 1);
    link->ring[at] = waiting;
}

static waiting_t ring_pop(tw_redis_link_t *link)
{
    waiting_t first = link->ring[link->ring_head];
    link->ring_head = (link->ring_head + 1) & (link->ring_capacity - 1);
    --link->ring_count;
    return first;
}

/* Ends the wire and tells everyone who waits. */
static void shut(tw_redis_link_t *link)
{
    if (link->wire == NULL)
        return;
    tw_redis_wire_close(link->wire);
    link->wire = NULL;
    link->open = false;
    uv_timer_stop(&link->clock);
    uv_prepare_stop(&link->flush);
    ++link->busy;
    while (link->ring_count > 0) {
        waiting_t waiting = ring_pop(link);
        if (waiting.on_reply != NULL)
            waiting.on_reply(NULL, waiting.data);
    }
    --link->busy;
}

void tw_redis_link_fail(tw_redis_link_t *link, const char *reason)
{
    if (link->wire == NULL)
        return;
    ++link->busy;
    shut(link);
    if (!link->closed)
        link->callbacks->on_fail(reason, link->data);
    --link->busy;
    free_when_idle(link);
}

void tw_redis_link_close(tw_redis_link_t *link)
{
    if (link == NULL)
        return;
    assert(!link->closed);
    link->closed = true;
    shut(link);
    uv_close((uv_handle_t *)&link->clock, on_handle_closed);
    uv_close((uv_handle_t *)&link->flush, on_handle_closed);
}

void tw_redis_link_flush(tw_redis_link_t *link)
{
    size_t len = link->output_len;

    link->output_len = 0;
    uv_prepare_stop(&link->flush);
    if (len > 0 && link->open)
        tw_redis_wire_write(link->wire, link->output, len);
}

static void on_flush(uv_prepare_t *flush)
{
    tw_redis_link_flush(flush->data);
}

static void on_clock(uv_timer_t *timer)
{
    tw_redis_link_t *link = timer->data;
    uint64_t now_ms = uv_now(link->loop);
    bool late = now_ms - link->ticked_at_ms > 2 * link->tick_ms;
    char reason[128];

    link->ticked_at_ms = now_ms;
    /* A clock that is late means that we slept: replies may lie unread in the socket. */
    if (link->ring_count == 0 || late)
        return;
    uint64_t since_ms = link->ring[link->ring_head].sent_at_ms;
    if (since_ms < link->read_at_ms)
        since_ms = link->read_at_ms; /* a long reply is on its way */
    if (now_ms - since_ms < link->limits->command_timeout_ms)
        return;
    snprintf(reason, sizeof(reason), "no reply within %u ms", link->limits->command_timeout_ms);
    tw_redis_link_fail(link, reason);
}

static void on_wire_open(void *data)
{
    tw_redis_link_t *link = data;
    link->open = true;
    link->tick_ms = link->limits->command_timeout_ms / 8 + 1;
    link->ticked_at_ms = uv_now(link->loop);
    uv_timer_start(&link->clock, on_clock, link->tick_ms, link->tick_ms);
    link->callbacks->on_open(link->data);
}

static void dispatch(tw_redis_link_t *link, const redisReply *reply)
{
    const char *reason = NULL;

    if (link->ring_count == 0) {
        tw_redis_link_fail(link, "a reply came that nothing asked for");
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR && link->callbacks->on_error != NULL)
        reason = link->callbacks->on_error(reply->str, link->data);
    if (reason != NULL) {
        tw_redis_link_fail(link, reason);
        return;
    }
    waiting_t waiting = ring_pop(link);
    if (waiting.on_reply != NULL)
        waiting.on_reply(reply, waiting.data);
}

static void on_wire_read(const char *bytes, size_t len, void *data)
{
    tw_redis_link_t *link = data;
    void *reply = NULL;

    link->read_at_ms = uv_now(link->loop);
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): while busy it is not freed, whatever a callback does
     */
    ++link->busy;
    while (len > 0 && link->wire != NULL) {
        size_t piece = len < FEED_BYTES ? len : FEED_BYTES;
        redisReaderFeed(link->reader, bytes, piece);
        bytes += piece;
        len -= piece;
        while (link->wire != NULL && redisReaderGetReply(link->reader, &reply) == REDIS_OK &&
               reply != NULL) {
            dispatch(link, reply);
            freeReplyObject(reply);
            reply = NULL;
        }
        if (link->reader->err != 0)
            tw_redis_link_fail(link, "it does not speak Redis' protocol");
        else if (link->reader->len > link->limits->reply_bytes_max)
            tw_redis_link_fail(link, "its reply is too long");
    }
    --link->busy;
    free_when_idle(link);
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
}

static void on_wire_fail(const char *reason, void *data)
{
    tw_redis_link_fail(data, reason);
}

tw_redis_link_t *tw_redis_link_open(uv_loop_t *loop, const tw_redis_endpoint_t *endpoint,
                                    const tw_redis_tls_t *tls, const tw_redis_limits_t *limits,
                                    const tw_redis_link_callbacks_t *callbacks, void *data)
{
    static const tw_redis_wire_callbacks_t wire_callbacks = {
        .on_open = on_wire_open, .on_read = on_wire_read, .on_fail = on_wire_fail};
    tw_redis_link_t *link = tw_alloc(sizeof(*link));

    link->loop = loop;
    link->limits = limits;
    link->callbacks = callbacks;
    link->data = data;
    link->reader = redisReaderCreate();
    if (link->reader == NULL)
        abort();
    link->reader->maxbuf = READER_IDLE_BYTES;
    uv_prepare_init(loop, &link->flush);
    link->flush.data = link;
    uv_timer_init(loop, &link->clock);
    link->clock.data = link;
    link->handles = 2;
    link->wire =
        tw_redis_wire_open(loop, endpoint, tls, limits->connect_timeout_ms, &wire_callbacks, link);
    return link;
}

/* Room for that many bytes more, which the bounds allow. */
static void reserve(tw_redis_link_t *link, size_t bytes)
{
    size_t needed = link->output_len + bytes;
    size_t capacity = link->output_capacity == 0 ? 4096 : link->output_capacity;

    if (needed <= link->output_capacity)
        return;
    while (capacity < needed)
        capacity *= 2;
    link->output = tw_realloc(link->output, capacity);
    link->output_capacity = capacity;
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
static int append(tw_redis_link_t *link, int argc, const char *const *argv, const size_t *lens)
{
    size_t bytes = HEAD_MAX;
    if (!link->open || link->ring_count >= link->limits->pending_max)
        return -1;
    for (int i = 0; i < argc; ++i)
        bytes += HEAD_MAX + lens[i] + 2;
    if (link->output_len + bytes + tw_redis_wire_unsent(link->wire) >
        link->limits->output_bytes_max)
        return -1;
    reserve(link, bytes);
    if (link->output_len == 0)
        uv_prepare_start(&link->flush, on_flush);
    char *to = put_head(link->output + link->output_len, '*', (size_t)argc);
    for (int i = 0; i < argc; ++i) {
        to = put_head(to, '$', lens[i]);
        to = (char *)memcpy(to, argv[i], lens[i]) + lens[i];
        *to++ = '\r';
        *to++ = '\n';
    }
    link->output_len = (size_t)(to - link->output);
    return 0;
}

int tw_redis_link_send(tw_redis_link_t *link, int argc, const char *const *argv, const size_t *lens,
                       tw_redis_reply_cb on_reply, void *data)
{
    if (append(link, argc, argv, lens) != 0)
        return -1;
    ring_push(link, (waiting_t){on_reply, data, uv_now(link->loop)});
    return 0;
}
