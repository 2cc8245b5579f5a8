/**
 * The hub: the part of a node that every adapter uses. It puts events into one order, keeps the
 * last ones of each topic (tails), and posts them to the workers that have followers.
 *
 * Order: under one lock, the order lock, an event gets its sequence number, goes into its topics'
 * tails, and is posted to the loops of its workers. So all workers see all events in one order, a
 * stream on several topics sees ascending numbers, and one number is enough to resume from. A join
 * (runtime/join.h) goes through the same lock and is posted to the same loop: what came before it
 * is in the tails, what comes after it is fanned out, and no event is lost or delivered twice.
 *
 * With Redis there may be several such orders, lanes, each with positions of its own; all topics of
 * an event are in one. A stream whose topics are in several (it spans them) gets, behind each
 * event, a block with its positions in all of them.
 *
 * Lock order: order lock → topic stripe → topic listing. Any thread, unless a comment says
 * otherwise.
 *
 * The process owns its one hub. Workers share a dispatch under way; the last one frees it, or
 * `from` does with on_done. Joins (runtime/join.c) take its order lock themselves. Callers:
 * runtime/memory/ and runtime/redis/, the adapters; runtime/missed.c and runtime/lanes.c, the
 * parts of a join; server/ on the main thread (making it, its workers, sweeps).
 */
#ifndef TW_RUNTIME_HUB_H
#define TW_RUNTIME_HUB_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/limit.h"
#include "runtime/fanout.h"
#include "runtime/model/resume.h"
#include "runtime/tokens/revocations.h"
#include "runtime/topic_index.h"

typedef struct tw_hub_config {
    uint32_t worker_count;            /* 1 … TW_WORKERS_MAX */
    uint64_t streams_max;             /* on the node */
    uint64_t stream_buffer_bytes;     /* that may wait for one subscriber */
    uint64_t connection_buffer_bytes; /* that may wait for the subscribers of one connection */
    uint64_t node_buffer_bytes;       /* of events that are not in tails; 0: no limit */
    uint32_t tail_events;             /* kept of each topic; 0: none */
    uint64_t tail_bytes;              /* of all tails */
    int64_t resume_window_ms;
    int64_t connection_age_max_ms; /* 0: connections do not retire */
    uint32_t lanes;                /* independent orders of topics; 0 is 1; at most TW_LANES_MAX */
} tw_hub_config_t;

/** One order of events: each topic is in the lane that tw_topic_lane() says. */
typedef struct tw_hub_lane {
    tw_position_t last;  /* of the newest event */
    tw_position_t shown; /* what streams are told: not of another epoch before they know of it */
} tw_hub_lane_t;

typedef struct tw_hub {
    tw_hub_config_t config;
    tw_shard_config_t shards; /* what all workers have in common */
    tw_backlog_t backlog;
    tw_topic_index_t index;
    tw_fanout_t *fanouts[TW_WORKERS_MAX]; /* borrowed; set by tw_hub_add_worker() before traffic */
    tw_limit_t streams;                   /* open, or being opened */
    tw_revocations_t revocations;
    pthread_mutex_t order; /* the order lock; guards the rest */
    tw_hub_lane_t lanes[TW_LANES_MAX];
    uint64_t spanning;           /* streams whose topics are in several lanes */
    tw_event_t *oldest, *newest; /* list of the events in tails, in order */
    _Atomic uint64_t kept_events;
} tw_hub_t;

tw_hub_t *tw_hub_create(const tw_hub_config_t *config);

/** Frees the hub, once all fan-outs are closed. */
void tw_hub_destroy(tw_hub_t *hub);

/** Prepares the fan-out of the worker with this index, whose loop is on `uv`, and makes it known;
 * before traffic. The fan-out is borrowed until the hub is destroyed. */
void tw_hub_add_worker(tw_hub_t *hub, tw_fanout_t *fanout, uint32_t index, uv_loop_t *uv);

/** Whether a publish to the topic has a receiver on this node: a follower, or a resume window. */
bool tw_hub_accepts(tw_hub_t *hub, const tw_topic_name_t *topic);

typedef void (*tw_dispatched_fn)(void *data, const tw_dispatch_result_t *result);

/**
 * Takes an event (and a reference of its own), puts it into the order and posts it to its workers.
 *
 * on_done comes once on `from`, the caller's loop, when the last worker has written or queued it;
 * before the call returns if no worker has to. Both are NULL when nobody waits for that.
 *
 * `at` is NULL when the hub gives the next position itself. Else another order has given it: a
 * position that is not newer than all before is a repeated event, which is ignored, and on_done
 * says that 0 streams got it.
 */
void tw_hub_dispatch(tw_hub_t *hub, tw_loop_t *from, tw_event_t *event, const tw_position_t *at,
                     tw_dispatched_fn on_done, void *data);

/** Writes the newest events that are kept of a topic after seq to `events`, at most `max`, oldest
 * first, each with a reference for the caller. Returns how many. */
size_t tw_hub_tail(tw_hub_t *hub, const tw_topic_name_t *topic, uint64_t after_seq,
                   tw_event_t **events, size_t max);

/** The lane of a topic. */
static inline uint32_t tw_hub_lane_of(const tw_hub_t *hub, const tw_topic_name_t *topic)
{
    return tw_topic_lane(topic, hub->config.lanes);
}

/** The position of a lane's newest event. */
tw_position_t tw_hub_position(tw_hub_t *hub, uint32_t lane);

/** From now on the lane's positions are of this epoch. When it is a new one, its kept events are
 * dropped; streams that span lanes are told of a position in it after the next advance or event.
 * For adapters with an order of their own. */
void tw_hub_set_epoch(tw_hub_t *hub, uint32_t lane, uint64_t epoch);

/*
 * --- for adapters whose order is made elsewhere ---
 *
 * Such an adapter gets the events of a topic only while it asks for them, and holds the topic for
 * that time: the tail keeps every event from the moment on from which the adapter gets all of them,
 * with or without followers. Earlier events count as lost until they are restored.
 *
 * What changes a lane is called by one thread (with Redis the control loop), the one that also
 * dispatches its events: an event that is dispatched after an advance beyond it is ignored.
 */

/** The lane's newest position is at least this one, of the current epoch: all events up to it have
 * been dispatched, or never will be, and the streams that missed some were told. Called when the
 * adapter has read to there: when a topic is followed, when a resume has caught up, and when
 * streams were told of what a hole or another registration has cost. */
void tw_hub_advance(tw_hub_t *hub, uint32_t lane, uint64_t seq);

/** Writes the id-only block of a stream that spans lanes: these positions are what it has got. */
tw_event_t *tw_hub_trail(const tw_position_t *positions, size_t count);

/** The same for where such streams are now. Called under the order lock. */
tw_event_t *tw_hub_trail_now(const tw_hub_t *hub);

/** Holds the topic, of which every event after seq will be dispatched; anew, if it is held: what
 * was kept of it counts as lost. */
void tw_hub_hold(tw_hub_t *hub, const tw_topic_name_t *topic, uint64_t seq);

/** No longer holds the topic, and drops its tail. */
void tw_hub_release(tw_hub_t *hub, const tw_topic_name_t *topic);

/**
 * Puts n older events in front of the tail of a topic that is held from since_seq on. It takes
 * references of its own; the events have ascending positions and are in no other tail. Those that
 * the tail has already, and those beyond its bound, are left out. No event after lost_seq is
 * missing from these and the tail together. A no-op when the tail has lost events since, because
 * the older ones would then stand before a gap.
 */
void tw_hub_restore(tw_hub_t *hub, const tw_topic_name_t *topic, uint64_t since_seq,
                    tw_event_t *const *events, size_t n, uint64_t lost_seq);

/**
 * Forgets the kept events of a topic, because an operator asked for it: those with numbers up to
 * seq (UINT64_MAX: all). They count as lost, and are not restored any more. Any thread.
 */
void tw_hub_forget(tw_hub_t *hub, const tw_topic_name_t *topic, uint64_t seq);

/** Takes an event (and a reference of its own) and posts it to the streams of its topics, outside
 * of the order and without keeping it: a gap event. It has no id: who is cut off behind it comes
 * back with the position of before and is told again. */
void tw_hub_announce(tw_hub_t *hub, tw_event_t *event);

/** Posts to the streams of these topics, which are all in one lane, a block that has only an id:
 * where they are now. Behind the last gap that they are told of. */
void tw_hub_announce_position(tw_hub_t *hub, const tw_topic_list_t *topics);

/** Ends the resume windows and the revocations that have run out. About once a second, from one
 * thread. */
void tw_hub_sweep(tw_hub_t *hub);

#endif
