/**
 * What waits on this node for its subscribers, and what requests hold before that, and how much
 * may: one for all workers.
 *
 * An event that waits for a thousand subscribers is in memory once, so the node's share is not the
 * sum of its queues. It is the memory of all events that are alive, less what tails keep anyway,
 * and what the queues spend on references, and what requests hold: bodies that are being received,
 * and answers that clients do not take. Any thread; the limits are set before traffic.
 *
 * The hub owns it. Callers: runtime/subscriber.c and runtime/join.c (queues, resumes), handlers/
 * (bodies, answers).
 */
#ifndef TW_RUNTIME_BACKLOG_H
#define TW_RUNTIME_BACKLOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct tw_backlog {
    uint64_t stream_bytes_max;      /* of one subscriber */
    uint64_t connection_bytes_max;  /* of the subscribers of one connection, together */
    uint64_t node_bytes_max;        /* of the node; 0: no limit */
    _Atomic uint64_t kept_bytes;    /* of events in tails; the hub writes it under its order lock */
    _Atomic uint64_t queued_events; /* references in the queues of all subscribers */
    _Atomic uint64_t body_bytes;    /* of bodies that have not become events yet */
    _Atomic uint64_t answer_bytes;  /* of requests whose answers wait for their clients */
} tw_backlog_t;

/** Whether more waits than the node may spend. */
bool tw_backlog_is_full(const tw_backlog_t *backlog);

/** Whether one stream more may be given what it has missed: half of what the node may spend is left
 * to events that are published now. */
bool tw_backlog_may_replay(const tw_backlog_t *backlog);

/** Counts memory that bodies need more. False: not counted, because all of them would have more
 * than half of what the node may spend. */
bool tw_backlog_take_body_bytes(tw_backlog_t *backlog, uint64_t bytes);

/** The same for answers, all of which may have a quarter: who holds answers without a key takes
 * nothing from publishers. */
bool tw_backlog_take_answer_bytes(tw_backlog_t *backlog, uint64_t bytes);

/** End what the two above began. */
void tw_backlog_return_body_bytes(tw_backlog_t *backlog, uint64_t bytes);
void tw_backlog_return_answer_bytes(tw_backlog_t *backlog, uint64_t bytes);

#endif
