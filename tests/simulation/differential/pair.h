/**
 * The model and a real redis-server side by side: each command goes to both, and their replies are
 * compared.
 */
#ifndef TW_SIM_PAIR_H
#define TW_SIM_PAIR_H

#include <hiredis/hiredis.h>

#include "tests/simulation/redis/reply.h"
#include "tests/simulation/redis/server.h"
#include "tests/support/redis_server.h"

/* How replies are held against each other. */
typedef enum tw_same {
    TW_SAME,          /* word for word (an error of Lua itself: by its code) */
    TW_SAME_SET,      /* arrays in any order */
    TW_SAME_PAIRS,    /* arrays of names and values, in any order of the pairs */
    TW_SAME_SCAN,     /* {cursor, pairs}, in any order */
    TW_SAME_SCAN_SET, /* {cursor, elements}, in any order */
    TW_SAME_ABOUT,    /* numbers may differ by a thousandth */
    TW_SAME_KIND      /* only the type of the reply */
} tw_same_t;

#define TW_PAIR_SESSIONS 2

typedef struct tw_pair_session {
    tw_model_session_t *session;
    redisReader *reader; /* of what the model has sent to it */
    redisContext *real;
} tw_pair_session_t;

typedef struct tw_pair {
    tw_test_redis_t redis;
    tw_model_server_t *model;
    int64_t now_us; /* the model's clock: it stands still unless it is moved */
    tw_pair_session_t sessions[TW_PAIR_SESSIONS];
} tw_pair_t;

void tw_pair_open(tw_pair_t *pair);
void tw_pair_close(tw_pair_t *pair);

/** Empties both. */
void tw_pair_flush(tw_pair_t *pair);

/** Sends a command to both, without waiting for a reply. */
void tw_pair_send(tw_pair_t *pair, int at, int argc, const char *const *argv, const size_t *lens);

/** Takes the next reply of each and compares them; prints both, and the command if it is not NULL,
 * and aborts when they differ. */
void tw_pair_receive(tw_pair_t *pair, int at, tw_same_t same, const char *const *argv,
                     const size_t *lens, int argc);

/** Takes all that the model has for a session, waits for as much of the real server, and compares.
 */
void tw_pair_drain(tw_pair_t *pair, int at);

/** Both: the send, and one reply. */
void tw_pair_run(tw_pair_t *pair, int at, tw_same_t same, int argc, const char *const *argv,
                 const size_t *lens);

/** The same for a command of words separated by blanks. */
void tw_pair_say(tw_pair_t *pair, int at, tw_same_t same, const char *words);
void tw_pair_send_words(tw_pair_t *pair, int at, const char *words);

#endif
