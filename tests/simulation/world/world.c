#include "tests/simulation/world/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "tests/simulation/virtual/agenda.h"
#include "tests/support/check.h"

#define WORLD (&tw_sim_world)
#define AFTERMATH_US 20000000 /* what a fault leaves is over then */

#define COMMANDS_MAX 1000    /* of a gateway in a second … */
#define COMMANDS_PER_WORK 20 /* … and so many more for each question or topic */

tw_sim_world_t tw_sim_world;

/* --- gateways --- */

void tw_sim_start_gateway(uint32_t place)
{
    const tw_sim_settings_t *settings = &WORLD->schedule->settings;

    if (WORLD->at[place] != NULL)
        return;
    const tw_hub_config_t config = {.worker_count = 1,
                                    .streams_max = 1000000,
                                    .stream_buffer_bytes = 1 << 20,
                                    .connection_buffer_bytes = 64 << 20,
                                    .tail_events = (uint32_t)WORLD->tail_events[place],
                                    .tail_bytes = 64 << 20,
                                    .resume_window_ms = settings->window_ms,
                                    .lanes = (uint32_t)settings->lanes};
    uint64_t seed = (uint64_t)settings->seed * 1009 + place * 31 + ++WORLD->lives * 7919;
    if (WORLD->tail_events[place] < WORLD->tail_events_least)
        WORLD->tail_events_least = WORLD->tail_events[place];
    WORLD->at[place] = tw_sim_gateway_start(place, WORLD->ids[place], seed, &config);
    LIST_INSERT_HEAD(&WORLD->gateways, WORLD->at[place], link);
}

tw_sim_gateway_t *tw_sim_gateway_at(int64_t place)
{
    return WORLD->at[(uint64_t)place % (uint64_t)WORLD->schedule->settings.nodes];
}

void tw_sim_disturb(int64_t for_us)
{
    int64_t until_us = tw_sim_now_us() + for_us + AFTERMATH_US;
    if (until_us > WORLD->disturbed_until_us)
        WORLD->disturbed_until_us = until_us;
}

void tw_sim_topic_range(int64_t first, int64_t count, uint32_t *from, uint32_t *n)
{
    uint32_t topics = WORLD->history.topics;
    *from = (uint32_t)((uint64_t)first % topics);
    *n = count < 1 ? 1 : count > topics ? topics : (uint32_t)count;
}

static void bury_those_over(void)
{
    tw_sim_gateway_t *gateway, *next;

    for (gateway = LIST_FIRST(&WORLD->gateways); gateway != NULL; gateway = next) {
        next = LIST_NEXT(gateway, link);
        if (!gateway->is_ending || !tw_sim_gateway_is_over(gateway))
            continue;
        LIST_REMOVE(gateway, link);
        tw_sim_gateway_destroy(gateway);
    }
}

/* --- time --- */

static void run_entry(const tw_sim_entry_t *entry)
{
    switch (entry->operation) {
    case TW_SIM_OP_OPEN:
    case TW_SIM_OP_RESUME:
        tw_sim_client_open(entry, entry->operation == TW_SIM_OP_RESUME);
        break;
    case TW_SIM_OP_DROP:
        tw_sim_client_drop(entry);
        break;
    case TW_SIM_OP_LEAVE:
        tw_sim_client_leave(entry);
        break;
    case TW_SIM_OP_DEAF:
        tw_sim_client_deaf(entry);
        break;
    case TW_SIM_OP_TEAR:
        tw_sim_client_tear(entry);
        break;
    case TW_SIM_OP_BLOCK:
        tw_sim_client_block(entry);
        break;
    case TW_SIM_OP_PUBLISH:
    case TW_SIM_OP_ASK:
        tw_sim_publish_some(entry, entry->operation == TW_SIM_OP_ASK);
        break;
    case TW_SIM_OP_LIST:
        tw_sim_list(entry);
        break;
    case TW_SIM_OP_REVOKE:
        tw_sim_revoke(entry);
        break;
    case TW_SIM_OP_MEMORY: {
        tw_model_server_t *redis = tw_sim_network.servers[WORLD->masters[0]].redis;
        tw_model_server_set_memory_max(redis, tw_model_data_bytes(tw_model_server_data(redis)) +
                                                  (size_t)entry->params[0]);
        break;
    }
    default:
        tw_sim_say("fault: %s", tw_sim_operation_text(entry->operation));
        tw_sim_fault(entry);
        break;
    }
}

static int64_t next_entry_us(void)
{
    return WORLD->next_entry < WORLD->schedule->count
               ? WORLD->schedule->entries[WORLD->next_entry].at_us
               : INT64_MAX;
}

/* Four pieces of history and an answer of the inbox, a lane, with what is around them. */
#define HELD_MAX ((size_t)2 << 20)

/* However many streams resume at once, what Redis has to hold for them is bounded. */
static void judge_held(void)
{
    const tw_sim_settings_t *settings = &WORLD->schedule->settings;
    size_t most = HELD_MAX * (size_t)(settings->nodes * settings->lanes);

    for (uint32_t i = 0; i < TW_SIM_SERVERS; ++i)
        if (tw_sim_network.servers[i].unsent_max > most)
            tw_sim_fail(TW_SIM_HELD, "Redis has held %zu bytes that gateways had not read",
                        tw_sim_network.servers[i].unsent_max);
}

/* Every second: no gateway may send many more commands than there was work for all in this second
 * and the one before. */
static void judge_commands(void)
{
    uint64_t work = WORLD->work + WORLD->asked - WORLD->counted_work;

    WORLD->counted_us = tw_sim_now_us();
    WORLD->counted_work += work;
    uint64_t most = COMMANDS_MAX * (uint64_t)WORLD->schedule->settings.lanes +
                    COMMANDS_PER_WORK * (work + WORLD->work_before);
    WORLD->work_before = work;
    for (uint32_t place = 0; place < TW_SIM_PLACES; ++place) {
        uint64_t sent = tw_sim_network.commands[place] - WORLD->counted[place];
        WORLD->counted[place] += sent;
        if (sent > most)
            tw_sim_fail(TW_SIM_BUSY, "%s sent %" PRIu64 " commands in a second until %.6f s",
                        WORLD->ids[place], sent, (double)tw_sim_now_us() / 1e6);
    }
}

uint32_t tw_sim_topic_lane(uint32_t topic)
{
    char text[16];
    const tw_topic_name_t name = {.base = text,
                                  .len = (size_t)snprintf(text, sizeof(text), "t%" PRIu32, topic)};
    return tw_topic_lane(&name, (uint32_t)WORLD->schedule->settings.lanes);
}

int tw_sim_event_lane(const tw_sim_event_t *event)
{
    uint32_t lane = tw_sim_topic_lane(event->topics[0]);
    for (int i = 1; i < event->topic_count; ++i)
        if (tw_sim_topic_lane(event->topics[i]) != lane)
            return -1;
    return (int)lane;
}

/* Runs what is due first; false: nothing is until then. */
static bool run_next(int64_t until_us)
{
    tw_sim_gateway_t *gateway, *first = NULL;
    int64_t entry_us = next_entry_us(), agenda_us = tw_sim_agenda_due_us();
    int64_t due_us = entry_us < agenda_us ? entry_us : agenda_us;

    LIST_FOREACH(gateway, &WORLD->gateways, link)
    {
        int64_t at_us = tw_sim_gateway_due_us(gateway);
        if (at_us < due_us) {
            due_us = at_us;
            first = gateway;
        }
    }
    if (due_us >= until_us)
        return false;
    if (due_us > tw_sim_now_us())
        tw_sim_set_now(due_us);
    if (due_us - WORLD->counted_us >= 1000000)
        judge_commands();
    if (first != NULL) {
        tw_sim_gateway_step(first);
        if (first->is_ending)
            bury_those_over();
    } else if (entry_us <= agenda_us) {
        run_entry(&WORLD->schedule->entries[WORLD->next_entry++]);
    } else {
        tw_sim_agenda_run();
    }
    return true;
}

void tw_sim_run_until(int64_t until_us)
{
    while (tw_sim_verdict() == TW_SIM_NONE && run_next(until_us))
        ;
    if (tw_sim_verdict() == TW_SIM_NONE && tw_sim_now_us() < until_us)
        tw_sim_set_now(until_us);
}

/* --- a world --- */

static void open_world(const tw_sim_schedule_t *schedule)
{
    static tw_sim_host_t nobody = {.name = ""};
    const tw_sim_settings_t *settings = &schedule->settings;

    tw_check(settings->nodes >= 1 && settings->nodes <= TW_SIM_PLACES && settings->topics >= 1);
    tw_check(settings->masters >= 1 && settings->masters <= TW_SIM_MASTERS);
    tw_sim_judge_anew();
    tw_sim_reset();
    tw_sim_agenda_clear();
    nobody.random.state = (uint64_t)settings->seed;
    tw_sim_enter(&nobody);
    tw_hash_seed();
    memset(WORLD, 0, sizeof(*WORLD));
    WORLD->schedule = schedule;
    WORLD->history.topics = (uint32_t)settings->topics;
    WORLD->tail_events_least = settings->tail_events;
    LIST_INIT(&WORLD->gateways);
    tw_sim_network_open((uint64_t)settings->seed, (uint32_t)settings->masters,
                        (uint32_t)settings->lanes);
    for (uint32_t master = 0; master < TW_SIM_MASTERS; ++master)
        WORLD->masters[master] = 2 * master;
    tw_sim_network.delay = (tw_sim_delay_t){settings->least_us, settings->spread_us};
    tw_sim_disturb(-AFTERMATH_US / 2); /* the start needs its time, too */
    for (uint32_t place = 0; place < (uint32_t)settings->nodes; ++place) {
        snprintf(WORLD->ids[place], sizeof(WORLD->ids[place]), "node-%" PRIu32, place);
        WORLD->tail_events[place] = settings->tail_events;
        tw_sim_start_gateway(place);
    }
}

/* Whatever happened, nothing may be left of it. */
static void close_world(void)
{
    tw_sim_verdict_t verdict = tw_sim_verdict();

    for (size_t i = 0; i < TW_SIM_CLIENTS; ++i)
        WORLD->clients[i].comes_back = false;
    for (uint32_t place = 0; place < TW_SIM_PLACES; ++place) {
        tw_sim_gateway_t *gateway = WORLD->at[place];
        if (gateway == NULL)
            continue;
        WORLD->at[place] = NULL;
        tw_sim_clients_leave_gateway(gateway);
        tw_sim_gateway_crash(gateway);
    }
    WORLD->next_entry = WORLD->schedule->count;
    for (unsigned steps = 0; !LIST_EMPTY(&WORLD->gateways); ++steps) {
        tw_check(run_next(INT64_MAX));
        bury_those_over();
        tw_check(steps < 10000000);
    }
    if (verdict == TW_SIM_NONE)
        judge_held();
    if (verdict == TW_SIM_NONE && WORLD->asked != WORLD->answered)
        tw_sim_fail(TW_SIM_UNANSWERED, "%" PRIu64 " of %" PRIu64 " questions were answered",
                    WORLD->answered, WORLD->asked);
    tw_sim_agenda_clear();
    tw_sim_network_close();
    tw_sim_clients_dispose();
    tw_sim_publishers_dispose();
    tw_sim_history_dispose(&WORLD->history);
    for (uint32_t master = 0; master < TW_SIM_MASTERS; ++master) {
        tw_model_data_destroy(WORLD->snapshots[master]);
        tw_model_data_destroy(WORLD->replicas[master]);
    }
    tw_sim_enter(NULL);
}

uint64_t tw_sim_world_steps(void)
{
    return WORLD->deliveries + tw_sim_network.arrivals;
}

tw_sim_verdict_t tw_sim_world_run(const tw_sim_schedule_t *schedule)
{
    open_world(schedule);
    tw_sim_run_until(schedule->settings.duration_ms * 1000);
    if (tw_sim_verdict() == TW_SIM_NONE)
        tw_sim_end_world();
    close_world();
    return tw_sim_verdict();
}
