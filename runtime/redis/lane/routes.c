#include "runtime/redis/lane/routes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"

#define BATCH_MAX 128
#define BATCHES_AT_ONCE 4 /* so that publishes never wait behind many of them */
#define REFUSED_PAUSE_MS 500

#define ROUTE_OF(pointer) TW_CONTAINER_OF(pointer, tw_redis_route_t, by_name)

void tw_redis_routes_init(tw_redis_routes_t *routes, tw_redis_session_t *session,
                          tw_redis_inbox_t *inbox, tw_hub_t *hub)
{
    routes->session = session;
    routes->inbox = inbox;
    routes->hub = hub;
    tw_table_init(&routes->by_name);
    LIST_INIT(&routes->all);
    TAILQ_INIT(&routes->to_follow);
    TAILQ_INIT(&routes->to_tell);
}

static bool has_name(const tw_table_entry_t *node, const void *key)
{
    const tw_topic_name_t *name = key;
    const tw_redis_route_t *route = ROUTE_OF(node);
    return route->name.len == name->len && memcmp(route->name.base, name->base, name->len) == 0;
}

tw_redis_route_t *tw_redis_route_find(const tw_redis_routes_t *routes, const tw_topic_name_t *topic)
{
    tw_table_entry_t *found = tw_table_find(&routes->by_name, topic->hash, has_name, topic);
    return found != NULL ? ROUTE_OF(found) : NULL;
}

/* --- states --- */

static void put(tw_redis_routes_t *routes, tw_redis_route_t *route, tw_redis_route_queue_t *queue)
{
    if (route->queue == queue)
        return;
    if (route->queue != NULL)
        TAILQ_REMOVE(route->queue, route, link);
    atomic_fetch_add(&routes->session->stats->registry_backlog,
                     (uint64_t)(queue != NULL) - (route->queue != NULL));
    routes->told -= route->queue == &routes->to_tell;
    routes->told += queue == &routes->to_tell;
    route->queue = queue;
    if (queue != NULL)
        TAILQ_INSERT_TAIL(queue, route, link);
}

static void begin_following(tw_redis_routes_t *routes, tw_redis_route_t *route)
{
    route->state = TW_REDIS_ROUTE_FOLLOWING;
    ++route->asked; /* answers to what was asked before mean nothing any more */
    put(routes, route, &routes->to_follow);
}

static tw_redis_route_t *create_route(tw_redis_routes_t *routes, const tw_topic_name_t *topic)
{
    tw_redis_route_t *route = tw_alloc(sizeof(*route) + topic->len);
    route->by_name.hash = topic->hash;
    route->routes = routes;
    route->name = *topic;
    route->name.base = memcpy(route->bytes, topic->base, topic->len);
    TAILQ_INIT(&route->waits);
    tw_table_insert(&routes->by_name, &route->by_name);
    LIST_INSERT_HEAD(&routes->all, route, all);
    atomic_fetch_add(&routes->session->stats->routes, 1);
    begin_following(routes, route);
    return route;
}

tw_redis_route_t *tw_redis_route_use(tw_redis_routes_t *routes, const tw_topic_name_t *topic)
{
    tw_redis_route_t *route = tw_redis_route_find(routes, topic);
    if (route == NULL)
        route = create_route(routes, topic);
    else if (route->state == TW_REDIS_ROUTE_UNFOLLOWING)
        begin_following(routes, route);
    ++route->users;
    return route;
}

static void free_route(tw_redis_routes_t *routes, tw_redis_route_t *route)
{
    assert(TAILQ_EMPTY(&route->waits) && route->priming == NULL);
    tw_table_remove(&routes->by_name, &route->by_name);
    LIST_REMOVE(route, all);
    atomic_fetch_sub(&routes->session->stats->routes, 1);
    free(route);
}

/* Frees a route that Redis was told to forget, if nothing else needs it. */
static void collect(tw_redis_routes_t *routes, tw_redis_route_t *route)
{
    if (route->users == 0 && route->flights == 0 && route->queue == NULL)
        free_route(routes, route);
}

/* Nobody is to be told any more. */
static void end_gap(tw_redis_route_t *route)
{
    if (route->gap != TW_GAP_NONE && route->state == TW_REDIS_ROUTE_FOLLOWING)
        --route->routes->unanswered;
    route->gap = TW_GAP_NONE;
}

void tw_redis_route_unuse(tw_redis_route_t *route)
{
    tw_redis_routes_t *routes = route->routes;

    assert(route->users > 0);
    if (--route->users > 0)
        return;
    tw_hub_release(routes->hub, &route->name);
    end_gap(route);
    route->state = TW_REDIS_ROUTE_UNFOLLOWING;
    route->primed = false;
    ++route->asked;
    put(routes, route, &routes->to_tell);
}

void tw_redis_route_count(tw_redis_route_t *route, int change)
{
    tw_redis_routes_t *routes = route->routes;

    route->streams += (uint32_t)change;
    if (route->queue == NULL)
        put(routes, route, &routes->to_tell);
}

/* Every event of the topic after `since` is in the inbox, or will be. */
static void begin_followed(tw_redis_routes_t *routes, tw_redis_route_t *route, uint64_t since)
{
    tw_hub_hold(routes->hub, &route->name, since);
    route->state = TW_REDIS_ROUTE_FOLLOWED;
    route->since = since;
    route->primed = false;
    tw_redis_wait_wake(&route->waits);
}

/* --- batches --- */

typedef enum tw_redis_batch_kind { FOLLOW, UNFOLLOW } tw_redis_batch_kind_t;

typedef struct tw_redis_route_batch {
    tw_redis_wait_t wait; /* first member: until the inbox is where it was */
    tw_redis_routes_t *routes;
    tw_redis_batch_kind_t kind;
    uint32_t generation; /* of the session that sent it */
    uint64_t newest;     /* the cluster's number then */
    size_t count;
    tw_redis_route_t *items[BATCH_MAX];
    uint32_t asked[BATCH_MAX];
} tw_redis_route_batch_t;

static void end_batch(tw_redis_route_batch_t *batch)
{
    for (size_t i = 0; i < batch->count; ++i) {
        --batch->items[i]->flights;
        if (batch->items[i]->state == TW_REDIS_ROUTE_UNFOLLOWING)
            collect(batch->routes, batch->items[i]);
    }
    free(batch);
}

/* What became of it is not known, or Redis refused it: it goes again. */
static void repeat(tw_redis_route_batch_t *batch)
{
    tw_redis_routes_t *routes = batch->routes;
    for (size_t i = 0; i < batch->count; ++i) {
        tw_redis_route_t *route = batch->items[i];
        if (route->queue == NULL)
            put(routes, route,
                route->state == TW_REDIS_ROUTE_FOLLOWING ? &routes->to_follow : &routes->to_tell);
    }
}

static void follow_batch(tw_redis_route_batch_t *batch, uint64_t since)
{
    for (size_t i = 0; i < batch->count; ++i)
        if (batch->items[i]->state == TW_REDIS_ROUTE_FOLLOWING &&
            batch->items[i]->asked == batch->asked[i])
            begin_followed(batch->routes, batch->items[i], since);
}

static void on_inbox_there(tw_redis_wait_t *wait)
{
    tw_redis_route_batch_t *batch = (tw_redis_route_batch_t *)wait;
    tw_redis_routes_t *routes = batch->routes;
    uint64_t since = routes->inbox->read;

    if (batch->generation == routes->session->generation_joined) {
        if (since < batch->newest)
            since = batch->newest;
        tw_hub_advance(routes->hub, routes->session->index, since);
        follow_batch(batch, since);
    }
    end_batch(batch);
}

/* Those of a batch whose streams have missed something up to here. */
static void answer_gaps(tw_redis_route_batch_t *batch)
{
    for (size_t i = 0; i < batch->count; ++i) {
        tw_redis_route_t *route = batch->items[i];
        if (route->state != TW_REDIS_ROUTE_FOLLOWING || route->asked != batch->asked[i] ||
            route->gap == TW_GAP_NONE)
            continue;
        route->state = TW_REDIS_ROUTE_ANSWERED;
        route->since = batch->newest;
        --batch->routes->unanswered;
    }
}

/* {newest number, newest in our inbox} */
static void on_followed(const redisReply *reply, void *data)
{
    tw_redis_route_batch_t *batch = data;
    tw_redis_routes_t *routes = batch->routes;

    --routes->flights;
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING) {
        if (reply != NULL)
            routes->refused_ms = uv_now(routes->session->loop->uv);
        tw_redis_session_refused(routes->session, "to follow topics", reply);
        repeat(batch);
        end_batch(batch);
        return;
    }
    batch->newest = strtoull(reply->element[0]->str, NULL, 10);
    answer_gaps(batch);
    if (!routes->holds_inbox && tw_redis_inbox_is_late(routes->inbox)) {
        follow_batch(batch, batch->newest); /* their streams begin where the inbox is */
        end_batch(batch);
        return;
    }
    batch->wait.run = on_inbox_there;
    tw_redis_inbox_when_read(routes->inbox, &batch->wait,
                             strtoull(reply->element[1]->str, NULL, 10));
}

static void on_unfollowed(const redisReply *reply, void *data)
{
    tw_redis_route_batch_t *batch = data;

    --batch->routes->flights;
    tw_redis_session_refused(batch->routes->session, "to leave topics", reply);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        if (reply != NULL)
            batch->routes->refused_ms = uv_now(batch->routes->session->loop->uv);
        repeat(batch);
    }
    end_batch(batch);
}

/* Takes routes that are to be followed (or counted), or left, off the front of a queue. */
static tw_redis_route_batch_t *take_batch(tw_redis_routes_t *routes, tw_redis_route_queue_t *queue)
{
    tw_redis_route_batch_t *batch = tw_alloc(sizeof(*batch));
    tw_redis_route_t *route = TAILQ_FIRST(queue);

    batch->routes = routes;
    batch->generation = routes->session->generation_joined;
    batch->kind = route->state == TW_REDIS_ROUTE_UNFOLLOWING ? UNFOLLOW : FOLLOW;
    while (route != NULL && batch->count < BATCH_MAX &&
           (route->state == TW_REDIS_ROUTE_UNFOLLOWING) == (batch->kind == UNFOLLOW)) {
        put(routes, route, NULL);
        ++route->flights;
        batch->asked[batch->count] = route->asked;
        batch->items[batch->count++] = route;
        route = TAILQ_FIRST(queue);
    }
    ++routes->flights;
    return batch;
}

static void send_batch(tw_redis_routes_t *routes, tw_redis_route_queue_t *queue)
{
    tw_redis_route_batch_t *batch = take_batch(routes, queue);
    bool follows = batch->kind == FOLLOW;
    tw_redis_args_t args;

    tw_redis_script_begin_own(routes->session, &args,
                              follows ? TW_REDIS_SCRIPT_FOLLOW : TW_REDIS_SCRIPT_UNFOLLOW);
    if (!follows)
        tw_redis_args_number(&args, (uint64_t)routes->hub->config.resume_window_ms);
    for (size_t i = 0; i < batch->count; ++i) {
        tw_redis_args_add(&args, batch->items[i]->name.base, batch->items[i]->name.len);
        if (follows)
            tw_redis_args_number(&args, batch->items[i]->streams);
    }
    tw_redis_session_send(routes->session, &args, follows ? on_followed : on_unfollowed, batch);
}

static bool may_send(const tw_redis_routes_t *routes)
{
    return routes->flights < BATCHES_AT_ONCE && tw_redis_session_up(routes->session) &&
           (routes->refused_ms == 0 ||
            uv_now(routes->session->loop->uv) - routes->refused_ms >= REFUSED_PAUSE_MS);
}

void tw_redis_routes_turn(tw_redis_routes_t *routes)
{
    while (!TAILQ_EMPTY(&routes->to_follow) && may_send(routes))
        send_batch(routes, &routes->to_follow);
    if (routes->told >= BATCH_MAX)
        tw_redis_routes_flush(routes);
    tw_redis_routes_tell(routes);
}

void tw_redis_routes_flush(tw_redis_routes_t *routes)
{
    while (!TAILQ_EMPTY(&routes->to_tell) && may_send(routes))
        send_batch(routes, &routes->to_tell);
}

/* --- the session --- */

void tw_redis_routes_up(tw_redis_routes_t *routes, tw_redis_membership_t membership)
{
    uint8_t gap = membership == TW_REDIS_OTHER_EPOCH ? TW_GAP_OTHER_EPOCH
                  : membership == TW_REDIS_BURIED    ? TW_GAP_EVICTED
                                                     : TW_GAP_NONE;
    tw_redis_route_t *route;

    routes->refused_ms = 0;
    if (membership == TW_REDIS_KEPT) {
        if (routes->hole != NULL) /* the inbox is read on, and finds it again */
            routes->holds_inbox = false;
        tw_redis_routes_drop_hole(routes);
        return;
    }
    tw_redis_routes_stop(routes);
    routes->holds_inbox = true;
    routes->unanswered = 0;
    LIST_FOREACH(route, &routes->all, all)
    {
        if (route->state == TW_REDIS_ROUTE_UNFOLLOWING) {
            /* Sent again: the topic's window opens in the new data set, too. */
            put(routes, route, &routes->to_tell);
            continue;
        }
        /* Whoever is in the hub, or about to be, has missed something. */
        bool missed = route->state != TW_REDIS_ROUTE_FOLLOWING || route->gap != TW_GAP_NONE;
        if (missed && route->gap < gap)
            route->gap = gap;
        routes->unanswered += route->gap != TW_GAP_NONE;
        begin_following(routes, route);
    }
}

void tw_redis_routes_dispose(tw_redis_routes_t *routes)
{
    tw_redis_route_t *route;

    tw_redis_routes_stop(routes);
    while ((route = LIST_FIRST(&routes->all)) != NULL)
        free_route(routes, route);
    tw_table_dispose(&routes->by_name);
}
