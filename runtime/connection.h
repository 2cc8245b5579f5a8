/**
 * A transport connection as the runtime sees it, and the streams on it.
 *
 * Fan-out goes connection by connection: it calls the transport once for each event and connection,
 * and what it touches of a stream are 32 bytes that lie next to those of the connection's other
 * streams. The transport (handlers/) embeds tw_connection_t as its first member and implements the
 * operations. A connection and its streams belong to the worker that accepted it, and to its
 * thread.
 *
 * Callers: handlers/stream/ (the transports: their own connections), runtime/subscriber.c (slots),
 * runtime/fanout.c (closing streams).
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

/** Events wait in the subscriber's queue, and new ones must queue behind them. */
#define TW_STREAM_BEHIND 1u
/** It is closed at the end of this batch and gets no more events. */
#define TW_STREAM_DOOMED 2u
/** Its opening is not written yet, so every event queues. The transport clears this flag. */
#define TW_STREAM_HELD 4u

/** The part of an SSE stream that fan-out touches. A free slot has no subscriber. */
typedef struct tw_stream {
    uint64_t transport; /* for the transport; stays at this address while the stream lives */
    tw_subscriber_t *subscriber; /* borrowed: it owns the stream */
    uint64_t delivered;          /* events given to it */
    uint32_t mark;               /* of the last event with several topics, odd; 0: none was */
    uint16_t written_tick;       /* the heartbeat clock when something was last written */
    uint8_t flags;
    uint8_t slot; /* its place in its chunk */
} tw_stream_t;

_Static_assert(sizeof(tw_stream_t) == 32, "two streams a cache line");

typedef struct tw_connection_ops {
    /**
     * Gives an event to n streams of this connection: writes the frame to each that can take it
     * now, and calls tw_subscriber_queue() for the others. Passes over those for which
     * tw_stream_skips() is true. Returns how many got it. Must not open or close a stream before it
     * returns.
     */
    size_t (*deliver)(tw_connection_t *connection, tw_event_t *event, tw_stream_t *const *streams,
                      size_t n);

    /** Writes the heartbeat comment to n streams that have been silent and are not behind. */
    void (*heartbeat)(tw_connection_t *connection, tw_stream_t *const *streams, size_t n);

    /** Ends the stream towards its client, and calls the adapter's close_stream for its subscriber
     * before it returns. */
    void (*close)(tw_connection_t *connection, tw_stream_t *stream, tw_close_reason_t reason);

    /** Tells the client to send its next requests on another connection. Open streams stay. */
    void (*retire)(tw_connection_t *connection);
} tw_connection_ops_t;

#define TW_STREAM_CHUNK_MAX 64

/** Slots of streams. A slot in use never moves, since the transport keeps pointers to it. */
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
    LIST_ENTRY(tw_connection) link; /* in the shard's list, while it has streams */
    tw_chunk_list_t roomy, full;    /* owned: chunks with free slots, and without */
    tw_budget_t budget;             /* bytes that wait for its streams, without replays */
    uint32_t stream_count;
    uint16_t oldest_tick; /* no stream has a written_tick before this */
    bool retired;
    int64_t retire_at_ms;    /* tw_clock_ms(); 0: never */
    const char *protocol;    /* a constant: "h2" or "http/1.1" */
    char remote_address[56]; /* "192.0.2.1:1234", "[2001:db8::1]:1234" */
};

/** Initialises a connection that is embedded in the transport's own struct. */
void tw_connection_init(tw_connection_t *connection, tw_shard_t *shard,
                        const tw_connection_ops_t *ops, const char *protocol);

/** Frees what the connection owns, once it has no streams. */
void tw_connection_dispose(tw_connection_t *connection);

/** Takes a free slot for the subscriber's stream, whose only flag is TW_STREAM_HELD. */
tw_stream_t *tw_connection_add_stream(tw_connection_t *connection, tw_subscriber_t *subscriber);

/** Gives a stream's slot back. */
void tw_connection_remove_stream(tw_connection_t *connection, tw_stream_t *stream);

/** Closes up to max of the streams that are open when the call begins. Returns how many it closed.
 */
size_t tw_connection_close_streams(tw_connection_t *connection, size_t max,
                                   tw_close_reason_t reason);

/**
 * Whether fan-out must pass over the stream: it is doomed, or it follows several of the event's
 * topics and has got the event by another one. Marks the stream as one that has the event.
 */
static inline bool tw_stream_skips(tw_stream_t *stream, const tw_event_t *event)
{
    if (event->topic_count > 1) {
        uint32_t mark = (uint32_t)(event->position.seq ^ event->position.epoch) << 1 | 1;
        if (stream->mark == mark)
            return true;
        stream->mark = mark;
    }
    return (stream->flags & TW_STREAM_DOOMED) != 0;
}

#endif
