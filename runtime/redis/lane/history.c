#include "runtime/redis/lane/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "runtime/redis/protocol/codec.h"

#define PIECE_BYTES (256 << 10)
#define PIECES_AT_ONCE 4

struct tw_redis_priming {
    TAILQ_ENTRY(tw_redis_priming) link; /* while it waits */
    tw_redis_history_t *history;
    tw_redis_route_t *route; /* a use of it */
    tw_redis_waits_t waits;
    uint64_t since;        /* of the route when it began */
    uint64_t to;           /* the newest event of the next piece */
    uint64_t lost_seq;     /* nothing after it is missing in what the hub has so far */
    uint64_t left;         /* events that the hub may still take */
    uint32_t generation;   /* of the session that the numbers are of */
    bool waiting, reading; /* in history->waiting; a piece is asked for */
};

void tw_redis_history_init(tw_redis_history_t *history, tw_redis_routes_t *routes, tw_hub_t *hub)
{
    history->session = routes->session;
    history->routes = routes;
    history->hub = hub;
    TAILQ_INIT(&history->waiting);
}

tw_event_t *tw_redis_history_event(const redisReply *id, const redisReply *body, uint64_t *number,
                                   uint64_t *before)
{
    tw_redis_body_t parsed;

    if (id->type != REDIS_REPLY_STRING ||
        sscanf(id->str, "%" SCNu64 "-%" SCNu64, number, before) != 2 ||
        body->type != REDIS_REPLY_STRING || tw_redis_body_read(&parsed, body->str, body->len) != 0)
        return NULL;
    return tw_redis_body_event(&parsed);
}

void tw_redis_history_read(tw_redis_session_t *session, const tw_topic_name_t *topic, uint64_t to,
                           uint64_t events, tw_redis_reply_cb on_reply, void *data)
{
    tw_redis_args_t args;

    tw_redis_script_begin(session, &args, TW_REDIS_SCRIPT_READ);
    tw_redis_args_add(&args, topic->base, topic->len);
    if (to == UINT64_MAX)
        tw_redis_args_add(&args, "+", 1);
    else
        tw_redis_args_number(&args, to);
    tw_redis_args_number(&args, PIECE_BYTES);
    tw_redis_args_number(&args, events);
    atomic_fetch_add(&session->stats->pieces, 1);
    tw_redis_session_send(session, &args, on_reply, data);
}

/* --- life of a priming --- */

static void set_waiting(tw_redis_priming_t *priming, bool waiting)
{
    tw_redis_history_t *history = priming->history;
    if (priming->waiting == waiting)
        return;
    priming->waiting = waiting;
    if (waiting)
        TAILQ_INSERT_TAIL(&history->waiting, priming, link);
    else
        TAILQ_REMOVE(&history->waiting, priming, link);
    atomic_fetch_add(&history->session->stats->history_waiting, waiting ? 1 : (uint64_t)-1);
}

static void end_priming(tw_redis_priming_t *priming, bool primed)
{
    tw_redis_route_t *route = priming->route;

    set_waiting(priming, false);
    if (primed)
        route->primed = true;
    route->priming = NULL;
    tw_redis_wait_wake(&priming->waits);
    tw_redis_route_unuse(route);
    free(priming);
}

static void read_next(tw_redis_history_t *history);

static void begin(tw_redis_priming_t *priming)
{
    priming->since = priming->to = priming->lost_seq = priming->route->since;
    priming->left = priming->history->hub->config.tail_events;
    priming->generation = priming->history->session->generation_joined;
}

void tw_redis_history_prime(tw_redis_history_t *history, tw_redis_route_t *route)
{
    if (route->priming != NULL)
        return;
    tw_redis_priming_t *priming = tw_alloc(sizeof(*priming));
    priming->history = history;
    priming->route = route;
    ++route->users;
    route->priming = priming;
    TAILQ_INIT(&priming->waits);
    begin(priming);
    set_waiting(priming, true);
    read_next(history);
}

void tw_redis_history_when_read(tw_redis_route_t *route, tw_redis_wait_t *wait)
{
    tw_redis_priming_t *priming = route->priming;
    tw_redis_wait_in(&priming->waits, wait);
}

/* --- pieces --- */

/* Gives the hub a piece, {more, newest number, floor, id, body, …}; whether more is to be read. An
 * entry that cannot be read ends it: what is before that counts as missing. */
static bool take_piece(tw_redis_priming_t *priming, const redisReply *reply)
{
    tw_redis_history_t *history = priming->history;
    size_t most = (reply->elements - 3) / 2, count = most;
    tw_event_t **events = tw_alloc((most + 1) * sizeof(*events));
    uint64_t lost = priming->lost_seq, number = 0, before = 0;
    bool more = reply->element[0]->integer != 0, broken = false;

    tw_redis_session_learn_floor(history->session, strtoull(reply->element[2]->str, NULL, 10));
    for (size_t i = 0; i < most && !broken; ++i) {
        tw_event_t *event = tw_redis_history_event(reply->element[3 + 2 * i],
                                                   reply->element[4 + 2 * i], &number, &before);
        broken = event == NULL;
        if (broken)
            break;
        event->position = tw_redis_session_position(history->session, number);
        events[--count] = event; /* they come newest first */
        lost = before;
    }
    if (broken)
        lost = number > 0 ? number : priming->to;
    else if (most == 0 && priming->lost_seq == priming->since)
        lost = strtoull(reply->element[1]->str, NULL, 10); /* it is not kept, nor what was before */
    if (!broken && lost == 0)
        lost = tw_redis_session_lost_before(history->session, number);
    if (lost < history->session->start)
        lost = history->session->start;
    if (lost > priming->since)
        lost = priming->since;
    tw_hub_restore(history->hub, &priming->route->name, priming->lost_seq, events + count,
                   most - count, lost);
    for (size_t i = count; i < most; ++i)
        tw_event_unref(events[i]);
    free(events);
    priming->left -= most - count < priming->left ? most - count : priming->left;
    priming->lost_seq = lost;
    priming->to = number - 1;
    return more && !broken && most > 0 && priming->left > 0 && number > 1;
}

static bool is_piece(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements >= 3 && reply->elements % 2 == 1 &&
           reply->element[0]->type == REDIS_REPLY_INTEGER &&
           reply->element[1]->type == REDIS_REPLY_STRING &&
           reply->element[2]->type == REDIS_REPLY_STRING;
}

static void on_piece(const redisReply *reply, void *data)
{
    tw_redis_priming_t *priming = data;
    tw_redis_history_t *history = priming->history;
    const tw_redis_route_t *route = priming->route;
    bool ended = reply == NULL || priming->generation != history->session->generation_joined ||
                 route->state != TW_REDIS_ROUTE_FOLLOWED;

    --history->reading;
    priming->reading = false;
    if (ended) {
        end_priming(priming, false);
    } else if (route->since != priming->since) {
        begin(priming); /* it was followed anew, or lost something meanwhile */
        set_waiting(priming, true);
    } else if (!is_piece(reply)) {
        /* What cannot be read is not asked for again: it is missing, which the hub says already. */
        tw_redis_session_refused(history->session, "a topic's history", reply);
        end_priming(priming, true);
    } else if (take_piece(priming, reply)) {
        set_waiting(priming, true);
    } else {
        end_priming(priming, true);
    }
    read_next(history);
}

static void read_next(tw_redis_history_t *history)
{
    tw_redis_priming_t *priming;

    while (history->reading < PIECES_AT_ONCE &&
           (priming = TAILQ_FIRST(&history->waiting)) != NULL) {
        set_waiting(priming, false);
        priming->reading = true;
        ++history->reading;
        tw_redis_history_read(history->session, &priming->route->name, priming->to,
                              priming->left > 0 ? priming->left : 1, on_piece, priming);
    }
}

void tw_redis_history_down(tw_redis_history_t *history)
{
    tw_redis_priming_t *priming;
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): end_priming() takes it off the list */
    while ((priming = TAILQ_FIRST(&history->waiting)) != NULL)
        end_priming(priming, false);
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
}
