/**
 * The streams of one worker that were opened with a token: which end when, and which are whose.
 *
 * Each has a grant, a block that streams without a token do not have. One timer ends the streams
 * whose tokens expire. However many end at once, each turn closes as many as its budget allows
 * (base/loop.h). Belongs to the worker's thread.
 *
 * A fan-out owns its grants; a subscriber owns its own one. Callers: runtime/subscriber.c (making
 * it), runtime/fanout.c (its life), runtime/listing.c (whose are which).
 */
#ifndef TW_TOKENS_GRANTS_H
#define TW_TOKENS_GRANTS_H

#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/loop.h"
#include "base/ranked_tree.h"
#include "base/text.h"
#include "runtime/model/claims.h"
#include "runtime/model/close_reason.h"

/** What the token of a stream says. */
typedef struct tw_grant {
    tw_ranked_entry_t by_expiry;         /* while the stream is open, if the token expires */
    tw_ranked_entry_t by_subject;        /* while it is open, if the token has a subject */
    void *stream;                        /* borrowed: whose grant it is */
    uint64_t number;                     /* of the stream, unique on its worker, from 1 */
    int64_t issued_at_ms, expires_at_ms; /* wall clock; 0: unknown, never */
    uint32_t subject_len;                /* 0: it has none */
    char subject[];                      /* NUL-terminated */
} tw_grant_t;

/** Ends the stream of a grant, which is removed and freed before it returns. */
typedef void (*tw_grant_end_fn)(void *stream, tw_close_reason_t reason);

/** The grants of a worker's open streams. */
typedef struct tw_grants {
    tw_loop_t *loop; /* borrowed: the worker's */
    tw_grant_end_fn end;
    tw_ranked_tree_t by_expiry;  /* by (end, number) */
    tw_ranked_tree_t by_subject; /* by (subject, number) */
    uv_timer_t timer;            /* active while by_expiry is not empty */
    int64_t timer_ms;            /* for whose end it runs, wall clock; 0: it is not active */
    tw_slice_t slice;            /* waits while streams are due */
    LIST_HEAD(tw_ending_list, tw_ending) endings; /* that have begun */
} tw_grants_t;

/** Makes the grant of a stream; the claims are copied. free() it. */
tw_grant_t *tw_grant_create(void *stream, uint64_t number, const tw_claims_t *claims);

void tw_grants_init(tw_grants_t *grants, tw_loop_t *loop, tw_grant_end_fn end);

/** Begins to close the timer, when all streams are closed. */
void tw_grants_close(tw_grants_t *grants);

/** The stream of the grant is open, or no longer. */
void tw_grants_add(tw_grants_t *grants, tw_grant_t *grant);
void tw_grants_remove(tw_grants_t *grants, tw_grant_t *grant);

/** Calls `visit` with up to `count` streams of a subject in the order of their numbers, from the
 * one of rank `from` on. Returns how many there are. O(count · log N). */
size_t tw_grants_list(const tw_grants_t *grants, tw_text_t subject, size_t from, size_t count,
                      void (*visit)(void *stream, void *data), void *data);

/* --- ending the streams of a subject --- */

/** Which ones, and why. */
typedef struct tw_ending_query {
    tw_text_t subject;
    int64_t issued_until_ms; /* only with tokens that were issued then or before; INT64_MAX: all */
    tw_close_reason_t reason;
} tw_ending_query_t;

/** Embedded in the caller's struct, whose on_done is called once, with the grants' thread, now or
 * in a later turn; `query` is the caller's, and its bytes live until then. */
typedef struct tw_ending {
    tw_ending_query_t query;
    void (*on_done)(struct tw_ending *ending);
    uint64_t count; /* streams that were ended */
    /* the grants' own */
    tw_grants_t *grants;
    tw_slice_t slice;
    LIST_ENTRY(tw_ending) link;
    uint64_t next; /* the next stream has this number or a higher one … */
    uint64_t last; /* … up to this one: who comes later is not meant */
} tw_ending_t;

/** Ends the open streams with numbers up to `last`. */
void tw_grants_end_subject(tw_grants_t *grants, tw_ending_t *ending, uint64_t last);

#endif
