/**
 * One worker's part of the runtime: its loop, its subscribers by topic, its heartbeat clock and its
 * counters. Events reach it as calls that are posted to its loop.
 *
 * topic → groups (one per connection that has followers of the topic) → streams. Fan-out walks it
 * event by event and connection by connection. All of it belongs to the worker's thread, except
 * what says otherwise.
 */
#ifndef TW_RUNTIME_FANOUT_H
#define TW_RUNTIME_FANOUT_H

#include <uv.h>

#include "base/loop.h"
#include "base/ranked_tree.h"
#include "base/table.h"
#include "runtime/connection.h"
#include "runtime/counters.h"
#include "runtime/subscriber.h"

typedef struct tw_hub tw_hub_t;
typedef struct tw_local_topic tw_local_topic_t;

/** The streams of one connection that follow one topic. */
struct tw_group {
    tw_table_node_t node; /* by (topic, connection) */
    tw_local_topic_t *topic;
    tw_connection_t *connection;
    tw_stream_t **streams; /* &single, or owned */
    tw_stream_t *single;
    uint32_t count, capacity;
    uint32_t index; /* its place in topic->groups */
};

struct tw_local_topic {
    tw_table_node_t node;
    tw_group_t **groups; /* &single, or owned */
    tw_group_t *single;
    uint32_t count, capacity;
    uint32_t stream_count;
    uint32_t name_len;
    char name[];
};

struct tw_fanout {
    tw_hub_t *hub; /* borrowed: outlives it */
    uint32_t index;
    uint16_t tick; /* heartbeat clock: tw_fanout_advance() */
    tw_loop_t loop;
    tw_table_t topics;        /* tw_local_topic_t by name */
    tw_table_t groups;        /* tw_group_t by topic and connection */
    tw_ranked_tree_t listing; /* live subscribers by number */
    uint64_t next_number;
    tw_connection_t *connections; /* those with streams */
    LIST_HEAD(tw_doomed_list, tw_subscriber) doomed;
    uint32_t jitter; /* of the next retirement */
    tw_counters_t counters;
};

/** Prepares the worker with this index, on the thread that runs `uv`, or before it runs. */
void tw_fanout_init(tw_fanout_t *fanout, tw_hub_t *hub, uint32_t index, uv_loop_t *uv);

/** Begins to close the loop handle: when all streams are closed and nobody posts any more. */
void tw_fanout_close(tw_fanout_t *fanout);

/** Frees everything, after the loop has closed the handle. */
void tw_fanout_dispose(tw_fanout_t *fanout);

/** Gives the event to every local stream that follows one of its topics, each once; returns to how
 * many it went. */
size_t tw_fanout_deliver(tw_fanout_t *fanout, tw_event_t *event);

/** JOINING → LIVE: puts the subscriber into the tables, under these topic_count names, which stay
 * the caller's. */
void tw_fanout_join(tw_fanout_t *fanout, tw_subscriber_t *subscriber, const tw_topic_name_t *names);

/** LIVE → NEW: takes it out. */
void tw_fanout_leave(tw_fanout_t *fanout, tw_subscriber_t *subscriber);

/** The live subscriber with this number, or NULL. */
tw_subscriber_t *tw_fanout_find(tw_fanout_t *fanout, uint64_t number);

/** Closes at the end of the batch: see tw_subscriber_doom(). */
void tw_fanout_doom(tw_fanout_t *fanout, tw_subscriber_t *subscriber);

/** Off the list of the doomed, if it is on it: it is closed before its turn. */
void tw_fanout_undoom(tw_subscriber_t *subscriber);

/** Closes what is doomed. The loop calls it after each batch of calls, a transport after anything
 * that may doom a stream. */
void tw_fanout_reap(tw_fanout_t *fanout);

/** The heartbeat clock goes on by one; writes to the streams that were silent for `silence` ticks.
 */
void tw_fanout_advance(tw_fanout_t *fanout, uint16_t silence);

/** Closes up to max streams; returns how many (fewer than max: none is left). */
size_t tw_fanout_close_some(tw_fanout_t *fanout, size_t max, tw_close_reason_t reason);

/** tw_connection_age() for every connection with streams. */
void tw_fanout_age(tw_fanout_t *fanout, int64_t now_ms, int64_t spread_ms, int64_t step_ms);

/** When a connection that is made now retires (tw_clock_ms()): at the hub's age, give or take a
 * tenth; 0: never. */
int64_t tw_fanout_next_retirement(tw_fanout_t *fanout);

/** A connection with streams goes into, or out of, the worker's list. */
void tw_fanout_link(tw_fanout_t *fanout, tw_connection_t *connection);
void tw_fanout_unlink(tw_fanout_t *fanout, tw_connection_t *connection);

/** A group's topic; borrowed while a stream is in the group. */
tw_topic_name_t tw_group_topic(const tw_group_t *group);

/** What a listing visits; live, so copy what you keep. */
typedef void (*tw_subscriber_visit_fn)(tw_subscriber_t *subscriber, void *data);

/** Live subscribers in order of their numbers, from rank `from` on, up to `count`. O(log N +
 * count). */
void tw_fanout_list(tw_fanout_t *fanout, size_t from, size_t count, tw_subscriber_visit_fn visit,
                    void *data);

/** The same for the followers of one topic, in no particular order. Returns how many follow it.
 * O(groups + count). */
size_t tw_fanout_list_topic(tw_fanout_t *fanout, const tw_topic_name_t *name, size_t from,
                            size_t count, tw_subscriber_visit_fn visit, void *data);

static inline uint16_t tw_fanout_tick(const tw_fanout_t *fanout)
{
    return fanout->tick;
}

static inline tw_counters_t *tw_fanout_counters(tw_fanout_t *fanout)
{
    return &fanout->counters;
}

static inline uint64_t tw_fanout_next_number(tw_fanout_t *fanout)
{
    return ++fanout->next_number;
}

static inline uint32_t tw_fanout_index(const tw_fanout_t *fanout)
{
    return fanout->index;
}

static inline tw_hub_t *tw_fanout_hub(const tw_fanout_t *fanout)
{
    return fanout->hub;
}

#endif
