#include "runtime/redis/lane/lease.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/redis/lane/figures.h"

#define LEASE_EVERY_MS 1000
#define DOUBT_MS 2000 /* of a node whose lease ran out: it has missed twice to renew it */
#define SLICE_TOPICS 1000
#define SLICE_PAUSE_MS 20
#define BURY_IDLE_MS 250
#define SWEEP_IDLE_MS 5000
#define FORGET_AFTER_MS ((uint64_t)60 * 60 * 1000)
#define SWEEP_TOPICS 200
#define TWIN_AFTER_MS (TW_REDIS_LEASE_MS + 5000) /* a process that died is listed so long */
#define LEAVE_NONE 0
#define LEAVE_DONE 2

void tw_redis_lease_init(tw_redis_lease_t *lease, tw_redis_inbox_t *inbox, tw_hub_t *hub,
                         const tw_node_info_t *info, void (*on_granted)(void *data), void *data)
{
    lease->session = inbox->session;
    lease->inbox = inbox;
    lease->hub = hub;
    lease->info = info;
    lease->on_granted = on_granted;
    lease->data = data;
}

/* --- the lease --- */

/* {…, registration, node id, …}: two processes that say that they are the same node. */
static void look_for_twin(tw_redis_lease_t *lease, const redisReply *reply)
{
    const char *own = lease->session->registration;
    uint64_t now_ms = uv_now(lease->session->loop->uv);

    for (size_t i = 4; i + 1 < reply->elements; i += 2) {
        const char *other = reply->element[i]->str, *id = reply->element[i + 1]->str;
        if (other == NULL || id == NULL || strcmp(id, lease->info->node_id) != 0 ||
            strncmp(other, own, TW_REDIS_INSTANCE_LEN) == 0)
            continue;
        if (strcmp(other, lease->twin) != 0) {
            snprintf(lease->twin, sizeof(lease->twin), "%s", other);
            lease->twin_ms = now_ms;
        } else if (lease->twin_ms != 0 && now_ms - lease->twin_ms > TWIN_AFTER_MS) {
            lease->twin_ms = 0;
            tw_log(TW_LOG_ERROR, "two gateways have the same node id", tw_log_text("nodeId", id),
                   tw_log_text("registration", other),
                   tw_log_text("change", "give each a TIDEWAY_NODE_ID of its own, or none"));
        }
        return;
    }
    lease->twin[0] = '\0';
}

/* {newest number, newest in our inbox, cut, floor, registration, node id, …} */
static void on_lease(const redisReply *reply, void *data)
{
    tw_redis_lease_t *lease = data;

    lease->asking = false;
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements < 4 ||
        reply->element[1]->type != REDIS_REPLY_STRING ||
        reply->element[2]->type != REDIS_REPLY_INTEGER) {
        tw_redis_session_refused(lease->session, "the lease", reply);
        return;
    }
    atomic_store(&lease->session->stats->probe_us, (uint64_t)tw_clock_us() - lease->asked_us);
    if (reply->element[3]->type == REDIS_REPLY_STRING)
        tw_redis_session_learn_floor(lease->session, strtoull(reply->element[3]->str, NULL, 10));
    if (lease->session->index == 0)
        look_for_twin(lease, reply);
    tw_redis_inbox_learn(lease->inbox, strtoull(reply->element[1]->str, NULL, 10),
                         reply->element[2]->integer != 0);
    lease->on_granted(lease->data);
}

/* What this node counts, for the listing of nodes, which is lane 0's; free() it. */
static char *figures_of(const tw_redis_lease_t *lease)
{
    tw_stats_t stats;

    if (lease->session->index != 0)
        return NULL;
    tw_stats_read(lease->hub, &stats);
    return tw_redis_figures_write(&stats, tw_clock_wall_ms());
}

static void take_lease(tw_redis_lease_t *lease)
{
    const tw_node_info_t *info = lease->info;
    char *figures;
    char instance[12], started[24];
    tw_redis_args_t args;

    if (lease->asking || lease->on_left != NULL)
        return;
    lease->asking = true;
    figures = figures_of(lease);
    lease->asked_ms = uv_now(lease->session->loop->uv);
    lease->asked_us = (uint64_t)tw_clock_us();
    snprintf(instance, sizeof(instance), "%08" PRIx32, lease->session->common->instance);
    snprintf(started, sizeof(started), "%" PRId64, info->started_at_ms);
    const char *const fields[] = {"nodeId",    info->node_id,
                                  "hostname",  info->hostname,
                                  "ip",        info->ip,
                                  "version",   info->version,
                                  "startedAt", started,
                                  "instance",  instance,
                                  "state",     lease->draining ? "draining" : "up"};
    tw_redis_script_begin_own(lease->session, &args, TW_REDIS_SCRIPT_LEASE);
    tw_redis_args_number(&args, TW_REDIS_LEASE_MS);
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); ++i)
        tw_redis_args_text(&args, fields[i]);
    if (figures != NULL) {
        tw_redis_args_text(&args, "figures");
        tw_redis_args_text(&args, figures);
    }
    tw_redis_session_send(lease->session, &args, on_lease, lease);
    free(figures);
}

void tw_redis_lease_drain(tw_redis_lease_t *lease)
{
    lease->draining = true;
    if (tw_redis_session_up(lease->session))
        take_lease(lease);
}

/* --- the dead, and what is forgotten --- */

static void send_leave(tw_redis_lease_t *lease, const char *registration,
                       tw_redis_reply_cb on_reply)
{
    tw_redis_args_t args;
    tw_redis_script_begin(lease->session, &args, TW_REDIS_SCRIPT_LEAVE);
    tw_redis_args_text(&args, registration);
    tw_redis_args_number(&args, SLICE_TOPICS);
    tw_redis_args_number(&args, (uint64_t)lease->hub->config.resume_window_ms);
    tw_redis_args_number(&args, DOUBT_MS);
    tw_redis_session_send(lease->session, &args, on_reply, lease);
}

/* The lanes of a node share its pace. */
static uint64_t slice_pause_ms(const tw_redis_lease_t *lease)
{
    return (uint64_t)SLICE_PAUSE_MS * lease->session->common->lanes;
}

static void on_buried(const redisReply *reply, void *data)
{
    tw_redis_lease_t *lease = data;
    bool more = reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer != LEAVE_NONE;

    lease->burying = false;
    tw_redis_session_refused(lease->session, "a burial", reply);
    if (more && reply->integer == LEAVE_DONE)
        atomic_fetch_add(&lease->session->stats->nodes_buried, lease->session->index == 0);
    lease->bury_after_ms =
        uv_now(lease->session->loop->uv) + (more ? slice_pause_ms(lease) : BURY_IDLE_MS);
}

static void on_swept(const redisReply *reply, void *data)
{
    tw_redis_lease_t *lease = data;
    bool more =
        reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer >= SWEEP_TOPICS;

    lease->sweeping = false;
    tw_redis_session_refused(lease->session, "a sweep", reply);
    lease->sweep_after_ms =
        uv_now(lease->session->loop->uv) + (more ? slice_pause_ms(lease) : SWEEP_IDLE_MS);
}

static void sweep(tw_redis_lease_t *lease)
{
    tw_redis_args_t args;
    lease->sweeping = true;
    tw_redis_script_begin(lease->session, &args, TW_REDIS_SCRIPT_SWEEP);
    tw_redis_args_number(&args, SWEEP_TOPICS);
    tw_redis_args_number(&args, FORGET_AFTER_MS);
    tw_redis_session_send(lease->session, &args, on_swept, lease);
}

void tw_redis_lease_pulse(tw_redis_lease_t *lease, uint64_t now_ms)
{
    if (!tw_redis_session_up(lease->session) || lease->on_left != NULL)
        return;
    if (now_ms - lease->asked_ms >= LEASE_EVERY_MS)
        take_lease(lease);
    /* After an outage the others have to come back first. */
    if (!lease->burying && now_ms - lease->up_ms >= TW_REDIS_LEASE_MS &&
        now_ms >= lease->bury_after_ms) {
        lease->burying = true;
        send_leave(lease, "", on_buried);
    }
    if (!lease->sweeping && now_ms >= lease->sweep_after_ms)
        sweep(lease);
}

void tw_redis_lease_up(tw_redis_lease_t *lease)
{
    lease->up_ms = uv_now(lease->session->loop->uv);
    lease->asking = lease->burying = lease->sweeping = false;
    take_lease(lease);
}

/* --- our own leaving --- */

static void end_leaving(tw_redis_lease_t *lease)
{
    void (*on_left)(void *data) = lease->on_left;
    lease->on_left = NULL;
    if (on_left != NULL)
        on_left(lease->left_data);
}

static void on_own_leave(const redisReply *reply, void *data)
{
    tw_redis_lease_t *lease = data;

    tw_redis_session_refused(lease->session, "to leave the cluster", reply);
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer != LEAVE_NONE &&
        reply->integer != LEAVE_DONE && lease->on_left != NULL)
        send_leave(lease, lease->session->registration, on_own_leave);
    else
        end_leaving(lease);
}

void tw_redis_lease_leave(tw_redis_lease_t *lease, void (*on_left)(void *data), void *data)
{
    lease->on_left = on_left;
    lease->left_data = data;
    if (tw_redis_session_up(lease->session))
        send_leave(lease, lease->session->registration, on_own_leave);
    else
        end_leaving(lease);
}

void tw_redis_lease_abandon_leave(tw_redis_lease_t *lease)
{
    end_leaving(lease);
}

void tw_redis_lease_down(tw_redis_lease_t *lease)
{
    end_leaving(lease);
}
