/* Who publishes, and who asks for listings meanwhile. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/virtual/agenda.h"
#include "tests/simulation/world/world.h"
#include "tests/support/check.h"

#define WORLD (&tw_sim_world)
#define NOTICE_US 2000000         /* until a gateway sees that the data set was emptied */
#define STALL_EXCUSES_US 20000000 /* a gateway that stood still may have been taken for dead */

/* An event on its way. */
typedef struct tw_sim_publish {
    uint32_t number;
    tw_sim_gateway_t *gateway; /* not to be used once the answer is an error */
    tw_event_t *event;         /* owned reference */
    tw_topic_list_t topics;    /* while it is asked whether anyone follows */
} tw_sim_publish_t;

/* --- the answer --- */

/* Whether the client's stream must count for a publish that began then. */
static bool was_open(const tw_sim_client_t *client, uint32_t topic, int64_t begun_us)
{
    return client->exists && client->is_open && client->stream_since_us <= begun_us &&
           tw_sim_record_follows(&client->record, WORLD->history.topics, topic);
}

static void judge_drop(uint32_t number, uint32_t topic)
{
    const tw_sim_event_t *event = &WORLD->history.events[number];

    for (size_t i = 0; i < TW_SIM_CLIENTS; ++i) {
        tw_sim_client_t *client = &WORLD->clients[i];
        if (!was_open(client, topic, event->begun_us))
            continue;
        const tw_sim_gateway_t *gateway = client->gateway;
        bool is_left = tw_sim_is_left_behind(gateway->place, topic);
        if (event->is_left_behind && !is_left)
            continue;
        /* A gateway is ready also while a master of some lanes is away. */
        bool was_up = !is_left &&
                      (WORLD->schedule->settings.masters == 1 ||
                       event->begun_us > WORLD->disturbed_until_us) &&
                      gateway->was_ready && gateway->ready_since_us <= event->begun_us &&
                      gateway->stalled_until_us + STALL_EXCUSES_US < event->begun_us &&
                      (WORLD->emptied_us == 0 || event->begun_us < WORLD->emptied_us ||
                       event->begun_us > WORLD->emptied_us + NOTICE_US);
        if (was_up)
            tw_sim_fail(TW_SIM_FALSE_DROP,
                        "e%" PRIu32 " was dropped for topic %" PRIu32
                        " at %.6f s while a stream of "
                        "client %" PRIu32 " was open on %s, which was ready",
                        number, topic, (double)event->begun_us / 1e6, client->record.client,
                        gateway->id);
        else
            tw_sim_record_owe(&client->record, (tw_sim_owed_t){number, topic});
    }
}

static void judge_position(const tw_sim_event_t *event, uint32_t number)
{
    if (event->epoch == event->floor.epoch && event->seq <= event->floor.seq)
        tw_sim_fail(TW_SIM_ORDER,
                    "e%" PRIu32 " has number %" PRIu64 ", but %" PRIu64
                    " was answered before it was published",
                    number, event->seq, event->floor.seq);
}

static void finish(tw_sim_publish_t *publish)
{
    ++WORLD->answered;
    tw_event_unref(publish->event);
    tw_topic_list_dispose(&publish->topics);
    free(publish);
}

static void fail(tw_sim_publish_t *publish)
{
    tw_sim_event_t *event = &WORLD->history.events[publish->number];

    event->outcome = TW_SIM_UNKNOWN;
    event->ended_us = tw_sim_now_us();
    if (event->begun_us > WORLD->disturbed_until_us)
        tw_sim_fail(TW_SIM_REFUSED, "e%" PRIu32 " was refused at %.6f s, without a fault",
                    publish->number, (double)tw_sim_now_us() / 1e6);
    finish(publish);
}

static void on_published(void *data, tw_status_t status, const tw_dispatch_result_t *result)
{
    tw_sim_publish_t *publish = data;
    tw_sim_event_t *event = &WORLD->history.events[publish->number];

    if (status != TW_OK) {
        fail(publish);
        return;
    }
    event->outcome = TW_SIM_ANSWERED;
    event->ended_us = tw_sim_now_us();
    if (result->accepted_count > 0 && event->lane >= 0) {
        tw_position_t *newest = &WORLD->newest[event->lane];
        event->epoch = result->position.epoch;
        event->seq = result->position.seq;
        judge_position(event, publish->number);
        if (event->epoch != newest->epoch || event->seq > newest->seq)
            *newest = result->position;
    }
    tw_sim_say("e%" PRIu32 " of %d topics from t%" PRIu32 ": accepted for %zu, number %" PRIu64,
               publish->number, event->topic_count, event->topics[0], result->accepted_count,
               event->seq);
    for (int i = 0; i < event->topic_count; ++i) {
        if (result->accepted[i] != 0)
            event->accepted |= (uint8_t)(1u << i);
        else
            judge_drop(publish->number, event->topics[i]);
    }
    finish(publish);
}

/* --- publishing --- */

static void send_event(tw_sim_publish_t *publish)
{
    tw_sim_gateway_t *gateway = publish->gateway;
    gateway->adapter->ops->publish(gateway->adapter, tw_sim_gateway_worker(gateway), publish->event,
                                   on_published, publish);
}

static void on_followed(void *data, tw_status_t status, const uint8_t *followed)
{
    tw_sim_publish_t *publish = data;
    tw_sim_event_t *event = &WORLD->history.events[publish->number];
    bool any = false;

    if (status != TW_OK || publish->gateway->is_ending) {
        fail(publish);
        return;
    }
    for (int i = 0; i < event->topic_count; ++i)
        any |= followed[i] != 0;
    if (any) {
        send_event(publish);
        return;
    }
    event->outcome = TW_SIM_ANSWERED;
    event->ended_us = tw_sim_now_us();
    for (int i = 0; i < event->topic_count; ++i)
        judge_drop(publish->number, event->topics[i]);
    finish(publish);
}

/* The topics of an event: a range, of which as many as an event may have. */
static void name_topics(tw_sim_event_t *event, char names[TW_SIM_EVENT_TOPICS * 12], uint32_t first,
                        uint32_t count)
{
    char *to = names;

    event->topic_count = (uint8_t)(count < TW_SIM_EVENT_TOPICS ? count : TW_SIM_EVENT_TOPICS);
    for (uint32_t i = 0; i < event->topic_count; ++i) {
        event->topics[i] = (first + i) % WORLD->history.topics;
        to += sprintf(to, "%st%" PRIu32, i > 0 ? "," : "", event->topics[i]);
    }
}

/* An event that goes to a master that others have no more is not for them. */
static void excuse(tw_sim_event_t *event, uint32_t place)
{
    for (int i = 0; i < event->topic_count; ++i)
        event->is_left_behind |= tw_sim_is_left_behind(place, event->topics[i]);
    if (!event->is_left_behind)
        return;
    event->excused = tw_alloc(TW_SIM_CLIENTS * sizeof(*event->excused));
    for (size_t i = 0; i < TW_SIM_CLIENTS; ++i)
        for (int k = 0; k < event->topic_count; ++k)
            event->excused[i] |= tw_sim_client_has_moved_on(&WORLD->clients[i], event->topics[k]);
}

void tw_sim_publish_one(tw_sim_gateway_t *gateway, uint32_t topic, uint32_t topics, size_t bytes,
                        bool asks_first)
{
    tw_sim_publish_t *publish = tw_alloc(sizeof(*publish));
    char names[TW_SIM_EVENT_TOPICS * 12], id[16], *payload = tw_alloc(bytes + 2);
    tw_sim_event_t event = {.begun_us = tw_sim_now_us(), .lane = -1};

    name_topics(&event, names, topic, topics);
    event.lane = tw_sim_event_lane(&event);
    if (event.lane >= 0)
        event.floor = WORLD->newest[event.lane];
    excuse(&event, gateway->place);
    publish->number = tw_sim_history_add(&WORLD->history, &event);
    publish->gateway = gateway;
    memset(payload, 'x', bytes + 1);
    snprintf(id, sizeof(id), "e%" PRIu32, publish->number);
    publish->event = tw_test_event(names, id, payload);
    free(payload);
    tw_topic_list_init(&publish->topics, TW_SIM_EVENT_TOPICS);
    tw_check(tw_topic_list_add(&publish->topics, names, strlen(names)) == TW_TOPIC_LIST_OK);
    ++WORLD->asked;
    tw_sim_host_t *before = tw_sim_enter(&gateway->host);
    if (asks_first)
        gateway->adapter->ops->has_subscribers(gateway->adapter, tw_sim_gateway_worker(gateway),
                                               &publish->topics, on_followed, publish);
    else
        send_event(publish);
    tw_sim_enter(before);
}

typedef struct tw_sim_burst {
    LIST_ENTRY(tw_sim_burst) link;
    tw_sim_entry_t entry;
    int64_t left;
    bool asks_first;
} tw_sim_burst_t;

static LIST_HEAD(tw_sim_bursts, tw_sim_burst) bursts = LIST_HEAD_INITIALIZER(bursts);

static void end_burst(tw_sim_burst_t *burst)
{
    LIST_REMOVE(burst, link);
    free(burst);
}

void tw_sim_publishers_dispose(void)
{
    while (!LIST_EMPTY(&bursts))
        end_burst(LIST_FIRST(&bursts));
}

static void on_next(void *data)
{
    tw_sim_burst_t *burst = data;
    const int64_t *params = burst->entry.params;
    tw_sim_gateway_t *gateway = tw_sim_gateway_at(params[0]);
    uint32_t first, count;

    tw_sim_topic_range(params[1], params[2], &first, &count);
    if (gateway != NULL)
        tw_sim_publish_one(gateway, first, count, (size_t)params[5], burst->asks_first);
    if (--burst->left > 0)
        tw_sim_agenda_add(tw_sim_now_us() + params[4], on_next, burst);
    else
        end_burst(burst);
}

void tw_sim_publish_some(const tw_sim_entry_t *entry, bool asks_first)
{
    tw_sim_burst_t *burst = tw_alloc(sizeof(*burst));
    *burst = (tw_sim_burst_t){.entry = *entry, .left = entry->params[3], .asks_first = asks_first};
    LIST_INSERT_HEAD(&bursts, burst, link);
    on_next(burst);
}

/* --- listings while things change: only that they are answered --- */

static void on_topics(void *data, tw_status_t status, uint64_t total, const tw_topic_row_t *rows,
                      size_t count)
{
    ++WORLD->answered;
}

static void on_streams(void *data, tw_status_t status, uint64_t total, const tw_stream_row_t *rows,
                       size_t count)
{
    ++WORLD->answered;
}

static void on_nodes(void *data, tw_status_t status, const tw_node_row_t *rows, size_t count)
{
    ++WORLD->answered;
}

void tw_sim_list(const tw_sim_entry_t *entry)
{
    tw_sim_gateway_t *gateway = tw_sim_gateway_at(entry->params[0]);
    const tw_page_query_t query = {.page = 1, .page_size = 100};

    if (gateway == NULL)
        return;
    const tw_adapter_ops_t *ops = gateway->adapter->ops;
    tw_loop_t *from = tw_sim_gateway_worker(gateway);
    tw_sim_host_t *before = tw_sim_enter(&gateway->host);
    WORLD->asked += 3;
    ops->list_topics(gateway->adapter, from, &query, on_topics, NULL);
    ops->list_streams(gateway->adapter, from, &query, on_streams, NULL);
    ops->list_nodes(gateway->adapter, from, on_nodes, NULL);
    tw_sim_enter(before);
}
