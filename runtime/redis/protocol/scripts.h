/**
 * What runs inside Redis: the scripts of the folder scripts/, as the build embeds them.
 *
 * Redis runs a script as a whole. What each takes and answers stands on top of its file; what the
 * keys mean, in docs/internals/redis.md. Any thread.
 *
 * Callers: runtime/redis/lane/.
 */
#ifndef TW_REDIS_SCRIPTS_H
#define TW_REDIS_SCRIPTS_H

/* name, file */
#define TW_REDIS_SCRIPT_TABLE(X)                                                                   \
    X(JOIN, join)                                                                                  \
    X(LEASE, lease)                                                                                \
    X(LEAVE, leave)                                                                                \
    X(SWEEP, sweep)                                                                                \
    X(FOLLOW, follow)                                                                              \
    X(UNFOLLOW, unfollow)                                                                          \
    X(FOLLOWED, followed)                                                                          \
    X(PUBLISH, publish)                                                                            \
    X(CALL, call)                                                                                  \
    X(ACK, ack)                                                                                    \
    X(MISSED, missed)                                                                              \
    X(READ, read)                                                                                  \
    X(FORGET, forget)                                                                              \
    X(REVOKE, revoke)                                                                              \
    X(REVOCATIONS, revocations)                                                                    \
    X(LIST_NODES, list_nodes)                                                                      \
    X(LIST_TOPICS, list_topics)

typedef enum tw_redis_script {
#define X(name, file) TW_REDIS_SCRIPT_##name,
    TW_REDIS_SCRIPT_TABLE(X)
#undef X
        TW_REDIS_SCRIPT_COUNT
} tw_redis_script_t;

#define TW_REDIS_SHA_LEN 40

/** The script's text, NUL-terminated; a constant. */
const char *tw_redis_script_text(tw_redis_script_t script);

/** What EVALSHA calls it: 40 hex digits and a NUL. */
void tw_redis_script_sha(tw_redis_script_t script, char sha[TW_REDIS_SHA_LEN + 1]);

#endif
