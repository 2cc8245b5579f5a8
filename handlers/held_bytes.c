#include "handlers/held_bytes.h"

#include "handlers/gateway.h"
#include "handlers/request.h"

/* What the node counts, and whose refusals. */
typedef struct tw_held_kind {
    bool (*take)(tw_backlog_t *backlog, uint64_t bytes);
    void (*give_back)(tw_backlog_t *backlog, uint64_t bytes);
    _Atomic uint64_t *refused;
} tw_held_kind_t;

static tw_held_kind_t kind_of(tw_limits_t *limits, bool is_answer)
{
    if (is_answer)
        return (tw_held_kind_t){tw_backlog_take_answer_bytes, tw_backlog_return_answer_bytes,
                                &limits->refused_answer_bytes};
    return (tw_held_kind_t){tw_backlog_take_body_bytes, tw_backlog_return_body_bytes,
                            &limits->refused_request_bytes};
}

static bool take(tw_limits_t *limits, tw_backlog_t *backlog, const tw_client_key_t *client,
                 bool is_answer, uint64_t bytes)
{
    const tw_held_kind_t kind = kind_of(limits, is_answer);

    if (client != NULL && !tw_limits_hold(limits, client, is_answer, bytes))
        return false;
    if (kind.take(backlog, bytes))
        return true;
    if (client != NULL)
        tw_limits_release(limits, client, is_answer, bytes);
    atomic_fetch_add(kind.refused, 1);
    return false;
}

int tw_held_bytes_change(h2o_conn_t *conn, int is_answer, ssize_t bytes)
{
    const tw_worker_context_t *worker = (const tw_worker_context_t *)conn->ctx;

    if (worker->shard == NULL) /* the ops listener, which takes no bodies */
        return 1;
    tw_backlog_t *backlog = worker->shard->config.backlog;
    tw_limits_t *limits = &worker->gateway->limits;
    tw_client_key_t key, *client = tw_request_conn_client(conn, &key) ? &key : NULL;
    if (bytes > 0)
        return take(limits, backlog, client, is_answer, (uint64_t)bytes);
    kind_of(limits, is_answer).give_back(backlog, (uint64_t)-bytes);
    if (client != NULL)
        tw_limits_release(limits, client, is_answer, (uint64_t)-bytes);
    return 1;
}
