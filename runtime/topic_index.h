/**
 * The topics of this node: who follows them on which worker, and their tails. The early drop asks
 * it, and every publish reads it.
 *
 * Any thread. Topics are spread over lock stripes by name; the listing has a lock of its own (lock
 * order: the hub's order lock → stripe → listing). A topic exists while it has followers, events in
 * its tail, a resume window that runs, or while it is held. Only topics with followers are listed.
 *
 * The hub owns it. Callers: runtime/hub.c, runtime/join.c, runtime/missed.c, runtime/memory/
 * (listing).
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
 * A topic that is freed leaves the sequence number of its last lost event in a slot that it shares
 * with other names. A stream that resumes may so be told of a gap that another topic had, but never
 * misses one of its own. The slots take 512 KiB.
 */
#define TW_INDEX_FORGOTTEN 1024

/*
 * How many topics of a stripe may have a resume window at the same time. Anyone can follow a topic
 * and leave it, and a window may last a day. This is enough for a million streams that leave at
 * once; beyond it the oldest window ends early.
 */
#define TW_INDEX_LINGERING_MAX (2 * 1000000 / TW_INDEX_STRIPES)

typedef struct tw_topic {
    tw_table_entry_t entry;
    tw_ranked_entry_t listed;   /* in the listing while followers > 0; under the listing's lock */
    _Atomic uint32_t followers; /* streams on this node; written under the stripe's lock */
    tw_tail_t tail;     /* to write it takes the order lock and the stripe's, to read either */
    int64_t left_at_ms; /* tw_clock_ms(); 0: it never had a follower */
    struct tw_topic *earlier, *later; /* in the stripe's list, while it lingers */
    bool lingers;
    bool held; /* by tw_hub_hold(): the tail keeps events without followers, too */
    uint32_t name_len;
    uint32_t *by_worker; /* followers on each worker; in this block */
    char name[];         /* name_len bytes */
} tw_topic_t;

typedef struct tw_index_stripe {
    pthread_mutex_t lock;
    tw_table_t topics;
    tw_topic_t *first, *last;               /* topics that linger, the oldest window first */
    size_t lingering;                       /* topics that linger */
    uint64_t forgotten[TW_INDEX_FORGOTTEN]; /* by hash: the newest event lost with a topic that was
                                               freed */
    uint64_t erased[TW_INDEX_FORGOTTEN];    /* by hash: up to which number operators had events
                                               forgotten; 0: none */
} tw_index_stripe_t;

typedef struct tw_topic_index {
    tw_index_stripe_t stripes[TW_INDEX_STRIPES];
    pthread_mutex_t listing_lock;
    tw_ranked_tree_t listing;
    uint32_t worker_count;
    int64_t resume_window_ms;     /* 0: a topic without followers accepts nothing */
    size_t lingering_max;         /* in one stripe */
    _Atomic uint64_t topic_count; /* listed topics */
    _Atomic uint64_t windows_cut; /* resume windows that ended early */
} tw_topic_index_t;

void tw_topic_index_init(tw_topic_index_t *index, uint32_t worker_count, int64_t resume_window_ms);

/** Frees everything. All tails are empty by then; there may be followers. */
void tw_topic_index_dispose(tw_topic_index_t *index);

/** Locks the stripe of this name. Hold it briefly, and never two at once. */
tw_index_stripe_t *tw_topic_index_lock(tw_topic_index_t *index, const tw_topic_name_t *name);
void tw_topic_index_unlock(tw_index_stripe_t *stripe);

/** The topic, or NULL. The stripe is locked. */
tw_topic_t *tw_topic_index_find(tw_index_stripe_t *stripe, const tw_topic_name_t *name);

/** Adds a follower on this worker to the topic, which is created if necessary. The stripe is
 * locked. */
tw_topic_t *tw_topic_index_follow(tw_topic_index_t *index, tw_index_stripe_t *stripe,
                                  const tw_topic_name_t *name, uint32_t worker);

/** The topic, which is created if necessary. The stripe is locked. The caller gives it a reason to
 * exist, or calls tw_topic_index_collect(). */
tw_topic_t *tw_topic_index_obtain(tw_topic_index_t *index, tw_index_stripe_t *stripe,
                                  const tw_topic_name_t *name);

/** Removes a follower on this worker, and frees the topic when nothing else keeps it. Locks the
 * stripe itself. */
void tw_topic_index_unfollow(tw_topic_index_t *index, const tw_topic_name_t *name, uint32_t worker,
                             int64_t now_ms);

/** Whether a publish to the topic, which may be NULL, has a receiver: followers, or a resume window
 * that runs. The stripe is locked. */
bool tw_topic_index_accepts(const tw_topic_index_t *index, const tw_topic_t *topic, int64_t now_ms);

/** The same by name; locks the stripe itself. */
bool tw_topic_index_accepts_name(tw_topic_index_t *index, const tw_topic_name_t *name,
                                 int64_t now_ms);

/** Up to which number events of the topic, or of one that shares its slot, were forgotten because
 * an operator asked for it; 0: none. The stripe is locked; the caller may set it. */
uint64_t *tw_topic_index_erased(tw_index_stripe_t *stripe, const tw_topic_name_t *name);

/** Numbers begin anew: nothing counts as forgotten by operators. Locks the stripes itself. */
void tw_topic_index_clear_erased(tw_topic_index_t *index);

/** Frees the topic if nothing keeps it, after its tail has become empty. The stripe is locked. */
void tw_topic_index_collect(tw_topic_index_t *index, tw_index_stripe_t *stripe, tw_topic_t *topic,
                            int64_t now_ms);

/** Ends resume windows that have run out. */
void tw_topic_index_sweep(tw_topic_index_t *index, int64_t now_ms);

/** Called for a row of the listing. The name is borrowed for the call. */
typedef void (*tw_topic_visit_fn)(const char *name, size_t name_len, uint32_t followers,
                                  void *data);

/**
 * Visits the rows `from` … `from + count` of the followed topics whose names begin with prefix, in
 * the byte order of their names. Returns how many such topics there are. The visitor runs under the
 * listing's lock, so it copies and returns. O(log N + count).
 */
size_t tw_topic_index_list(tw_topic_index_t *index, const char *prefix, size_t prefix_len,
                           size_t from, size_t count, tw_topic_visit_fn visit, void *data);

#endif
