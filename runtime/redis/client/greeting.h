/**
 * The greeting: says who we are to a server and finds out whether it is one that we can work with.
 *
 * All questions leave in one write; the first answer that does not fit refuses the server. Loop
 * thread only.
 *
 * A client owns its greeting. Callers: runtime/redis/client/client.c.
 */
#ifndef TW_REDIS_GREETING_H
#define TW_REDIS_GREETING_H

#include "runtime/redis/client/link.h"

/* The oldest Redis that has all that we send. */
#define TW_REDIS_VERSION_MIN_MAJOR 6
#define TW_REDIS_VERSION_MIN_MINOR 2

#define TW_REDIS_IDENTITY_MAX 128

/* What the server told about itself. */
typedef struct tw_redis_server {
    char endpoint[TW_REDIS_ENDPOINT_TEXT_MAX];
    char version[32];
    /*
     * run_id ":" master_replid. Two links with the same identity reach the same process with the
     * same history of writes; it is another one after each restart and after each failover, also
     * when the failover is undone again.
     */
    char identity[TW_REDIS_IDENTITY_MAX];
    uint32_t risks; /* see info.h */
} tw_redis_server_t;

typedef struct tw_redis_greeting {
    tw_redis_link_t *link;    /* borrowed while the greeting is under way */
    tw_redis_server_t server; /* complete when on_done says so */
    /* The server can be used (problem NULL), or `problem` is one line that says why not. Not called
     * when the link ends first. */
    void (*on_done)(const char *problem, void *data);
    void *data;
    bool done, wants_cluster;
} tw_redis_greeting_t;

/**
 * Sends the questions to the server at `endpoint` over `link`, which is open. on_done comes
 * once, before this returns only when our password cannot be read; it may close the link.
 * `greeting` must not move and lives as long as the link. on_done and data have been set by the
 * caller.
 */
void tw_redis_greeting_send(tw_redis_greeting_t *greeting, tw_redis_link_t *link,
                            const tw_redis_endpoint_t *endpoint, const tw_redis_access_t *access,
                            const char *name);

#endif
