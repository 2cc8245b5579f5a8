/**
 * A subscriber: the cold part of an SSE stream. Who it is, what it follows, and what waits for it.
 *
 * Life: create → (tw_adapter open_stream) JOINING → LIVE → (close_stream) gone. It belongs to its
 * worker's thread. Its queue holds references to events, counted in bytes of their frames; a
 * subscriber further behind than its limit is doomed: closed with its reason at the end of the
 * batch, never in the middle of a fan-out.
 */
#ifndef TW_RUNTIME_SUBSCRIBER_H
#define TW_RUNTIME_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ranked_tree.h"
#include "runtime/connection.h"
#include "runtime/model/topic_name.h"

/** "0a1b2c3d-01000000002a" and a NUL: instance, worker, number; sorts by worker and age. */
#define TW_CONNECTION_ID_SIZE 22

typedef struct tw_group tw_group_t;

typedef enum tw_subscriber_state {
    TW_SUBSCRIBER_NEW,     /* in no list */
    TW_SUBSCRIBER_JOINING, /* waits for its loop's time to resume, or counted in the topic index
                              and join under way in the mailbox */
    TW_SUBSCRIBER_LIVE,    /* in its worker's tables: gets every event */
    TW_SUBSCRIBER_LEFT,    /* let go while the join was under way: freed when that arrives */
} tw_subscriber_state_t;

/** One topic of a subscriber: which group it is in, and where. */
typedef struct tw_membership {
    tw_group_t *group;
    uint32_t index;
} tw_membership_t;

typedef struct tw_queue {
    tw_event_t **ring; /* owned, with a reference per event; NULL while nothing waits */
    uint32_t capacity; /* a power of two */
    uint32_t first, count;
    uint32_t offset;      /* bytes of the first event's frame that are written already */
    uint64_t replay_left; /* bytes of replayed frames that wait, which no budget limits */
} tw_queue_t;

struct tw_subscriber {
    tw_ranked_node_t ranked; /* the worker's listing while LIVE */
    uint64_t number;         /* per worker, from 1; orders the listing */
    tw_connection_t *connection;
    tw_stream_t *stream;  /* owned slot of the connection */
    void *transport_data; /* the transport's */
    void *client;         /* the HTTP side's: whose limits it counts against */
    char *remote_address; /* owned; when it is not the connection's, or NULL */
    TAILQ_ENTRY(tw_subscriber)
    waiting;              /* the transport's: in its list of streams that wait for room */
    int64_t opened_at_ms; /* wall clock */
    char *client_id;      /* owned; the client's own hint, or NULL */
    tw_queue_t queue;
    tw_budget_t budget;               /* of the queue, replays apart */
    LIST_ENTRY(tw_subscriber) doomed; /* in its worker's list; le_prev NULL: not in it */
    void *opening;        /* the adapter's while NEW; NULL again before it becomes anything else */
    struct tw_join *join; /* the hub's: while JOINING and not under way in the mailbox yet */
    bool waits;           /* in the transport's list */
    uint8_t state;        /* tw_subscriber_state_t */
    uint8_t doom_reason;  /* tw_close_reason_t */
    uint16_t topic_count;
    tw_topic_name_t *joining; /* owned: names while NEW or JOINING, NULL when LIVE */
    tw_membership_t topics[]; /* topic_count; valid while LIVE */
};

/**
 * A subscriber on this connection, NEW. The topics' bytes are copied. client_id may be NULL. NULL
 * when there is no memory.
 */
tw_subscriber_t *tw_subscriber_create(tw_connection_t *connection, const tw_topic_list_t *topics,
                                      const char *client_id, size_t client_id_len);

/** Frees a subscriber that is NEW, or out of its worker's tables again. */
void tw_subscriber_destroy(tw_subscriber_t *subscriber);

/** JOINING → LEFT: gives up the stream and all but the names; the hub frees the rest when the join
 * arrives. */
void tw_subscriber_abandon(tw_subscriber_t *subscriber);

/** The i-th topic's name; borrowed from the subscriber or its worker. */
tw_topic_name_t tw_subscriber_topic(const tw_subscriber_t *subscriber, size_t i);

/** The size of a block for tw_subscriber_copy_topics(). */
size_t tw_subscriber_topics_size(const tw_subscriber_t *subscriber);

/** Copies the subscriber's topics to the array `to`, and their bytes behind it, as
 * tw_topic_names_copy() does. Returns the end of the bytes. */
char *tw_subscriber_copy_topics(const tw_subscriber_t *subscriber, tw_topic_name_t *to);

/** The server's id of the stream, NUL-terminated. */
void tw_subscriber_id(const tw_subscriber_t *subscriber, char out[TW_CONNECTION_ID_SIZE]);

/** Lets the event wait (takes a reference), or dooms the subscriber when its limit is passed. Sets
 * TW_STREAM_BEHIND. */
void tw_subscriber_queue(tw_subscriber_t *subscriber, tw_event_t *event);

/**
 * Puts n older events (references are the subscriber's from now on, ascending order) in front of
 * what waits; those of what waits that are not newer than the last of them are dropped: they are
 * the same. Does not count against the limit.
 */
void tw_subscriber_replay(tw_subscriber_t *subscriber, tw_event_t **events, size_t n);

/** Puts an event (reference taken) in front of all that waits, of which nothing is written yet; not
 * counted against the limit. */
void tw_subscriber_queue_first(tw_subscriber_t *subscriber, tw_event_t *event);

/** The rest of the first waiting frame: its bytes and (len) how many; NULL when nothing waits. */
const char *tw_subscriber_peek(const tw_subscriber_t *subscriber, size_t *len);

/** So many bytes of the first waiting frame are written; the event goes with the last of them, and
 * with the last event TW_STREAM_BEHIND. */
void tw_subscriber_advance(tw_subscriber_t *subscriber, size_t bytes);

/** Will be closed with this reason at the end of the batch; only the first reason counts. */
void tw_subscriber_doom(tw_subscriber_t *subscriber, tw_close_reason_t reason);

/** Removes it from the doomed list if it is there; the caller closes it. */
void tw_subscriber_undoom(tw_subscriber_t *subscriber);

/** Bytes that wait in its queue, replays included. */
uint64_t tw_subscriber_queued_bytes(const tw_subscriber_t *subscriber);

#endif
