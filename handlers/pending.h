/**
 * A request that waits for the runtime's answer: the answer always comes, the request may be gone
 * by then.
 *
 * Two hold it: the request's pool and whoever waits for the answer. On the request's worker.
 */
#ifndef TW_HANDLERS_PENDING_H
#define TW_HANDLERS_PENDING_H

#include <h2o.h>

typedef struct tw_pending {
    h2o_req_t *req; /* NULL: the client is gone, or the answer was taken */
    unsigned refs;
    uint64_t page, page_size; /* what a listing was asked for */
} tw_pending_t;

/** For this request; one reference is the caller's, for the answer. */
tw_pending_t *tw_pending_create(h2o_req_t *req);

/** The request to answer, once; NULL when it is gone. */
h2o_req_t *tw_pending_take(tw_pending_t *pending);

void tw_pending_unref(tw_pending_t *pending);

#endif
