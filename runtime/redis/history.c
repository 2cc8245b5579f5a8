/* What was missed while Redis was away, and what a resuming stream needs. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/log.h"
#include "runtime/redis/node.h"

#define TOPICS_PER_FILL 128
#define FILLS_AT_ONCE 4
#define FILL_BYTES (8 << 20) /* of events, after which an answer ends with the topic it is at */

/* --- events that wait --- */

static void drop_held(tw_redis_node_t *node)
{
    for (size_t i = 0; i < node->held.count; ++i)
        free(node->held.items[i].body);
    free(node->held.items);
    node->held = (tw_redis_held_list_t){0};
}

/* A node that waited until all of it fits would never be back: streams get a gap instead. */
static void give_up_backlog(tw_redis_node_t *node, uint64_t seq)
{
    for (size_t i = 0; i < node->held.count; ++i)
        if (node->held.items[i].seq > seq)
            seq = node->held.items[i].seq;
    drop_held(node);
    if (node->backlog_lost_to == 0)
        tw_log(TW_LOG_ERROR, "more was missed than can be held: streams get a gap",
               tw_log_text("change", "raise TIDEWAY_TAIL_BYTES"));
    if (node->backlog_lost_to < seq)
        node->backlog_lost_to = seq;
    node->fill_next = NULL;
}

void tw_redis_hold_event(tw_redis_node_t *node, uint64_t seq, const char *body, size_t len)
{
    tw_redis_held_list_t *held = &node->held;

    if (seq <= node->backlog_lost_to)
        return;
    char *copy = held->bytes + len <= node->hub->config.tail_bytes + ((size_t)64 << 20)
                     ? tw_try_alloc(len + 1)
                     : NULL;
    if (copy == NULL) {
        give_up_backlog(node, seq);
        return;
    }
    if (held->count == held->capacity) {
        held->capacity = held->capacity * 2 + 64;
        held->items = tw_realloc(held->items, held->capacity * sizeof(*held->items));
    }
    memcpy(copy, body, len);
    held->items[held->count++] = (tw_redis_held_t){.seq = seq, .body = copy, .len = len};
    held->bytes += len;
}

void tw_redis_history_lost(tw_redis_node_t *node)
{
    drop_held(node);
    node->backlog_lost_to = 0;
    node->fill_next = NULL;
}

static int compare_held(const void *a, const void *b)
{
    uint64_t x = ((const tw_redis_held_t *)a)->seq, y = ((const tw_redis_held_t *)b)->seq;
    return x < y ? -1 : x > y;
}

/* --- gaps --- */

/* Tells the topic's streams that events may be missing here, and that they go on after `seq`. */
static void announce_gap(tw_redis_node_t *node, tw_redis_route_t *route, tw_gap_t gap, uint64_t seq)
{
    char id[TW_POSITION_ID_SIZE];
    size_t id_len = tw_position_id((tw_position_t){node->epoch, seq}, id);
    json_t *data = json_pack("{s:s,s:[s%]}", "reason", tw_gap_label(gap), "topics",
                             route->name.base, route->name.len);
    char *payload = json_dumps(data, JSON_COMPACT);
    tw_topic_name_t name = route->name;
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
    tw_hub_lose(node->hub, &name, seq);
    atomic_fetch_add(TW_REDIS_STAT(node, gaps), 1);
    if (event != NULL)
        tw_hub_announce(node->hub, event);
    tw_event_unref(event);
}

static void announce_everywhere(tw_redis_node_t *node, tw_gap_t gap, uint64_t seq)
{
    tw_redis_route_t *route;
    for (route = LIST_FIRST(&node->all_routes); route != NULL; route = LIST_NEXT(route, all)) {
        if (!route->held)
            continue;
        announce_gap(node, route, gap, seq);
        route->primed = false;
        route->since = seq;
    }
}

/* --- catching up --- */

/* Everything is here: out it goes, in order. */
static void finish(tw_redis_node_t *node)
{
    tw_redis_held_list_t held = node->held;
    bool told = !node->epoch_changed, lost = node->backlog_lost_to > 0;
    uint64_t up_to = node->caught_up_to;

    if (up_to < node->backlog_lost_to)
        up_to = node->backlog_lost_to;
    node->held = (tw_redis_held_list_t){0};
    node->backlog_lost_to = 0;
    if (lost) {
        announce_everywhere(node, told ? TW_GAP_EVICTED : TW_GAP_OTHER_EPOCH, up_to);
        told = true;
    }
    if (held.count > 0)
        qsort(held.items, held.count, sizeof(*held.items), compare_held);
    for (size_t i = 0; i < held.count; ++i) {
        if (!told && held.items[i].seq > node->epoch_start) {
            announce_everywhere(node, TW_GAP_OTHER_EPOCH, node->epoch_start);
            told = true;
        }
        if (!lost || held.items[i].seq > up_to)
            tw_redis_event_arrived(node, held.items[i].seq, held.items[i].body, held.items[i].len);
        free(held.items[i].body);
    }
    free(held.items);
    if (!told)
        announce_everywhere(node, TW_GAP_OTHER_EPOCH, node->epoch_start);
    if (node->last < up_to)
        node->last = up_to;
    tw_hub_advance(node->hub, node->last);
    tw_redis_session_caught_up(node);
}

int tw_redis_entry(const redisReply *entry, uint64_t *seq, const redisReply **body)
{
    size_t digits;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2 ||
        entry->element[0]->type != REDIS_REPLY_STRING ||
        entry->element[1]->type != REDIS_REPLY_ARRAY || entry->element[1]->elements != 2 ||
        entry->element[1]->element[1]->type != REDIS_REPLY_STRING)
        return -1;
    *seq = tw_redis_number(entry->element[0]->str, entry->element[0]->len, &digits);
    *body = entry->element[1]->element[1];
    return digits > 0 ? 0 : -1;
}

typedef struct tw_redis_fill {
    tw_redis_node_t *node;
    size_t count;
    tw_redis_route_t *routes[TOPICS_PER_FILL]; /* a use of each */
} tw_redis_fill_t;

/* One topic's row: {index, lost, id, body, …}. */
static void take_row(tw_redis_fill_t *fill, const redisReply *row)
{
    tw_redis_node_t *node = fill->node;
    size_t digits;

    if (row->type != REDIS_REPLY_ARRAY || row->elements < 4 ||
        (size_t)row->element[0]->integer >= fill->count)
        return;
    if (node->backlog_lost_to > 0)
        return; /* all of its streams get a gap */
    if (row->element[1]->integer != 0 && !node->epoch_changed) {
        const redisReply *first = row->element[2];
        announce_gap(node, fill->routes[row->element[0]->integer], TW_GAP_EVICTED,
                     tw_redis_number(first->str, first->len, &digits) - 1);
    }
    for (size_t i = 2; i + 1 < row->elements; i += 2) {
        const redisReply *id = row->element[i], *body = row->element[i + 1];
        if (id->type != REDIS_REPLY_STRING || body->type != REDIS_REPLY_STRING)
            continue;
        tw_redis_hold_event(node, tw_redis_number(id->str, id->len, &digits), body->str, body->len);
        atomic_fetch_add_explicit(TW_REDIS_STAT(node, filled), 1, memory_order_relaxed);
    }
}

static void send_fills(tw_redis_node_t *node);
static bool send_fill(tw_redis_fill_t *fill);

/* {how many of the topics it is about, row, …}; returns that number, 0 when it is something else.
 */
static size_t take_rows(tw_redis_fill_t *fill, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER || reply->element[0]->integer < 1 ||
        (size_t)reply->element[0]->integer > fill->count)
        return 0;
    for (size_t i = 1; i < reply->elements; ++i)
        take_row(fill, reply->element[i]);
    return (size_t)reply->element[0]->integer;
}

static void drop_routes(tw_redis_fill_t *fill, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        tw_redis_route_unuse(fill->node, fill->routes[i]);
    fill->count -= n;
    memmove(fill->routes, fill->routes + n, fill->count * sizeof(*fill->routes));
}

static void on_fill(const redisReply *reply, void *data)
{
    tw_redis_fill_t *fill = data;
    tw_redis_node_t *node = fill->node;
    size_t done = 0;

    --node->fills_pending;
    if (reply != NULL) {
        done = take_rows(fill, reply);
        if (done == 0)
            tw_redis_session_reset(
                node, reply->type == REDIS_REPLY_ERROR ? reply->str : "history cannot be read");
    }
    /* Without a reply the connection is dying, which the session learns after this: what was not
     * read must not pass for caught up. */
    bool goes_on = done > 0 && atomic_load(&node->phase) == TW_REDIS_PHASE_CATCHING_UP;
    drop_routes(fill, goes_on && node->backlog_lost_to == 0 ? done : fill->count);
    if (fill->count == 0)
        free(fill);
    else if (!send_fill(fill))
        return;
    if (goes_on)
        send_fills(node);
}

/* False: the session is lost, and the fill is freed. */
static bool send_fill(tw_redis_fill_t *fill)
{
    tw_redis_node_t *node = fill->node;
    tw_redis_args_t args;

    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_FILL);
    tw_redis_args_number(&args, node->fill_after);
    tw_redis_args_number(&args, node->keep);
    tw_redis_args_number(&args, FILL_BYTES);
    for (size_t i = 0; i < fill->count; ++i)
        tw_redis_args_add(&args, fill->routes[i]->name.base, fill->routes[i]->name.len);
    ++node->fills_pending;
    if (tw_redis_args_send(&args, node->commands, on_fill, fill) == 0)
        return true;
    tw_redis_session_reset(node, "too many commands wait for Redis");
    on_fill(NULL, fill);
    return false;
}

/* The next batches of topics, or the end. */
static void send_fills(tw_redis_node_t *node)
{
    while (node->fill_next != NULL && node->fills_pending < FILLS_AT_ONCE) {
        tw_redis_fill_t *fill = tw_alloc(sizeof(*fill));

        fill->node = node;
        while (node->fill_next != NULL && fill->count < TOPICS_PER_FILL) {
            tw_redis_route_t *route = node->fill_next;
            node->fill_next = LIST_NEXT(route, all);
            if (!route->held)
                continue;
            ++route->users;
            fill->routes[fill->count++] = route;
        }
        if (fill->count == 0)
            free(fill);
        else if (!send_fill(fill))
            return;
    }
    if (node->fills_pending == 0)
        finish(node);
}

void tw_redis_catch_up(tw_redis_node_t *node, uint64_t seq)
{
    node->caught_up_to = seq;
    /* Away for longer than events are kept: nothing proves that none was missed. */
    if (node->fill_after < node->floor && !node->epoch_changed && node->fill_after > 0)
        announce_everywhere(node, TW_GAP_EVICTED, node->floor);
    bool fills = node->fill_after < seq && node->backlog_lost_to == 0;
    node->fill_next = fills ? LIST_FIRST(&node->all_routes) : NULL;
    send_fills(node);
}

/* --- priming --- */

typedef struct tw_redis_priming {
    tw_redis_node_t *node;
    tw_redis_route_t *route; /* a use of it */
} tw_redis_priming_t;

/*
 * The position from which on nothing is missing: right before the oldest entry that was read if
 * there were more, or others made room for it; else as far back as entries do not expire.
 */
static uint64_t lost_before(const tw_redis_node_t *node, uint64_t length, uint64_t oldest)
{
    uint64_t lost = node->floor;
    if (oldest > 0 && (length >= node->keep || oldest - 1 < lost))
        lost = oldest - 1;
    return lost < node->epoch_start ? node->epoch_start : lost;
}

static void restore(tw_redis_node_t *node, tw_redis_route_t *route, const redisReply *reply)
{
    const redisReply *entries = reply->element[1], *body;
    tw_event_t **events = tw_alloc((entries->elements + 1) * sizeof(*events));
    size_t count = 0;
    uint64_t seq, oldest = 0;

    for (size_t i = entries->elements; i-- > 0;) { /* they come newest first */
        tw_redis_body_t parsed;
        if (tw_redis_entry(entries->element[i], &seq, &body) != 0)
            continue;
        if (oldest == 0)
            oldest = seq;
        if (seq > route->since || tw_redis_body_read(&parsed, body->str, body->len) != 0)
            continue;
        tw_event_t *event = tw_redis_body_event(&parsed);
        if (event == NULL)
            continue;
        event->position = (tw_position_t){.epoch = node->epoch, .seq = seq};
        events[count++] = event;
    }
    tw_hub_restore(node->hub, &route->name, route->since, events, count,
                   lost_before(node, (uint64_t)reply->element[0]->integer, oldest));
    for (size_t i = 0; i < count; ++i)
        tw_event_unref(events[i]);
    free(events);
}

static void on_primed(const redisReply *reply, void *data)
{
    tw_redis_priming_t priming = *(tw_redis_priming_t *)data;
    tw_redis_route_t *route = priming.route;

    free(data);
    route->priming = false;
    if (reply != NULL && route->held && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->type == REDIS_REPLY_INTEGER &&
        reply->element[1]->type == REDIS_REPLY_ARRAY) {
        restore(priming.node, route, reply);
        route->primed = true;
    }
    tw_redis_openings_advance(priming.node, &route->waiting);
    tw_redis_route_unuse(priming.node, route);
}

void tw_redis_prime(tw_redis_node_t *node, tw_redis_route_t *route)
{
    tw_redis_priming_t *priming = tw_alloc(sizeof(*priming));
    tw_redis_args_t args;

    *priming = (tw_redis_priming_t){node, route};
    route->priming = true;
    ++route->users;
    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_PRIME);
    tw_redis_args_add(&args, route->name.base, route->name.len);
    tw_redis_args_number(&args, node->keep);
    if (tw_redis_args_send(&args, node->commands, on_primed, priming) != 0)
        on_primed(NULL, priming);
}
