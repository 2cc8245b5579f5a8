#include "runtime/redis/lane/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "runtime/redis/client/info.h"

#define LINK_TIMEOUT_MS 3000
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 2000

static void set_phase(tw_redis_session_t *session, tw_redis_phase_t phase)
{
    tw_redis_common_t *common = session->common;

    if (tw_redis_session_up(session))
        common->up -= 1;
    if (phase == TW_REDIS_PHASE_UP)
        common->up += 1;
    atomic_store_explicit(&session->phase, phase, memory_order_release);
    atomic_store(&session->stats->up, common->up == common->lanes);
}

static tw_redis_phase_t phase_of(const tw_redis_session_t *session)
{
    return (tw_redis_phase_t)atomic_load_explicit(&session->phase, memory_order_relaxed);
}

const char *tw_redis_session_reason(tw_redis_session_t *session)
{
    static const char *const reasons[] = {
#define X(name, label) label,
        TW_REDIS_PHASE_TABLE(X)
#undef X
    };
    int phase = atomic_load_explicit(&session->phase, memory_order_acquire);
    return phase == TW_REDIS_PHASE_UP ? NULL : reasons[phase];
}

uint64_t tw_redis_session_lost_before(const tw_redis_session_t *session, uint64_t oldest)
{
    uint64_t lost = session->floor;
    if (oldest > 0 && oldest - 1 < lost)
        lost = oldest - 1;
    return lost < session->start ? session->start : lost;
}

/* --- losing --- */

void tw_redis_session_reset(tw_redis_session_t *session, const char *reason)
{
    char copy[TW_REDIS_ERROR_MAX]; /* it may be part of a reply that goes with its link */

    snprintf(copy, sizeof(copy), "%s", reason);
    tw_redis_client_reset(session->commands.client, copy);
    tw_redis_client_reset(session->inbox.client, copy);
}

static void on_down(tw_redis_session_t *session, const char *reason, bool was_up)
{
    tw_redis_phase_t phase = phase_of(session);

    /* One link follows the other: that is no second failure. */
    if (was_up && phase == TW_REDIS_PHASE_DOWN && strcmp(reason, session->last_reason) == 0)
        return;
    set_phase(session, session->stopping ? TW_REDIS_PHASE_STOPPED : TW_REDIS_PHASE_DOWN);
    if (phase == TW_REDIS_PHASE_UP) {
        atomic_fetch_add(&session->stats->losses, 1);
        if (!session->stopping)
            tw_log(TW_LOG_ERROR, "Redis is lost: streams stay open, publishes are refused",
                   tw_log_text("reason", reason), tw_log_number("lane", session->index));
        session->callbacks->on_down(session->data);
    } else {
        atomic_fetch_add(&session->stats->attempts_failed, 1);
        if (strcmp(reason, session->last_reason) != 0)
            tw_log(TW_LOG_ERROR, "Redis cannot be used: trying again",
                   tw_log_text("reason", reason), tw_log_number("lane", session->index));
    }
    snprintf(session->last_reason, sizeof(session->last_reason), "%s", reason);
}

static void on_link_down(const char *reason, bool was_up, void *data)
{
    tw_redis_session_link_t *link = data;
    link->up = false;
    on_down(link->session, reason, was_up);
    /* What the one has said means nothing without the other. */
    tw_redis_session_reset(link->session, reason);
}

/* --- joining --- */

/* {epoch, newest, start, floor, existed, end of the inbox, layout} */
static bool is_join_answer(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 7 ||
        reply->element[0]->len != sizeof(((tw_redis_session_t *)NULL)->epoch) - 1 ||
        reply->element[4]->type != REDIS_REPLY_INTEGER)
        return false;
    for (size_t i = 0; i < reply->elements; ++i)
        if (i != 4 && reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
    return true;
}

static uint64_t number_at(const redisReply *reply, size_t i)
{
    return strtoull(reply->element[i]->str, NULL, 10);
}

static void name_registration(const tw_redis_session_t *session,
                              char name[TW_REDIS_REGISTRATION_SIZE])
{
    snprintf(name, TW_REDIS_REGISTRATION_SIZE, "%08" PRIx32 "-%" PRIx32, session->common->instance,
             session->generation);
}

/* A session that ends before it was up leaves what it was for the next one to tell. */
static void take_join(tw_redis_session_t *session, const redisReply *reply)
{
    bool first = session->epoch[0] == '\0',
         same = strcmp(session->epoch, reply->element[0]->str) == 0,
         existed = reply->element[4]->integer != 0;
    char successor[TW_REDIS_REGISTRATION_SIZE];

    name_registration(session, successor);

    snprintf(session->epoch, sizeof(session->epoch), "%s", reply->element[0]->str);
    session->epoch_number = strtoull(session->epoch, NULL, 16);
    session->start = number_at(reply, 2);
    session->floor = number_at(reply, 3);
    snprintf(session->own, sizeof(session->own), "%s/%" PRIu32,
             existed ? session->registration : successor, session->generation);
    session->joined.inbox_end = number_at(reply, 5);
    if (existed)
        return;
    session->generation_joined = session->generation;
    snprintf(session->registration, sizeof(session->registration), "%s", successor);
    tw_redis_membership_t membership = first  ? TW_REDIS_BEGUN
                                       : same ? TW_REDIS_BURIED
                                              : TW_REDIS_OTHER_EPOCH;
    if (session->joined.membership < membership || membership == TW_REDIS_BEGUN)
        session->joined.membership = membership;
}

/* The inbox can be read, too: the session is there. */
static void on_inbox_tried(const redisReply *reply, void *data)
{
    static const char *const continuity[] = {
        "kept", "begun", "this node was taken for dead: its streams are told of a gap",
        "another data set: streams are told of a gap"};
    tw_redis_session_t *session = data;
    const tw_redis_joined_t *joined = &session->joined;

    if (reply == NULL)
        return; /* the link is lost */
    if (reply->type == REDIS_REPLY_ERROR) {
        tw_redis_session_reset(session, reply->str);
        return;
    }
    set_phase(session, TW_REDIS_PHASE_UP);
    atomic_fetch_add(&session->stats->connects, 1);
    tw_log(
        TW_LOG_INFO, "Redis is in use", tw_log_text("address", session->commands.server.endpoint),
        tw_log_text("version", session->commands.server.version),
        tw_log_text("registration", session->registration), tw_log_number("lane", session->index),
        tw_log_text("continuity", continuity[joined->membership]));
    session->callbacks->on_up(session->data, joined);
    session->joined.membership = TW_REDIS_KEPT;
}

static void try_inbox(tw_redis_session_t *session)
{
    char key[TW_REDIS_INBOX_KEY_SIZE];
    tw_redis_args_t args;

    tw_redis_session_inbox_key(session, key);
    tw_redis_args_init(&args);
    for (size_t i = 0; i < 4; ++i)
        tw_redis_args_text(&args, (const char *[]){"XREAD", "STREAMS", key, "$"}[i]);
    tw_redis_session_send_inbox(session, &args, on_inbox_tried, session);
}

static void on_join(const redisReply *reply, void *data)
{
    tw_redis_session_t *session = data;

    if (reply == NULL)
        return; /* the link is lost */
    if (!is_join_answer(reply)) {
        tw_redis_session_reset(session, reply->type == REDIS_REPLY_ERROR
                                            ? reply->str
                                            : "the cluster's position cannot be read");
        return;
    }
    take_join(session, reply);
    if (strcmp(session->common->layout, reply->element[6]->str) != 0) {
        snprintf(session->common->layout, TW_REDIS_LAYOUT_SIZE, "%s", reply->element[6]->str);
        session->callbacks->on_layout(session->data);
    }
    try_inbox(session);
}

static void on_script_loaded(const redisReply *reply, void *data)
{
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        tw_redis_session_reset(data, reply->str);
}

static void load_scripts(tw_redis_session_t *session)
{
    tw_redis_args_t args;
    for (int i = 0; i < TW_REDIS_SCRIPT_COUNT; ++i) {
        tw_redis_args_init(&args);
        tw_redis_args_text(&args, "SCRIPT");
        tw_redis_args_text(&args, "LOAD");
        tw_redis_args_text(&args, tw_redis_script_text((tw_redis_script_t)i));
        tw_redis_session_send(session, &args, on_script_loaded, session);
    }
}

static void join(tw_redis_session_t *session)
{
    tw_redis_args_t args;
    char fresh[20], successor[TW_REDIS_REGISTRATION_SIZE];
    uint64_t epoch;

    set_phase(session, TW_REDIS_PHASE_JOINING);
    load_scripts(session);
    do
        tw_random(&epoch, sizeof(epoch));
    while (epoch == 0);
    snprintf(fresh, sizeof(fresh), "%016" PRIx64, epoch);
    /* An answer may be lost: what was offered once is not offered again. */
    ++session->generation;
    name_registration(session, successor);
    tw_redis_script_begin(session, &args, TW_REDIS_SCRIPT_JOIN);
    tw_redis_args_text(&args, session->registration);
    tw_redis_args_text(&args, session->commands.server.identity);
    tw_redis_args_text(&args, fresh);
    tw_redis_args_text(&args, successor);
    tw_redis_args_number(&args, TW_REDIS_LEASE_MS);
    tw_redis_args_number(&args, session->generation);
    tw_redis_args_number(&args, session->common->lanes);
    tw_redis_args_text(&args, session->common->layout);
    tw_redis_args_text(&args, session->index == 0 ? "1" : "0");
    tw_redis_session_send(session, &args, on_join, session);
}

static void join_when_both_are_up(tw_redis_session_t *session)
{
    if (!session->commands.up || !session->inbox.up)
        return;
    if (session->index > 0 && session->common->layout[0] == '\0')
        return; /* lane 0 finds it */
    if (strcmp(session->commands.server.identity, session->inbox.server.identity) != 0)
        tw_redis_session_reset(session, "Redis was replaced while we connected");
    else
        join(session);
}

void tw_redis_session_follow_layout(tw_redis_session_t *session)
{
    if (phase_of(session) == TW_REDIS_PHASE_DOWN)
        join_when_both_are_up(session);
    else
        tw_redis_session_reset(session, "the cluster has another layout of lanes");
}

static void on_link_up(const tw_redis_server_t *server, void *data)
{
    tw_redis_session_link_t *link = data;

    link->up = true;
    link->server = *server;
    tw_redis_risks_log(server->risks, &link->session->common->risks_told);
    join_when_both_are_up(link->session);
}

void tw_redis_session_settled(tw_redis_session_t *session)
{
    session->last_reason[0] = '\0';
    tw_redis_client_settled(session->commands.client);
    tw_redis_client_settled(session->inbox.client);
}

/* --- life --- */

void tw_redis_session_init(tw_redis_session_t *session, tw_redis_common_t *common, uint32_t index)
{
    session->common = common;
    session->stats = &common->stats;
    session->index = index;
    name_registration(session, session->registration);
    snprintf(session->lane, sizeof(session->lane), "%s{%" PRIu32 "}:", common->prefix, index);
}

static void begin_link(tw_redis_session_link_t *link, tw_redis_session_t *session,
                       const tw_redis_client_config_t *config)
{
    static const tw_redis_client_callbacks_t callbacks = {.on_up = on_link_up,
                                                          .on_down = on_link_down};

    link->session = session;
    link->client = tw_redis_client_create(session->loop->uv, config, &callbacks, link);
    tw_redis_client_start(link->client);
}

void tw_redis_session_start(tw_redis_session_t *session, tw_loop_t *loop,
                            const tw_redis_session_callbacks_t *callbacks, void *data)
{
    const tw_redis_client_config_t config = {
        .access = &session->common->access,
        .slot_key = session->lane,
        .name = session->common->client_name,
        .limits = {.connect_timeout_ms = LINK_TIMEOUT_MS,
                   .command_timeout_ms = LINK_TIMEOUT_MS,
                   .pending_max = 1000000,
                   .output_bytes_max = (size_t)256 << 20,
                   .reply_bytes_max = (size_t)1 << 30},
        .backoff_min_ms = BACKOFF_MIN_MS,
        .backoff_max_ms = BACKOFF_MAX_MS,
    };

    session->loop = loop;
    session->callbacks = callbacks;
    session->data = data;
    set_phase(session, TW_REDIS_PHASE_DOWN);
    begin_link(&session->commands, session, &config);
    begin_link(&session->inbox, session, &config);
}

void tw_redis_session_stop(tw_redis_session_t *session)
{
    tw_redis_client_t *commands = session->commands.client, *inbox = session->inbox.client;
    bool was_up = tw_redis_session_up(session);

    session->stopping = true;
    session->generation_joined = 0;
    session->commands = session->inbox = (tw_redis_session_link_t){.session = session};
    set_phase(session, TW_REDIS_PHASE_STOPPED);
    tw_redis_client_destroy(commands);
    tw_redis_client_destroy(inbox);
    if (was_up)
        session->callbacks->on_down(session->data);
}
