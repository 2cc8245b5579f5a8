/**
 * The node's topics: who follows them on which worker, and their tails. What the early drop asks
 * and what a publish reads.
 *
 * Any thread. Lock-striped by name; the listing has a lock of its own (order: hub's order lock →
 * stripe → listing). A topic exists while it has followers, events in its tail, a resume window
 * that has not run out, or is held; listed are only those with followers.
 */
#ifndef TW_RUNTIME_TOPIC_INDEX_H
#define TW_RUNTIME_TOPIC_INDEX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ranked_tree.h"
#include "base/table.h"
#include "runtime/model/tail.h"
#include "runtime/model/topic_name.h"

#define TW_INDEX_STRIPES 64

/*
 * A topic that is freed leaves behind the sequence number of the last event that it lost, in a slot
 * that it shares with other names: a stream that resumes may be told of a gap that another topic
 * had, and never misses one of its own, at a fixed 512 KiB.
 */
#define TW_INDEX_FORGOTTEN 1024

/*
 * Topics whose resume window runs, at most, of a stripe: anyone can follow a topic and leave it,
 * and a window may be a day. Enough for a million streams that leave at once; beyond, the oldest
 * window ends early.
 */
#define TW_INDEX_LINGERING_MAX (2 * 1000000 / TW_INDEX_STRIPES)

typedef struct tw_topic {
    tw_table_node_t node;
    tw_ranked_node_t listed;    /* in the listing while followers > 0; its lock */
    _Atomic uint32_t followers; /* streams on this node; written under the stripe's lock */
    tw_tail_t tail; /* the hub's order lock and the stripe's lock, both, to write; either to read */
    int64_t left_at_ms;               /* monotonic: when the last follower left; 0: never had one */
    struct tw_topic *earlier, *later; /* the stripe's list of topics whose resume window runs */
    bool lingers;
    bool held; /* tw_hub_hold(): the tail keeps events, followed or not */
    uint32_t name_len;
    uint32_t *by_worker; /* followers per worker, worker_count of them; in this block */
    char name[];         /* name_len bytes */
} tw_topic_t;

typedef struct tw_index_stripe {
    pthread_mutex_t lock;
    tw_table_t topics;
    tw_topic_t *first, *last;               /* topics that linger, the longest first */
    size_t lingering;                       /* how many */
    uint64_t forgotten[TW_INDEX_FORGOTTEN]; /* by hash: the newest event lost with a topic that was
                                               freed */
} tw_index_stripe_t;

typedef struct tw_topic_index {
    tw_index_stripe_t stripes[TW_INDEX_STRIPES];
    pthread_mutex_t listing_lock;
    tw_ranked_tree_t listing;
    uint32_t worker_count;
    int64_t resume_window_ms;     /* 0: an unfollowed topic accepts nothing */
    size_t lingering_max;         /* of a stripe */
    _Atomic uint64_t topic_count; /* listed topics */
    _Atomic uint64_t windows_cut; /* resume windows that ended early, at lingering_max */
} tw_topic_index_t;

void tw_topic_index_init(tw_topic_index_t *index, uint32_t worker_count, int64_t resume_window_ms);

/** Frees everything; all tails are empty by then, followers may be left. */
void tw_topic_index_dispose(tw_topic_index_t *index);

/** Locks the stripe of this name; hold it briefly, and no other stripe. */
tw_index_stripe_t *tw_topic_index_lock(tw_topic_index_t *index, const tw_topic_name_t *name);
void tw_topic_index_unlock(tw_index_stripe_t *stripe);

/** The topic, or NULL; stripe locked. */
tw_topic_t *tw_topic_index_find(tw_index_stripe_t *stripe, const tw_topic_name_t *name);

/** One follower more on this worker, in a topic that is made if it is not there; stripe locked. */
tw_topic_t *tw_topic_index_follow(tw_topic_index_t *index, tw_index_stripe_t *stripe,
                                  const tw_topic_name_t *name, uint32_t worker);

/** The topic, made if it is not there; stripe locked. Somebody must have a use for it, or collect
 * it. */
tw_topic_t *tw_topic_index_obtain(tw_topic_index_t *index, tw_index_stripe_t *stripe,
                                  const tw_topic_name_t *name);

/** One follower less on this worker. Without followers, tail and window the topic is freed. Takes
 * the lock itself. */
void tw_topic_index_unfollow(tw_topic_index_t *index, const tw_topic_name_t *name, uint32_t worker,
                             int64_t now_ms);

/** Whether a publish to the topic has a receiver: followers, or a resume window that runs; stripe
 * locked; topic may be NULL. */
bool tw_topic_index_accepts(const tw_topic_index_t *index, const tw_topic_t *topic, int64_t now_ms);

/** The same for a name that is not locked. */
bool tw_topic_index_accepts_name(tw_topic_index_t *index, const tw_topic_name_t *name,
                                 int64_t now_ms);

/** Frees the topic if nothing keeps it; stripe locked. Call after its tail got empty. */
void tw_topic_index_collect(tw_topic_index_t *index, tw_index_stripe_t *stripe, tw_topic_t *topic,
                            int64_t now_ms);

/** Frees topics whose resume window has run out; now and then. */
void tw_topic_index_sweep(tw_topic_index_t *index, int64_t now_ms);

/** One row of the listing; the name is borrowed for the visit. */
typedef void (*tw_topic_visit_fn)(const char *name, size_t name_len, uint32_t followers,
                                  void *data);

/**
 * Rows `from` … `from + count` of the followed topics whose name starts with prefix, in byte order
 * of their names. Returns how many such topics there are. The visitor runs under the listing's
 * lock: it copies and returns. O(log N + count).
 */
size_t tw_topic_index_list(tw_topic_index_t *index, const char *prefix, size_t prefix_len,
                           size_t from, size_t count, tw_topic_visit_fn visit, void *data);

#endif
