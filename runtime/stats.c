#include "runtime/stats.h"

#include "runtime/hub.h"

uint64_t tw_stats_streams(const tw_hub_t *hub)
{
    return tw_limit_count(&hub->streams);
}

void tw_stats_read(const tw_hub_t *hub, tw_stats_t *stats)
{
    *stats = (tw_stats_t){.streams = tw_stats_streams(hub),
                          .topics = hub->index.topic_count,
                          .resume_windows_cut = hub->index.windows_cut,
                          .kept_events = hub->kept_events,
                          .kept_bytes = hub->backlog.kept_bytes,
                          .event_bytes = tw_event_live_bytes()};
    for (uint32_t worker = 0; worker < hub->config.worker_count; ++worker)
        tw_counters_add(&stats->counters, &hub->fanouts[worker]->shard.counters);
}
