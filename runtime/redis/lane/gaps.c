/* What of an event may be dispatched here, and who is told of what was missed: see routes.h. */
#include "runtime/redis/lane/routes.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"

#define TOPICS_PER_QUESTION 128
#define TOPICS_PER_SLICE 128
#define TELL_NS 4000 /* what a gap, or the position behind all, costs the control loop */

/* --- what may be dispatched --- */

static bool is_due(const tw_redis_routes_t *routes, const tw_topic_name_t *topic, uint64_t seq)
{
    const tw_redis_route_t *route = tw_redis_route_find(routes, topic);
    return route == NULL || (route->state == TW_REDIS_ROUTE_FOLLOWED && seq > route->since);
}

bool tw_redis_routes_admit(const tw_redis_routes_t *routes, tw_event_t *event, uint64_t seq,
                           tw_event_t **part)
{
    tw_topic_list_t due = {.count = 0};

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
    *part = due.items == NULL ? tw_event_ref(event) : NULL;
    if (due.items == NULL)
        return true;
    if (due.count > 0)
        *part = tw_event_create(
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
    return *part != NULL || due.count == 0;
}

/* --- telling --- */

struct tw_redis_telling {
    tw_slice_t slice; /* first member */
    tw_redis_routes_t *routes;
    size_t count, next;
    bool told;                 /* of all gaps: positions come next */
    tw_redis_route_t *items[]; /* a use of each */
};

/* False: no memory. */
static bool announce_gap(tw_redis_routes_t *routes, const tw_redis_route_t *route)
{
    const char *reason = tw_gap_label((tw_gap_t)route->gap);
    json_t *data =
        json_pack("{s:s,s:[s%]}", "reason", reason, "topics", route->name.base, route->name.len);
    char *payload = json_dumps(data, JSON_COMPACT);
    tw_topic_name_t name = route->name;
    const tw_topic_list_t topics = {.items = &name, .count = 1, .capacity = 1, .max = 1};
    tw_event_t *event = tw_event_create(&(tw_event_spec_t){.topics = &topics,
                                                           .type = "tideway.gap",
                                                           .type_len = 11,
                                                           .payload = payload,
                                                           .payload_len = strlen(payload)});
    json_decref(data);
    free(payload);
    if (event == NULL)
        return false;
    atomic_fetch_add(&routes->session->stats->gaps, 1);
    tw_hub_announce(routes->hub, event);
    tw_event_unref(event);
    return true;
}

/* The next gaps. False: there are more than a turn has time or memory for. */
static bool tell_gaps(struct tw_redis_telling *telling, size_t *left)
{
    tw_redis_routes_t *routes = telling->routes;

    for (; !telling->told && *left > 0 && telling->next < telling->count;
         ++telling->next, --*left) {
        const tw_redis_route_t *route = telling->items[telling->next];
        if (route->state != TW_REDIS_ROUTE_ANSWERED)
            continue;
        tw_hub_hold(routes->hub, &route->name, route->since);
        if (!announce_gap(routes, route))
            return false;
    }
    if (!telling->told && telling->next == telling->count) {
        telling->told = true;
        telling->next = 0;
        tw_hub_advance(routes->hub, routes->session->index, routes->inbox->hole_upto);
    }
    return telling->told;
}

/* The positions of the next ones, which are followed from now on. */
static bool tell_positions(struct tw_redis_telling *telling, size_t *left)
{
    tw_topic_name_t names[TOPICS_PER_SLICE];
    tw_topic_list_t topics = {.items = names, .max = TOPICS_PER_SLICE};
    size_t first = telling->next;

    for (; *left > 0 && telling->next < telling->count; ++telling->next, --*left) {
        tw_redis_route_t *route = telling->items[telling->next];
        if (route->state != TW_REDIS_ROUTE_ANSWERED)
            continue;
        route->state = TW_REDIS_ROUTE_FOLLOWED;
        route->gap = TW_GAP_NONE;
        route->primed = false;
        names[topics.count++] = route->name;
    }
    if (topics.count > 0)
        tw_hub_announce_position(telling->routes->hub, &topics);
    for (; first < telling->next; ++first)
        tw_redis_wait_wake(&telling->items[first]->waits);
    return telling->next == telling->count;
}

static void drop_telling(tw_redis_routes_t *routes)
{
    struct tw_redis_telling *telling = routes->telling;

    if (telling == NULL)
        return;
    routes->telling = NULL;
    tw_loop_cancel(routes->session->loop, &telling->slice);
    for (size_t i = 0; i < telling->count; ++i)
        tw_redis_route_unuse(telling->items[i]);
    free(telling);
}

static void on_time_to_tell(tw_slice_t *slice)
{
    struct tw_redis_telling *telling = (struct tw_redis_telling *)slice;
    tw_redis_routes_t *routes = telling->routes;
    size_t left = TOPICS_PER_SLICE;
    bool ends = tell_gaps(telling, &left) && tell_positions(telling, &left);

    tw_loop_spend(routes->session->loop, (TOPICS_PER_SLICE - left) * TELL_NS);
    if (!ends) {
        tw_loop_defer(routes->session->loop, &telling->slice, on_time_to_tell);
        return;
    }
    drop_telling(routes);
    routes->holds_inbox = false;
    tw_redis_inbox_hole_passed(routes->inbox);
}

void tw_redis_routes_tell(tw_redis_routes_t *routes)
{
    tw_redis_route_t *route;
    size_t count = 0;

    if (!routes->holds_inbox || routes->unanswered > 0 || routes->hole != NULL ||
        routes->telling != NULL)
        return;
    LIST_FOREACH(route, &routes->all, all)
    count += route->state == TW_REDIS_ROUTE_ANSWERED;
    struct tw_redis_telling *telling =
        tw_alloc(sizeof(*telling) + count * sizeof(tw_redis_route_t *));
    telling->routes = routes;
    routes->telling = telling;
    LIST_FOREACH(route, &routes->all, all)
    {
        if (route->state != TW_REDIS_ROUTE_ANSWERED)
            continue;
        ++route->users;
        telling->items[telling->count++] = route;
    }
    on_time_to_tell(&telling->slice);
}

void tw_redis_routes_stop(tw_redis_routes_t *routes)
{
    tw_redis_routes_drop_hole(routes);
    drop_telling(routes);
}

/* --- holes --- */

/* A hole of the inbox: its topics are asked about one batch after the other. A use of each route
 * that missed something, or whose turn has not come, keeps it there. */
struct tw_redis_hole {
    tw_redis_routes_t *routes; /* NULL: dropped; freed when its answer comes */
    uint64_t after, upto;
    size_t count, next, asked; /* routes; those that were asked about; of them in the last batch */
    size_t missed;             /* so many have missed something; they come first */
    bool is_asking;
    tw_redis_route_t *items[];
};

void tw_redis_routes_drop_hole(tw_redis_routes_t *routes)
{
    struct tw_redis_hole *hole = routes->hole;

    if (hole == NULL)
        return;
    routes->hole = NULL;
    for (size_t i = 0; i < hole->missed; ++i)
        tw_redis_route_unuse(hole->items[i]);
    for (size_t i = hole->next - hole->asked; i < hole->count; ++i)
        tw_redis_route_unuse(hole->items[i]);
    hole->routes = NULL;
    if (!hole->is_asking)
        free(hole);
}

/* All is known: those that have missed something are to be told. */
static void end_hole(struct tw_redis_hole *hole)
{
    tw_redis_routes_t *routes = hole->routes;

    for (size_t i = 0; i < hole->missed; ++i) {
        tw_redis_route_t *route = hole->items[i];
        if (route->state != TW_REDIS_ROUTE_FOLLOWED || route->since >= hole->upto)
            continue;
        route->state = TW_REDIS_ROUTE_ANSWERED;
        route->since = hole->upto;
        route->gap = TW_GAP_EVICTED;
    }
    tw_redis_routes_drop_hole(routes);
}

/* The next batch of topics, or the end. */
static void ask(struct tw_redis_hole *hole);

/* {1 or 0, …}; anything else means that all may have been missed. */
static void on_missed(const redisReply *reply, void *data)
{
    struct tw_redis_hole *hole = data;
    const tw_redis_routes_t *routes = hole->routes;

    hole->is_asking = false;
    if (routes == NULL) {
        free(hole);
        return;
    }
    if (reply == NULL || !tw_redis_session_up(routes->session))
        return; /* the next session finds the hole again, or a new registration has no use for it */
    tw_redis_session_refused(routes->session, "what was missed", reply);
    bool readable = reply->type == REDIS_REPLY_ARRAY && reply->elements == hole->asked;
    size_t first = hole->next - hole->asked;
    for (size_t i = 0; i < hole->asked; ++i) {
        if (!readable || reply->element[i]->integer != 0)
            hole->items[hole->missed++] = hole->items[first + i];
        else
            tw_redis_route_unuse(hole->items[first + i]);
    }
    hole->asked = 0;
    ask(hole);
}

static void ask(struct tw_redis_hole *hole)
{
    tw_redis_routes_t *routes = hole->routes;
    tw_redis_args_t args;

    if (hole->next == hole->count) {
        end_hole(hole);
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
    routes->holds_inbox = true;
    LIST_FOREACH(route, &routes->all, all)
    {
        if (route->state != TW_REDIS_ROUTE_FOLLOWED || route->since >= upto)
            continue;
        ++route->users;
        hole->items[hole->count++] = route;
    }
    ask(hole);
}
