/* Which topics this node gets from Redis, and the streams that wait for them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"
#include "runtime/join.h"
#include "runtime/redis/node.h"

#define ROUTE_OF(pointer) TW_CONTAINER_OF(pointer, tw_redis_route_t, node)

size_t tw_redis_topic_key(const tw_topic_name_t *topic, char key[TW_REDIS_KEY_MAX])
{
    memcpy(key, "tw:{t:", 6);
    memcpy(key + 6, topic->base, topic->len);
    key[6 + topic->len] = '}';
    return 7 + topic->len;
}

static bool has_name(const tw_table_entry_t *node, const void *key)
{
    const tw_topic_name_t *name = key;
    const tw_redis_route_t *route = ROUTE_OF(node);
    return route->name.len == name->len && memcmp(route->name.base, name->base, name->len) == 0;
}

tw_redis_route_t *tw_redis_route_find(tw_redis_node_t *node, const tw_topic_name_t *topic)
{
    tw_table_entry_t *found = tw_table_find(&node->routes, topic->hash, has_name, topic);
    return found != NULL ? ROUTE_OF(found) : NULL;
}

static tw_redis_route_t *create_route(tw_redis_node_t *node, const tw_topic_name_t *topic)
{
    tw_redis_route_t *route = tw_alloc(sizeof(*route) + topic->len);
    route->node.hash = topic->hash;
    route->name = *topic;
    route->name.base = memcpy(route->bytes, topic->base, topic->len);
    TAILQ_INIT(&route->waiting);
    tw_table_insert(&node->routes, &route->node);
    LIST_INSERT_HEAD(&node->all_routes, route, all);
    atomic_fetch_add(TW_REDIS_STAT(node, routes), 1);
    return route;
}

static void ask_for(tw_redis_node_t *node, tw_redis_route_t *route)
{
    if (node->to_subscribe_count == node->to_subscribe_capacity) {
        node->to_subscribe_capacity = node->to_subscribe_capacity * 2 + 64;
        node->to_subscribe = tw_realloc(node->to_subscribe,
                                        node->to_subscribe_capacity * sizeof(tw_redis_route_t *));
    }
    route->asked = true;
    ++node->unconfirmed;
    node->to_subscribe[node->to_subscribe_count++] = route;
}

tw_redis_route_t *tw_redis_route_use(tw_redis_node_t *node, const tw_topic_name_t *topic)
{
    tw_redis_route_t *route = tw_redis_route_find(node, topic);
    if (route == NULL)
        route = create_route(node, topic);
    ++route->users;
    route->windowed = false;
    if (!route->asked && tw_redis_node_up(node))
        ask_for(node, route);
    return route;
}

void tw_redis_route_unuse(tw_redis_node_t *node, tw_redis_route_t *route)
{
    assert(route->users > 0);
    --route->users;
    tw_redis_route_collect(node, route);
}

static void leave_channel(tw_redis_node_t *node, tw_redis_route_t *route)
{
    char key[TW_REDIS_KEY_MAX];
    const char *argv[] = {"UNSUBSCRIBE", key};
    const size_t lens[] = {11, tw_redis_topic_key(&route->name, key)};

    route->asked = route->subscribed = false;
    route->leaving = tw_redis_client_send_push(node->pushes, 2, argv, lens) == 0;
}

typedef struct tw_redis_windowing {
    tw_redis_node_t *node;
    tw_redis_route_t *route;
} tw_redis_windowing_t;

static void on_window(const redisReply *reply, void *data)
{
    tw_redis_windowing_t windowing = *(tw_redis_windowing_t *)data;
    free(data);
    windowing.route->windowing = false;
    windowing.route->windowed = windowing.route->users == 0; /* else it is used again by now */
    tw_redis_route_collect(windowing.node, windowing.route);
}

/*
 * A topic that loses its last subscriber here keeps its resume window in Redis, from before the
 * channel is left: no event falls between the two.
 */
static void open_window(tw_redis_node_t *node, tw_redis_route_t *route)
{
    char key[TW_REDIS_KEY_MAX];
    tw_redis_args_t args;
    tw_redis_windowing_t *windowing = tw_alloc(sizeof(*windowing));
    size_t len = tw_redis_topic_key(&route->name, key);

    *windowing = (tw_redis_windowing_t){node, route};
    memcpy(key + len, ":w", 2);
    tw_redis_args_init(&args);
    tw_redis_args_add(&args, "SET", 3);
    tw_redis_args_add(&args, key, len + 2);
    tw_redis_args_add(&args, "1", 1);
    tw_redis_args_add(&args, "PX", 2);
    tw_redis_args_number(&args, (uint64_t)node->hub->config.resume_window_ms);
    route->windowing = tw_redis_args_send(&args, node->commands, on_window, windowing) == 0;
    if (!route->windowing)
        free(windowing);
}

void tw_redis_route_collect(tw_redis_node_t *node, tw_redis_route_t *route)
{
    /* A SUBSCRIBE that is not confirmed yet is waited for: its confirmation must find this route.
     */
    if (route->users > 0 || route->publishes > 0 || route->windowing ||
        (route->asked && !route->subscribed))
        return;
    if (route->asked && route->held && !route->windowed && node->hub->config.resume_window_ms > 0) {
        open_window(node, route);
        if (route->windowing)
            return;
    }
    if (route->asked)
        leave_channel(node, route);
    if (route->held)
        tw_hub_release(node->hub, &route->name);
    route->held = route->primed = false;
    if (route->is_changed || route->priming || route->leaving)
        return;
    if (node->resubscribe_next == route)
        node->resubscribe_next = LIST_NEXT(route, all);
    if (node->fill_next == route)
        node->fill_next = LIST_NEXT(route, all);
    tw_table_remove(&node->routes, &route->node);
    LIST_REMOVE(route, all);
    atomic_fetch_sub(TW_REDIS_STAT(node, routes), 1);
    free(route);
}

void tw_redis_route_count(tw_redis_node_t *node, tw_redis_route_t *route, int change)
{
    route->streams += (uint32_t)change;
    if (!route->is_changed) {
        route->is_changed = true;
        TAILQ_INSERT_TAIL(&node->changed_routes, route, changed);
        ++node->changed_count;
    }
}

void tw_redis_route_confirmed(tw_redis_node_t *node, const char *channel, size_t len)
{
    if (len < 8 || len > TW_TOPIC_NAME_MAX + 7)
        return;
    tw_topic_name_t name = tw_topic_name(channel + 6, len - 7);
    tw_redis_route_t *route = tw_redis_route_find(node, &name);
    if (route == NULL || !route->asked || route->subscribed)
        return;
    route->subscribed = true;
    --node->unconfirmed;
    tw_redis_openings_advance(node, &route->waiting);
    tw_redis_route_collect(node, route);
}

void tw_redis_route_left(tw_redis_node_t *node, const char *channel, size_t len)
{
    if (len < 8 || len > TW_TOPIC_NAME_MAX + 7)
        return;
    tw_topic_name_t name = tw_topic_name(channel + 6, len - 7);
    tw_redis_route_t *route = tw_redis_route_find(node, &name);
    if (route == NULL || !route->leaving)
        return;
    route->leaving = false;
    tw_redis_publishing_unpark(node);
    tw_redis_route_collect(node, route);
}

/* --- openings --- */

static void on_ready(void *owner, void *data);

/* Where it waits from now on; NULL: nowhere. */
static void put(tw_redis_opening_t *opening, tw_redis_openings_t *list)
{
    if (opening->list != NULL)
        TAILQ_REMOVE(opening->list, opening, link);
    opening->list = list;
    if (list != NULL)
        TAILQ_INSERT_TAIL(list, opening, link);
}

/* Done with it here: the worker joins the hub, or says why not. */
static void answer(tw_redis_opening_t *opening, tw_status_t status)
{
    put(opening, NULL);
    TAILQ_REMOVE(&opening->node->openings, opening, all);
    opening->status = status;
    tw_loop_post(opening->worker, on_ready, opening);
}

static bool all_routes(const tw_redis_opening_t *opening, size_t offset)
{
    for (size_t i = 0; i < opening->topic_count; ++i)
        if (!*((const bool *)opening->routes[i] + offset))
            return false;
    return true;
}

#define ALL_ROUTES(opening, field) all_routes(opening, offsetof(tw_redis_route_t, field))

/* The hub keeps what comes from now on; all before has been dispatched or is in Redis. */
static void hold(tw_redis_node_t *node, tw_redis_route_t *route)
{
    if (route->held)
        return;
    route->held = true;
    route->since = node->last;
    tw_hub_hold(node->hub, &route->name, node->last);
}

/* Has the opening's routes read what they had before it; false when none lacks that. */
static bool wait_for_history(tw_redis_node_t *node, tw_redis_opening_t *opening)
{
    tw_redis_route_t *unprimed = NULL;

    for (size_t i = 0; i < opening->topic_count; ++i) {
        tw_redis_route_t *route = opening->routes[i];
        if (!route->primed && !route->priming)
            tw_redis_prime(node, route);
        if (!route->primed)
            unprimed = route;
    }
    if (unprimed == NULL)
        return false;
    /* One that cannot be asked for means that the session is about to be lost. */
    put(opening, unprimed->priming ? &unprimed->waiting : &node->waiting);
    return true;
}

/* Takes the next step of an opening. */
static void advance(tw_redis_opening_t *opening)
{
    tw_redis_node_t *node = opening->node;
    bool resumes = opening->last_event_id != NULL;

    if (node->stopping) {
        answer(opening, TW_UNAVAILABLE);
        return;
    }
    if (!tw_redis_node_up(node)) {
        put(opening, &node->waiting);
        return;
    }
    for (size_t i = 0; i < opening->topic_count; ++i) {
        if (!opening->routes[i]->subscribed) {
            put(opening, &opening->routes[i]->waiting);
            return;
        }
    }
    /* A fresh stream on topics that come already needs nothing; else the node has to be as far as
     * the cluster is now. */
    if (!opening->marked && (resumes || !ALL_ROUTES(opening, held))) {
        opening->marked = true;
        put(opening, &node->to_mark);
        return;
    }
    for (size_t i = 0; i < opening->topic_count; ++i)
        hold(node, opening->routes[i]);
    if (!resumes || !wait_for_history(node, opening))
        answer(opening, TW_OK);
}

static void on_time_to_advance(tw_slice_t *slice)
{
    tw_redis_opening_t *opening = (tw_redis_opening_t *)slice;

    tw_redis_step_begins(opening->node, opening->topic_count);
    advance(opening);
}

void tw_redis_openings_advance(tw_redis_node_t *node, tw_redis_openings_t *openings)
{
    tw_redis_opening_t *opening;
    while ((opening = TAILQ_FIRST(openings)) != NULL) {
        put(opening, NULL);
        tw_redis_schedule(node, &opening->slice, on_time_to_advance);
    }
}

void tw_redis_openings_move(tw_redis_openings_t *from, tw_redis_openings_t *to)
{
    tw_redis_opening_t *opening;
    while ((opening = TAILQ_FIRST(from)) != NULL)
        put(opening, to);
}

static void begin_opening(tw_slice_t *slice)
{
    tw_redis_opening_t *opening = (tw_redis_opening_t *)slice;
    tw_redis_node_t *node = opening->node;

    tw_redis_step_begins(node, opening->topic_count);
    opening->routes = tw_alloc(opening->topic_count * sizeof(tw_redis_route_t *));
    for (size_t i = 0; i < opening->topic_count; ++i)
        opening->routes[i] = tw_redis_route_use(node, &opening->topics[i]);
    opening->deadline_ms = uv_now(node->loop->uv) + TW_REDIS_OPEN_TIMEOUT_MS;
    TAILQ_INSERT_TAIL(&node->openings, opening, all);
    advance(opening);
}

void tw_redis_on_open_request(void *owner, void *data)
{
    tw_redis_opening_t *opening = data;
    tw_redis_schedule(opening->node, &opening->slice, begin_opening);
}

void tw_redis_openings_expire(tw_redis_node_t *node, uint64_t now_ms, bool all)
{
    tw_redis_opening_t *opening, *next;
    for (opening = TAILQ_FIRST(&node->openings); opening != NULL; opening = next) {
        next = TAILQ_NEXT(opening, all);
        if (!all && now_ms < opening->deadline_ms)
            return;
        if (opening->list != NULL)
            answer(opening, TW_UNAVAILABLE);
    }
}

/* The uses of an opening that came to nothing, and the opening. */
static void give_up(tw_slice_t *slice)
{
    tw_redis_opening_t *opening = (tw_redis_opening_t *)slice;
    tw_redis_node_t *node = opening->node;

    tw_redis_step_begins(node, opening->topic_count);
    for (size_t i = 0; i < opening->topic_count; ++i)
        tw_redis_route_unuse(node, opening->routes[i]);
    atomic_fetch_sub(&node->openings_open, 1);
    free(opening->routes);
    free(opening->last_event_id);
    free(opening->member);
    free(opening);
}

static void on_given_up(void *owner, void *data)
{
    tw_redis_opening_t *opening = data;
    tw_redis_schedule(opening->node, &opening->slice, give_up);
}

void tw_redis_opening_give_up(tw_redis_opening_t *opening)
{
    tw_loop_post(opening->node->loop, on_given_up, opening);
}

/* The hub has the stream: its worker's thread. */
static void on_joined(void *data, tw_status_t status, const tw_opening_t *begin)
{
    tw_redis_opening_t *opening = data;
    tw_opened_fn on_open = opening->on_open;
    void *open_data = opening->data;

    assert(status == TW_OK);
    opening->subscriber->opening = NULL;
    opening->member = tw_redis_member(opening->subscriber);
    tw_loop_post(opening->node->loop, tw_redis_on_opened, opening);
    on_open(open_data, TW_OK, begin);
}

/* Worker's thread. */
static void on_ready(void *owner, void *data)
{
    tw_redis_opening_t *opening = data;
    tw_redis_node_t *node = opening->node;
    tw_status_t status = opening->status;

    if (opening->subscriber != NULL && status == TW_OK) {
        const tw_resume_t resume = {.last_event_id = opening->last_event_id,
                                    .last_event_id_len = opening->last_event_id_len};
        status = tw_hub_join(node->hub, opening->subscriber, &resume, on_joined, opening);
        if (status == TW_OK)
            return;
    }
    if (opening->subscriber != NULL) {
        opening->subscriber->opening = NULL;
        opening->on_open(opening->data, status, NULL);
    }
    tw_loop_post(node->loop, on_given_up, opening);
}

/* --- the turn --- */

static void subscribe(tw_redis_node_t *node, tw_redis_route_t **routes, size_t count)
{
    static const char command[] = "SUBSCRIBE";
    char(*keys)[TW_REDIS_KEY_MAX] = tw_alloc(count * sizeof(*keys));
    tw_redis_args_t args;

    tw_redis_args_init(&args);
    tw_redis_args_add(&args, command, sizeof(command) - 1);
    for (size_t i = 0; i < count; ++i)
        tw_redis_args_add(&args, keys[i], tw_redis_topic_key(&routes[i]->name, keys[i]));
    int sent = tw_redis_client_send_push(node->pushes, args.count, args.argv, args.lens);
    tw_redis_args_dispose(&args);
    free(keys);
    if (sent != 0)
        tw_redis_session_reset(node, "too many commands wait for Redis");
}

void tw_redis_routing_turn(tw_redis_node_t *node)
{
    while (node->to_subscribe_count > 0) {
        size_t count = node->to_subscribe_count;
        if (count > TW_REDIS_CHANNELS_PER_COMMAND)
            count = TW_REDIS_CHANNELS_PER_COMMAND;
        node->to_subscribe_count -= count;
        subscribe(node, node->to_subscribe + node->to_subscribe_count, count);
    }
}

void tw_redis_routing_lost(tw_redis_node_t *node)
{
    tw_redis_route_t *route, *next_route;
    tw_redis_opening_t *opening;

    node->to_subscribe_count = 0;
    node->unconfirmed = 0;
    node->resubscribe_next = NULL;
    for (opening = TAILQ_FIRST(&node->openings); opening != NULL;
         opening = TAILQ_NEXT(opening, all)) {
        opening->marked = false;
        if (opening->list != NULL)
            put(opening, &node->waiting);
    }
    for (route = LIST_FIRST(&node->all_routes); route != NULL; route = next_route) {
        next_route = LIST_NEXT(route, all);
        route->asked = route->subscribed = route->leaving = false;
        tw_redis_route_collect(node, route);
    }
}

void tw_redis_resubscribe(tw_redis_node_t *node)
{
    for (size_t n = 0;
         n < 4 * (size_t)TW_REDIS_CHANNELS_PER_COMMAND && node->resubscribe_next != NULL; ++n) {
        tw_redis_route_t *route = node->resubscribe_next;
        node->resubscribe_next = LIST_NEXT(route, all);
        if (!route->asked && (route->users > 0 || route->publishes > 0))
            ask_for(node, route);
    }
}

void tw_redis_routing_dispose(tw_redis_node_t *node)
{
    tw_redis_route_t *route;
    assert(TAILQ_EMPTY(&node->openings) && node->steps == 0);
    while ((route = LIST_FIRST(&node->all_routes)) != NULL) {
        LIST_REMOVE(route, all);
        tw_table_remove(&node->routes, &route->node);
        free(route);
    }
    tw_table_dispose(&node->routes);
    free(node->to_subscribe);
}
