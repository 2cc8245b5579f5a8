/* Connecting, catching up, losing Redis; marks and the probe. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "runtime/redis/node.h"

#define STALL_TIMEOUT_MS 5000 /* resubscribing makes no progress for so long */
#define SETTLED_AFTER_MS 2000 /* of use without a failure */

void tw_redis_refused(tw_redis_node_t *node, const char *what, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return;
    /* A Redis that is out of memory refuses every event. */
    uint64_t count = tw_log_limit_count(&node->refusals, tw_clock_ms());
    if (count > 0)
        tw_log(TW_LOG_ERROR, "Redis returned an error", tw_log_text("command", what),
               tw_log_text("reason", reply->str), tw_log_number("count", (int64_t)count));
}

static void set_phase(tw_redis_node_t *node, tw_redis_phase_t phase)
{
    atomic_store_explicit(&node->phase, phase, memory_order_release);
    atomic_store(TW_REDIS_STAT(node, up), phase == TW_REDIS_PHASE_UP);
}

static tw_redis_phase_t phase_of(tw_redis_node_t *node)
{
    return (tw_redis_phase_t)atomic_load_explicit(&node->phase, memory_order_relaxed);
}

/* --- losing --- */

static void lose_marks(tw_redis_node_t *node)
{
    tw_redis_mark_t *mark;
    while ((mark = TAILQ_FIRST(&node->marks)) != NULL) {
        TAILQ_REMOVE(&node->marks, mark, link);
        assert(TAILQ_EMPTY(&mark->openings)); /* they wait for the session again */
        free(mark);
    }
}

static void lose_session(tw_redis_node_t *node, const char *reason)
{
    if (phase_of(node) == TW_REDIS_PHASE_UP && !node->stopping) {
        atomic_fetch_add(TW_REDIS_STAT(node, losses), 1);
        tw_log(TW_LOG_ERROR, "Redis is lost: streams stay open, publishes are refused",
               tw_log_text("reason", reason));
    }
    set_phase(node, node->stopping ? TW_REDIS_PHASE_STOPPED : TW_REDIS_PHASE_DOWN);
    tw_redis_routing_lost(node);
    lose_marks(node);
    tw_redis_history_lost(node);
    tw_redis_registry_lost(node);
    tw_redis_publishing_unpark(node);
}

void tw_redis_session_reset(tw_redis_node_t *node, const char *reason)
{
    tw_redis_client_reset(node->commands, reason);
    tw_redis_client_reset(node->pushes, reason);
}

static void on_down(tw_redis_node_t *node, const char *reason, bool was_up)
{
    tw_redis_phase_t phase = phase_of(node);

    /* The other connection follows one that was lost; the phase is DOWN by then. */
    if (was_up && phase <= TW_REDIS_PHASE_DOWN && strcmp(reason, node->last_reason) == 0)
        return;
    if (phase == TW_REDIS_PHASE_UP) {
        lose_session(node, reason);
    } else {
        if (phase > TW_REDIS_PHASE_DOWN)
            lose_session(node, reason);
        atomic_fetch_add(TW_REDIS_STAT(node, attempts_failed), 1);
        if (strcmp(reason, node->last_reason) != 0)
            tw_log(TW_LOG_ERROR, "Redis cannot be used: trying again",
                   tw_log_text("reason", reason));
    }
    snprintf(node->last_reason, sizeof(node->last_reason), "%s", reason);
}

static void on_commands_down(const char *reason, bool was_up, void *data)
{
    tw_redis_node_t *node = data;
    node->commands_up = false;
    on_down(node, reason, was_up);
    /* What the one has said means nothing without the other. */
    tw_redis_client_reset(node->pushes, reason);
}

static void on_pushes_down(const char *reason, bool was_up, void *data)
{
    tw_redis_node_t *node = data;
    node->pushes_up = false;
    on_down(node, reason, was_up);
    tw_redis_client_reset(node->commands, reason);
}

/* --- marks --- */

static void on_mark_reply(const redisReply *reply, void *data)
{
    tw_redis_node_t *node = data;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        tw_redis_session_reset(node, reply->str);
}

static void send_mark(tw_redis_node_t *node, bool for_session)
{
    tw_redis_mark_t *mark = tw_alloc(sizeof(*mark));
    tw_redis_args_t args;

    mark->token = ++node->next_token;
    mark->sent_us = (uint64_t)tw_clock_us();
    mark->for_session = for_session;
    TAILQ_INIT(&mark->openings);
    tw_redis_openings_move(&node->to_mark, &mark->openings);
    TAILQ_INSERT_TAIL(&node->marks, mark, link);
    node->probe_sent_ms = uv_now(node->loop->uv);
    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_MARK);
    tw_redis_args_text(&args, node->info->node_id);
    tw_redis_args_number(&args, mark->token);
    if (tw_redis_args_send(&args, node->commands, on_mark_reply, node) != 0)
        tw_redis_session_reset(node, "too many commands wait for Redis");
}

/* "M <token> <seq>" came on our channel: everything up to seq that we follow has come before it. */
static void on_mark(tw_redis_node_t *node, const char *message)
{
    uint64_t token, seq;
    tw_redis_mark_t *mark = TAILQ_FIRST(&node->marks);

    if (sscanf(message, "M %" SCNu64 " %" SCNu64, &token, &seq) != 2 || mark == NULL ||
        mark->token != token)
        return; /* of a session that was lost, or of another process with our id */
    TAILQ_REMOVE(&node->marks, mark, link);
    atomic_store(TW_REDIS_STAT(node, probe_us), (uint64_t)tw_clock_us() - mark->sent_us);
    if (mark->for_session) {
        set_phase(node, TW_REDIS_PHASE_CATCHING_UP);
        tw_redis_catch_up(node, seq);
    } else {
        if (seq > node->last)
            node->last = seq;
        tw_hub_advance(node->hub, seq);
        tw_redis_openings_advance(node, &mark->openings);
    }
    free(mark);
}

/* --- what comes from Redis --- */

static bool is_own_channel(const tw_redis_node_t *node, const char *channel, size_t len)
{
    size_t id_len = strlen(node->info->node_id);
    return len == id_len + 7 && memcmp(channel, "tw:{n:", 6) == 0 &&
           memcmp(channel + 6, node->info->node_id, id_len) == 0;
}

static void confirm(tw_redis_node_t *node, const char *channel, size_t len)
{
    node->probe_sent_ms = uv_now(node->loop->uv);
    if (is_own_channel(node, channel, len)) {
        node->own_channel_confirmed = true;
        tw_redis_resubscribe(node);
    } else {
        tw_redis_route_confirmed(node, channel, len);
    }
    if (phase_of(node) != TW_REDIS_PHASE_SUBSCRIBING || !node->own_channel_confirmed)
        return;
    if (node->unconfirmed < TW_REDIS_CHANNELS_PER_COMMAND)
        tw_redis_resubscribe(node);
    if (node->unconfirmed == 0 && node->resubscribe_next == NULL && TAILQ_EMPTY(&node->marks))
        send_mark(node, true);
}

static void on_message(tw_redis_node_t *node, const redisReply *channel, const redisReply *message)
{
    if (is_own_channel(node, channel->str, channel->len)) {
        if (message->len > 0 && message->str[0] == 'M')
            on_mark(node, message->str);
        else
            tw_redis_peer_message(node, message->str, message->len);
        return;
    }
    size_t digits;
    uint64_t seq = tw_redis_number(message->str, message->len, &digits);
    if (digits == 0 || digits + 1 >= message->len)
        return; /* nobody of ours has published that */
    const char *body = message->str + digits + 1;
    size_t len = message->len - digits - 1;
    if (phase_of(node) == TW_REDIS_PHASE_UP)
        tw_redis_event_arrived(node, seq, body, len);
    else
        tw_redis_hold_event(node, seq, body, len);
}

static void on_push(const redisReply *reply, void *data)
{
    tw_redis_node_t *node = data;

    if (reply->type == REDIS_REPLY_ERROR) {
        tw_redis_session_reset(node, reply->str);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING)
        return;
    const redisReply *kind = reply->element[0], *channel = reply->element[1];
    if (strcmp(kind->str, "message") == 0 && reply->element[2]->type == REDIS_REPLY_STRING)
        on_message(node, channel, reply->element[2]);
    else if (strcmp(kind->str, "subscribe") == 0)
        confirm(node, channel->str, channel->len);
    else if (strcmp(kind->str, "unsubscribe") == 0)
        tw_redis_route_left(node, channel->str, channel->len);
}

/* --- joining --- */

static void subscribe_own_channel(tw_redis_node_t *node)
{
    char channel[TW_REDIS_KEY_MAX];
    const char *argv[] = {"SUBSCRIBE", channel};
    size_t lens[] = {9,
                     (size_t)snprintf(channel, sizeof(channel), "tw:{n:%s}", node->info->node_id)};

    set_phase(node, TW_REDIS_PHASE_SUBSCRIBING);
    node->own_channel_confirmed = false;
    node->probe_sent_ms = uv_now(node->loop->uv);
    node->resubscribe_next = LIST_FIRST(&node->all_routes);
    tw_redis_client_send_push(node->pushes, 2, argv, lens);
}

static bool read_join(const redisReply *reply, uint64_t *epoch, uint64_t numbers[3])
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4)
        return false;
    for (size_t i = 0; i < 4; ++i)
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
    *epoch = strtoull(reply->element[0]->str, NULL, 16);
    for (size_t i = 0; i < 3; ++i)
        numbers[i] = strtoull(reply->element[i + 1]->str, NULL, 10);
    return *epoch != 0 && numbers[0] != 0;
}

static void on_join(const redisReply *reply, void *data)
{
    tw_redis_node_t *node = data;
    uint64_t epoch, numbers[3]; /* newest, start, floor */

    if (reply == NULL)
        return; /* the session is lost */
    if (!read_join(reply, &epoch, numbers)) {
        tw_redis_session_reset(node, reply->type == REDIS_REPLY_ERROR
                                         ? reply->str
                                         : "the cluster's position cannot be read");
        return;
    }
    node->fill_after = node->last;
    if (node->epoch != epoch) {
        tw_hub_set_epoch(node->hub, epoch);
        if (node->epoch == 0)
            node->last = node->fill_after = numbers[0];
        else
            node->epoch_changed = true;
        /* Another data set, whose clock is behind ours: its numbers say nothing about the old ones.
         */
        if (numbers[0] < node->last)
            node->last = node->fill_after = 0;
    }
    node->epoch = epoch;
    node->epoch_start = numbers[1];
    node->floor = numbers[2];
    tw_hub_advance(node->hub, node->last);
    subscribe_own_channel(node);
}

static void on_script_loaded(const redisReply *reply, void *data)
{
    tw_redis_node_t *node = data;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        tw_redis_session_reset(node, reply->str);
}

static void join(tw_redis_node_t *node)
{
    tw_redis_args_t args;
    char fresh[20];
    uint64_t epoch;

    set_phase(node, TW_REDIS_PHASE_JOINING);
    for (int i = 0; i < TW_REDIS_SCRIPT_COUNT; ++i) {
        tw_redis_args_init(&args);
        tw_redis_args_text(&args, "SCRIPT");
        tw_redis_args_text(&args, "LOAD");
        tw_redis_args_text(&args, tw_redis_script_text((tw_redis_script_t)i));
        tw_redis_args_send(&args, node->commands, on_script_loaded, node);
    }
    do
        tw_random(&epoch, sizeof(epoch));
    while (epoch == 0);
    snprintf(fresh, sizeof(fresh), "%016" PRIx64, epoch);
    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_JOIN);
    tw_redis_args_text(&args, node->server.identity);
    tw_redis_args_text(&args, fresh);
    tw_redis_args_number(&args, TW_REDIS_HISTORY_MS);
    tw_redis_args_send(&args, node->commands, on_join, node);
}

static void join_when_both_are_up(tw_redis_node_t *node)
{
    if (!node->commands_up || !node->pushes_up)
        return;
    if (strcmp(node->server.identity, node->pushes_run) != 0)
        tw_redis_session_reset(node, "Redis was replaced while we connected");
    else
        join(node);
}

static void on_commands_up(const tw_redis_server_t *server, void *data)
{
    tw_redis_node_t *node = data;

    node->commands_up = true;
    node->server = *server;
    if (server->memory_limited && server->may_evict)
        tw_log(TW_LOG_WARN,
               "Redis evicts keys when its memory is full: resuming streams may then miss events "
               "without being told",
               tw_log_text("change", "set its maxmemory-policy to noeviction"));
    join_when_both_are_up(node);
}

static void on_pushes_up(const tw_redis_server_t *server, void *data)
{
    tw_redis_node_t *node = data;
    node->pushes_up = true;
    snprintf(node->pushes_run, sizeof(node->pushes_run), "%s", server->identity);
    join_when_both_are_up(node);
}

void tw_redis_session_caught_up(tw_redis_node_t *node)
{
    set_phase(node, TW_REDIS_PHASE_UP);
    node->up_at_ms = uv_now(node->loop->uv);
    atomic_fetch_add(TW_REDIS_STAT(node, connects), 1);
    tw_log(TW_LOG_INFO, "Redis is in use", tw_log_text("address", node->server.endpoint),
           tw_log_text("version", node->server.version),
           tw_log_number("topics", (int64_t)atomic_load(TW_REDIS_STAT(node, routes))),
           tw_log_text("continuity", node->epoch_changed
                                         ? "another data set: streams were told of a gap"
                                         : "kept"));
    node->last_reason[0] = '\0';
    node->epoch_changed = false;
    tw_redis_openings_advance(node, &node->waiting);
    tw_redis_registry_up(node);
    tw_redis_publishes_expire(node, uv_now(node->loop->uv), true);
}

/* --- life --- */

void tw_redis_session_start(tw_redis_node_t *node)
{
    static const tw_redis_client_callbacks_t commands = {.on_up = on_commands_up,
                                                         .on_down = on_commands_down},
                                             pushes = {.on_up = on_pushes_up,
                                                       .on_down = on_pushes_down,
                                                       .on_push = on_push};
    tw_redis_client_config_t config = {
        .access = &node->access,
        .name = node->client_name,
        .limits = {.connect_timeout_ms = 3000,
                   .command_timeout_ms = 3000,
                   .pending_max = 1000000,
                   .output_bytes_max = (size_t)256 << 20,
                   .reply_bytes_max = (size_t)1 << 30},
        .backoff_min_ms = 50,
        .backoff_max_ms = 2000,
    };

    set_phase(node, TW_REDIS_PHASE_DOWN);
    node->commands = tw_redis_client_create(node->loop->uv, &config, &commands, node);
    node->pushes = tw_redis_client_create(node->loop->uv, &config, &pushes, node);
    tw_redis_client_start(node->commands);
    tw_redis_client_start(node->pushes);
}

void tw_redis_session_turn(tw_redis_node_t *node)
{
    if (phase_of(node) == TW_REDIS_PHASE_UP && !TAILQ_EMPTY(&node->to_mark))
        send_mark(node, false);
    tw_redis_client_flush(node->commands);
    tw_redis_client_flush(node->pushes);
}

void tw_redis_session_pulse(tw_redis_node_t *node, uint64_t now_ms)
{
    tw_redis_phase_t phase = phase_of(node);
    const tw_redis_mark_t *oldest = TAILQ_FIRST(&node->marks);

    if (oldest != NULL &&
        (uint64_t)tw_clock_us() - oldest->sent_us > (uint64_t)TW_REDIS_PROBE_TIMEOUT_MS * 1000)
        tw_redis_session_reset(node, "what is published does not come back");
    else if (phase == TW_REDIS_PHASE_SUBSCRIBING && now_ms - node->probe_sent_ms > STALL_TIMEOUT_MS)
        tw_redis_session_reset(node, "channels are not confirmed");
    else if (phase == TW_REDIS_PHASE_UP && oldest == NULL &&
             now_ms - node->probe_sent_ms >= TW_REDIS_PROBE_EVERY_MS)
        send_mark(node, false);
    if (phase == TW_REDIS_PHASE_UP && now_ms - node->up_at_ms >= SETTLED_AFTER_MS) {
        tw_redis_client_settled(node->commands);
        tw_redis_client_settled(node->pushes);
    }
}

void tw_redis_session_end(tw_redis_node_t *node)
{
    tw_redis_client_destroy(node->commands);
    tw_redis_client_destroy(node->pushes);
    lose_session(node, "stopping");
    node->commands = node->pushes = NULL; /* answers to peers may still come */
}

void tw_redis_session_dispose(tw_redis_node_t *node)
{
    assert(TAILQ_EMPTY(&node->marks));
    free(node->peers);
}
