/* Work in slices: what streams ask for in bursts must not keep the loop from publishing. */
#include "base/clock.h"
#include "runtime/redis/node.h"

#define SLICE_US 2000
#define CHORES_PER_LOOK 16 /* at the clock */

void tw_redis_chore_add(tw_redis_node_t *node, tw_redis_chore_t *chore, tw_redis_chore_fn run)
{
    chore->run = run;
    STAILQ_INSERT_TAIL(&node->chores, chore, link);
}

static bool run_next(tw_redis_node_t *node)
{
    tw_redis_chore_t *chore = STAILQ_FIRST(&node->chores);
    if (chore == NULL)
        return false;
    STAILQ_REMOVE_HEAD(&node->chores, link);
    chore->run(node, chore);
    return true;
}

void tw_redis_chores_finish(tw_redis_node_t *node)
{
    while (run_next(node))
        ;
}

/* Only there so that the loop does not wait for events. */
static void on_more(uv_idle_t *more)
{
    (void)more;
}

void tw_redis_chores_turn(tw_redis_node_t *node)
{
    int64_t ends_us = tw_clock_us() + SLICE_US;

    for (unsigned done = 1; run_next(node); ++done)
        if (done % CHORES_PER_LOOK == 0 && tw_clock_us() >= ends_us)
            break;
    if (STAILQ_EMPTY(&node->chores))
        uv_idle_stop(&node->more);
    else
        uv_idle_start(&node->more, on_more);
}
