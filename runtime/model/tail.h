/**
 * The last events of one topic, oldest first: a bounded ring of references, no copies.
 *
 * Not thread-safe: the hub's order lock guards every tail.
 */
#ifndef TW_MODEL_TAIL_H
#define TW_MODEL_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/model/event.h"

typedef struct tw_tail {
    tw_event_t **ring; /* owned; NULL until the first event */
    uint32_t capacity; /* a power of two that grows up to the limit of push */
    uint32_t first;
    uint32_t count;
    uint64_t lost_seq; /* the newest sequence number that is lost for good; 0: nothing was lost */
    struct tw_elsewhere *elsewhere; /* owned; what is lost here after that; NULL until needed */
} tw_tail_t;

/** Frees its memory; the tail is empty by then. */
void tw_tail_dispose(tw_tail_t *tail);

/**
 * Appends an event that is newer than all in the tail. With max events in it the oldest makes room
 * and is returned: its reference is then the caller's. Takes no reference of its own: it keeps the
 * caller's. An oldest event that other tails hold as well (event->kept) is not lost for good yet:
 * who follows one of their topics too can still get it.
 */
tw_event_t *tw_tail_push(tw_tail_t *tail, tw_event_t *event, uint32_t max);

/** Puts an event that is older than all in the tail in front; keeps the caller's reference. There
 * are fewer than max events in it. */
void tw_tail_unshift(tw_tail_t *tail, tw_event_t *event);

/** Takes out the oldest event, marks it as lost, and hands its reference to the caller. The tail is
 * not empty. */
tw_event_t *tw_tail_shift(tw_tail_t *tail);

/** The newest sequence number that the tail had and has no more, for good or not; 0: none. */
uint64_t tw_tail_let_go(const tw_tail_t *tail);

/**
 * The sequence numbers above seq that the tail has let go while another tail held their events,
 * ascending; returns how many. With seqs NULL only that. Older ones than the last `max` of
 * tw_tail_push() count as lost for good.
 */
size_t tw_tail_elsewhere(const tw_tail_t *tail, uint64_t seq, uint64_t *seqs);

/** The i-th oldest event (0 ≤ i < count); borrowed. */
tw_event_t *tw_tail_at(const tw_tail_t *tail, uint32_t i);

/** Index of the oldest event with a sequence number above seq; count if there is none. */
uint32_t tw_tail_after(const tw_tail_t *tail, uint64_t seq);

/** The newest event with this id, or NULL; borrowed. */
tw_event_t *tw_tail_find_id(const tw_tail_t *tail, const char *id, size_t id_len, uint64_t id_hash);

#endif
