/**
 * A subscriber: who reads an SSE stream, as fan-out sees it. What fan-out touches for every event
 * is in tw_stream_t; here is the rest: who it is, what it follows, and the events that wait for it.
 *
 * Its life: NEW (tw_subscriber_create) → JOINING (the adapter's open_stream) → LIVE → freed (the
 * adapter's close_stream). It belongs to its worker's thread. Its queue holds references to events
 * and is limited by the bytes of their frames. A subscriber that is too far behind is doomed: it is
 * closed, with its reason, at the end of the batch, never in the middle of a fan-out.
 *
 * Callers: handlers/stream/ (making one, addresses, and the transports: its queue), runtime/
 * (states, names, replays, dooming), runtime/redis/ (what listings show).
 */
#ifndef TW_RUNTIME_SUBSCRIBER_H
#define TW_RUNTIME_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ranked_tree.h"
#include "runtime/connection.h"
#include "runtime/model/claims.h"
#include "runtime/model/topic_name.h"

/** Room for the id of a stream, "0a1b2c3d-01000000002a" and a NUL: the process, the worker, and the
 * subscriber's number. Ids of a process sort by worker, then by age. */
#define TW_STREAM_ID_SIZE 22

typedef struct tw_group tw_group_t;

typedef enum tw_subscriber_state {
    TW_SUBSCRIBER_NEW,     /* follows no topic */
    TW_SUBSCRIBER_JOINING, /* waits for its loop's time to resume, or its join has been posted */
    TW_SUBSCRIBER_LIVE,    /* in its worker's tables: it gets every event */
    TW_SUBSCRIBER_LEFT,    /* closed after its join was posted; freed when the join arrives */
} tw_subscriber_state_t;

/** A topic of a subscriber: the group that its stream is in, and its index there. */
typedef struct tw_membership {
    tw_group_t *group;
    uint32_t index;
} tw_membership_t;

typedef struct tw_queue {
    tw_event_t **ring; /* owned, with a reference to each event; NULL while the queue is empty */
    uint32_t capacity; /* a power of two */
    uint32_t first, count;
    uint32_t offset;      /* bytes of the first event's frame that have been written */
    uint64_t replay_left; /* bytes of replayed frames that wait, which no budget limits */
} tw_queue_t;

struct tw_subscriber {
    tw_ranked_entry_t ranked;    /* in the worker's listing while LIVE */
    uint64_t number;             /* unique on its worker, from 1; orders the listing */
    tw_connection_t *connection; /* borrowed: outlives the stream */
    tw_stream_t *stream;         /* owned slot of the connection */
    void *transport_data;        /* for the transport */
    void *client;                /* for the HTTP side: the client whose limits it counts against */
    char *remote_address;        /* owned; NULL when it is the connection's */
    TAILQ_ENTRY(tw_subscriber) waiting; /* for the transport: its streams that wait for room */
    int64_t opened_at_ms;               /* wall clock */
    char *client_id;                    /* owned; what the client calls itself, or NULL */
    struct tw_grant *grant;             /* owned; what its token says; NULL: it came without one */
    tw_queue_t queue;
    uint64_t live_bytes;              /* that wait in the queue, without replays */
    LIST_ENTRY(tw_subscriber) doomed; /* in its shard's list; le_prev is NULL while it is not */
    void *opening;        /* for the adapter, which may have another use for it once it is LIVE */
    struct tw_join *join; /* for the hub: a join that is not posted yet, while JOINING */
    bool spans;           /* for the hub: its topics are in several lanes */
    bool waits;           /* is in the transport's list `waiting` */
    uint8_t state;        /* tw_subscriber_state_t */
    uint8_t doom_reason;  /* tw_close_reason_t */
    uint16_t topic_count;
    tw_topic_name_t *joining; /* owned; the names of its topics until it is LIVE, then NULL */
    tw_membership_t topics[]; /* topic_count of them; valid while LIVE */
};

/** Creates a NEW subscriber on this connection. Topics and client_id, which may be NULL, are
 * copied. Returns NULL without memory. */
tw_subscriber_t *tw_subscriber_create(tw_connection_t *connection, const tw_topic_list_t *topics,
                                      const char *client_id, size_t client_id_len);

/** Says what the token of a NEW subscriber says; the claims are copied. Once at most. */
void tw_subscriber_set_claims(tw_subscriber_t *subscriber, const tw_claims_t *claims);

/** The subject of its token, NUL-terminated and borrowed; NULL when it has none. */
const char *tw_subscriber_subject(const tw_subscriber_t *subscriber);

/** Frees a NEW subscriber, with its stream. */
void tw_subscriber_destroy(tw_subscriber_t *subscriber);

/** JOINING → LEFT: frees all but the topics' names. The rest is freed when the join arrives. */
void tw_subscriber_abandon(tw_subscriber_t *subscriber);

/** The name of the i-th topic; borrowed until the subscriber's state changes. */
tw_topic_name_t tw_subscriber_topic(const tw_subscriber_t *subscriber, size_t i);

/** The size of a block for tw_subscriber_copy_topics(). */
size_t tw_subscriber_topics_size(const tw_subscriber_t *subscriber);

/** Copies the subscriber's topics to the array `to`, and their bytes behind it, as
 * tw_topic_names_copy() does. Returns the end of the bytes. */
char *tw_subscriber_copy_topics(const tw_subscriber_t *subscriber, tw_topic_name_t *to);

/** Writes the id of the subscriber's stream, NUL-terminated. */
void tw_subscriber_id(const tw_subscriber_t *subscriber, char out[TW_STREAM_ID_SIZE]);

/** The client's address as shown to operators: what a trusted proxy says, or the connection's.
 * Borrowed. */
const char *tw_subscriber_remote_address(const tw_subscriber_t *subscriber);

/** Queues the event, with a reference of its own, and sets TW_STREAM_BEHIND; or dooms the
 * subscriber when too much waits for it, for its connection or on the node. */
void tw_subscriber_queue(tw_subscriber_t *subscriber, tw_event_t *event);

/**
 * Puts n missed events, in ascending order, in front of those that wait, and takes over the
 * caller's references. Those that wait and are not newer than the last of them are the same events,
 * and are removed. No budget limits replayed events. (Of several lanes nothing waits yet.)
 */
void tw_subscriber_replay(tw_subscriber_t *subscriber, tw_event_t **events, size_t n);

/** Puts an event, with a reference of its own, in front of all that waits. Nothing of the queue has
 * been written yet. No budget limits it. */
void tw_subscriber_queue_first(tw_subscriber_t *subscriber, tw_event_t *event);

/** What is left to write of the first frame in the queue, and its length; NULL when the queue is
 * empty. */
const char *tw_subscriber_peek(const tw_subscriber_t *subscriber, size_t *len);

/** Reports that so many bytes of the first frame have been written. A whole frame leaves the queue;
 * an empty queue clears TW_STREAM_BEHIND. */
void tw_subscriber_advance(tw_subscriber_t *subscriber, size_t bytes);

/** Has the stream closed with this reason at the end of the batch. Only the first reason counts. */
void tw_subscriber_doom(tw_subscriber_t *subscriber, tw_close_reason_t reason);

/** Removes the subscriber from the doomed list if it is there; the caller closes it. */
void tw_subscriber_undoom(tw_subscriber_t *subscriber);

/** Bytes that wait in the queue, with replays. */
uint64_t tw_subscriber_queued_bytes(const tw_subscriber_t *subscriber);

#endif
