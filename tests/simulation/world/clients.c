/* Who subscribes: clients that come back with their last id, as browsers do. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/virtual/agenda.h"
#include "tests/simulation/world/world.h"
#include "tests/support/check.h"

#define BACK_MS 300 /* at most so much later one comes back that was refused or closed */

#define WORLD (&tw_sim_world)

static tw_sim_client_t *client_of(int64_t number)
{
    return &WORLD->clients[(uint64_t)number % TW_SIM_CLIENTS];
}

/* --- what it gets --- */

static void note_gap(tw_sim_client_t *client, uint32_t topic, bool begins_anew)
{
    tw_sim_record_add(&client->record, (tw_sim_item_t){.at_us = tw_sim_now_us(),
                                                       .event = TW_SIM_GAP,
                                                       .topic = topic,
                                                       .begins_anew = begins_anew});
}

/* Whether so few events were published to the topic since the client heard something that each tail
 * still has all of them. */
static bool can_have_lost(const tw_sim_client_t *client, uint32_t topic)
{
    int64_t left = WORLD->tail_events_least, heard_us = client->heard_us - 1000000;

    if (heard_us <= WORLD->disturbed_until_us)
        return true;
    for (size_t i = WORLD->history.event_count; i-- > 0;) {
        const tw_sim_event_t *event = &WORLD->history.events[i];
        if (event->begun_us < heard_us)
            return false;
        if (tw_sim_event_topic(event, topic) >= 0 && --left <= 0)
            return true;
    }
    return false;
}

static void judge_gap(const tw_sim_client_t *client, uint32_t topic, const char *reason)
{
    bool has_no_position = client->last_id[0] != '~';
    if ((strcmp(reason, "unknown_id") == 0 && has_no_position) || can_have_lost(client, topic))
        return;
    tw_sim_fail(TW_SIM_FALSE_GAP,
                "client %" PRIu32 " was told at %.6f s of a gap (%s) of topic %" PRIu32
                ", of which every event is kept",
                client->record.client, (double)tw_sim_now_us() / 1e6, reason, topic);
}

/* "t1","t2",… of a gap event's data. */
static void take_gap_event(tw_sim_client_t *client, const char *data)
{
    const char *reason = strstr(data, "\"reason\":\""), *at = strstr(data, "\"topics\"");
    char word[32] = "";

    if (reason != NULL)
        sscanf(reason + 10, "%31[a-z_]", word);
    while (at != NULL && (at = strstr(at, "\"t")) != NULL) {
        char *end;
        unsigned long topic = strtoul(at + 2, &end, 10);
        if (*end == '"' && end > at + 2) {
            judge_gap(client, (uint32_t)topic, word);
            note_gap(client, (uint32_t)topic, false);
        }
        at += 2;
    }
}

/* A connection that tears does so behind a block. */
static void count_block(tw_sim_client_t *client)
{
    client->is_deaf = client->tears > 0 && --client->tears == 0;
}

static void take_message(tw_sim_client_t *client, const tw_sse_message_t *message)
{
    const char *id = message->last_event_id.bytes;

    if (message->type.len > 0 && strcmp(message->type.bytes, "tideway.gap") == 0) {
        take_gap_event(client, message->data.bytes);
    } else if (message->last_event_id.len > 1 && id[0] == 'e') {
        ++WORLD->deliveries;
        tw_sim_record_add(&client->record,
                          (tw_sim_item_t){.at_us = tw_sim_now_us(),
                                          .event = (uint32_t)strtoul(id + 1, NULL, 10)});
    }
    tw_sim_say("client %" PRIu32 " gets %s%s%s", client->record.client, id,
               message->type.len > 0 ? " " : "", message->type.len > 0 ? message->data.bytes : "");
    if (message->last_event_id.len > 0)
        snprintf(client->last_id, sizeof(client->last_id), "%s", id);
    count_block(client);
}

static void on_written(tw_fake_stream_t *stream)
{
    tw_sim_client_t *client = stream->data;
    tw_sse_reader_t *reader = &stream->reader;
    bool is_id = reader->message_count == 0 && !client->is_deaf; /* an id without an event */

    for (size_t i = 0; i < reader->message_count; ++i) {
        tw_sse_message_t *message = &reader->messages[i];
        if (!client->is_deaf)
            take_message(client, message);
        tw_test_text_dispose(&message->last_event_id);
        tw_test_text_dispose(&message->type);
        tw_test_text_dispose(&message->data);
    }
    if (reader->message_count > 0 && !client->is_deaf)
        client->heard_us = tw_sim_now_us();
    reader->message_count = 0;
    if (!client->is_deaf && reader->last_event_id.len > 0) /* also of a block without an event */
        snprintf(client->last_id, sizeof(client->last_id), "%s", reader->last_event_id.bytes);
    if (is_id)
        count_block(client);
}

/* --- its stream --- */

static void come_back(void *data);

static void come_back_soon(tw_sim_client_t *client)
{
    if (!client->comes_back)
        return;
    int64_t wait_us = 1000 * (1 + (int64_t)tw_test_random_below(&client->random, BACK_MS));
    tw_sim_agenda_add(tw_sim_now_us() + wait_us, come_back, client);
}

static void dispose_stream(tw_sim_client_t *client)
{
    if (!client->has_stream)
        return;
    tw_fake_stream_dispose(&client->stream);
    tw_fake_connection_dispose(&client->connection);
    client->has_stream = false;
}

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_sim_client_t *client = owner;
    tw_adapter_t *adapter = client->gateway->adapter;
    tw_sim_say("client %" PRIu32 " loses its stream on %s", client->record.client,
               client->gateway->id);
    WORLD->work += client->record.topic_count;
    if (client->is_open) { /* who only asked for a stream still comes from where it had its last */
        client->left_place = client->gateway->place;
        client->left_us = tw_sim_now_us();
    }
    client->gateway = NULL;
    client->is_open = false;
    client->record.owed_count = 0;
    adapter->ops->close_stream(adapter, subscriber, reason);
    come_back_soon(client);
}

static uint32_t topic_number(const tw_topic_name_t *name)
{
    uint32_t number = 0;
    for (size_t i = 1; i < name->len; ++i)
        number = number * 10 + (uint32_t)(name->base[i] - '0');
    return number;
}

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_sim_client_t *client = data;

    if (status != TW_OK) {
        if (!WORLD->revoked[client->record.client].was_asked &&
            tw_sim_now_us() > WORLD->disturbed_until_us && client->gateway->was_ready &&
            tw_sim_now_us() - client->gateway->ready_since_us > 1000000)
            tw_sim_fail(TW_SIM_REFUSED, "client %" PRIu32 "'s stream was refused (%d) at %.6f s",
                        client->record.client, status, (double)tw_sim_now_us() / 1e6);
        tw_subscriber_destroy(client->stream.subscriber);
        client->stream.subscriber = NULL;
        client->stream.closed = true;
        client->gateway = NULL;
        come_back_soon(client);
        return;
    }
    client->is_open = true;
    client->stream_since_us = tw_sim_now_us();
    /* Who was deaf before it read an opening block has no id to come back with: it begins anew. */
    if (client->record.since_us < 0 || client->last_id[0] == '\0')
        client->record.since_us = tw_sim_now_us();
    if (!client->is_deaf) {
        bool anew = opening->gap == TW_GAP_UNKNOWN_ID || opening->gap == TW_GAP_OTHER_EPOCH;
        for (size_t i = 0; opening->gap != TW_GAP_NONE && i < opening->topic_count; ++i) {
            uint32_t topic = topic_number(&opening->topics[i]);
            judge_gap(client, topic, tw_gap_label(opening->gap));
            note_gap(client, topic, anew);
        }
        tw_sim_say("client %" PRIu32 " on %s resumes %s: gap %s of %zu topics, number %" PRIu64,
                   client->record.client, client->gateway->id, client->last_id,
                   tw_gap_label(opening->gap), opening->topic_count, opening->position.seq);
        tw_positions_id(opening->positions, opening->position_count, client->last_id);
        client->heard_us = tw_sim_now_us();
    }
    tw_fake_stream_begin(&client->stream);
}

static void open_stream(tw_sim_client_t *client, tw_sim_gateway_t *gateway)
{
    const tw_resume_t resume = {.last_event_id = client->last_id,
                                .last_event_id_len = strlen(client->last_id)};
    tw_sim_host_t *before = tw_sim_enter(&gateway->host);

    dispose_stream(client);
    WORLD->work += client->record.topic_count;
    client->gateway = gateway;
    client->has_stream = true;
    client->is_open = client->is_deaf = client->is_torn = false;
    client->tears = 0;
    tw_fake_connection_init(&client->connection, &gateway->fanout.shard, let_go, client);
    tw_fake_stream_init(&client->stream, &client->connection, client->topics, NULL);
    tw_sim_set_claims(client->stream.subscriber, client->record.client);
    client->stream.on_written = on_written;
    client->stream.data = client;
    gateway->adapter->ops->open_stream(gateway->adapter, client->stream.subscriber,
                                       client->last_id[0] != '\0' ? &resume : NULL, on_open,
                                       client);
    tw_sim_enter(before);
}

static void come_back(void *data)
{
    tw_sim_client_t *client = data;

    if (!client->exists || client->gateway != NULL)
        return;
    for (uint32_t i = 0; i < TW_SIM_PLACES; ++i) {
        tw_sim_gateway_t *gateway = tw_sim_gateway_at(client->place + i);
        if (gateway != NULL) {
            open_stream(client, gateway);
            return;
        }
    }
    come_back_soon(client);
}

/* The connection ends, at either end. */
static void close_stream(tw_sim_client_t *client, tw_close_reason_t reason)
{
    if (client->gateway == NULL)
        return;
    tw_sim_host_t *before = tw_sim_enter(&client->gateway->host);
    tw_fake_stream_close(&client->stream, reason);
    tw_sim_enter(before);
}

/* --- what the schedule says --- */

static char *topic_names(uint32_t first, uint32_t count)
{
    char *names = tw_alloc((size_t)count * 12 + 1), *to = names;
    for (uint32_t i = 0; i < count; ++i)
        to += sprintf(to, "%st%" PRIu32, i > 0 ? "," : "", (first + i) % WORLD->history.topics);
    return names;
}

void tw_sim_client_open(const tw_sim_entry_t *entry, bool unknown_id)
{
    tw_sim_client_t *client = client_of(entry->params[0]);

    if (client->exists)
        return;
    dispose_stream(client);
    tw_sim_record_dispose(&client->record);
    free(client->topics);
    *client = (tw_sim_client_t){.exists = true, .comes_back = true};
    client->record.client = (uint32_t)(client - WORLD->clients);
    client->record.since_us = -1;
    client->place = (uint32_t)entry->params[1];
    client->random.state =
        (uint64_t)WORLD->schedule->settings.seed * 77 + client->record.client * 1000003u;
    tw_sim_topic_range(entry->params[2], entry->params[3], &client->record.first_topic,
                       &client->record.topic_count);
    client->topics = topic_names(client->record.first_topic, client->record.topic_count);
    if (unknown_id)
        strcpy(client->last_id, "never-published");
    come_back(client);
}

static void on_back(void *data)
{
    ((tw_sim_client_t *)data)->comes_back = true;
    come_back(data);
}

static void on_torn(void *data)
{
    tw_sim_client_t *client = data;

    if (client->exists && client->is_torn)
        close_stream(client, TW_CLOSE_CLIENT_CLOSED);
}

void tw_sim_client_drop(const tw_sim_entry_t *entry)
{
    tw_sim_client_t *client = client_of(entry->params[0]);

    if (!client->exists || client->gateway == NULL)
        return;
    client->comes_back = false;
    close_stream(client, TW_CLOSE_CLIENT_CLOSED);
    client->place = (uint32_t)entry->params[1];
    tw_sim_agenda_add(tw_sim_now_us() + entry->params[2] * 1000, on_back, client);
}

void tw_sim_client_leave(const tw_sim_entry_t *entry)
{
    tw_sim_client_t *client = client_of(entry->params[0]);

    if (!client->exists)
        return;
    client->comes_back = false;
    close_stream(client, TW_CLOSE_CLIENT_CLOSED);
    client->exists = false;
    tw_sim_agenda_cancel(client);
    client->record.is_open = false;
    tw_sim_judge_record(&WORLD->history, &client->record);
    client->record.since_us = -1; /* judged */
}

/* It comes back with what it has read by then. */
void tw_sim_client_tear(const tw_sim_entry_t *entry)
{
    tw_sim_client_t *client = client_of(entry->params[0]);

    if (!client->exists || client->gateway == NULL)
        return;
    client->is_torn = true;
    client->tears = entry->params[3] > 0 ? (uint32_t)entry->params[3] : 1;
    tw_sim_agenda_add(tw_sim_now_us() + entry->params[2] * 1000, on_torn, client);
    client->place = (uint32_t)entry->params[1];
}

void tw_sim_client_deaf(const tw_sim_entry_t *entry)
{
    tw_sim_client_t *client = client_of(entry->params[0]);
    if (client->exists && client->gateway != NULL)
        client->is_deaf = true;
}

static void on_unblock(void *data)
{
    tw_sim_client_t *client = data;

    client->connection.blocked = false;
    if (client->gateway == NULL || !client->is_open)
        return;
    tw_sim_host_t *before = tw_sim_enter(&client->gateway->host);
    tw_fake_stream_flush(&client->stream, SIZE_MAX);
    tw_sim_enter(before);
}

void tw_sim_client_block(const tw_sim_entry_t *entry)
{
    tw_sim_client_t *client = client_of(entry->params[0]);

    if (!client->exists || client->gateway == NULL)
        return;
    client->connection.blocked = true;
    tw_sim_agenda_add(tw_sim_now_us() + entry->params[1] * 1000, on_unblock, client);
}

void tw_sim_clients_leave_gateway(const tw_sim_gateway_t *gateway)
{
    for (size_t i = 0; i < TW_SIM_CLIENTS; ++i)
        if (WORLD->clients[i].gateway == gateway)
            close_stream(&WORLD->clients[i], TW_CLOSE_DRAIN);
}

/* A deaf one has not read what came last. */
void tw_sim_clients_judge(void)
{
    for (size_t i = 0; i < TW_SIM_CLIENTS; ++i) {
        tw_sim_client_t *client = &WORLD->clients[i];
        if (!client->exists || tw_sim_verdict() != TW_SIM_NONE)
            continue;
        client->record.is_open = client->is_open && !client->is_deaf;
        tw_sim_judge_record(&WORLD->history, &client->record);
    }
}

void tw_sim_clients_dispose(void)
{
    for (size_t i = 0; i < TW_SIM_CLIENTS; ++i) {
        tw_sim_client_t *client = &WORLD->clients[i];
        dispose_stream(client);
        tw_sim_record_dispose(&client->record);
        free(client->topics);
    }
}
