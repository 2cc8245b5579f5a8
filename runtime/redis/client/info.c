#include "runtime/redis/client/info.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define REPLICA_LAG_S 10
#define REPLICAS_MAX 64

typedef enum tw_redis_risk { EVICTS, WRITES_ALONE, LAGS, RISK_COUNT } tw_redis_risk_t;

/* What is lost, and what to change. */
static const struct {
    const char *loss, *change;
} risks_table[RISK_COUNT] = {
    [EVICTS] = {"when its memory is full it forgets events, and who follows what, and nobody is "
                "told",
                "maxmemory-policy noeviction"},
    [WRITES_ALONE] = {"it takes events while no replica gets them: a failover loses the newest, "
                      "and an old master that is cut off goes on accepting events that only its "
                      "own gateways' streams get",
                      "min-replicas-to-write 1 and min-replicas-max-lag 10"},
    [LAGS] = {"a replica is more than 10 s behind: a failover to it loses what was accepted since",
              "the replica, or its network"},
};

void tw_redis_info_value(const char *info, const char *name, char *value, size_t size)
{
    size_t len = strlen(name);
    value[0] = '\0';
    for (const char *line = info; line != NULL; line = strchr(line, '\n')) {
        if (*line == '\n')
            ++line;
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(value, size, "%.*s", (int)strcspn(line + len + 1, "\r\n"), line + len + 1);
            return;
        }
    }
}

/* Whether a replica says that it is more than ten seconds behind, or has none of our data yet. */
static bool has_late_replica(const char *info)
{
    for (unsigned i = 0; i < REPLICAS_MAX; ++i) {
        char name[16], replica[256];
        snprintf(name, sizeof(name), "slave%u", i);
        tw_redis_info_value(info, name, replica, sizeof(replica));
        if (replica[0] == '\0')
            return false;
        const char *lag = strstr(replica, "lag=");
        if (strstr(replica, "state=online") == NULL ||
            (lag != NULL && strtoul(lag + strlen("lag="), NULL, 10) > REPLICA_LAG_S))
            return true;
    }
    return false;
}

/* Our keys have no time to live: of the policies only those for all keys evict them. */
uint32_t tw_redis_info_risks(const char *info)
{
    char value[64];
    uint32_t risks = 0;

    tw_redis_info_value(info, "maxmemory", value, sizeof(value));
    bool limited = strcmp(value, "0") != 0;
    tw_redis_info_value(info, "maxmemory_policy", value, sizeof(value));
    if (limited && strncmp(value, "allkeys", strlen("allkeys")) == 0)
        risks |= 1U << EVICTS;
    tw_redis_info_value(info, "connected_slaves", value, sizeof(value));
    if (value[0] == '\0' || strcmp(value, "0") == 0)
        return risks;
    /* The line is there when writes wait for replicas. */
    tw_redis_info_value(info, "min_slaves_good_slaves", value, sizeof(value));
    if (value[0] == '\0')
        risks |= 1U << WRITES_ALONE;
    if (has_late_replica(info))
        risks |= 1U << LAGS;
    return risks;
}

void tw_redis_risks_log(uint32_t risks, uint32_t *told)
{
    char loss[512] = "", change[256] = "";

    if ((risks & ~*told) == 0)
        return;
    *told |= risks;
    for (int i = 0; i < RISK_COUNT; ++i) {
        if ((risks & 1U << i) == 0)
            continue;
        size_t at = strlen(loss), to = strlen(change);
        snprintf(loss + at, sizeof(loss) - at, "%s%s", at > 0 ? "; " : "", risks_table[i].loss);
        snprintf(change + to, sizeof(change) - to, "%s%s", to > 0 ? "; " : "",
                 risks_table[i].change);
    }
    tw_log(TW_LOG_WARN, "Redis is set up so that accepted events can be lost",
           tw_log_text("loss", loss), tw_log_text("change", change));
}
