/**
 * The subjects whose tokens are refused, as this node knows them.
 *
 * A revocation refuses the tokens of a subject that were issued at a moment or before, until
 * another one, after which they have expired anyway. Two of one subject are merged into the later
 * moment of each kind, so that it does not matter in which order nodes hear of them, nor how often.
 * What has ended is forgotten. Times are milliseconds of the wall clock.
 *
 * Any thread. A stream is checked on its worker's thread just before it is open, and a revocation
 * enters the list before it is posted to the workers: so each stream is refused by the one or ended
 * by the other.
 *
 * The hub owns the list. Callers: runtime/hub.c (its life), runtime/join.c (checks),
 * handlers/access.c (checks of publishes), handlers/ops.c (how many there are), runtime/listing.c
 * and runtime/redis/ (new ones).
 */
#ifndef TW_TOKENS_REVOCATIONS_H
#define TW_TOKENS_REVOCATIONS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/ranked_tree.h"
#include "base/table.h"
#include "base/text.h"
#include "runtime/model/claims.h"
#include "runtime/model/status.h"

/** How many subjects a node and a cluster remember. */
#define TW_REVOCATIONS_MAX 10000

typedef struct tw_revocation {
    tw_text_t subject; /* 1 to TW_SUBJECT_MAX bytes */
    int64_t revoked_at_ms, until_ms;
} tw_revocation_t;

typedef struct tw_revocations {
    pthread_mutex_t lock;      /* guards the two */
    tw_table_t by_subject;     /* owned entries … */
    tw_ranked_tree_t by_end;   /* … which are in both */
    atomic_bool is_incomplete; /* the cluster's list has not been read yet; the adapter's */
} tw_revocations_t;

void tw_revocations_init(tw_revocations_t *list);
void tw_revocations_dispose(tw_revocations_t *list);

/** Adds a revocation. *changed says whether the list knew less before. TW_OK, also for one that has
 * ended, which changes nothing; or TW_FULL. */
tw_status_t tw_revocations_add(tw_revocations_t *list, const tw_revocation_t *revocation,
                               bool *changed);

/** Whether a token is good: TW_OK, TW_REVOKED, or TW_UNAVAILABLE while nobody knows yet. Tokens
 * without a subject are. */
tw_status_t tw_revocations_check(tw_revocations_t *list, tw_text_t subject, int64_t issued_at_ms);

/** Forgets what has ended. About once a second. */
void tw_revocations_sweep(tw_revocations_t *list);

/** How many there are. */
size_t tw_revocations_count(tw_revocations_t *list);

/** Copies up to `max` of them, in the order of their ends from rank `from` on; subjects are copied
 * to `texts`. Returns how many. */
size_t tw_revocations_read(tw_revocations_t *list, size_t from, size_t max,
                           tw_revocation_t *revocations, char (*texts)[TW_SUBJECT_MAX]);

#endif
