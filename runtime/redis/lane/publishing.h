/**
 * Events that are published here.
 *
 *     QUEUED     goes to Redis at the end of the turn, with others in one call; while enough calls
 *                are under way, with those that come until one of them is answered
 *     SENT       Redis has not answered; the event itself may come before its answer
 *     ACCEPTED   answered; our own streams follow, and the event has not come yet
 *     DISPATCHED it came: our workers queue it
 *     ANSWERED   its worker has the answer
 *
 * A publish is answered once Redis has accepted the event and our own workers have queued it. When
 * either is not known in time it is answered with TW_UNAVAILABLE: the publisher repeats it. A
 * publish is made by the worker that asks, used on the control loop, and freed by that worker with
 * its answer. Control loop only, unless noted.
 *
 * A lane owns it, and it owns batches until they are answered. Callers: runtime/redis/node.c,
 * runtime/redis/spread.c (on workers), runtime/redis/adapter.c (the end),
 * runtime/redis/lane/early_drop.c, which is a part of it.
 */
#ifndef TW_REDIS_PUBLISHING_H
#define TW_REDIS_PUBLISHING_H

#include "runtime/adapter.h"
#include "runtime/redis/lane/routes.h"

#define TW_REDIS_RENEWED_PLACES 4096

typedef struct tw_redis_publish tw_redis_publish_t;
typedef struct tw_redis_ask tw_redis_ask_t;
typedef TAILQ_HEAD(tw_redis_publishes, tw_redis_publish) tw_redis_publishes_t;

/** When the age of a topic's history was set last, by us. */
typedef struct tw_redis_renewed {
    uint64_t hash; /* of the topic */
    uint64_t at_ms;
} tw_redis_renewed_t;

typedef struct tw_redis_publishing {
    tw_redis_session_t *session; /* borrowed */
    tw_redis_routes_t *routes;   /* borrowed */
    tw_hub_t *hub;               /* borrowed */
    tw_loop_t *loop;             /* borrowed */
    uint64_t origin;             /* this process, in the events that it publishes */
    uint64_t next_token;
    tw_table_t by_token;         /* SENT and ACCEPTED */
    tw_redis_publishes_t queued; /* QUEUED */
    size_t queued_count;
    uint32_t batches;              /* calls under way */
    tw_redis_publishes_t accepted; /* ACCEPTED, oldest first */
    tw_redis_ask_t *asks;          /* early drops of this turn, a list */
    _Atomic uint64_t count;        /* those that a worker waits for */
    tw_redis_renewed_t renewed[TW_REDIS_RENEWED_PLACES];
} tw_redis_publishing_t;

void tw_redis_publishing_init(tw_redis_publishing_t *publishing, tw_redis_routes_t *routes,
                              tw_hub_t *hub);

/** See tw_adapter_ops_t.publish and has_subscribers. For spread.c alone, on the worker's thread,
 * with topics of this lane, when the session was seen up; if it has ended when the control loop
 * takes the request, the answer is TW_UNAVAILABLE. */
void tw_redis_publishing_begin(tw_redis_publishing_t *publishing, tw_loop_t *from,
                               tw_event_t *event, tw_published_fn on_done, void *data);
void tw_redis_publishing_ask(tw_redis_publishing_t *publishing, tw_loop_t *from,
                             const tw_topic_list_t *topics, tw_followed_fn on_answer, void *data);

/** An event came in the inbox, newer than all before: brings it to the hub. False: it is lost here,
 * because there is no memory, or it cannot be read. */
bool tw_redis_publishing_arrived(tw_redis_publishing_t *publishing, uint64_t seq, const char *body,
                                 size_t len);

/** The end of a turn: sends what was gathered. */
void tw_redis_publishing_turn(tw_redis_publishing_t *publishing);
void tw_redis_publishing_turn_asks(tw_redis_publishing_t *publishing);

/** Publishes whose event did not come in time; with `all` none of them will come. */
void tw_redis_publishing_expire(tw_redis_publishing_t *publishing, uint64_t now_ms, bool all);

void tw_redis_publishing_dispose(tw_redis_publishing_t *publishing);

#endif
