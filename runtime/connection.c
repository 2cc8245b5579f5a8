#include "runtime/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"

#define CHUNK_MIN 2

void tw_connection_init(tw_connection_t *connection, tw_shard_t *shard,
                        const tw_connection_ops_t *ops, const char *protocol)
{
    *connection = (tw_connection_t){.ops = ops,
                                    .shard = shard,
                                    .budget = {.max = shard->config.backlog->connection_bytes_max},
                                    .retire_at_ms = tw_shard_next_retirement(shard),
                                    .protocol = protocol};
}

void tw_connection_dispose(tw_connection_t *connection)
{
    assert(connection->stream_count == 0 && LIST_EMPTY(&connection->roomy) &&
           LIST_EMPTY(&connection->full));
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
    /* Most connections have one stream or very many, so chunks begin small and grow. */
    uint32_t size = connection->stream_count < CHUNK_MIN ? CHUNK_MIN : connection->stream_count * 3;
    if (size > TW_STREAM_CHUNK_MAX)
        size = TW_STREAM_CHUNK_MAX;
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
                            .written_tick = connection->shard->tick,
                            .flags = TW_STREAM_HELD,
                            .slot = (uint8_t)i};
    if (connection->stream_count++ == 0) {
        connection->oldest_tick = stream->written_tick;
        LIST_INSERT_HEAD(&connection->shard->connections, connection, link);
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
        LIST_REMOVE(connection, link);
}

size_t tw_connection_close_streams(tw_connection_t *connection, size_t max,
                                   tw_close_reason_t reason)
{
    size_t closed = 0;

    if (max > connection->stream_count)
        max = connection->stream_count;
    /* Closing a stream may free its chunk, and closing the last one may free the connection. So
     * neither is read again after the last close. */
    while (closed < max) {
        tw_stream_chunk_t *chunk = LIST_FIRST(&connection->full);
        if (chunk == NULL)
            chunk = LIST_FIRST(&connection->roomy);
        ++closed;
        connection->ops->close(connection, &chunk->slots[__builtin_ctzll(chunk->used)], reason);
    }
    return closed;
}
