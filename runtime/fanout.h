/**
 * Fan-out on one worker: which of its streams an event goes to.
 *
 * Events reach a worker as calls that are posted to its loop. Fan-out walks topic → groups (one for
 * each connection that has followers of the topic) → streams, and calls the transport once for each
 * event and connection. Belongs to the worker's thread.
 *
 * Callers: runtime/hub.c (preparing, deliveries), runtime/join.c (joining, leaving),
 * runtime/listing.c (listings), runtime/upkeep.c (reaping),
 * server/worker.c (the end).
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
#include "runtime/tokens/grants.h"

typedef struct tw_fanout {
    tw_shard_t shard;
    tw_table_t topics;        /* tw_local_topic_t by name */
    tw_table_t groups;        /* tw_group_t by topic and connection */
    tw_ranked_tree_t listing; /* live subscribers by number */
    tw_grants_t grants;       /* those with a token */
} tw_fanout_t;

/** Prepares the worker with this index, on the thread that runs `uv`, or before it runs. */
void tw_fanout_init(tw_fanout_t *fanout, const tw_shard_config_t *config, uint32_t index,
                    uv_loop_t *uv);

/** Begins to close the loop, when all streams are closed and nobody posts to it any more. */
void tw_fanout_close(tw_fanout_t *fanout);

/** Frees everything, once libuv has closed the handles. */
void tw_fanout_dispose(tw_fanout_t *fanout);

/** Gives the event once to each stream of this worker that follows one of its topics, and `trail`
 * (NULL: none) behind it to those whose topics are in several lanes. Returns how many got it. */
size_t tw_fanout_deliver(tw_fanout_t *fanout, tw_event_t *event, tw_event_t *trail);

/** JOINING → LIVE: enters the subscriber into the tables under its topic_count names, which are
 * borrowed for the call. */
void tw_fanout_join(tw_fanout_t *fanout, tw_subscriber_t *subscriber, const tw_topic_name_t *names);

/** LIVE → NEW: takes the subscriber out of the tables. */
void tw_fanout_leave(tw_fanout_t *fanout, tw_subscriber_t *subscriber);

/** The LIVE subscriber with this number, or NULL. */
tw_subscriber_t *tw_fanout_find(tw_fanout_t *fanout, uint64_t number);

/** Closes the streams that are doomed. The loop calls this after each batch of calls; whoever
 * writes to streams at other times calls it afterwards. */
void tw_fanout_reap(tw_fanout_t *fanout);

/** Closes up to max streams. Returns how many; fewer than max means that none is left. */
size_t tw_fanout_close_some(tw_fanout_t *fanout, size_t max, tw_close_reason_t reason);

/** Called for each subscriber of a listing; what is to be kept must be copied. */
typedef void (*tw_subscriber_visit_fn)(tw_subscriber_t *subscriber, void *data);

/** Visits up to `count` LIVE subscribers in the order of their numbers, beginning with the one of
 * rank `from`. O(log N + count). */
void tw_fanout_list(tw_fanout_t *fanout, size_t from, size_t count, tw_subscriber_visit_fn visit,
                    void *data);

/** The same for the followers of one topic, in no particular order. Returns how many it has.
 * O(groups + count). */
size_t tw_fanout_list_topic(tw_fanout_t *fanout, const tw_topic_name_t *name, size_t from,
                            size_t count, tw_subscriber_visit_fn visit, void *data);

#endif
