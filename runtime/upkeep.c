#include "runtime/upkeep.h"

#define HEARTBEAT_BATCH 512

/* --- heartbeats --- */

/* A pass over the streams of a connection: those that are due, and the age of the oldest other one.
 * Ages are ticks of silence. */
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

static size_t heartbeat(tw_connection_t *connection, uint16_t tick, uint16_t silence)
{
    tw_heartbeat_pass_t pass;

    if ((uint16_t)(tick - connection->oldest_tick) < silence)
        return 0;
    pass.connection = connection;
    pass.tick = tick;
    /* Streams that are nearly due are written to as well: one write for the connection now instead
     * of two soon. */
    pass.due_age = (uint16_t)(silence - silence / 4);
    pass.oldest_age = 0;
    pass.written = pass.count = 0;
    pass_over(&pass, &connection->roomy);
    pass_over(&pass, &connection->full);
    flush_pass(&pass);
    connection->oldest_tick = (uint16_t)(tick - pass.oldest_age);
    return pass.written;
}

void tw_upkeep_heartbeat(tw_fanout_t *fanout, uint16_t silence)
{
    tw_shard_t *shard = &fanout->shard;
    tw_connection_t *connection;
    size_t written = 0;

    ++shard->tick;
    LIST_FOREACH(connection, &shard->connections, link)
    {
        written += heartbeat(connection, shard->tick, silence);
    }
    tw_count(&shard->counters.heartbeats, written);
    tw_fanout_reap(fanout);
}

/* --- age --- */

/* Finds a stream whose opening has been written, or returns NULL. */
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

static void advance_age(tw_connection_t *connection, int64_t now_ms, int64_t spread_ms,
                        int64_t step_ms)
{
    if (connection->retire_at_ms == 0 || now_ms < connection->retire_at_ms)
        return;
    if (!connection->retired) {
        connection->retired = true;
        connection->retire_at_ms = now_ms; /* the spread begins now, even if the timer came late */
        connection->ops->retire(connection);
    }
    int64_t left_ms = connection->retire_at_ms + spread_ms - now_ms;
    int64_t steps = left_ms > step_ms ? (left_ms + step_ms - 1) / step_ms : 1;
    uint32_t share = (uint32_t)((connection->stream_count + steps - 1) / steps);
    /* Closing the last stream may free the connection, so a copy of its count is used here. */
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

void tw_upkeep_age(tw_fanout_t *fanout, int64_t now_ms, int64_t spread_ms, int64_t step_ms)
{
    tw_connection_t *connection = LIST_FIRST(&fanout->shard.connections), *next;

    for (; connection != NULL; connection = next) {
        next = LIST_NEXT(connection, link); /* closing its last stream takes it off the list */
        advance_age(connection, now_ms, spread_ms, step_ms);
    }
}
