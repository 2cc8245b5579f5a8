/**
 * A Redis client that finds its server, makes sure that it is one that we can work with, and comes
 * back when it is lost.
 *
 * Each attempt asks sentinels, or nodes of a cluster, for the master (if the URL names such),
 * connects, authenticates and refuses a server that is a replica, still loads its data, is too old
 * or lacks what we need. Attempts are spaced by a jittered pause that grows until the caller says
 * that its session works. Of a cluster a client serves one slot: it follows that slot to whichever
 * master has it. Nothing is sent again by itself: a command whose reply did not come is reported as
 * such, its sender decides. Control loop only.
 *
 * A session owns two. Callers: runtime/redis/lane/session.c (their lives),
 * runtime/redis/lane/commands.c (sending).
 */
#ifndef TW_REDIS_CLIENT_H
#define TW_REDIS_CLIENT_H

#include "runtime/redis/client/greeting.h"

/* A session that lasted so long has shown that it works. */
#define TW_REDIS_SETTLED_MS 10000

typedef struct tw_redis_client tw_redis_client_t;

typedef struct tw_redis_client_config {
    const tw_redis_access_t *access; /* borrowed: outlives the client */
    const char *slot_key; /* borrowed for the create: any key of the slot that all commands are
                             about; only used with a cluster, and needed there */
    const char *name;     /* borrowed: outlives the client; what CLIENT LIST shows, no spaces */
    tw_redis_limits_t limits;
    uint32_t backoff_min_ms, backoff_max_ms; /* pause before the first retry; longest pause */
} tw_redis_client_config_t;

/* None is called before tw_redis_client_start() returns, none after tw_redis_client_destroy(). */
typedef struct tw_redis_client_callbacks {
    /* Commands can be sent now. `server` is valid for the call. */
    void (*on_up)(const tw_redis_server_t *server, void *data);
    /*
     * The link was lost (was_up), or an attempt failed; the next one follows after a pause.
     * Commands that waited have had their callbacks. `reason` is one line.
     */
    void (*on_down)(const char *reason, bool was_up, void *data);
} tw_redis_client_callbacks_t;

/** `config` is copied; `callbacks` and `data` are borrowed until the destroy. */
tw_redis_client_t *tw_redis_client_create(uv_loop_t *loop, const tw_redis_client_config_t *config,
                                          const tw_redis_client_callbacks_t *callbacks, void *data);

/** Begins to connect. Once. */
void tw_redis_client_start(tw_redis_client_t *client);

/** Ends for good: commands that wait get their callback with NULL before it returns. NULL is
 * nothing. */
void tw_redis_client_destroy(tw_redis_client_t *client);

/**
 * Says that what the caller does with the server works, so that the next pause is the shortest
 * again. Until then, and unless a link lasts for TW_REDIS_SETTLED_MS, pauses grow: a server
 * that greets us and refuses all else is not asked again at once. NULL, and a client that is not
 * up: nothing happens.
 */
void tw_redis_client_settled(tw_redis_client_t *client);

/** Drops a link that is up and connects again, for `reason`; on_down comes before it returns.
 * Nothing when it is not up. */
void tw_redis_client_reset(tw_redis_client_t *client, const char *reason);

/** As tw_redis_link_send(); -1 also when the client is not up. NULL is never up. */
int tw_redis_client_send(tw_redis_client_t *client, int argc, const char *const *argv,
                         const size_t *lens, tw_redis_reply_cb on_reply, void *data);

/** Writes what this turn has sent so far: for those who send in the loop's last moment before it
 * waits. */
void tw_redis_client_flush(tw_redis_client_t *client);

#endif
