/**
 * Requests between nodes, through their inboxes: what only the node that carries a stream can do or
 * knows.
 *
 *     Q{"from": registration, "token": n, "op": …}      A{"token": n, …}      F<number> <topic>
 *
 * The last one is a script's: forget the topic's events up to this number.
 *
 * Control loop only, unless noted.
 *
 * The node owns it, and it owns questions, ours until they are answered and those of others until
 * we have answered. Callers: runtime/redis/node.c (its life), runtime/redis/connections.c.
 */
#ifndef TW_REDIS_PEERS_H
#define TW_REDIS_PEERS_H

#include <jansson.h>

#include "runtime/adapter.h"
#include "runtime/hub.h"
#include "runtime/redis/lane/session.h"

typedef struct tw_redis_request tw_redis_request_t;

typedef struct tw_redis_peers {
    tw_redis_session_t *session; /* borrowed */
    tw_hub_t *hub;               /* borrowed */
    tw_loop_t *loop;             /* borrowed */
    const char *node_id;         /* borrowed */
    uint64_t next_token;
    TAILQ_HEAD(tw_redis_requests, tw_redis_request) requests; /* oldest first */
    unsigned serving; /* questions of others that workers answer */
} tw_redis_peers_t;

/**
 * TW_OK with what a node answered, borrowed; TW_NOT_FOUND: there is no such node; TW_UNAVAILABLE:
 * nothing is known, for Redis or the node did not answer in time.
 */
typedef void (*tw_redis_answer_fn)(void *data, tw_status_t status, const json_t *answer);

void tw_redis_peers_init(tw_redis_peers_t *peers, tw_redis_session_t *session, tw_hub_t *hub,
                         const char *node_id);

/** Asks the node whose registration begins with `peer` (also ourselves); `request` is taken over.
 * The answer may come before this returns. */
void tw_redis_peers_ask(tw_redis_peers_t *peers, const char *peer, json_t *request,
                        tw_redis_answer_fn on_answer, void *data);

/** A message came in the inbox. */
void tw_redis_peers_message(tw_redis_peers_t *peers, const char *message, size_t len);

/** Questions without an answer in time; all of them with `all`. */
void tw_redis_peers_expire(tw_redis_peers_t *peers, uint64_t now_ms, bool all);

#endif
