#include "runtime/backlog.h"

#include "base/budget.h"
#include "runtime/model/event.h"

/* What a queue spends on a reference to an event, its ring being half full on average. */
#define QUEUED_EVENT_BYTES 16

static tw_budget_t budget_of(const tw_backlog_t *backlog, uint64_t max)
{
    uint64_t alive = tw_event_live_bytes(), kept = atomic_load(&backlog->kept_bytes);

    return (tw_budget_t){.used = (alive > kept ? alive - kept : 0) +
                                 atomic_load(&backlog->queued_events) * QUEUED_EVENT_BYTES +
                                 atomic_load(&backlog->body_bytes) +
                                 atomic_load(&backlog->answer_bytes),
                         .max = max};
}

bool tw_backlog_is_full(const tw_backlog_t *backlog)
{
    const tw_budget_t budget = budget_of(backlog, backlog->node_bytes_max);
    return !tw_budget_fits(&budget, 0);
}

bool tw_backlog_may_replay(const tw_backlog_t *backlog)
{
    const tw_budget_t budget = budget_of(backlog, backlog->node_bytes_max / 2);
    return tw_budget_fits(&budget, 0);
}

static bool take(_Atomic uint64_t *used, uint64_t bytes, uint64_t max)
{
    const tw_budget_t budget = {.used = atomic_load(used), .max = max};

    if (!tw_budget_fits(&budget, bytes))
        return false;
    atomic_fetch_add(used, bytes);
    return true;
}

bool tw_backlog_take_body_bytes(tw_backlog_t *backlog, uint64_t bytes)
{
    return take(&backlog->body_bytes, bytes, backlog->node_bytes_max / 2);
}

bool tw_backlog_take_answer_bytes(tw_backlog_t *backlog, uint64_t bytes)
{
    return take(&backlog->answer_bytes, bytes, backlog->node_bytes_max / 4);
}

void tw_backlog_return_body_bytes(tw_backlog_t *backlog, uint64_t bytes)
{
    atomic_fetch_sub(&backlog->body_bytes, bytes);
}

void tw_backlog_return_answer_bytes(tw_backlog_t *backlog, uint64_t bytes)
{
    atomic_fetch_sub(&backlog->answer_bytes, bytes);
}
