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

static const tw_model_data_t *master_data(void)
{
    return tw_model_server_data(NETWORK->servers[WORLD->master].redis);
}

static void on_up(void *data)
{
    tw_sim_server_t *server = data;
    server->is_down = false;
}

/* Down for a while, then another process with the snapshot or nothing. */
static void redis_restart(const tw_sim_entry_t *entry)
{
    const tw_model_data_t *kept = entry->params[1] != 0 ? WORLD->snapshot : NULL;
    tw_sim_server_t *server = &NETWORK->servers[WORLD->master];

    tw_sim_server_start(WORLD->master, kept != NULL ? tw_model_data_clone(kept) : NULL);
    server->is_down = true;
    tw_sim_agenda_add(tw_sim_now_us() + entry->params[0] * 1000, on_up, server);
    tw_sim_disturb(entry->params[0] * 1000);
}

/* The other server is the master from now on, with what it had when it was brought up to date last.
 * The places of `left_behind` (a bit each) do not learn of it: the old master goes on there. */
static void failover(const tw_sim_entry_t *entry)
{
    uint32_t old = WORLD->master, new = 1 - old;
    tw_sim_server_t *servers = NETWORK->servers;

    if (WORLD->replica == NULL)
        replace(&WORLD->replica, master_data());
    tw_sim_server_cut(new);
    tw_model_server_set_data(servers[new].redis, tw_model_data_clone(WORLD->replica));
    tw_model_server_set_master(servers[new].redis, NULL,
                               (uint64_t)WORLD->schedule->settings.seed +
                                   7 * ++servers[new].starts);
    WORLD->master = new;
    replace(&WORLD->replica, NULL);
    for (uint32_t place = 0; place < TW_SIM_PLACES; ++place) {
        if (((entry->params[0] >> place) & 1) != 0)
            continue;
        NETWORK->route[place] = new;
        tw_sim_pipes_cut(place, UINT32_MAX);
    }
    if (entry->params[0] == 0) {
        tw_sim_server_cut(old);
        tw_model_server_set_master(servers[old].redis, servers[new].redis, 0);
    }
    tw_sim_disturb(5000000);
}

static void on_not_full(void *data)
{
    for (uint32_t i = 0; i < TW_SIM_SERVERS; ++i)
        tw_model_server_set_full(NETWORK->servers[i].redis, false);
}

static void fill_memory(const tw_sim_entry_t *entry)
{
    tw_model_server_set_full(NETWORK->servers[WORLD->master].redis, true);
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

static void cut(const tw_sim_entry_t *entry)
{
    tw_sim_pipes_cut(place_of(entry->params[0]), which_of(entry->params[1]));
}

static void take_snapshot(const tw_sim_entry_t *entry)
{
    replace(&WORLD->snapshot, master_data());
}

static void replicate(const tw_sim_entry_t *entry)
{
    replace(&WORLD->replica, master_data());
}

static void stall_redis(const tw_sim_entry_t *entry)
{
    tw_sim_server_stall(WORLD->master, tw_sim_now_us() + entry->params[0] * 1000);
    tw_sim_disturb(entry->params[0] * 1000);
}

static void turn_redis_clock(const tw_sim_entry_t *entry)
{
    for (uint32_t i = 0; i < TW_SIM_SERVERS; ++i)
        NETWORK->servers[i].host.wall_offset_us += entry->params[0] * 1000;
}

static void flush(const tw_sim_entry_t *entry)
{
    tw_model_server_set_data(NETWORK->servers[WORLD->master].redis, tw_model_data_create());
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
        if (NETWORK->route[place] != WORLD->master) {
            NETWORK->route[place] = WORLD->master;
            tw_sim_pipes_cut(place, UINT32_MAX);
        }
        if (WORLD->at[place] == NULL)
            tw_sim_start_gateway(place);
        if (WORLD->at[place]->stalled_until_us > tw_sim_now_us())
            WORLD->at[place]->stalled_until_us = tw_sim_now_us();
    }
    for (uint32_t i = 0; i < TW_SIM_SERVERS; ++i) {
        tw_sim_server_t *server = &NETWORK->servers[i];
        server->is_down = false;
        server->stalled_until_us = 0;
        if (i != WORLD->master)
            tw_model_server_set_master(server->redis, NETWORK->servers[WORLD->master].redis, 0);
    }
}
