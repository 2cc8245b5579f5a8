/**
 * Reads what Redis keeps of a topic from before this node followed it, for a stream that resumes.
 *
 * It comes in pieces of bounded bytes, newest first, and each goes to the hub at once. A few topics
 * are read at a time, the others wait: what resumes can take out of Redis together is bounded,
 * whoever they are. Every entry names the topic's event before it, so whether something is missing
 * is told by the data. Control loop only.
 *
 * A lane owns it, and it owns what is being read. Callers: runtime/redis/node.c (its life),
 * runtime/redis/openings.c, runtime/redis/tail.c (single pieces).
 */
#ifndef TW_REDIS_HISTORY_H
#define TW_REDIS_HISTORY_H

#include "runtime/redis/lane/routes.h"

typedef struct tw_redis_priming tw_redis_priming_t;

typedef struct tw_redis_history {
    tw_redis_session_t *session; /* borrowed */
    tw_redis_routes_t *routes;   /* borrowed */
    tw_hub_t *hub;               /* borrowed */
    TAILQ_HEAD(tw_redis_primings, tw_redis_priming) waiting;
    unsigned reading; /* pieces that were asked for */
} tw_redis_history_t;

void tw_redis_history_init(tw_redis_history_t *history, tw_redis_routes_t *routes, tw_hub_t *hub);

/** Begins to read the history of a FOLLOWED route that is not primed, unless that is under way. */
void tw_redis_history_prime(tw_redis_history_t *history, tw_redis_route_t *route);

/** Calls wait->run when the reading that is under way has ended: the route is primed, or is not
 * followed any more, or the session was lost. Never [now]. */
void tw_redis_history_when_read(tw_redis_route_t *route, tw_redis_wait_t *wait);

/** The event of an entry that was read, with a reference for the caller, who sets its position, and
 * what its id says; NULL: it cannot be read, and what of *number and *before is unknown stays. */
tw_event_t *tw_redis_history_event(const redisReply *id, const redisReply *body, uint64_t *number,
                                   uint64_t *before);

/** Reads a piece of a topic's history: from the event `to` on (UINT64_MAX: the newest) backwards.
 * See scripts/read.lua. */
void tw_redis_history_read(tw_redis_session_t *session, const tw_topic_name_t *topic, uint64_t to,
                           uint64_t events, tw_redis_reply_cb on_reply, void *data);

/** The session ended: what waits is given up. */
void tw_redis_history_down(tw_redis_history_t *history);

#endif
