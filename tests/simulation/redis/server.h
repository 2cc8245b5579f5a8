/**
 * A Redis server in memory: bytes of RESP in, bytes of RESP out.
 *
 * Time comes from its owner, so does when bytes arrive; nothing here waits. A command that blocks
 * (XREAD BLOCK) holds its session until a write serves it or tw_model_server_expire() ends it.
 */
#ifndef TW_SIM_REDIS_SERVER_H
#define TW_SIM_REDIS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tw_model_server tw_model_server_t;
typedef struct tw_model_session tw_model_session_t;
typedef struct tw_model_data tw_model_data_t;

/** Bytes that are borrowed. */
typedef struct tw_model_arg {
    const char *base;
    size_t len;
} tw_model_arg_t;

typedef struct tw_model_owner {
    int64_t (*wall_us)(void *data); /* the server's clock, which may jump */
    int64_t (*now_us)(void *data);  /* for time-outs: never jumps */
    /* Replies and messages for a session; borrowed. May not close the session. */
    void (*on_output)(tw_model_session_t *session, const char *bytes, size_t len);
    /* The server ends the session (QUIT, an error of protocol). The owner closes it, later. */
    void (*on_end)(tw_model_session_t *session);
    void *data;
} tw_model_owner_t;

/* --- the data set --- */

tw_model_data_t *tw_model_data_create(void);
tw_model_data_t *tw_model_data_clone(const tw_model_data_t *from);
void tw_model_data_destroy(tw_model_data_t *data);
size_t tw_model_data_bytes(const tw_model_data_t *data);

/* --- the server --- */

/** `owner` is copied. The run id and the id of replication are drawn from `seed`. */
tw_model_server_t *tw_model_server_create(const tw_model_owner_t *owner, uint64_t seed);

/** All its sessions are closed. */
void tw_model_server_destroy(tw_model_server_t *server);

/** Takes over `data`; what it had is freed. Scripts, run id and sessions stay. */
void tw_model_server_set_data(tw_model_server_t *server, tw_model_data_t *data);

/** Borrowed until the next set. */
const tw_model_data_t *tw_model_server_data(const tw_model_server_t *server);

/** A process anew: another run id and id of replication, no scripts. Sessions are closed. */
void tw_model_server_restart(tw_model_server_t *server, uint64_t seed);

/** Becomes a replica of `master`, whose id of replication it takes, or a master with one of its own
 * (master NULL), drawn from `seed`. */
void tw_model_server_set_master(tw_model_server_t *server, const tw_model_server_t *master,
                                uint64_t seed);

/** Refuses what needs memory, as one does whose maxmemory is reached. */
void tw_model_server_set_full(tw_model_server_t *server, bool full);

/** The limit on its data and what waits to be sent, bytes; 0: none. */
void tw_model_server_set_memory_max(tw_model_server_t *server, size_t bytes);

/** Bytes that the owner still has to bring to its clients: they count as its memory. */
void tw_model_server_set_unsent(tw_model_server_t *server, size_t bytes);

/** How many commands were run, those inside of scripts too. */
uint64_t tw_model_server_commands(const tw_model_server_t *server);

const char *tw_model_server_run_id(const tw_model_server_t *server);

/** When the next blocked session times out (now_us), or INT64_MAX. */
int64_t tw_model_server_next_timeout(const tw_model_server_t *server);

/** Answers the blocked sessions whose time is over. */
void tw_model_server_expire(tw_model_server_t *server);

/* --- sessions --- */

tw_model_session_t *tw_model_session_open(tw_model_server_t *server, void *data);
void *tw_model_session_data(const tw_model_session_t *session);

/** What the client sent; cut anywhere. Returns how many commands were run. */
size_t tw_model_session_feed(tw_model_session_t *session, const char *bytes, size_t len);

/** The client is gone. */
void tw_model_session_close(tw_model_session_t *session);

/** Runs one command for a session, as if it had come alone. For tests. */
void tw_model_session_run(tw_model_session_t *session, int argc, const tw_model_arg_t *argv);

#endif
