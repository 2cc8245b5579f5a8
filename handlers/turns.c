#include "handlers/turns.h"

#include "base/container.h"
#include "handlers/gateway.h"

/* Nanoseconds. Over HTTP/1.1 each answer is a record and a system call of its own. */
#define REQUEST_H1_NS 15000
#define REQUEST_H2_NS 4000
#define FIELD_NS 60
#define FIELD_BYTE_NS 1

/** In the pool of its request. */
typedef struct tw_waiting_request {
    tw_slice_t slice;
    tw_loop_t *loop; /* borrowed */
    h2o_req_t *req;
    void (*run)(h2o_req_t *req);
} tw_waiting_request_t;

/* NULL on the ops listener. */
static tw_loop_t *loop_of(const h2o_req_t *req)
{
    tw_shard_t *shard = tw_worker_of(req)->shard;
    return shard != NULL ? &shard->loop : NULL;
}

void tw_turn_spend(const h2o_req_t *req, uint64_t ns)
{
    tw_loop_t *loop = loop_of(req);
    if (loop != NULL)
        tw_loop_spend(loop, ns);
}

void tw_turn_spend_request(const h2o_req_t *req)
{
    uint64_t ns = req->version < 0x200 ? REQUEST_H1_NS : REQUEST_H2_NS;
    size_t bytes = req->path.len;

    for (size_t i = 0; i < req->headers.size; ++i)
        bytes += req->headers.entries[i].value.len;
    tw_turn_spend(req, ns + req->headers.size * FIELD_NS + bytes * FIELD_BYTE_NS);
}

bool tw_turn_is_over(const h2o_req_t *req)
{
    const tw_loop_t *loop = loop_of(req);
    return loop != NULL && req->version < 0x200 && !tw_loop_has_time(loop);
}

static void on_gone(void *data)
{
    tw_waiting_request_t *waiting = data;
    tw_loop_cancel(waiting->loop, &waiting->slice);
}

static void on_time(tw_slice_t *slice)
{
    tw_waiting_request_t *waiting = TW_CONTAINER_OF(slice, tw_waiting_request_t, slice);
    waiting->run(waiting->req);
}

void tw_turn_await(h2o_req_t *req, void (*run)(h2o_req_t *req))
{
    tw_waiting_request_t *waiting = h2o_mem_alloc_shared(&req->pool, sizeof(*waiting), on_gone);

    *waiting = (tw_waiting_request_t){.loop = loop_of(req), .req = req, .run = run};
    tw_loop_defer(waiting->loop, &waiting->slice, on_time);
}
