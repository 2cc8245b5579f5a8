/**
 * A transport connection as the runtime sees it, and the streams on it.
 *
 * Fan-out goes connection by connection, so what it touches of a stream is 32 bytes that lie next
 * to those of its neighbours on the same connection, and the transport is called once per event and
 * connection. The transport (handlers/) embeds tw_connection_t as its first member and implements
 * the operations; nothing here knows what a transport is made of. Everything belongs to the worker
 * that accepted the connection, and to its thread.
 */
#ifndef TW_RUNTIME_CONNECTION_H
#define TW_RUNTIME_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/budget.h"
#include "runtime/model/close_reason.h"
#include "runtime/model/event.h"
#include "runtime/shard.h"

typedef struct tw_connection tw_connection_t;
typedef struct tw_subscriber tw_subscriber_t;

/* tw_stream_t.flags */
#define TW_STREAM_BEHIND                                                                           \
    1u /* events wait in the subscriber's queue: everything new goes behind them */
#define TW_STREAM_DOOMED 2u /* will be closed at the end of this batch: gets nothing any more */
#define TW_STREAM_HELD                                                                             \
    4u /* its opening is not written yet: everything queues; the transport clears it */

/** The hot part of one SSE stream. A free slot has no subscriber. */
typedef struct tw_stream {
    uint64_t transport; /* the transport's own 8 bytes; at this address until the stream is freed */
    tw_subscriber_t *subscriber; /* borrowed: the subscriber frees the stream */
    uint64_t delivered;          /* events given to it */
    uint32_t mark; /* of the last multi-topic event: one that came by another topic already */
    uint16_t written_tick; /* the worker's clock when something was last written */
    uint8_t flags;
    uint8_t slot; /* its place in its chunk */
} tw_stream_t;

_Static_assert(sizeof(tw_stream_t) == 32, "two streams a cache line");

typedef struct tw_connection_ops {
    /**
     * Gives an event to n streams of this connection: writes the frame to each that can take it
     * now, and calls tw_subscriber_queue() for the others. Skips streams that are doomed or, by
     * tw_stream_skips(), have the event already. Returns to how many it went. Must not close or
     * open a stream before it returns.
     */
    size_t (*deliver)(tw_connection_t *connection, tw_event_t *event, tw_stream_t *const *streams,
                      size_t n);

    /** Writes the heartbeat comment to n streams that have been silent and are not behind. */
    void (*heartbeat)(tw_connection_t *connection, tw_stream_t *const *streams, size_t n);

    /** Ends the stream towards its client and lets go of the subscriber (tw_adapter close_stream)
     * before it returns. */
    void (*close)(tw_connection_t *connection, tw_stream_t *stream, tw_close_reason_t reason);

    /** Tells the client to make its next requests on another connection; what is open goes on. */
    void (*retire)(tw_connection_t *connection);
} tw_connection_ops_t;

#define TW_STREAM_CHUNK_MAX 64

/** Slots of streams. They never move while in use: the transport keeps pointers to them. */
typedef struct tw_stream_chunk {
    LIST_ENTRY(tw_stream_chunk) link; /* in the connection's `full` or `roomy` list */
    uint64_t used;                    /* bit i: slots[i] is in use */
    uint32_t size;                    /* ≤ TW_STREAM_CHUNK_MAX */
    tw_stream_t slots[];
} tw_stream_chunk_t;

_Static_assert(TW_STREAM_CHUNK_MAX <= 64, "the bits of `used`");

typedef LIST_HEAD(tw_chunk_list, tw_stream_chunk) tw_chunk_list_t;

struct tw_connection {
    const tw_connection_ops_t *ops;
    tw_shard_t *shard;              /* borrowed: outlives it */
    LIST_ENTRY(tw_connection) link; /* the shard's list, while it has streams */
    tw_chunk_list_t roomy, full;    /* owned chunks of stream slots */
    tw_budget_t budget;             /* of its streams' queues, replays apart */
    uint32_t stream_count;
    uint16_t oldest_tick; /* no stream was written to before this */
    bool retired;
    int64_t retire_at_ms;    /* tw_clock_ms(); 0: never */
    const char *protocol;    /* a constant: "h2" or "http/1.1" */
    char remote_address[56]; /* "192.0.2.1:1234", "[2001:db8::1]:1234" */
};

/** Makes an embedded connection ready; the transport has set nothing before. */
void tw_connection_init(tw_connection_t *connection, tw_shard_t *shard,
                        const tw_connection_ops_t *ops, const char *protocol);

/** Frees what it owns; it has no streams any more. */
void tw_connection_dispose(tw_connection_t *connection);

/** A free stream slot for the subscriber; HELD. */
tw_stream_t *tw_connection_add_stream(tw_connection_t *connection, tw_subscriber_t *subscriber);

/** Gives a slot back. */
void tw_connection_remove_stream(tw_connection_t *connection, tw_stream_t *stream);

/** Closes up to max of its streams that were open when the call began; returns how many it closed.
 */
size_t tw_connection_close_streams(tw_connection_t *connection, size_t max,
                                   tw_close_reason_t reason);

/**
 * Whether the stream must not get the event: it is doomed, or it follows several of its topics and
 * has it from another one. Marks it.
 */
static inline bool tw_stream_skips(tw_stream_t *stream, const tw_event_t *event)
{
    if (event->topic_count > 1) {
        uint32_t mark = (uint32_t)(event->position.seq ^ event->position.epoch);
        if (stream->mark == mark)
            return true;
        stream->mark = mark;
    }
    return (stream->flags & TW_STREAM_DOOMED) != 0;
}

#endif
