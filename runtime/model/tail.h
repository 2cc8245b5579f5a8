/**
 * The tail of a topic: its last events, oldest first, as a bounded ring of references.
 *
 * Not thread-safe: the hub writes a tail under its order lock and the topic's stripe, and reads it
 * under either.
 *
 * A tail is part of its topic (runtime/topic_index.h). Callers: runtime/hub.c (all that writes),
 * runtime/topic_index.c, runtime/missed.c.
 */
#ifndef TW_MODEL_TAIL_H
#define TW_MODEL_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/model/event.h"

typedef struct tw_tail {
    tw_event_t **ring; /* owned; NULL before the first event */
    uint32_t capacity; /* a power of two; grows with the events */
    uint32_t first;
    uint32_t count;
    uint64_t lost_seq; /* of the newest event that is lost for good; 0: none was */
    struct tw_elsewhere
        *elsewhere; /* owned; newer events that only other tails still hold; NULL until needed */
} tw_tail_t;

/** Frees the memory of an empty tail. */
void tw_tail_dispose(tw_tail_t *tail);

/**
 * Appends an event that is newer than all others and takes over the caller's reference. When the
 * tail has max events, the oldest makes room: it is returned, and its reference is the caller's. If
 * other tails hold it too (event->kept), it is not lost for good, because a stream that also
 * follows one of their topics can still get it.
 */
tw_event_t *tw_tail_push(tw_tail_t *tail, tw_event_t *event, uint32_t max);

/** Puts an event that is older than all others in front and takes over the caller's reference. The
 * tail has fewer than max events. */
void tw_tail_unshift(tw_tail_t *tail, tw_event_t *event);

/** Takes out the oldest event, which counts as lost from then on, and hands its reference to the
 * caller. The tail is not empty. */
tw_event_t *tw_tail_shift(tw_tail_t *tail);

/** The sequence number of the newest event that the tail had and has no longer; 0: none. */
uint64_t tw_tail_newest_gone(const tw_tail_t *tail);

/**
 * Writes the sequence numbers above seq of events that only other tails still hold, or held when
 * they left this one, in ascending order, and returns how many there are; with seqs NULL only
 * returns that. The tail remembers the last `max` (of tw_tail_push()) of them; older ones count as
 * lost.
 */
size_t tw_tail_elsewhere(const tw_tail_t *tail, uint64_t seq, uint64_t *seqs);

/** The i-th oldest event, 0 ≤ i < count. Borrowed. */
tw_event_t *tw_tail_at(const tw_tail_t *tail, uint32_t i);

/** The index of the oldest event with a sequence number above seq, or `count`. */
uint32_t tw_tail_after(const tw_tail_t *tail, uint64_t seq);

/** The newest event with this id, or NULL. Borrowed. */
tw_event_t *tw_tail_find_id(const tw_tail_t *tail, const char *id, size_t id_len, uint64_t id_hash);

#endif
