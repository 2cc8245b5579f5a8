/**
 * An event: immutable once it has its position, shared by reference between loops, tails and
 * queues.
 *
 * It is one block of memory: the header, its topics, and the frame as every subscriber gets it.
 * What admins see of it (id, type, payload) is read back from the frame, so nothing is kept twice.
 * Any thread; refs are atomic.
 */
#ifndef TW_MODEL_EVENT_H
#define TW_MODEL_EVENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/model/topic_name.h"

/** Where an event stands in the one order of a runtime. Positions of different epochs cannot be
 * compared. */
typedef struct tw_position {
    uint64_t epoch; /* drawn when the order began: process start, or the Redis data set */
    uint64_t seq;   /* from 1 */
} tw_position_t;

typedef struct tw_event {
    atomic_uint refs;
    uint32_t topic_count;
    uint32_t id_len, type_len;
    uint32_t frame_len;
    uint32_t kept;                  /* tails that hold it; the hub's, under its order lock */
    tw_position_t position;         /* set by tw_hub_dispatch() before anyone else sees the event */
    int64_t published_at_ms;        /* wall clock, ms since 1970 */
    uint64_t id_hash;               /* tw_hash() of the id: resuming looks for it */
    struct tw_event *older, *newer; /* the hub's list of kept events, under its order lock */
    const char *frame; /* in this block: id line first, then event line if type_len is not 0 */
    tw_topic_name_t topics[]; /* topic_count; bytes in this block */
} tw_event_t;

/** What became of an event. Borrowed for the callback. */
typedef struct tw_dispatch_result {
    tw_position_t position;
    uint64_t delivered; /* streams on this node */
    const uint8_t *
        accepted; /* per topic of the event: 1 it had a receiver, 0 it was dropped for this topic */
    size_t accepted_count; /* how many are 1 */
} tw_dispatch_result_t;

/** What a publisher sent: all borrowed for the call, all valid already (topic list not empty, id
 * and type printable, payload text). */
typedef struct tw_event_spec {
    const tw_topic_list_t *topics;
    const char *id;
    size_t id_len;
    const char *type;
    size_t type_len; /* 0: none */
    const char *payload;
    size_t payload_len;
    int64_t published_at_ms;
    const char *frame; /* not NULL: the frame as tw_event_create() once made it of the above; the
                          payload is not looked at */
    size_t frame_len;
} tw_event_spec_t;

/** A new event with one reference, the caller's; NULL when there is no memory for it (or its
 * payload is above 512 MiB: a frame's length has 32 bits). */
tw_event_t *tw_event_create(const tw_event_spec_t *spec);

/** Bytes for one stream alone, as an event of no topic, without id and position; they count in
 * order, like any event. Aborts without memory. */
tw_event_t *tw_event_create_text(const char *text, size_t len);

/** One reference more; returns the event. */
tw_event_t *tw_event_ref(tw_event_t *event);

/** One reference less; the last frees the event. NULL is nothing. */
void tw_event_unref(tw_event_t *event);

/** The publisher's id; event->id_len bytes, not NUL-terminated. */
const char *tw_event_id(const tw_event_t *event);

/** The event type; event->type_len bytes, not NUL-terminated. */
const char *tw_event_type(const tw_event_t *event);

/** Bytes of all events that are alive in the process: in tails, in queues, on their way. Any
 * thread. */
uint64_t tw_event_live_bytes(void);

/** Bytes that the event occupies: what tails count. */
size_t tw_event_bytes(const tw_event_t *event);

/** Whether the event has this id. */
bool tw_event_has_id(const tw_event_t *event, const char *id, size_t id_len, uint64_t id_hash);

#endif
