/**
 * The last events of one topic, oldest first: a bounded ring of references, no copies.
 *
 * Not thread-safe: the hub's order lock guards every tail.
 */
#ifndef TW_RUNTIME_TAIL_H
#define TW_RUNTIME_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/event.h"

typedef struct tw_tail {
    tw_event_t **ring; /* owned; NULL until the first event */
    uint32_t capacity; /* a power of two that grows up to the limit of push */
    uint32_t first;
    uint32_t count;
    uint64_t lost_seq; /* the newest sequence number that is no longer kept; 0: nothing was lost */
} tw_tail_t;

/** Frees the ring; the tail is empty by then. */
void tw_tail_dispose(tw_tail_t *tail);

/**
 * Appends an event that is newer than all in the tail. With max events in it the oldest makes room
 * and is returned: its reference is then the caller's. Takes no reference of its own: it keeps the
 * caller's.
 */
tw_event_t *tw_tail_push(tw_tail_t *tail, tw_event_t *event, uint32_t max);

/** Puts an event that is older than all in the tail in front; keeps the caller's reference. There
 * are fewer than max events in it. */
void tw_tail_unshift(tw_tail_t *tail, tw_event_t *event);

/** Takes out the oldest event, marks it as lost, and hands its reference to the caller. The tail is
 * not empty. */
tw_event_t *tw_tail_shift(tw_tail_t *tail);

/** The i-th oldest event (0 ≤ i < count); borrowed. */
tw_event_t *tw_tail_at(const tw_tail_t *tail, uint32_t i);

/** Index of the oldest event with a sequence number above seq; count if there is none. */
uint32_t tw_tail_after(const tw_tail_t *tail, uint64_t seq);

/** The newest event with this id, or NULL; borrowed. */
tw_event_t *tw_tail_find_id(const tw_tail_t *tail, const char *id, size_t id_len, uint64_t id_hash);

#endif
