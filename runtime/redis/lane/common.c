/* What the sessions of all lanes have in common: see session.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/redis/lane/session.h"

/* Braces choose the slot of a key in a cluster, and are ours. */
static bool is_prefix(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; ++i)
        if (text[i] <= ' ' || text[i] > '~' || strchr("{}*?[]\\", text[i]) != NULL)
            return false;
    return len >= 1 && len <= TW_REDIS_PREFIX_MAX;
}

int tw_redis_common_init(tw_redis_common_t *common, const tw_redis_access_config_t *access,
                         const char *prefix, uint32_t instance, uint32_t lanes, char *error,
                         size_t error_size)
{
    prefix = prefix != NULL ? prefix : TW_REDIS_PREFIX;
    if (!is_prefix(prefix)) {
        snprintf(error, error_size,
                 "TIDEWAY_REDIS_PREFIX must be 1 to %d printable characters, and none of {}*?[]\\",
                 TW_REDIS_PREFIX_MAX);
        return -1;
    }
    common->instance = instance;
    common->lanes = lanes;
    snprintf(common->prefix, sizeof(common->prefix), "%s", prefix);
    snprintf(common->client_name, sizeof(common->client_name), "tideway-%08" PRIx32, instance);
    for (int i = 0; i < TW_REDIS_SCRIPT_COUNT; ++i)
        tw_redis_script_sha((tw_redis_script_t)i, common->sha[i]);
    return tw_redis_access_init(&common->access, access, error, error_size);
}

void tw_redis_common_dispose(tw_redis_common_t *common)
{
    tw_redis_access_dispose(&common->access);
}
