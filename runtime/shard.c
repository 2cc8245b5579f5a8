#include "runtime/shard.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

void tw_shard_init(tw_shard_t *shard, const tw_shard_config_t *config, uint32_t index,
                   uv_loop_t *uv, void *owner, void (*on_batch)(void *owner))
{
    char name[16];

    *shard = (tw_shard_t){.config = *config, .index = index, .jitter = config->instance + index};
    LIST_INIT(&shard->connections);
    LIST_INIT(&shard->doomed);
    snprintf(name, sizeof(name), "worker-%" PRIu32, index);
    tw_loop_init(&shard->loop, uv, name, owner, on_batch);
}

int64_t tw_shard_next_retirement(tw_shard_t *shard)
{
    int64_t age_ms = shard->config.connection_age_max_ms;

    if (age_ms == 0)
        return 0;
    /* Steps of the golden ratio spread connections that come together evenly over the fifth of the
     * age in which they retire; random ones would cluster. */
    shard->jitter += UINT32_C(0x9e3779b9);
    return tw_clock_ms() + age_ms - age_ms / 10 +
           (int64_t)((uint64_t)(age_ms / 5) * shard->jitter >> 32);
}
