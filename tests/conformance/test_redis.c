/* The Redis adapter, held to the contract on a real Redis. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "runtime/redis/adapter.h"
#include "tests/conformance/factory.h"
#include "tests/support/redis_server.h"

/* One server for the whole program: each cluster begins with an empty one. */
static void *open_shared(void)
{
    static tw_test_redis_t redis;
    if (redis.pid == 0)
        tw_test_redis_start(&redis, NULL);
    else
        free(tw_test_redis_cli(&redis, (const char *[]){"FLUSHALL", NULL}));
    return &redis;
}

static tw_adapter_t *create(void *shared, tw_hub_t *hub, const tw_node_info_t *info)
{
    const tw_test_redis_t *redis = shared;
    char url[64], error[256];

    snprintf(url, sizeof(url), "redis://127.0.0.1:%u", redis->port);
    const tw_redis_config_t config = {.access = {.url = url}};
    tw_adapter_t *adapter = tw_redis_adapter_create(hub, info, &config, error, sizeof(error));
    if (adapter == NULL)
        fprintf(stderr, "%s\n", error);
    return adapter;
}

static void close_shared(void *shared)
{
}

int main(void)
{
    static const tw_adapter_factory_t factory = {.name = "redis",
                                                 .nodes_max = 3,
                                                 .open = open_shared,
                                                 .create = create,
                                                 .close = close_shared};
    return tw_conformance_main(&factory);
}
