/* This node's lease, its coming and going, and the burial of dead nodes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/redis/node.h"

#define LEAVE_TOPICS_MAX 500
#define LEAVE_NODE_GONE 2 /* a dead one; there may be more of them */

/* --- the lease --- */

static void set_peers(tw_redis_node_t *node, const redisReply *reply)
{
    size_t len = 1;
    for (size_t i = 2; i < reply->elements; ++i)
        len += reply->element[i]->len + 1;
    char *peers = tw_alloc(len), *to = peers;
    for (size_t i = 2; i < reply->elements; ++i) {
        const redisReply *peer = reply->element[i];
        if (peer->type != REDIS_REPLY_STRING || strcmp(peer->str, node->info->node_id) == 0)
            continue;
        memcpy(to, peer->str, peer->len);
        to += peer->len + 1;
    }
    free(node->peers);
    node->peers = peers;
}

static void on_lease(const redisReply *reply, void *data)
{
    tw_redis_node_t *node = data;

    node->leasing = false;
    if (reply == NULL) {
        /* It may have been granted, and have said that nothing of ours was there. */
        node->registry_torn = true;
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2) {
        tw_redis_refused(node, "the lease", reply);
        return;
    }
    if (reply->element[1]->type == REDIS_REPLY_STRING)
        node->floor = strtoull(reply->element[1]->str, NULL, 10);
    set_peers(node, reply);
    /* Nothing of ours was there: the data set is new, or others took us for dead. */
    bool existed = reply->element[0]->integer != 0;
    node->registered = true;
    if (!existed || node->registry_torn)
        tw_redis_register_everything(node);
}

static void take_lease(tw_redis_node_t *node)
{
    const tw_node_info_t *info = node->info;
    tw_redis_args_t args;
    char instance[12], started[24];

    if (node->leasing || node->leaving)
        return;
    node->leasing = true;
    node->leased_at_ms = uv_now(node->loop->uv);
    snprintf(instance, sizeof(instance), "%08" PRIx32, node->hub->shards.instance);
    snprintf(started, sizeof(started), "%" PRId64, info->started_at_ms);
    const char *fields[] = {"hostname",  info->hostname, "ip",
                            info->ip,    "version",      info->version,
                            "startedAt", started,        "instance",
                            instance,    "state",        node->draining ? "draining" : "up"};
    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_LEASE);
    tw_redis_args_text(&args, info->node_id);
    tw_redis_args_number(&args, TW_REDIS_LEASE_MS);
    tw_redis_args_number(&args, TW_REDIS_HISTORY_MS);
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); ++i)
        tw_redis_args_text(&args, fields[i]);
    if (tw_redis_args_send(&args, node->commands, on_lease, node) != 0)
        node->leasing = false;
}

/* --- the dead, and our own leaving --- */

static void send_leave(tw_redis_node_t *node, const char *id, tw_redis_reply_cb on_reply)
{
    tw_redis_args_t args;
    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_LEAVE);
    tw_redis_args_text(&args, id);
    tw_redis_args_number(&args, LEAVE_TOPICS_MAX);
    tw_redis_args_number(&args, (uint64_t)node->hub->config.resume_window_ms);
    if (tw_redis_args_send(&args, node->commands, on_reply, node) != 0)
        on_reply(NULL, node);
}

static void on_buried(const redisReply *reply, void *data)
{
    tw_redis_node_t *node = data;
    node->burying = false;
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER || reply->integer == 0 || node->leaving)
        return;
    if (reply->integer == LEAVE_NODE_GONE)
        atomic_fetch_add(TW_REDIS_STAT(node, nodes_buried), 1);
    node->burying = true;
    send_leave(node, "", on_buried);
}

/* What an earlier process with our name left behind is gone: now we are in. */
static void on_predecessor_gone(const redisReply *reply, void *data)
{
    tw_redis_node_t *node = data;
    if (reply == NULL || !tw_redis_node_up(node))
        return;
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer != 0) {
        send_leave(node, node->info->node_id, on_predecessor_gone);
        return;
    }
    node->introduced = true;
    take_lease(node);
}

void tw_redis_registry_up(tw_redis_node_t *node)
{
    node->up_since_ms = uv_now(node->loop->uv);
    node->leasing = false;
    if (node->introduced)
        take_lease(node);
    else
        send_leave(node, node->info->node_id, on_predecessor_gone);
}

void tw_redis_registry_lost(tw_redis_node_t *node)
{
    node->leasing = node->burying = false;
}

void tw_redis_registry_pulse(tw_redis_node_t *node, uint64_t now_ms)
{
    if (!tw_redis_node_up(node) || !node->introduced || node->leaving)
        return;
    if (now_ms - node->leased_at_ms >= TW_REDIS_LEASE_EVERY_MS) {
        take_lease(node);
        /* After an outage the others have to come back first. */
        if (!node->burying && now_ms - node->up_since_ms >= TW_REDIS_LEASE_MS) {
            node->burying = true;
            send_leave(node, "", on_buried);
        }
    }
}

static void gone(tw_redis_node_t *node)
{
    void (*on_gone)(tw_redis_node_t *) = node->on_gone;
    node->on_gone = NULL;
    if (on_gone != NULL)
        on_gone(node);
}

static void on_own_leave(const redisReply *reply, void *data)
{
    tw_redis_node_t *node = data;
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer != 0 &&
        node->on_gone != NULL)
        send_leave(node, node->info->node_id, on_own_leave);
    else
        gone(node);
}

void tw_redis_registry_leave(tw_redis_node_t *node, void (*on_gone)(tw_redis_node_t *node))
{
    node->leaving = true;
    node->on_gone = on_gone;
    if (tw_redis_node_up(node))
        send_leave(node, node->info->node_id, on_own_leave);
    else
        gone(node);
}

void tw_redis_registry_abandon_leave(tw_redis_node_t *node)
{
    gone(node);
}

void tw_redis_registry_drain(tw_redis_node_t *node)
{
    node->draining = true;
    if (tw_redis_node_up(node) && node->introduced)
        take_lease(node);
}
