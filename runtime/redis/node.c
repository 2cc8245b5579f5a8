/* How the rooms hang together: node.h. */
#include "runtime/redis/node.h"
#include "base/alloc.h"
#include "base/log.h"

#define PULSE_MS 250
#define TELL_EVERY_MS 5
#define PARTLY_AFTER_MS 5000  /* lanes come one after the other within less */
#define LEAVE_TIMEOUT_MS 3000 /* a stopping node waits so long for Redis */

/* --- between the rooms --- */

static void on_up(void *data, const tw_redis_joined_t *joined)
{
    tw_redis_lane_t *lane = data;
    tw_redis_node_t *node = lane->node;
    uint32_t index = lane->session.index;
    bool kept = joined->membership == TW_REDIS_KEPT;

    tw_redis_routes_up(&lane->routes, joined->membership);
    if (joined->membership == TW_REDIS_BEGUN || joined->membership == TW_REDIS_OTHER_EPOCH)
        tw_hub_set_epoch(node->hub, index, lane->session.epoch_number);
    if (!kept)
        tw_redis_publishing_expire(&lane->publishing, 0, true);
    tw_redis_inbox_up(&lane->inbox, kept, joined->inbox_end, lane->routes.holds_inbox);
    if (index == 0)
        tw_redis_revocations_up(&node->revocations);
    tw_redis_lease_up(&lane->lease);
    tw_redis_openings_up(&node->openings);
}

static void on_down(void *data)
{
    tw_redis_lane_t *lane = data;
    tw_redis_inbox_down(&lane->inbox);
    tw_redis_history_down(&lane->history);
    tw_redis_lease_down(&lane->lease);
}

static void on_layout(void *data)
{
    const tw_redis_lane_t *lane = data;
    const tw_redis_node_t *node = lane->node;
    for (uint32_t i = 1; i < node->lanes.count; ++i)
        tw_redis_session_follow_layout(&node->lanes.items[i].session);
}

static bool on_event(void *data, uint64_t seq, const char *body, size_t len)
{
    tw_redis_lane_t *lane = data;
    return tw_redis_publishing_arrived(&lane->publishing, seq, body, len);
}

static void on_message(void *data, const char *message, size_t len)
{
    const tw_redis_lane_t *lane = data;
    tw_redis_node_t *node = lane->node;
    if (len > 0 && message[0] == 'R')
        tw_redis_revocations_message(&node->revocations, message, len);
    else
        tw_redis_peers_message(&node->peers, message, len);
}

static void on_hole(void *data, uint64_t after, uint64_t upto)
{
    tw_redis_lane_t *lane = data;
    tw_redis_routes_find_missed(&lane->routes, after, upto);
}

static void on_granted(void *data)
{
    const tw_redis_lane_t *lane = data;
    tw_redis_node_t *node = lane->node;
    if (lane->session.index == 0)
        tw_redis_revocations_granted(&node->revocations);
}

/* --- the control loop --- */

static void on_turn(uv_prepare_t *turn)
{
    tw_redis_node_t *node = turn->data;

    TW_REDIS_FOR_EACH_LANE(lane, node)
    tw_redis_publishing_turn(&lane->publishing);
    tw_redis_openings_turn(&node->openings);
    TW_REDIS_FOR_EACH_LANE(lane, node)
    {
        tw_redis_routes_turn(&lane->routes);
        tw_redis_session_flush(&lane->session);
    }
}

static void on_telling(uv_timer_t *timer)
{
    tw_redis_node_t *node = timer->data;

    TW_REDIS_FOR_EACH_LANE(lane, node)
    {
        tw_redis_routes_flush(&lane->routes);
        tw_redis_lease_pulse(&lane->lease, uv_now(node->loop->uv));
    }
}

/* A node that has some of its lanes is not ready at first, since they come one after the other; but
 * while only some can be had, their topics are served. */
static void look_at_lanes(tw_redis_node_t *node, uint64_t now_ms)
{
    uint32_t up = node->lanes.common.up;
    bool partly = up > 0 && up < node->lanes.count;

    if (!partly)
        node->partly_ms = 0;
    else if (node->partly_ms == 0)
        node->partly_ms = now_ms + 1;
    atomic_store(&node->is_partly, partly && now_ms >= node->partly_ms + PARTLY_AFTER_MS);
}

static void on_pulse(uv_timer_t *timer)
{
    tw_redis_node_t *node = timer->data;
    uint64_t now_ms = uv_now(node->loop->uv);

    TW_REDIS_FOR_EACH_LANE(lane, node)
    {
        tw_redis_inbox_pulse(&lane->inbox, now_ms);
        tw_redis_publishing_expire(&lane->publishing, now_ms, false);
    }
    tw_redis_openings_expire(&node->openings, now_ms, false);
    tw_redis_peers_expire(&node->peers, now_ms, false);
    look_at_lanes(node, now_ms);
}

void tw_redis_node_start(tw_redis_node_t *node, tw_loop_t *control)
{
    static const tw_redis_session_callbacks_t callbacks = {
        .on_up = on_up, .on_down = on_down, .on_layout = on_layout};

    node->loop = node->openings.loop = node->peers.loop = control;
    uv_prepare_init(control->uv, &node->turn);
    uv_timer_init(control->uv, &node->pulse);
    uv_timer_init(control->uv, &node->telling);
    node->turn.data = node->pulse.data = node->telling.data = node;
    node->handles = 3;
    TW_REDIS_FOR_EACH_LANE(lane, node)
    {
        lane->publishing.loop = control;
        tw_redis_session_start(&lane->session, control, &callbacks, lane);
    }
    uv_prepare_start(&node->turn, on_turn);
    uv_timer_start(&node->pulse, on_pulse, PULSE_MS, PULSE_MS);
    uv_timer_start(&node->telling, on_telling, TELL_EVERY_MS, TELL_EVERY_MS);
}

/* --- the end --- */

static void end_when_idle(tw_redis_node_t *node);

static void on_handle_closed(uv_handle_t *handle)
{
    tw_redis_node_t *node = handle->data;
    if (--node->handles > 0)
        return;
    node->openings.stopped = true;
    node->on_stopped(node->stop_data);
}

static void on_ending(uv_timer_t *timer)
{
    end_when_idle(timer->data);
}

/* Workers may still bring answers to what they were asked. What they report later, a stream that
 * was closed, is dropped. */
static void end_when_idle(tw_redis_node_t *node)
{
    uint64_t publishes = 0;

    TW_REDIS_FOR_EACH_LANE(lane, node)
    {
        tw_redis_publishing_turn(&lane->publishing); /* what was asked last is answered, too */
        publishes += lane->publishing.count;
    }
    tw_redis_openings_expire(&node->openings, 0, true);
    if (publishes > 0 || node->openings.count > 0 || node->peers.serving > 0) {
        uv_timer_start(&node->pulse, on_ending, 1, 0);
        return;
    }
    uv_close((uv_handle_t *)&node->turn, on_handle_closed);
    uv_close((uv_handle_t *)&node->pulse, on_handle_closed);
    uv_close((uv_handle_t *)&node->telling, on_handle_closed);
}

static void on_left(void *data)
{
    const tw_redis_lane_t *left = data;
    tw_redis_node_t *node = left->node;

    if (--node->leaving > 0)
        return;
    uv_timer_stop(&node->telling);
    uv_timer_stop(&node->pulse);
    uv_prepare_stop(&node->turn);
    TW_REDIS_FOR_EACH_LANE(lane, node)
    {
        tw_redis_session_stop(&lane->session);
        tw_redis_routes_stop(&lane->routes);
        tw_redis_inbox_end(&lane->inbox);
        tw_redis_publishing_expire(&lane->publishing, 0, true);
    }
    tw_redis_openings_expire(&node->openings, 0, true);
    tw_redis_peers_expire(&node->peers, 0, true);
    end_when_idle(node);
}

static void on_leave_timeout(uv_timer_t *timer)
{
    tw_redis_node_t *node = timer->data;

    tw_log(TW_LOG_WARN, "left the cluster without Redis' answer: its other nodes will notice",
           tw_log_text("registration", node->lanes.items[0].session.registration));
    TW_REDIS_FOR_EACH_LANE(lane, node)
    tw_redis_lease_abandon_leave(&lane->lease);
}

void tw_redis_node_stop(tw_redis_node_t *node, void (*on_stopped)(void *data), void *data)
{
    node->openings.stopping = true;
    node->on_stopped = on_stopped;
    node->stop_data = data;
    node->leaving = node->lanes.count;
    uv_timer_start(&node->telling, on_leave_timeout, LEAVE_TIMEOUT_MS, 0);
    TW_REDIS_FOR_EACH_LANE(lane, node)
    tw_redis_lease_leave(&lane->lease, on_left, lane);
}

/* --- life --- */

static void init_lane(tw_redis_node_t *node, uint32_t index, const tw_node_info_t *info)
{
    static const tw_redis_inbox_callbacks_t callbacks = {
        .on_event = on_event, .on_message = on_message, .on_hole = on_hole};
    tw_redis_lane_t *lane = &node->lanes.items[index];

    lane->node = node;
    tw_redis_session_init(&lane->session, &node->lanes.common, index);
    tw_redis_inbox_init(&lane->inbox, &lane->session, &callbacks, lane);
    tw_redis_routes_init(&lane->routes, &lane->session, &lane->inbox, node->hub);
    tw_redis_history_init(&lane->history, &lane->routes, node->hub);
    tw_redis_publishing_init(&lane->publishing, &lane->routes, node->hub);
    tw_redis_lease_init(&lane->lease, &lane->inbox, node->hub, info, on_granted, lane);
}

void tw_redis_node_init(tw_redis_node_t *node, const tw_node_info_t *info)
{
    tw_redis_lanes_t *lanes = &node->lanes;
    tw_hub_t *hub = node->hub;
    uint32_t count = lanes->count;

    lanes->items = tw_alloc(count * sizeof(*lanes->items));
    for (uint32_t i = 0; i < count; ++i)
        init_lane(node, i, info);
    tw_redis_openings_init(&node->openings, lanes, hub);
    tw_redis_peers_init(&node->peers, &lanes->items[0].session, hub, info->node_id);
    tw_redis_revocations_init(&node->revocations, &lanes->items[0].session, hub);
}
