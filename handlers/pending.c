#include "handlers/pending.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "handlers/reply.h"

static void on_request_gone(void *data)
{
    tw_pending_t *pending = *(tw_pending_t **)data;
    pending->req = NULL;
    tw_pending_unref(pending);
}

tw_pending_t *tw_pending_create(h2o_req_t *req)
{
    tw_pending_t *pending = tw_alloc(sizeof(*pending));
    tw_pending_t **from_pool =
        h2o_mem_alloc_shared(&req->pool, sizeof(*from_pool), on_request_gone);

    *pending = (tw_pending_t){.req = req, .refs = 2};
    *from_pool = pending;
    return pending;
}

h2o_req_t *tw_pending_take(tw_pending_t *pending)
{
    h2o_req_t *req = pending->req;
    pending->req = NULL;
    return req;
}

void tw_pending_unref(tw_pending_t *pending)
{
    if (--pending->refs == 0)
        free(pending);
}

void tw_pending_done(void *data, tw_status_t status)
{
    tw_pending_t *pending = data;
    h2o_req_t *req = tw_pending_take(pending);

    if (req != NULL && status == TW_OK)
        tw_reply_text(req, 204, NULL, "", 0);
    else if (req != NULL)
        tw_reply_status(req, status);
    tw_pending_unref(pending);
}
