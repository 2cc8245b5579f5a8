/**
 * A transport that writes into memory: what handlers/ does with a socket, without one. Each stream
 * keeps what its client got, read as a client reads it.
 *
 * All of it belongs to the worker's thread.
 */
#ifndef TW_TEST_FAKE_TRANSPORT_H
#define TW_TEST_FAKE_TRANSPORT_H

#include "runtime/connection.h"
#include "runtime/shard.h"
#include "runtime/subscriber.h"
#include "tests/support/sse_reader.h"

typedef struct tw_fake_stream tw_fake_stream_t;

/** Lets the subscriber of a stream go: tw_hub_leave() or an adapter's close_stream. */
typedef void (*tw_fake_let_go_fn)(void *owner, tw_subscriber_t *subscriber,
                                  tw_close_reason_t reason);

typedef struct tw_fake_connection {
    tw_connection_t super;
    tw_fake_let_go_fn let_go;
    void *owner;          /* let_go's */
    size_t deliver_calls; /* of the runtime */
    bool blocked;         /* takes no bytes: everything waits in the queues */
    bool retired;         /* was told to send its client elsewhere */
} tw_fake_connection_t;

struct tw_fake_stream {
    tw_fake_connection_t *connection;
    tw_subscriber_t *subscriber; /* NULL before create and after close */
    tw_sse_reader_t reader;      /* what the client has seen */
    size_t heartbeats;
    bool closed;
    tw_close_reason_t close_reason;
    void (*on_written)(tw_fake_stream_t *stream); /* after a frame; may not close; may be NULL */
    void *data;                                   /* on_written's */
};

void tw_fake_connection_init(tw_fake_connection_t *connection, tw_shard_t *shard,
                             tw_fake_let_go_fn let_go, void *owner);
void tw_fake_connection_dispose(tw_fake_connection_t *connection);

/** A stream with a NEW subscriber of a comma-separated list of topics. */
void tw_fake_stream_init(tw_fake_stream_t *stream, tw_fake_connection_t *connection,
                         const char *topics, const char *client_id);

/** Frees what the client saw; the stream is closed or its subscriber was never opened. */
void tw_fake_stream_dispose(tw_fake_stream_t *stream);

/** Its opening is written: it is held no more. For an on_open. */
void tw_fake_stream_begin(tw_fake_stream_t *stream);

/** Writes what waits, as much as fits into `bytes`; returns how many were written. */
size_t tw_fake_stream_flush(tw_fake_stream_t *stream, size_t bytes);

/** The client goes away. */
void tw_fake_stream_close(tw_fake_stream_t *stream, tw_close_reason_t reason);

/** The ids of all messages that the client has seen, separated by blanks; free() it. */
char *tw_fake_stream_ids(const tw_fake_stream_t *stream);

/** An event with one reference: for topics (a comma-separated list), with this id and payload. */
tw_event_t *tw_test_event(const char *topics, const char *id, const char *payload);

/** The same of a type. */
tw_event_t *tw_test_typed_event(const char *topics, const char *id, const char *type,
                                const char *payload);

#endif
