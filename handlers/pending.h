/**
 * A request that waits for an answer of the runtime. The answer always comes; the request may have
 * gone by then.
 *
 * There are two references: of the request's pool, and of the code that waits for the answer. On
 * the thread of the request's worker.
 *
 * Callers: handlers/admin/.
 */
#ifndef TW_HANDLERS_PENDING_H
#define TW_HANDLERS_PENDING_H

#include <h2o.h>

#include "runtime/model/status.h"

typedef struct tw_pending {
    h2o_req_t *req; /* NULL: the client has gone, or the request was taken */
    unsigned refs;
    uint64_t page, page_size; /* of a listing */
} tw_pending_t;

/** Makes one for this request. One reference is the caller's, for the answer. */
tw_pending_t *tw_pending_create(h2o_req_t *req);

/** Returns the request, once, for the caller to answer; NULL when it has gone. */
h2o_req_t *tw_pending_take(tw_pending_t *pending);

/** Drops a reference; the last one frees it. */
void tw_pending_unref(tw_pending_t *pending);

/** A tw_status_fn whose data is the pending request: answers 204, or with the error of the status,
 * and drops the caller's reference. */
void tw_pending_done(void *data, tw_status_t status);

#endif
