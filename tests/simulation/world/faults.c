/* What goes wrong. */
#include <stdio.h>

#include "tests/simulation/virtual/agenda.h"
#include "tests/simulation/world/world.h"

#define WORLD (&tw_sim_world)
#define NETWORK (&tw_sim_network)

static uint32_t place_of(int64_t param)
{
    return (uint32_t)((uint64_t)param % (uint64_t)WORLD->schedule->settings.nodes);
}

static uint32_t which_of(int64_t param)
{
    return param < 0 ? UINT32_MAX : (uint32_t)param;
}

/* --- gateways --- */

static void on_back(void *data)
{
    tw_sim_start_gateway((uint32_t)(uintptr_t)data);
}

static tw_sim_gateway_t *take_away(const tw_sim_entry_t *entry)
{
    uint32_t place = place_of(entry->params[0]);
    tw_sim_gateway_t *gateway = WORLD->at[place];

    if (gateway == NULL)
        return NULL;
    WORLD->at[place] = NULL;
    tw_sim_revocations_forget(gateway);
    tw_sim_clients_leave_gateway(gateway);
    tw_sim_agenda_add(tw_sim_now_us() + entry->params[1] * 1000, on_back, (void *)(uintptr_t)place);
    tw_sim_disturb(entry->params[1] * 1000);
    return gateway;
}

static void crash(const tw_sim_entry_t *entry)
{
    tw_sim_gateway_t *gateway = take_away(entry);
    uint32_t place = place_of(entry->params[0]);

    if (gateway == NULL)
        return;
    tw_sim_gateway_crash(gateway);
    if (entry->params[2] != 0)
        snprintf(WORLD->ids[place], sizeof(WORLD->ids[place]), "node-%u-%u", place,
                 (unsigned)WORLD->lives);
}

static void restart(const tw_sim_entry_t *entry)
{
    tw_sim_gateway_t *gateway = take_away(entry);

    if (gateway == NULL)
        return;
    tw_sim_gateway_stop(gateway);
    if (entry->params[2] != 0)
        WORLD->tail_events[place_of(entry->params[0])] = entry->params[2];
}

static void stall(const tw_sim_entry_t *entry)
{
    tw_sim_gateway_t *gateway = tw_sim_gateway_at(entry->params[0]);
    if (gateway != NULL)
        gateway->stalled_until_us = tw_sim_now_us() + entry->params[1] * 1000;
    tw_sim_disturb(entry->params[1] * 1000);
}

/* --- Redis --- */

static void replace(tw_model_data_t **kept, const tw_model_data_t *data)
{
    tw_model_data_destroy(*kept);
    *kept = data != NULL ? tw_model_data_clone(data) : NULL;
}

static uint32_t master_of(int64_t param)
{
    return (uint32_t)((uint64_t)param % NETWORK->masters);
}

static tw_sim_server_t *server_of(uint32_t master)
{
    return &NETWORK->servers[WORLD->masters[master]];
}

static const tw_model_data_t *master_data(uint32_t master)
{
    return tw_model_server_data(server_of(master)->redis);
}

static void on_up(void *data)
{
    tw_sim_server_t *server = data;
    server->is_down = false;
}

/* Down for a while, then another process with the snapshot or nothing. */
static void redis_restart(const tw_sim_entry_t *entry)
{
    uint32_t master = master_of(entry->params[2]);
    const tw_model_data_t *kept = entry->params[1] != 0 ? WORLD->snapshots[master] : NULL;
    tw_sim_server_t *server = server_of(master);

    WORLD->replaced_us = tw_sim_now_us();
    tw_sim_server_start(WORLD->masters[master], kept != NULL ? tw_model_data_clone(kept) : NULL);
    server->is_down = true;
    tw_sim_agenda_add(tw_sim_now_us() + entry->params[0] * 1000, on_up, server);
    tw_sim_disturb(entry->params[0] * 1000);
}

/* All places have the master again, and the old one is its replica. */
static void end_split(uint32_t master)
{
    uint32_t is = WORLD->masters[master], was = is ^ 1;

    WORLD->replaced_us = tw_sim_now_us(); /* what the old one has taken is gone */
    for (uint32_t place = 0; place < TW_SIM_PLACES; ++place) {
        if (NETWORK->route[master][place] == is)
            continue;
        NETWORK->route[master][place] = is;
        tw_sim_pipes_cut_to(place, was);
    }
    tw_sim_server_cut(was);
    tw_model_server_set_master(NETWORK->servers[was].redis, NETWORK->servers[is].redis, 0);
}

static void on_join(void *data)
{
    end_split((uint32_t)((uint32_t *)data - WORLD->masters));
    tw_sim_disturb(5000000);
}

/* The other server is the master from now on, with what it had when it was brought up to date last.
 * The places of `left_behind` do not learn of it: the old master goes on there. */
static void failover(const tw_sim_entry_t *entry)
{
    uint32_t master = master_of(entry->params[1]), new = WORLD->masters[master] ^ 1;
    tw_sim_server_t *server = &NETWORK->servers[new];

    WORLD->replaced_us = tw_sim_now_us();
    tw_sim_agenda_cancel(&WORLD->masters[master]);
    if (WORLD->replicas[master] == NULL)
        replace(&WORLD->replicas[master], master_data(master));
    tw_sim_server_cut(new);
    tw_model_server_set_data(server->redis, tw_model_data_clone(WORLD->replicas[master]));
    tw_model_server_set_master(server->redis, NULL,
                               (uint64_t)WORLD->schedule->settings.seed + 7 * ++server->starts +
                                   1000003 * master);
    WORLD->masters[master] = new;
    WORLD->failed_over_us[master] = tw_sim_now_us();
    replace(&WORLD->replicas[master], NULL);
    for (uint32_t place = 0; place < TW_SIM_PLACES; ++place) {
        if (((entry->params[0] >> place) & 1) != 0)
            continue;
        NETWORK->route[master][place] = new;
        tw_sim_pipes_cut_to(place, new ^ 1);
    }
    if (entry->params[0] == 0)
        end_split(master);
    else if (entry->params[2] > 0)
        tw_sim_agenda_add(tw_sim_now_us() + entry->params[2] * 1000, on_join,
                          &WORLD->masters[master]);
    int64_t split_ms = entry->params[0] == 0  ? 0
                       : entry->params[2] > 0 ? entry->params[2]
                                              : WORLD->schedule->settings.duration_ms;
    tw_sim_disturb(5000000 + split_ms * 1000);
}

bool tw_sim_is_left_behind(uint32_t place, uint32_t topic)
{
    uint32_t master = tw_sim_topic_lane(topic) % NETWORK->masters;
    return NETWORK->route[master][place] != WORLD->masters[master];
}

bool tw_sim_client_has_moved_on(const tw_sim_client_t *client, uint32_t topic)
{
    uint32_t master = tw_sim_topic_lane(topic) % NETWORK->masters;

    if (client->is_open)
        return !tw_sim_is_left_behind(client->gateway->place, topic);
    return client->left_us > WORLD->failed_over_us[master] &&
           !tw_sim_is_left_behind(client->left_place, topic);
}

static void on_not_full(void *data)
{
    for (uint32_t i = 0; i < TW_SIM_SERVERS; ++i)
        tw_model_server_set_full(NETWORK->servers[i].redis, false);
}

static void fill_memory(const tw_sim_entry_t *entry)
{
    tw_model_server_set_full(server_of(master_of(entry->params[1]))->redis, true);
    tw_sim_agenda_add(tw_sim_now_us() + entry->params[0] * 1000, on_not_full, NULL);
    tw_sim_disturb(entry->params[0] * 1000);
}

/* --- the network --- */

static void on_usual_delay(void *data)
{
    for (uint32_t place = 0; place < TW_SIM_PLACES; ++place)
        tw_sim_pipes_delay(place, UINT32_MAX, true, true, NETWORK->delay, 0);
}

static void delay(const tw_sim_entry_t *entry)
{
    const int64_t *p = entry->params;
    const tw_sim_delay_t slow = {p[3], p[4]};

    tw_sim_pipes_delay(place_of(p[0]), which_of(p[1]), (p[2] & 1) != 0, (p[2] & 2) != 0, slow,
                       tw_sim_now_us() + p[5] * 1000);
    tw_sim_agenda_add(tw_sim_now_us() + p[5] * 1000, on_usual_delay, NULL);
    tw_sim_disturb(p[5] * 1000);
}

static void swallow(const tw_sim_entry_t *entry)
{
    const int64_t *p = entry->params;
    tw_sim_pipes_swallow(place_of(p[0]), which_of(p[1]), (p[2] & 1) != 0, (p[2] & 2) != 0,
                         tw_sim_now_us() + p[3] * 1000);
    tw_sim_disturb(p[3] * 1000);
}

/* --- all --- */

static void turn_clock(const tw_sim_entry_t *entry)
{
    tw_sim_gateway_t *gateway = tw_sim_gateway_at(entry->params[0]);
    if (gateway != NULL)
        gateway->host.wall_offset_us += entry->params[1] * 1000;
}

/* For one allocation, after so many. */
static void take_memory(const tw_sim_entry_t *entry)
{
    tw_sim_gateway_t *gateway = tw_sim_gateway_at(entry->params[0]);
    if (gateway != NULL)
        gateway->fails_after = (unsigned)entry->params[1];
    tw_sim_disturb(5000000);
}

static void cut(const tw_sim_entry_t *entry)
{
    tw_sim_pipes_cut(place_of(entry->params[0]), which_of(entry->params[1]));
}

static void take_snapshot(const tw_sim_entry_t *entry)
{
    uint32_t master = master_of(entry->params[0]);
    replace(&WORLD->snapshots[master], master_data(master));
}

static void replicate(const tw_sim_entry_t *entry)
{
    uint32_t master = master_of(entry->params[0]);
    replace(&WORLD->replicas[master], master_data(master));
}

static void stall_redis(const tw_sim_entry_t *entry)
{
    tw_sim_server_stall(WORLD->masters[master_of(entry->params[1])],
                        tw_sim_now_us() + entry->params[0] * 1000);
    tw_sim_disturb(entry->params[0] * 1000);
}

static void turn_redis_clock(const tw_sim_entry_t *entry)
{
    for (uint32_t i = 0; i < TW_SIM_SERVERS; ++i)
        NETWORK->servers[i].host.wall_offset_us += entry->params[0] * 1000;
}

static void flush(const tw_sim_entry_t *entry)
{
    tw_model_server_set_data(server_of(master_of(entry->params[0]))->redis, tw_model_data_create());
    WORLD->emptied_us = tw_sim_now_us();
}

void tw_sim_fault(const tw_sim_entry_t *entry)
{
    static void (*const faults[TW_SIM_OPERATIONS])(const tw_sim_entry_t *entry) = {
        [TW_SIM_OP_CUT] = cut,
        [TW_SIM_OP_SWALLOW] = swallow,
        [TW_SIM_OP_DELAY] = delay,
        [TW_SIM_OP_CRASH] = crash,
        [TW_SIM_OP_RESTART] = restart,
        [TW_SIM_OP_STALL] = stall,
        [TW_SIM_OP_CLOCK] = turn_clock,
        [TW_SIM_OP_NO_MEMORY] = take_memory,
        [TW_SIM_OP_SNAPSHOT] = take_snapshot,
        [TW_SIM_OP_REDIS_RESTART] = redis_restart,
        [TW_SIM_OP_REDIS_STALL] = stall_redis,
        [TW_SIM_OP_REDIS_CLOCK] = turn_redis_clock,
        [TW_SIM_OP_FLUSH] = flush,
        [TW_SIM_OP_REPLICATE] = replicate,
        [TW_SIM_OP_FAILOVER] = failover,
        [TW_SIM_OP_FULL] = fill_memory,
    };
    ++WORLD->faults[entry->operation];
    tw_sim_disturb(0);
    faults[entry->operation](entry);
}

void tw_sim_heal(void)
{
    on_not_full(NULL);
    on_usual_delay(NULL);
    for (uint32_t place = 0; place < (uint32_t)WORLD->schedule->settings.nodes; ++place) {
        tw_sim_pipes_swallow(place, UINT32_MAX, true, true, 0);
        if (WORLD->at[place] == NULL)
            tw_sim_start_gateway(place);
        WORLD->at[place]->fails_after = 0;
        if (WORLD->at[place]->stalled_until_us > tw_sim_now_us())
            WORLD->at[place]->stalled_until_us = tw_sim_now_us();
    }
    for (uint32_t i = 0; i < TW_SIM_SERVERS; ++i) {
        NETWORK->servers[i].is_down = false;
        NETWORK->servers[i].stalled_until_us = 0;
    }
    for (uint32_t master = 0; master < NETWORK->masters; ++master)
        end_split(master);
}
