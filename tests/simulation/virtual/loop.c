#include "tests/simulation/virtual/loop.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/support/check.h"

/* In uv_handle_t.flags, which is libuv's own. */
#define ACTIVE 1u
#define CLOSING 2u

#define IDLE_STEP_US 50 /* a loop that never waits takes so long for a step */
#define WAKE_US_MAX 80  /* a call from another thread is seen after so long */

static tw_sim_loop_t *loop_of(const uv_loop_t *uv)
{
    return (tw_sim_loop_t *)(uintptr_t)uv;
}

void tw_sim_loop_init(tw_sim_loop_t *loop, tw_sim_host_t *host, uint32_t place)
{
    memset(loop, 0, sizeof(*loop));
    loop->host = host;
    loop->place = place;
    loop->woken_us = INT64_MAX;
    loop->uv.time = (uint64_t)(tw_sim_now_us() + 1000000) / 1000;
}

void tw_sim_loop_dispose(tw_sim_loop_t *loop)
{
    tw_check(loop->handle_count == 0 && loop->input_count == 0);
    free(loop->inputs);
}

/* --- handles --- */

static void add(uv_loop_t *uv, uv_handle_t *handle, uv_handle_type type)
{
    tw_sim_loop_t *loop = loop_of(uv);
    tw_check(loop->handle_count < TW_SIM_HANDLES_MAX);
    handle->loop = uv;
    handle->type = type;
    handle->flags = 0;
    handle->close_cb = NULL;
    loop->handles[loop->handle_count++] = handle;
}

static bool is_active(const uv_handle_t *handle, uv_handle_type type)
{
    return handle->type == type && (handle->flags & (ACTIVE | CLOSING)) == ACTIVE;
}

void uv_close(uv_handle_t *handle, uv_close_cb close_cb)
{
    tw_check((handle->flags & CLOSING) == 0);
    handle->flags = CLOSING;
    handle->close_cb = close_cb;
}

int uv_is_closing(const uv_handle_t *handle)
{
    return (handle->flags & CLOSING) != 0;
}

int uv_is_active(const uv_handle_t *handle)
{
    return (handle->flags & ACTIVE) != 0;
}

void uv_ref(uv_handle_t *handle)
{
}

void uv_unref(uv_handle_t *handle)
{
}

int uv_prepare_init(uv_loop_t *uv, uv_prepare_t *prepare)
{
    add(uv, (uv_handle_t *)prepare, UV_PREPARE);
    return 0;
}

int uv_prepare_start(uv_prepare_t *prepare, uv_prepare_cb cb)
{
    prepare->prepare_cb = cb;
    prepare->flags |= ACTIVE;
    return 0;
}

int uv_prepare_stop(uv_prepare_t *prepare)
{
    prepare->flags &= ~ACTIVE;
    return 0;
}

int uv_idle_init(uv_loop_t *uv, uv_idle_t *idle)
{
    add(uv, (uv_handle_t *)idle, UV_IDLE);
    return 0;
}

int uv_idle_start(uv_idle_t *idle, uv_idle_cb cb)
{
    idle->idle_cb = cb;
    idle->flags |= ACTIVE;
    return 0;
}

int uv_idle_stop(uv_idle_t *idle)
{
    idle->flags &= ~ACTIVE;
    return 0;
}

int uv_timer_init(uv_loop_t *uv, uv_timer_t *timer)
{
    add(uv, (uv_handle_t *)timer, UV_TIMER);
    timer->timeout = timer->repeat = 0;
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
    tw_sim_loop_t *loop = loop_of(timer->loop);
    timer->timer_cb = cb;
    timer->timeout = loop->uv.time + timeout;
    timer->repeat = repeat;
    timer->start_id = loop->timer_count++;
    timer->flags |= ACTIVE;
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    timer->flags &= ~ACTIVE;
    return 0;
}

int uv_async_init(uv_loop_t *uv, uv_async_t *async, uv_async_cb cb)
{
    add(uv, (uv_handle_t *)async, UV_ASYNC);
    async->async_cb = cb;
    async->pending = 0;
    async->flags |= ACTIVE;
    return 0;
}

int uv_async_send(uv_async_t *async)
{
    tw_sim_loop_t *loop = loop_of(async->loop);
    int64_t seen_us = tw_sim_now_us() + 1 + tw_test_random_below(&loop->host->random, WAKE_US_MAX);
    async->pending = 1;
    if (seen_us < loop->woken_us)
        loop->woken_us = seen_us;
    return 0;
}

uint64_t uv_now(const uv_loop_t *uv)
{
    return uv->time;
}

void uv_update_time(uv_loop_t *uv)
{
    uv->time = (uint64_t)(tw_sim_now_us() + 1000000) / 1000;
}

uint64_t uv_hrtime(void)
{
    return (uint64_t)(tw_sim_now_us() + 1000000) * 1000;
}

int uv_loop_configure(uv_loop_t *uv, uv_loop_option option, ...)
{
    return 0;
}

uint64_t uv_metrics_idle_time(uv_loop_t *uv)
{
    return uv_hrtime();
}

/* --- when --- */

int64_t tw_sim_loop_due_us(const tw_sim_loop_t *loop)
{
    int64_t now_us = tw_sim_now_us(), due_us = loop->woken_us;

    if (loop->input_count > 0)
        due_us = now_us;
    for (size_t i = 0; i < loop->handle_count; ++i) {
        const uv_handle_t *handle = loop->handles[i];
        int64_t at_us = INT64_MAX;
        if ((handle->flags & CLOSING) != 0)
            at_us = now_us;
        else if (is_active(handle, UV_IDLE))
            at_us = loop->busy_until_us + IDLE_STEP_US;
        else if (is_active(handle, UV_TIMER))
            at_us = (int64_t)((const uv_timer_t *)handle)->timeout * 1000 - 1000000;
        if (at_us < due_us)
            due_us = at_us;
    }
    return due_us > loop->busy_until_us ? due_us : loop->busy_until_us;
}

/* --- a step --- */

static void run_inputs(tw_sim_loop_t *loop)
{
    tw_sim_input_t *inputs = loop->inputs;
    size_t count = loop->input_count;

    loop->inputs = NULL;
    loop->input_count = loop->input_capacity = 0;
    for (size_t i = 0; i < count; ++i)
        if (inputs[i].run != NULL)
            inputs[i].run(inputs[i].data);
    free(inputs);
}

static void run_calls(tw_sim_loop_t *loop)
{
    if (loop->woken_us > tw_sim_now_us())
        return;
    loop->woken_us = INT64_MAX;
    for (size_t i = 0; i < loop->handle_count; ++i) {
        uv_async_t *async = (uv_async_t *)loop->handles[i];
        if (!is_active(loop->handles[i], UV_ASYNC) || !async->pending)
            continue;
        async->pending = 0;
        async->async_cb(async);
    }
}

static void run_closing(tw_sim_loop_t *loop)
{
    uv_handle_t *closed[TW_SIM_HANDLES_MAX];
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < loop->handle_count; ++i) {
        uv_handle_t *handle = loop->handles[i];
        if ((handle->flags & CLOSING) != 0)
            closed[count++] = handle;
        else
            loop->handles[kept++] = handle;
    }
    loop->handle_count = kept;
    for (size_t i = 0; i < count; ++i)
        if (closed[i]->close_cb != NULL)
            closed[i]->close_cb(closed[i]);
}

/* The timer that is due first, or NULL. */
static uv_timer_t *next_timer(const tw_sim_loop_t *loop)
{
    uv_timer_t *first = NULL;

    for (size_t i = 0; i < loop->handle_count; ++i) {
        uv_timer_t *timer = (uv_timer_t *)loop->handles[i];
        if (!is_active(loop->handles[i], UV_TIMER) || timer->timeout > loop->uv.time)
            continue;
        if (first == NULL || timer->timeout < first->timeout ||
            (timer->timeout == first->timeout && timer->start_id < first->start_id))
            first = timer;
    }
    return first;
}

static void run_timers(tw_sim_loop_t *loop)
{
    uv_timer_t *timer;

    while ((timer = next_timer(loop)) != NULL) {
        uv_timer_stop(timer);
        if (timer->repeat > 0)
            uv_timer_start(timer, timer->timer_cb, timer->repeat, timer->repeat);
        timer->timer_cb(timer);
    }
}

/* Handles may be started, stopped, closed and added meanwhile, but go only when they are closed. */
static void run_each(tw_sim_loop_t *loop, uv_handle_type type)
{
    for (size_t i = 0; i < loop->handle_count; ++i) {
        if (!is_active(loop->handles[i], type))
            continue;
        if (type == UV_IDLE)
            ((uv_idle_t *)loop->handles[i])->idle_cb((uv_idle_t *)loop->handles[i]);
        else
            ((uv_prepare_t *)loop->handles[i])->prepare_cb((uv_prepare_t *)loop->handles[i]);
    }
}

void tw_sim_loop_step(tw_sim_loop_t *loop)
{
    tw_sim_host_t *before = tw_sim_enter(loop->host);

    tw_sim_take_spent_us();
    uv_update_time(&loop->uv);
    run_inputs(loop);
    run_calls(loop);
    run_closing(loop);
    run_timers(loop);
    run_each(loop, UV_IDLE);
    run_each(loop, UV_PREPARE);
    loop->busy_until_us = tw_sim_now_us() + tw_sim_take_spent_us();
    tw_sim_enter(before);
}

void tw_sim_loop_input(tw_sim_loop_t *loop, tw_sim_input_fn run, void *data)
{
    if (loop->input_count == loop->input_capacity) {
        loop->input_capacity = loop->input_capacity * 2 + 8;
        loop->inputs = tw_realloc(loop->inputs, loop->input_capacity * sizeof(*loop->inputs));
    }
    loop->inputs[loop->input_count++] = (tw_sim_input_t){run, data};
}

void tw_sim_loop_cancel_input(tw_sim_loop_t *loop, const void *data)
{
    for (size_t i = 0; i < loop->input_count; ++i)
        if (loop->inputs[i].data == data)
            loop->inputs[i].run = NULL;
}
