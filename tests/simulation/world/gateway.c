#include "tests/simulation/world/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/redis/adapter.h"
#include "tests/simulation/virtual/network.h"
#include "tests/support/check.h"

#define SWEEP_EVERY_US 1000000

tw_sim_gateway_t *tw_sim_gateway_start(uint32_t place, const char *id, uint64_t seed,
                                       const tw_hub_config_t *config)
{
    tw_sim_gateway_t *gateway = tw_alloc(sizeof(*gateway));
    const tw_redis_config_t redis = {.access = {.url = tw_sim_network.masters > 1
                                                           ? "redis+cluster://redis:6379"
                                                           : "redis://redis:6379"}};
    char error[256];

    gateway->place = place;
    gateway->stalled_until_us = INT64_MIN / 2;
    snprintf(gateway->id, sizeof(gateway->id), "%s", id);
    gateway->host = (tw_sim_host_t){.name = gateway->id, .random.state = seed};
    tw_sim_host_t *before = tw_sim_enter(&gateway->host);
    gateway->info = (tw_node_info_t){.node_id = gateway->id,
                                     .hostname = "host",
                                     .ip = "192.0.2.7",
                                     .version = "1.2.3",
                                     .started_at_ms = tw_sim_wall_us(&gateway->host) / 1000};
    tw_sim_loop_init(&gateway->control_uv, &gateway->host, place);
    tw_sim_loop_init(&gateway->worker_uv, &gateway->host, place);
    gateway->hub = tw_hub_create(config);
    gateway->adapter =
        tw_redis_adapter_create(gateway->hub, &gateway->info, &redis, error, sizeof(error));
    tw_check(gateway->adapter != NULL);
    tw_hub_add_worker(gateway->hub, &gateway->fanout, 0, &gateway->worker_uv.uv);
    tw_loop_init(&gateway->control, &gateway->control_uv.uv, "control", gateway, NULL);
    tw_check(gateway->adapter->ops->start(gateway->adapter, &gateway->control) == 0);
    tw_sim_enter(before);
    return gateway;
}

static void on_stopped(void *data)
{
    ((tw_sim_gateway_t *)data)->has_stopped = true;
}

static void begin_end(tw_sim_gateway_t *gateway)
{
    tw_sim_host_t *before = tw_sim_enter(&gateway->host);
    gateway->is_ending = true;
    gateway->adapter->ops->drain(gateway->adapter);
    gateway->adapter->ops->stop(gateway->adapter, on_stopped, gateway);
    tw_sim_enter(before);
}

void tw_sim_gateway_stop(tw_sim_gateway_t *gateway)
{
    begin_end(gateway);
}

void tw_sim_gateway_crash(tw_sim_gateway_t *gateway)
{
    gateway->control_uv.is_dead = gateway->worker_uv.is_dead = true;
    gateway->stalled_until_us = INT64_MIN / 2;
    tw_sim_pipes_abandon(gateway->place);
    begin_end(gateway);
}

static bool is_quiet(const tw_sim_gateway_t *gateway)
{
    const tw_loop_t *worker = &gateway->fanout.shard.loop;
    return worker->posted.count == 0 && TAILQ_EMPTY(&worker->waiting) &&
           gateway->control.posted.count == 0;
}

bool tw_sim_gateway_is_over(const tw_sim_gateway_t *gateway)
{
    return gateway->has_stopped && is_quiet(gateway);
}

/* Steps a loop until nothing of it is left. */
static void finish(tw_sim_loop_t *loop)
{
    for (int steps = 0; loop->handle_count > 0 || loop->input_count > 0; ++steps) {
        tw_check(steps < 1000);
        tw_sim_loop_step(loop);
    }
    tw_sim_loop_dispose(loop);
}

void tw_sim_gateway_destroy(tw_sim_gateway_t *gateway)
{
    tw_sim_host_t *before = tw_sim_enter(&gateway->host);

    tw_fanout_close(&gateway->fanout);
    tw_loop_close(&gateway->control);
    finish(&gateway->worker_uv);
    finish(&gateway->control_uv);
    tw_fanout_dispose(&gateway->fanout);
    tw_loop_dispose(&gateway->control);
    gateway->adapter->ops->destroy(gateway->adapter);
    tw_hub_destroy(gateway->hub);
    free(gateway);
    tw_sim_enter(before);
}

bool tw_sim_gateway_is_ready(tw_sim_gateway_t *gateway)
{
    const char *why_not;
    bool is_ready = !gateway->is_ending && gateway->adapter->ops->ready(gateway->adapter, &why_not);

    if (is_ready != gateway->was_ready)
        gateway->ready_since_us = tw_sim_now_us();
    return gateway->was_ready = is_ready;
}

int64_t tw_sim_gateway_due_us(const tw_sim_gateway_t *gateway)
{
    int64_t control_us = tw_sim_loop_due_us(&gateway->control_uv),
            worker_us = tw_sim_loop_due_us(&gateway->worker_uv);
    int64_t due_us = control_us < worker_us ? control_us : worker_us;
    return due_us > gateway->stalled_until_us ? due_us : gateway->stalled_until_us;
}

void tw_sim_gateway_step(tw_sim_gateway_t *gateway)
{
    int64_t now_us = tw_sim_now_us();

    if (tw_sim_loop_due_us(&gateway->control_uv) <= now_us) {
        if (now_us - gateway->swept_us >= SWEEP_EVERY_US && !gateway->is_ending) {
            gateway->swept_us = now_us;
            tw_hub_sweep(gateway->hub);
        }
        tw_alloc_fail_after(gateway->fails_after);
        tw_sim_loop_step(&gateway->control_uv);
        gateway->fails_after = tw_alloc_fail_after(0);
    }
    if (tw_sim_loop_due_us(&gateway->worker_uv) <= now_us)
        tw_sim_loop_step(&gateway->worker_uv);
    tw_sim_gateway_is_ready(gateway);
}
