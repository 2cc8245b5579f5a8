/** The structs of a server and a session, for the files that run them. */
#ifndef TW_SIM_REDIS_SERVER_INSIDE_H
#define TW_SIM_REDIS_SERVER_INSIDE_H

#include <sys/queue.h>

#include "tests/simulation/redis/model.h"

#define TW_MODEL_RUN_ID_LEN 40

/* What a session blocks on. */
typedef struct tw_model_blocked {
    size_t count; /* of streams; 0: it does not block */
    tw_model_text_t **keys;
    tw_model_id_t *after;
    int64_t limit;       /* COUNT; 0: none */
    int64_t deadline_us; /* INT64_MAX: never */
} tw_model_blocked_t;

struct tw_model_session {
    tw_model_server_t *server;
    LIST_ENTRY(tw_model_session) all;
    TAILQ_ENTRY(tw_model_session) blocking; /* while blocked.count > 0 */
    void *data;
    uint64_t id;
    tw_model_buffer_t input;
    size_t parsed; /* bytes of input that are done with */
    tw_model_dict_t channels;
    tw_model_blocked_t blocked;
    bool feeding, ended;
    char name[64];
};

struct tw_model_server {
    tw_model_owner_t owner;
    tw_model_data_t *data;
    tw_model_lua_t *lua;
    LIST_HEAD(tw_model_sessions, tw_model_session) sessions;
    TAILQ_HEAD(tw_model_blocking, tw_model_session) blocking; /* oldest first */
    tw_model_dict_t channels;                                 /* name → dict of sessions by id */
    uint64_t next_session;
    char run_id[TW_MODEL_RUN_ID_LEN + 1], replication_id[TW_MODEL_RUN_ID_LEN + 1],
        replication_id2[TW_MODEL_RUN_ID_LEN + 1];
    bool is_replica;
    bool full;
    size_t memory_max, unsent;
    uint64_t commands;
    uint64_t writes; /* bytes of the log of replication, about */
    /* while a script runs */
    bool script_was_full, script_has_written;
    int64_t script_now_us; /* the time stands still in a script; 0: none runs */
    bool signalled;        /* something was appended to a stream */
};

/** Answers blocked sessions that a write has given something. */
void tw_model_serve_blocked(tw_model_server_t *server);

/** Ends a session's blocking without an answer. */
void tw_model_unblock(tw_model_session_t *session);

void tw_model_session_write(tw_model_session_t *session, const tw_model_buffer_t *out);

#endif
