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

#include "base/ranked_tree.h"
#include "base/table.h"
#include "runtime/connection.h"
#include "runtime/group.h"
#include "runtime/shard.h"
#include "runtime/subscriber.h"

typedef struct tw_fanout {
    tw_shard_t shard;
    tw_table_t topics;        /* tw_local_topic_t by name */
    tw_table_t groups;        /* tw_group_t by topic and connection */
    tw_ranked_tree_t listing; /* live subscribers by number */
} tw_fanout_t;

/** Prepares the worker with this index, on the thread that runs `uv`, or before it runs. */
void tw_fanout_init(tw_fanout_t *fanout, const tw_shard_config_t *config, uint32_t index,
                    uv_loop_t *uv);

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

/** Closes what is doomed. The loop calls it after each batch of calls, a transport after anything
 * that may doom a stream. */
void tw_fanout_reap(tw_fanout_t *fanout);

/** Closes up to max streams; returns how many (fewer than max: none is left). */
size_t tw_fanout_close_some(tw_fanout_t *fanout, size_t max, tw_close_reason_t reason);

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

#endif
