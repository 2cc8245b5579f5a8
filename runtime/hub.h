/**
 * The node's hub: the local part that every adapter shares. It puts events into one order, keeps
 * their tails, and brings them to the workers that have subscribers.
 *
 * Order: each event gets its sequence number, goes into its topics' tails and is posted to the
 * loops of its workers under one lock, the order lock. So all workers see one order of all events,
 * a stream on several topics sees them in the order of their numbers, and a number is enough to
 * resume from. A join goes through the same lock and is posted to the same loop: what came before
 * it is in the tail, what comes after it is fanned out, nothing is both or neither.
 *
 * Lock order: order lock → topic stripe → topic listing. Any thread, except what says otherwise.
 */
#ifndef TW_RUNTIME_HUB_H
#define TW_RUNTIME_HUB_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/limit.h"
#include "runtime/fanout.h"
#include "runtime/topic_index.h"

typedef struct tw_hub_config {
    uint32_t worker_count;            /* 1 … TW_WORKERS_MAX */
    uint64_t streams_max;             /* per node */
    uint64_t stream_buffer_bytes;     /* a subscriber may be this far behind */
    uint64_t connection_buffer_bytes; /* the subscribers of one connection, together */
    uint64_t node_buffer_bytes;       /* memory of all events that are not in tails; 0: no limit */
    uint32_t tail_events;             /* per topic; 0 keeps none */
    uint64_t tail_bytes;              /* per node */
    int64_t resume_window_ms;
    int64_t connection_age_max_ms; /* when connections with streams retire; 0: never */
} tw_hub_config_t;

typedef struct tw_hub {
    tw_hub_config_t config;
    tw_shard_config_t shards; /* what its workers have in common */
    tw_backlog_t backlog;
    tw_topic_index_t index;
    tw_fanout_t *fanouts[TW_WORKERS_MAX]; /* borrowed; set by tw_hub_add_worker() before traffic */
    tw_limit_t streams;                   /* open or joining */
    pthread_mutex_t order;                /* guards the rest */
    tw_position_t last;                   /* of the newest event */
    tw_event_t *oldest, *newest;          /* kept events in order */
    _Atomic uint64_t kept_events;
} tw_hub_t;

tw_hub_t *tw_hub_create(const tw_hub_config_t *config);

/** After all fan-outs are closed. */
void tw_hub_destroy(tw_hub_t *hub);

/** Prepares the fan-out of the worker with this index, whose loop is on `uv`, and makes it known;
 * before traffic. The fan-out is borrowed until the hub is destroyed. */
void tw_hub_add_worker(tw_hub_t *hub, tw_fanout_t *fanout, uint32_t index, uv_loop_t *uv);

/** Whether a publish to the topic would be accepted now. */
bool tw_hub_accepts(tw_hub_t *hub, const tw_topic_name_t *topic);

typedef void (*tw_dispatched_fn)(void *data, const tw_dispatch_result_t *result);

/**
 * Puts the event (reference taken) into the order and brings it to its workers. on_done comes once,
 * on `from`, the caller's loop, when the last of them has queued it; before the call returns if
 * none has to. from and on_done are NULL when nobody waits. at NULL: the hub's own next position;
 * else the position that another order gave, which is newer than all before (a repeated one is
 * ignored: on_done says delivered 0).
 */
void tw_hub_dispatch(tw_hub_t *hub, tw_loop_t *from, tw_event_t *event, const tw_position_t *at,
                     tw_dispatched_fn on_done, void *data);

/**
 * The newest kept events of a topic after seq, at most `max` of them, oldest first, each with a
 * reference for the caller; returns how many were put into `events`.
 */
size_t tw_hub_tail(tw_hub_t *hub, const tw_topic_name_t *topic, uint64_t after_seq,
                   tw_event_t **events, size_t max);

/** The newest position. */
tw_position_t tw_hub_position(tw_hub_t *hub);

/** For adapters with an order of their own: from now on positions are of this epoch; kept events
 * are dropped. */
void tw_hub_set_epoch(tw_hub_t *hub, uint64_t epoch);

/*
 * --- for adapters whose order is made elsewhere ---
 *
 * Such an adapter gets the events of a topic only while it has asked for them. It holds the topic
 * for that time: from the moment on from which it gets every event, the tail keeps them, with or
 * without followers. What came before is lost to the tail until it is restored.
 */

/** The newest position is at least this one, of the current epoch: what has it or a smaller one has
 * been dispatched or never will be. */
void tw_hub_advance(tw_hub_t *hub, uint64_t seq);

/** Holds the topic: every event after seq will be dispatched. */
void tw_hub_hold(tw_hub_t *hub, const tw_topic_name_t *topic, uint64_t seq);

/** Lets a held topic go; its tail is dropped. */
void tw_hub_release(tw_hub_t *hub, const tw_topic_name_t *topic);

/**
 * Puts n events (references taken; positions set, ascending, no other tail's) in front of the tail
 * of a topic that is held from since_seq on; those that it has already and those beyond its bound
 * are left out. Nothing after lost_seq is missing in what was given and what is kept. Nothing
 * happens when the tail has lost events since: older ones would stand before a hole.
 */
void tw_hub_restore(tw_hub_t *hub, const tw_topic_name_t *topic, uint64_t since_seq,
                    tw_event_t *const *events, size_t n, uint64_t lost_seq);

/** Marks a held topic: something after its newest kept event up to seq was lost on the way. */
void tw_hub_lose(tw_hub_t *hub, const tw_topic_name_t *topic, uint64_t seq);

/** Brings an event (reference taken) to its topics' streams, outside of the order and kept in no
 * tail: a gap event. */
void tw_hub_announce(tw_hub_t *hub, tw_event_t *event);

/** Housekeeping: resume windows that ran out. About once a second, from one thread. */
void tw_hub_sweep(tw_hub_t *hub);

#endif
