/* What of an event may be dispatched here, and what was missed: see routes.h. */
#include "runtime/redis/lane/routes.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"

#define TOPICS_PER_QUESTION 128

/* --- what may be dispatched --- */

static bool is_due(const tw_redis_routes_t *routes, const tw_topic_name_t *topic, uint64_t seq)
{
    const tw_redis_route_t *route = tw_redis_route_find(routes, topic);
    return route == NULL || (route->state == TW_REDIS_ROUTE_FOLLOWED && seq > route->since);
}

tw_event_t *tw_redis_routes_admit(const tw_redis_routes_t *routes, tw_event_t *event, uint64_t seq)
{
    tw_topic_list_t due = {.count = 0};
    tw_event_t *part = NULL;

    for (uint32_t i = 0; i < event->topic_count; ++i) {
        if (is_due(routes, &event->topics[i], seq)) {
            if (due.items != NULL)
                due.items[due.count++] = event->topics[i];
            continue;
        }
        if (due.items != NULL)
            continue;
        /* The first one that is not: those before it are. */
        due.items = tw_alloc(event->topic_count * sizeof(*due.items));
        due.count = i;
        if (i > 0)
            memcpy(due.items, event->topics, i * sizeof(*due.items));
    }
    if (due.items == NULL)
        return tw_event_ref(event);
    if (due.count > 0)
        part = tw_event_create(
            &(tw_event_spec_t){.topics = &due,
                               .id = tw_event_id(event),
                               .id_len = event->id_len,
                               .type = event->type_len > 0 ? tw_event_type(event) : NULL,
                               .type_len = event->type_len,
                               .is_part = event->is_part,
                               .published_at_ms = event->published_at_ms,
                               .frame = event->frame,
                               .frame_len = event->frame_len});
    free(due.items);
    return part;
}

/* --- gaps --- */

void tw_redis_announce_gap(tw_redis_routes_t *routes, const tw_topic_name_t *topic, tw_gap_t gap,
                           uint64_t seq)
{
    const tw_position_t position = {.epoch = routes->session->epoch_number, .seq = seq};
    char id[TW_POSITION_ID_SIZE];
    size_t id_len = tw_position_id(position, id);
    json_t *data =
        json_pack("{s:s,s:[s%]}", "reason", tw_gap_label(gap), "topics", topic->base, topic->len);
    char *payload = json_dumps(data, JSON_COMPACT);
    tw_topic_name_t name = *topic;
    const tw_topic_list_t topics = {.items = &name, .count = 1, .capacity = 1, .max = 1};
    tw_event_t *event = tw_event_create(&(tw_event_spec_t){.topics = &topics,
                                                           .id = id,
                                                           .id_len = id_len,
                                                           .type = "tideway.gap",
                                                           .type_len = 11,
                                                           .payload = payload,
                                                           .payload_len = strlen(payload)});
    json_decref(data);
    free(payload);
    tw_hub_lose(routes->hub, &name, seq);
    atomic_fetch_add(&routes->session->stats->gaps, 1);
    if (event != NULL)
        tw_hub_announce(routes->hub, event);
    tw_event_unref(event);
}

/* --- holes --- */

/* A hole of the inbox: its topics are asked about one batch after the other. A use of each route
 * whose turn has not come keeps it there. */
struct tw_redis_hole {
    tw_redis_routes_t *routes; /* NULL: dropped; freed when its answer comes */
    uint64_t after, upto;
    size_t count, next, asked; /* routes; those that were asked about; of them in the last batch */
    bool is_asking;
    tw_redis_route_t *items[];
};

static void ask(struct tw_redis_hole *hole);

static void free_hole(struct tw_redis_hole *hole)
{
    free(hole);
}

void tw_redis_routes_drop_hole(tw_redis_routes_t *routes)
{
    struct tw_redis_hole *hole = routes->hole;

    if (hole == NULL)
        return;
    routes->hole = NULL;
    for (size_t i = hole->next - hole->asked; i < hole->count; ++i)
        tw_redis_route_unuse(hole->items[i]);
    hole->routes = NULL;
    if (!hole->is_asking)
        free_hole(hole);
}

/* {1 or 0, …}; anything else means that all may have been missed. */
static void on_missed(const redisReply *reply, void *data)
{
    struct tw_redis_hole *hole = data;
    tw_redis_routes_t *routes = hole->routes;

    hole->is_asking = false;
    if (routes == NULL) {
        free_hole(hole);
        return;
    }
    if (reply == NULL || !tw_redis_session_up(routes->session))
        return; /* the next session finds the hole again, or a new registration has no use for it */
    tw_redis_session_refused(routes->session, "what was missed", reply);
    bool readable = reply->type == REDIS_REPLY_ARRAY && reply->elements == hole->asked;
    size_t first = hole->next - hole->asked;
    tw_hub_advance(routes->hub, routes->session->index, hole->upto);
    for (size_t i = 0; i < hole->asked; ++i) {
        tw_redis_route_t *route = hole->items[first + i];
        if (route->state == TW_REDIS_ROUTE_FOLLOWED && route->since < hole->upto &&
            (!readable || reply->element[i]->integer != 0)) {
            tw_redis_announce_gap(routes, &route->name, TW_GAP_EVICTED, hole->upto);
            route->since = hole->upto;
            route->primed = false;
        }
        tw_redis_route_unuse(route);
    }
    hole->asked = 0;
    ask(hole);
}

/* The next batch of topics, or the end. */
static void ask(struct tw_redis_hole *hole)
{
    tw_redis_routes_t *routes = hole->routes;
    tw_redis_args_t args;

    if (hole->next == hole->count) {
        routes->hole = NULL;
        free_hole(hole);
        tw_redis_routes_freeze(routes);
        tw_redis_inbox_hole_passed(routes->inbox);
        return;
    }
    tw_redis_script_begin_own(routes->session, &args, TW_REDIS_SCRIPT_MISSED);
    tw_redis_args_number(&args, hole->after);
    tw_redis_args_number(&args, hole->upto);
    while (hole->next < hole->count && hole->asked < TOPICS_PER_QUESTION) {
        const tw_topic_name_t *name = &hole->items[hole->next++]->name;
        tw_redis_args_add(&args, name->base, name->len);
        ++hole->asked;
    }
    hole->is_asking = true;
    tw_redis_session_send(routes->session, &args, on_missed, hole);
}

void tw_redis_routes_find_missed(tw_redis_routes_t *routes, uint64_t after, uint64_t upto)
{
    tw_redis_route_t *route;
    size_t count = 0;

    tw_redis_routes_drop_hole(routes);
    LIST_FOREACH(route, &routes->all, all)
    ++count;
    struct tw_redis_hole *hole = tw_alloc(sizeof(*hole) + count * sizeof(tw_redis_route_t *));
    hole->routes = routes;
    hole->after = after;
    hole->upto = upto;
    routes->hole = hole;
    tw_redis_routes_freeze(routes);
    LIST_FOREACH(route, &routes->all, all)
    {
        if (route->state != TW_REDIS_ROUTE_FOLLOWED || route->since >= upto)
            continue;
        ++route->users;
        hole->items[hole->count++] = route;
    }
    ask(hole);
}
