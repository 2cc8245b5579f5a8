#include "server/control.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define SWEEP_MS 1000
#define STEP_MS 20
#define WORKER_GRACE_MS 2000
/* Load balancers need a moment to see that this node is unready before it stops to accept. */
#define UNREADY_MS_MAX 1000

/* How long clients wait at most for the runtime's first connection; then they are told that it is
 * missing. */
#define START_MS 1000
#define OPS_GRACE_MS 500

static const int handled_signals[] = {SIGTERM, SIGINT, SIGHUP};

static void on_step(uv_timer_t *timer);

/* How long this node still takes connections after it became unready, and then publishes on those
 * that it has, although no stream is left: their clients may not have seen yet that it goes. */
static uint64_t notice_ms(const tw_control_t *control)
{
    return control->drain_ms / 10 < UNREADY_MS_MAX ? control->drain_ms / 10 : UNREADY_MS_MAX;
}

static bool is_drained(const tw_control_t *control)
{
    int64_t now = tw_clock_ms();
    size_t connections = 0;

    if (now >= control->drain_ends_ms + STEP_MS * 5)
        return true;
    for (uint32_t i = 0; i < control->worker_count; ++i)
        connections += tw_worker_connections(control->workers[i]);
    return tw_stats_streams(control->hub) == 0 &&
           (connections == 0 || now >= control->notice_ends_ms);
}

static void on_adapter_stopped(void *data)
{
    tw_control_t *control = data;
    for (uint32_t i = 0; i < control->worker_count; ++i)
        tw_worker_stop(control->workers[i], WORKER_GRACE_MS);
    control->stage = TW_CONTROL_STOPPED;
}

/* Gives probes that are being answered a moment to end. After it the loop is stopped, because h2o's
 * own handles would keep it running. */
static void begin_close(tw_control_t *control)
{
    control->stage = TW_CONTROL_CLOSING;
    control->closing_ends_ms = tw_clock_ms() + OPS_GRACE_MS;
    tw_ops_close(control->ops);
}

static void close_all(tw_control_t *control)
{
    for (size_t i = 0; i < sizeof(control->signals) / sizeof(control->signals[0]); ++i)
        uv_close((uv_handle_t *)&control->signals[i], NULL);
    uv_close((uv_handle_t *)&control->sweep, NULL);
    uv_close((uv_handle_t *)&control->step, NULL);
    tw_loop_run_calls(control->loop); /* the last calls that the workers have posted */
    tw_loop_close(control->loop);
    if (control->reload != NULL)
        tw_tls_reload_close(control->reload, NULL, NULL);
    tw_key_file_close(control->keys);
    tw_key_file_close(control->token_keys);
    uv_stop(control->loop->uv);
}

/* A balancer that has not seen the restart sends requests at once: they wait here for the runtime,
 * which connects in a moment, and are not refused. */
static void accept_when_ready(tw_control_t *control)
{
    tw_adapter_t *adapter = control->gateway->adapter;
    const char *why_not;

    if (!adapter->ops->ready(adapter, &why_not) && tw_clock_ms() < control->starting_ends_ms)
        return;
    control->stage = TW_CONTROL_RUNNING;
    uv_timer_stop(&control->step);
    tw_listener_accept(control->listener);
    tw_listener_accept(control->admin_listener);
}

static void on_step(uv_timer_t *timer)
{
    tw_control_t *control = timer->data;
    tw_adapter_t *adapter = control->gateway->adapter;

    switch (control->stage) {
    case TW_CONTROL_STARTING:
        accept_when_ready(control);
        break;
    case TW_CONTROL_UNREADY:
        tw_listener_close(control->listener);
        tw_listener_close(control->admin_listener);
        for (uint32_t i = 0; i < control->worker_count; ++i)
            tw_worker_drain(control->workers[i], control->drain_ms);
        control->drain_ends_ms = tw_clock_ms() + (int64_t)control->drain_ms;
        control->notice_ends_ms = tw_clock_ms() + (int64_t)notice_ms(control);
        control->stage = TW_CONTROL_DRAINING;
        uv_timer_start(timer, on_step, STEP_MS, STEP_MS);
        break;
    case TW_CONTROL_DRAINING:
        if (!is_drained(control))
            break;
        control->stage = TW_CONTROL_LEAVING;
        tw_log(TW_LOG_INFO, "drained",
               tw_log_number("streamsLeft", (int64_t)tw_stats_streams(control->hub)));
        adapter->ops->stop(adapter, on_adapter_stopped, control);
        break;
    case TW_CONTROL_STOPPED:
        for (uint32_t i = 0; i < control->worker_count; ++i)
            tw_worker_join(control->workers[i]);
        begin_close(control);
        break;
    case TW_CONTROL_CLOSING:
        if (tw_ops_connections(control->ops) == 0 || tw_clock_ms() >= control->closing_ends_ms)
            close_all(control);
        break;
    case TW_CONTROL_RUNNING:
    case TW_CONTROL_LEAVING:
        break;
    }
}

static void begin_drain(tw_control_t *control, int signum)
{
    tw_log(TW_LOG_INFO, "draining", tw_log_number("signal", signum),
           tw_log_number("drainMs", (int64_t)control->drain_ms),
           tw_log_number("streams", (int64_t)tw_stats_streams(control->hub)));
    atomic_store(&control->gateway->draining, true);
    control->gateway->adapter->ops->drain(control->gateway->adapter);
    control->stage = TW_CONTROL_UNREADY;
    uv_timer_start(&control->step, on_step, notice_ms(control), 0);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    tw_control_t *control = handle->data;

    if (signum == SIGHUP) {
        if (control->reload != NULL)
            tw_tls_reload_now(control->reload);
        tw_key_file_load(control->keys);
        tw_key_file_load(control->token_keys);
    } else if (control->stage <= TW_CONTROL_RUNNING) {
        begin_drain(control, signum);
    } else {
        tw_log(TW_LOG_WARN, "second signal: ending at once without draining",
               tw_log_number("signal", signum));
        tw_log_stop();
        _exit(1);
    }
}

static void trim(tw_control_t *control)
{
    tw_stats_t stats;

    tw_stats_read(control->hub, &stats);
    tw_load_t load = {.streams = stats.streams,
                      .event_bytes = stats.event_bytes,
                      .deliveries = stats.counters.deliveries};

    for (uint32_t i = 0; i < control->worker_count; ++i)
        load.connections += tw_worker_connections(control->workers[i]);
    if (uv_resident_set_memory(&load.resident_bytes) != 0)
        return;
    load.malloc_bytes = tw_trim_malloc_bytes(&control->trim, load.resident_bytes);
    if (!tw_trim_look(&control->trim, &load))
        return;
    h2o_mem_release_recycled(); /* what the ops listener keeps */
    for (uint32_t i = 0; i < control->worker_count; ++i)
        tw_worker_release_memory(control->workers[i]);
}

static void on_sweep(uv_timer_t *timer)
{
    tw_control_t *control = timer->data;
    tw_hub_sweep(control->hub);
    tw_limits_sweep(&control->gateway->limits);
    trim(control);
}

void tw_control_start(tw_control_t *control)
{
    tw_gateway_watch(control->gateway, &control->loop->watch);
    for (size_t i = 0; i < sizeof(control->signals) / sizeof(control->signals[0]); ++i) {
        uv_signal_init(control->loop->uv, &control->signals[i]);
        control->signals[i].data = control;
        uv_signal_start(&control->signals[i], on_signal, handled_signals[i]);
    }
    uv_timer_init(control->loop->uv, &control->sweep);
    control->sweep.data = control;
    uv_timer_start(&control->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    uv_timer_init(control->loop->uv, &control->step);
    control->step.data = control;
    control->starting_ends_ms = tw_clock_ms() + START_MS;
    uv_timer_start(&control->step, on_step, 0, STEP_MS);
}
