/**
 * An event: shared by reference between loops, tails and queues, and immutable once it has its
 * position.
 *
 * It is one block of memory: the header, its topics, and the frame as every subscriber gets it.
 * What admins see (id, type, payload) is read back from the frame, so nothing is kept twice. Any
 * thread; references are counted atomically.
 *
 * Callers: handlers/, runtime/.
 */
#ifndef TW_MODEL_EVENT_H
#define TW_MODEL_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/model/topic_name.h"

/** Where an event stands in the one order of all events. Positions of different epochs cannot be
 * compared. */
typedef struct tw_position {
    uint64_t epoch; /* drawn at random when the order began: with the process, or with the data in
                       Redis */
    uint64_t seq;   /* from 1 */
} tw_position_t;

typedef struct tw_event {
    atomic_uint refs;
    uint32_t topic_count;
    uint32_t id_len, type_len;
    uint32_t frame_len;
    bool is_part;                   /* the same was published to topics of other lanes, too */
    uint32_t kept;                  /* tails that hold it; for the hub, under its order lock */
    tw_position_t position;         /* set by tw_hub_dispatch() before anyone else sees the event */
    int64_t published_at_ms;        /* wall clock, ms since 1970 */
    uint64_t id_hash;               /* tw_hash() of the id, by which a resume finds it */
    struct tw_event *older, *newer; /* for the hub: its list of kept events, under its order lock */
    const char *frame; /* in this block: the id line, the event line if type_len is not 0, … */
    tw_topic_name_t topics[]; /* topic_count of them; their bytes are in this block */
} tw_event_t;

/** What became of an event. Borrowed for the callback. */
typedef struct tw_dispatch_result {
    tw_position_t position;
    uint64_t delivered; /* streams that got it, on this node */
    const uint8_t
        *accepted;         /* for each topic: 1 if it had a receiver, 0 if the event was dropped */
    size_t accepted_count; /* how many are 1 */
} tw_dispatch_result_t;

/** What a publisher sent; borrowed for the call. It has been checked: there are topics, id and type
 * are printable, the payload is text. */
typedef struct tw_event_spec {
    const tw_topic_list_t *topics;
    const char *id;
    size_t id_len; /* 0: no event of a publisher; it is announced, and never kept */
    const char *type;
    size_t type_len; /* 0: none */
    const char *payload;
    size_t payload_len;
    bool is_part; /* of what was published: its other topics are in other lanes */
    int64_t published_at_ms;
    const char *frame; /* NULL, or the frame that tw_event_create() once made of the above: it is
                          copied, and the payload is not used */
    size_t frame_len;
} tw_event_spec_t;

/** Creates an event with one reference, the caller's. Returns NULL without memory, or when the
 * payload is larger than 512 MiB, because the length of a frame has 32 bits. */
tw_event_t *tw_event_create(const tw_event_spec_t *spec);

/** Creates an event without topics, id and position, whose frame is this text. The transports
 * queue the opening block of a stream in this form. The one reference is the caller's. Aborts
 * without memory. */
tw_event_t *tw_event_create_text(const char *text, size_t len);

/** Adds a reference; returns the event. */
tw_event_t *tw_event_ref(tw_event_t *event);

/** Drops a reference; the last one frees the event. NULL is a no-op. */
void tw_event_unref(tw_event_t *event);

/** The publisher's id; event->id_len bytes, not NUL-terminated. */
const char *tw_event_id(const tw_event_t *event);

/** The event type; event->type_len bytes, not NUL-terminated. */
const char *tw_event_type(const tw_event_t *event);

/** Bytes of all events of the process: in tails, in queues, on their way. */
uint64_t tw_event_live_bytes(void);

/** Bytes that the event occupies. */
size_t tw_event_bytes(const tw_event_t *event);

/** Whether the event has this id. id_hash is tw_hash() of it. */
bool tw_event_has_id(const tw_event_t *event, const char *id, size_t id_len, uint64_t id_hash);

#endif
