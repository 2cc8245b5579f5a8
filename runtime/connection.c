#include "runtime/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"
#include "runtime/fanout.h"

#define CHUNK_MIN 2
#define CHUNK_MAX 64
#define HEARTBEAT_BATCH 512

/* Slots never move while in use: the transport keeps pointers to them. */
struct tw_stream_chunk {
    LIST_ENTRY(tw_stream_chunk) link; /* in the connection's `full` or `roomy` list */
    uint64_t used;                    /* bit i: slots[i] is in use */
    uint32_t size;                    /* ≤ CHUNK_MAX */
    tw_stream_t slots[];
};

_Static_assert(CHUNK_MAX <= 64, "the bits of `used`");

void tw_connection_init(tw_connection_t *connection, tw_fanout_t *fanout,
                        const tw_connection_ops_t *ops, const char *protocol)
{
    *connection = (tw_connection_t){.ops = ops,
                                    .fanout = fanout,
                                    .retire_at_ms = tw_fanout_next_retirement(fanout),
                                    .protocol = protocol};
}

void tw_connection_dispose(tw_connection_t *connection)
{
    assert(connection->stream_count == 0 && LIST_EMPTY(&connection->roomy) &&
           LIST_EMPTY(&connection->full));
    (void)connection;
}

static bool is_full(const tw_stream_chunk_t *chunk)
{
    return chunk->used == (chunk->size == 64 ? UINT64_MAX : (UINT64_C(1) << chunk->size) - 1);
}

static tw_stream_chunk_t *chunk_with_room(tw_connection_t *connection)
{
    tw_stream_chunk_t *chunk = LIST_FIRST(&connection->roomy);
    if (chunk != NULL)
        return chunk;
    /* Most connections hold one stream or very many: chunks begin small and grow. */
    uint32_t size = connection->stream_count < CHUNK_MIN ? CHUNK_MIN : connection->stream_count * 3;
    if (size > CHUNK_MAX)
        size = CHUNK_MAX;
    chunk = tw_alloc(sizeof(*chunk) + size * sizeof(tw_stream_t));
    chunk->size = size;
    LIST_INSERT_HEAD(&connection->roomy, chunk, link);
    return chunk;
}

tw_stream_t *tw_connection_add_stream(tw_connection_t *connection, tw_subscriber_t *subscriber)
{
    tw_stream_chunk_t *chunk = chunk_with_room(connection);
    unsigned i = (unsigned)__builtin_ctzll(~chunk->used);
    tw_stream_t *stream = &chunk->slots[i];

    chunk->used |= UINT64_C(1) << i;
    if (is_full(chunk)) {
        LIST_REMOVE(chunk, link);
        LIST_INSERT_HEAD(&connection->full, chunk, link);
    }
    *stream = (tw_stream_t){.subscriber = subscriber,
                            .written_tick = tw_fanout_tick(connection->fanout),
                            .flags = TW_STREAM_HELD,
                            .slot = (uint8_t)i};
    if (connection->stream_count++ == 0) {
        connection->oldest_tick = stream->written_tick;
        tw_fanout_link(connection->fanout, connection);
    }
    return stream;
}

void tw_connection_remove_stream(tw_connection_t *connection, tw_stream_t *stream)
{
    tw_stream_chunk_t *chunk = TW_CONTAINER_OF(stream - stream->slot, tw_stream_chunk_t, slots);
    bool was_full = is_full(chunk);

    chunk->used &= ~(UINT64_C(1) << stream->slot);
    *stream = (tw_stream_t){0};
    if (chunk->used == 0 || was_full)
        LIST_REMOVE(chunk, link);
    if (chunk->used == 0)
        free(chunk);
    else if (was_full)
        LIST_INSERT_HEAD(&connection->roomy, chunk, link);
    if (--connection->stream_count == 0)
        tw_fanout_unlink(connection->fanout, connection);
}

/* One pass over a list of chunks: what is due, and the age of the oldest that is not. */
typedef struct tw_heartbeat_pass {
    tw_connection_t *connection;
    uint16_t tick;
    uint16_t due_age;
    uint16_t oldest_age;
    size_t written;
    size_t count;
    tw_stream_t *due[HEARTBEAT_BATCH];
} tw_heartbeat_pass_t;

static void flush_pass(tw_heartbeat_pass_t *pass)
{
    if (pass->count > 0)
        pass->connection->ops->heartbeat(pass->connection, pass->due, pass->count);
    pass->written += pass->count;
    pass->count = 0;
}

static void pass_over(tw_heartbeat_pass_t *pass, const tw_chunk_list_t *chunks)
{
    tw_stream_chunk_t *chunk;
    LIST_FOREACH(chunk, chunks, link)
    {
        for (uint64_t used = chunk->used; used != 0; used &= used - 1) {
            tw_stream_t *stream = &chunk->slots[__builtin_ctzll(used)];
            uint16_t age = (uint16_t)(pass->tick - stream->written_tick);
            if (stream->flags != 0)
                continue;
            if (age >= pass->due_age) {
                stream->written_tick = pass->tick;
                pass->due[pass->count++] = stream;
                if (pass->count == HEARTBEAT_BATCH)
                    flush_pass(pass);
            } else if (age > pass->oldest_age) {
                pass->oldest_age = age;
            }
        }
    }
}

size_t tw_connection_heartbeat(tw_connection_t *connection, uint16_t tick, uint16_t silence)
{
    tw_heartbeat_pass_t pass;

    if ((uint16_t)(tick - connection->oldest_tick) < silence)
        return 0;
    pass.connection = connection;
    pass.tick = tick;
    /* What is nearly due goes along: one write for the connection now instead of two soon. */
    pass.due_age = (uint16_t)(silence - silence / 4);
    pass.oldest_age = 0;
    pass.written = pass.count = 0;
    pass_over(&pass, &connection->roomy);
    pass_over(&pass, &connection->full);
    flush_pass(&pass);
    connection->oldest_tick = (uint16_t)(tick - pass.oldest_age);
    return pass.written;
}

size_t tw_connection_close_streams(tw_connection_t *connection, size_t max,
                                   tw_close_reason_t reason)
{
    size_t closed = 0;

    if (max > connection->stream_count)
        max = connection->stream_count;
    /* A closed stream may take its chunk along, and the last one its connection: nothing of them is
     * read after it. */
    while (closed < max) {
        tw_stream_chunk_t *chunk = LIST_FIRST(&connection->full);
        if (chunk == NULL)
            chunk = LIST_FIRST(&connection->roomy);
        ++closed;
        connection->ops->close(connection, &chunk->slots[__builtin_ctzll(chunk->used)], reason);
    }
    return closed;
}

/* A stream whose opening is written; NULL when there is none. */
static tw_stream_t *find_begun(const tw_chunk_list_t *chunks)
{
    tw_stream_chunk_t *chunk;
    LIST_FOREACH(chunk, chunks, link)
    {
        for (uint64_t used = chunk->used; used != 0; used &= used - 1) {
            tw_stream_t *stream = &chunk->slots[__builtin_ctzll(used)];
            if ((stream->flags & TW_STREAM_HELD) == 0)
                return stream;
        }
    }
    return NULL;
}

void tw_connection_age(tw_connection_t *connection, int64_t now_ms, int64_t spread_ms,
                       int64_t step_ms)
{
    if (connection->retire_at_ms == 0 || now_ms < connection->retire_at_ms)
        return;
    if (!connection->retired) {
        connection->retired = true;
        connection->retire_at_ms = now_ms; /* the spread begins now, however late it was noticed */
        connection->ops->retire(connection);
    }
    int64_t left_ms = connection->retire_at_ms + spread_ms - now_ms;
    int64_t steps = left_ms > step_ms ? (left_ms + step_ms - 1) / step_ms : 1;
    uint32_t share = (uint32_t)((connection->stream_count + steps - 1) / steps);
    /* The last stream may take the connection along, so what is left is counted here. */
    for (uint32_t left = connection->stream_count; share > 0; --share) {
        tw_stream_t *stream = find_begun(&connection->full);
        if (stream == NULL)
            stream = find_begun(&connection->roomy);
        if (stream == NULL)
            return;
        connection->ops->close(connection, stream, TW_CLOSE_CONNECTION_AGE);
        if (--left == 0)
            return;
    }
}
