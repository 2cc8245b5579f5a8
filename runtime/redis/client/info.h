/**
 * INFO: what a server tells about itself, and what of that endangers events.
 *
 * Any thread.
 *
 * What is written is the caller's, and so is `told`. Callers: runtime/redis/client/greeting.c,
 * runtime/redis/lane/session.c (tw_redis_risks_log(), on the control loop).
 */
#ifndef TW_REDIS_INFO_H
#define TW_REDIS_INFO_H

#include <stddef.h>
#include <stdint.h>

/* How a server may be set up so that events can be lost: name, what is lost, what to change. */
#define TW_REDIS_RISK_TABLE(X)                                                                     \
    X(EVICTS,                                                                                      \
      "when its memory is full it forgets events, and who follows what, and nobody is told",       \
      "maxmemory-policy noeviction")                                                               \
    X(WRITES_ALONE,                                                                                \
      "it takes events while no replica gets them: a failover loses the newest, and an old "       \
      "master that is cut off goes on accepting events that only its own gateways' streams get",   \
      "min-replicas-to-write 1 and min-replicas-max-lag 10")                                       \
    X(LAGS, "a replica is more than 10 s behind: a failover to it loses what was accepted since",  \
      "the replica, or its network")

typedef enum tw_redis_risk {
#define X(name, loss, change) TW_REDIS_RISK_##name,
    TW_REDIS_RISK_TABLE(X)
#undef X
        TW_REDIS_RISK_COUNT
} tw_redis_risk_t;

/** Copies the value of a line "name:value"; "" when there is no such line. */
void tw_redis_info_value(const char *info, const char *name, char *value, size_t size);

/** The risks that INFO tells of: 1 << tw_redis_risk_t, each. */
uint32_t tw_redis_info_risks(const char *info);

/** Logs one line for all of them when one is not in `*told` yet, and puts them there. */
void tw_redis_risks_log(uint32_t risks, uint32_t *told);

#endif
