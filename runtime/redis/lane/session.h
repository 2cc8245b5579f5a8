/**
 * The session with Redis: two links to one server, and the node's membership in the cluster.
 *
 * A registration is one membership of this process; it is never used again once it has ended. When
 * both links are up and reach the same server, JOIN says whether the registration is still there;
 * if not, the node goes on with a new one, and the rooms above begin anew. Whatever goes wrong
 * (a link, an answer that says that epoch or registration have ended) ends the session: both links
 * are made anew, with pauses that grow until the session has shown that it works.
 *
 * Each lane of the node has a session of its own. All nodes of a cluster have the same number of
 * lanes: lane 0 joins first, and finds the layout that the others must be of.
 *
 * Control loop only, except tw_redis_session_up() and tw_redis_session_reason().
 *
 * A lane owns its session, a session its links. Callers: runtime/redis/node.c and
 * runtime/redis/adapter.c (their life), all rooms of runtime/redis/lane/ and runtime/redis/
 * (sending).
 */
#ifndef TW_REDIS_SESSION_H
#define TW_REDIS_SESSION_H

#include "base/log_limit.h"
#include "base/loop.h"
#include "runtime/model/event.h"
#include "runtime/redis/client/client.h"
#include "runtime/redis/lane/stats.h"
#include "runtime/redis/protocol/args.h"
#include "runtime/redis/protocol/scripts.h"

#define TW_REDIS_PREFIX "tw:"
#define TW_REDIS_PREFIX_MAX 64
#define TW_REDIS_LEASE_MS 15000
#define TW_REDIS_REGISTRATION_SIZE 20 /* "0a1b2c3d-" and up to 8 hex digits, and a NUL */
#define TW_REDIS_INSTANCE_LEN 8
#define TW_REDIS_LAYOUT_SIZE 24
#define TW_REDIS_INBOX_KEY_SIZE (TW_REDIS_PREFIX_MAX + TW_REDIS_REGISTRATION_SIZE + 16)

/* name, label: what /readyz says */
#define TW_REDIS_PHASE_TABLE(X)                                                                    \
    X(STOPPED, "the adapter is stopped")                                                           \
    X(DOWN, "Redis is not connected")                                                              \
    X(JOINING, "joining the cluster")                                                              \
    X(UP, "")

typedef enum tw_redis_phase {
#define X(name, label) TW_REDIS_PHASE_##name,
    TW_REDIS_PHASE_TABLE(X)
#undef X
} tw_redis_phase_t;

/** What a new session is to the ones before it. */
typedef enum tw_redis_membership {
    TW_REDIS_KEPT,        /* the registration is the same: everything goes on */
    TW_REDIS_BEGUN,       /* the first one of this process */
    TW_REDIS_BURIED,      /* another one in the same epoch */
    TW_REDIS_OTHER_EPOCH, /* another one, in another data set: more than all before */
} tw_redis_membership_t;

typedef struct tw_redis_joined {
    tw_redis_membership_t membership;
    uint64_t inbox_end; /* the newest number in our inbox; of a new one: in the cluster */
} tw_redis_joined_t;

typedef struct tw_redis_session_callbacks {
    void (*on_up)(void *data, const tw_redis_joined_t *joined);
    /* After on_up; commands that waited have had their callbacks. */
    void (*on_down)(void *data);
    /* Lane 0 has found the layout, or another one: the other lanes join it. */
    void (*on_layout)(void *data);
} tw_redis_session_callbacks_t;

typedef struct tw_redis_session tw_redis_session_t;

typedef struct tw_redis_session_link {
    tw_redis_session_t *session;
    tw_redis_client_t *client; /* owned */
    tw_redis_server_t server;  /* while it is up */
    bool up;
} tw_redis_session_link_t;

/** What the sessions of all lanes have in common. */
typedef struct tw_redis_common {
    tw_redis_access_t access;
    tw_redis_stats_t stats;
    char prefix[TW_REDIS_PREFIX_MAX + 1]; /* begins the names of all keys */
    char client_name[32];
    char sha[TW_REDIS_SCRIPT_COUNT][TW_REDIS_SHA_LEN + 1];
    char layout[TW_REDIS_LAYOUT_SIZE]; /* "<lanes>:<16 hex digits>", as state has it; "": unknown */
    uint32_t instance, lanes;
    uint32_t risks_told; /* of the servers of all lanes, see tw_redis_server_t */
    _Atomic uint32_t up; /* lanes that are */
} tw_redis_common_t;

struct tw_redis_session {
    tw_loop_t *loop;           /* borrowed */
    tw_redis_common_t *common; /* borrowed */
    tw_redis_stats_t *stats;   /* borrowed */
    uint32_t index;            /* of the lane */
    const tw_redis_session_callbacks_t *callbacks;
    void *data;
    char lane[TW_REDIS_PREFIX_MAX + 8]; /* what all keys begin with */
    tw_redis_session_link_t commands, inbox;
    _Atomic int phase; /* tw_redis_phase_t; written by the control loop */
    bool stopping;
    tw_redis_joined_t joined;   /* what the next on_up says */
    uint32_t generation;        /* the newest one that was offered to Redis */
    uint32_t generation_joined; /* that of the registration; 0: not registered */
    char epoch[17];             /* "": never joined */
    char registration[TW_REDIS_REGISTRATION_SIZE];
    char own[TW_REDIS_REGISTRATION_SIZE + 12]; /* registration/session, as the scripts want it */
    uint64_t epoch_number;
    uint64_t start, floor;                /* see tw_redis_session_lost_before() */
    tw_log_limit_t refusals;              /* lines about errors that Redis returned */
    char last_reason[TW_REDIS_ERROR_MAX]; /* of the last failure that was logged */
};

/** `prefix` begins the names of all keys; NULL: TW_REDIS_PREFIX. 0, or -1 with one line in `error`
 * when something of it cannot be used. */
int tw_redis_common_init(tw_redis_common_t *common, const tw_redis_access_config_t *access,
                         const char *prefix, uint32_t instance, uint32_t lanes, char *error,
                         size_t error_size);
void tw_redis_common_dispose(tw_redis_common_t *common);

void tw_redis_session_init(tw_redis_session_t *session, tw_redis_common_t *common, uint32_t index);

/** Begins to connect; `callbacks` and `data` are borrowed. */
void tw_redis_session_start(tw_redis_session_t *session, tw_loop_t *loop,
                            const tw_redis_session_callbacks_t *callbacks, void *data);

/** Drops both links for good. */
void tw_redis_session_stop(tw_redis_session_t *session);

/** The layout is known now, or is another one: joins, also anew. */
void tw_redis_session_follow_layout(tw_redis_session_t *session);

/** Whether the node is part of the cluster. Any thread. */
static inline bool tw_redis_session_up(tw_redis_session_t *session)
{
    return atomic_load_explicit(&session->phase, memory_order_acquire) == TW_REDIS_PHASE_UP;
}

/** Why not; a constant. NULL: it is. Any thread. */
const char *tw_redis_session_reason(tw_redis_session_t *session);

/** Ends the session for `reason`, and begins another one after a pause. Nothing without one. */
void tw_redis_session_reset(tw_redis_session_t *session, const char *reason);

/** Both links work: the next pause is the shortest again. */
void tw_redis_session_settled(tw_redis_session_t *session);

/** The name of the inbox's key. */
void tw_redis_session_inbox_key(const tw_redis_session_t *session,
                                char key[TW_REDIS_INBOX_KEY_SIZE]);

/** Initialises args, which are the caller's, and begins the arguments of a script: lane and epoch;
 * with the second also registration and session. Bytes that are added are borrowed until the send,
 * which copies them. For all rooms while the session is up; before that only session.c calls the
 * first one, for JOIN, with the epoch of the session before ("": none). */
void tw_redis_script_begin(const tw_redis_session_t *session, tw_redis_args_t *args,
                           tw_redis_script_t script);
void tw_redis_script_begin_own(const tw_redis_session_t *session, tw_redis_args_t *args,
                               tw_redis_script_t script);

/**
 * Sends and disposes. on_reply comes once, with NULL when the command may have run or not, also
 * [now] when it cannot be sent. After an error that ends epoch or registration it comes first, then
 * the session ends.
 */
void tw_redis_session_send(tw_redis_session_t *session, tw_redis_args_t *args,
                           tw_redis_reply_cb on_reply, void *data);

/** The same on the inbox's link, where nothing else is sent while it waits. */
void tw_redis_session_send_inbox(tw_redis_session_t *session, tw_redis_args_t *args,
                                 tw_redis_reply_cb on_reply, void *data);

/** Writes what this turn has sent. */
void tw_redis_session_flush(tw_redis_session_t *session);

/** Logs that Redis refused a command, at most once a second. For every on_reply that has no other
 * use for an error. Without effect on NULL, on another reply, and on an error that ends the
 * session, which is logged as its loss. */
void tw_redis_session_refused(tw_redis_session_t *session, const char *what,
                              const redisReply *reply);

/** The position of a number, which may be one of before the epoch began. */
static inline tw_position_t tw_redis_session_position(const tw_redis_session_t *session,
                                                      uint64_t seq)
{
    return (tw_position_t){.epoch = seq > session->start ? session->epoch_number : 0, .seq = seq};
}

/** Redis has forgotten topics with events up to this number. */
static inline void tw_redis_session_learn_floor(tw_redis_session_t *session, uint64_t floor)
{
    if (session->floor < floor)
        session->floor = floor;
}

/** The newest number that may be missing in a history that begins, without a predecessor, at
 * `oldest` (0: it is empty). */
uint64_t tw_redis_session_lost_before(const tw_redis_session_t *session, uint64_t oldest);

#endif
