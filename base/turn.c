#include "base/turn.h"

#include <assert.h>

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* that there is one keeps the loop awake */
}

static void on_prepare(uv_prepare_t *prepare)
{
    tw_turn_t *turn = prepare->data;

    tw_turn_begin(turn);
    if (TAILQ_EMPTY(&turn->waiting))
        uv_idle_stop(&turn->idle);
}

void tw_turn_init(tw_turn_t *turn, uv_loop_t *loop)
{
    *turn = (tw_turn_t){.left_ns = TW_TURN_NS};
    TAILQ_INIT(&turn->waiting);
    uv_idle_init(loop, &turn->idle);
    uv_prepare_init(loop, &turn->prepare);
    turn->prepare.data = turn;
    uv_prepare_start(&turn->prepare, on_prepare);
}

void tw_turn_close(tw_turn_t *turn)
{
    assert(TAILQ_EMPTY(&turn->waiting));
    uv_close((uv_handle_t *)&turn->prepare, NULL);
    uv_close((uv_handle_t *)&turn->idle, NULL);
}

void tw_turn_defer(tw_turn_t *turn, tw_slice_t *slice, tw_slice_fn run)
{
    if (slice->run != NULL)
        return;
    slice->run = run;
    TAILQ_INSERT_TAIL(&turn->waiting, slice, link);
    uv_idle_start(&turn->idle, on_idle);
}

void tw_turn_cancel(tw_turn_t *turn, tw_slice_t *slice)
{
    if (slice->run == NULL)
        return;
    slice->run = NULL;
    TAILQ_REMOVE(&turn->waiting, slice, link);
}

void tw_turn_begin(tw_turn_t *turn)
{
    tw_slice_t *slice;

    turn->left_ns = TW_TURN_NS;
    while (tw_turn_has_time(turn) && (slice = TAILQ_FIRST(&turn->waiting)) != NULL) {
        tw_slice_fn run = slice->run;
        tw_turn_cancel(turn, slice);
        run(slice);
    }
}
