/* The end of a world: faults are over, everything has to come right, and is looked at. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/world/world.h"

#define WORLD (&tw_sim_world)

#define READY_WITHIN_US 30000000
#define SETTLE_US 30000000 /* leases of the dead run out, all is registered again */
#define QUIET_US 5000000
#define QUIET_COMMANDS 100 /* a second and gateway */
#define PAGE_SIZE 500

static uint32_t nodes(void)
{
    return (uint32_t)WORLD->schedule->settings.nodes;
}

/* --- readiness --- */

static const tw_sim_gateway_t *one_that_is_not_ready(void)
{
    for (uint32_t place = 0; place < nodes(); ++place)
        if (!tw_sim_gateway_is_ready(WORLD->at[place]))
            return WORLD->at[place];
    return NULL;
}

static void wait_until_ready(void)
{
    int64_t deadline_us = tw_sim_now_us() + READY_WITHIN_US;
    const tw_sim_gateway_t *gateway;

    while ((gateway = one_that_is_not_ready()) != NULL && tw_sim_verdict() == TW_SIM_NONE) {
        if (tw_sim_now_us() > deadline_us) {
            const char *why = "";
            gateway->adapter->ops->ready(gateway->adapter, &why);
            tw_sim_fail(TW_SIM_NOT_READY, "%s is not ready %d s after the last fault: %s",
                        gateway->id, READY_WITHIN_US / 1000000, why);
        }
        tw_sim_run_until(tw_sim_now_us() + 100000);
    }
}

/* --- quiet --- */

static void judge_commands(void)
{
    uint64_t before[TW_SIM_PLACES];

    memcpy(before, tw_sim_network.commands, sizeof(before));
    tw_sim_run_until(tw_sim_now_us() + QUIET_US);
    for (uint32_t place = 0; place < nodes(); ++place) {
        uint64_t rate = (tw_sim_network.commands[place] - before[place]) / (QUIET_US / 1000000);
        if (rate > QUIET_COMMANDS)
            tw_sim_fail(TW_SIM_BUSY, "%s sends %" PRIu64 " commands a second when nothing happens",
                        WORLD->ids[place], rate);
    }
}

/* --- one more event to each topic that is followed --- */

static void publish_last_ones(void)
{
    bool *done = tw_alloc(WORLD->history.topics);
    uint32_t place = 0;

    for (size_t i = 0; i < TW_SIM_CLIENTS; ++i) {
        const tw_sim_client_t *client = &WORLD->clients[i];
        for (uint32_t t = 0; client->is_open && t < client->record.topic_count; ++t) {
            uint32_t topic = (client->record.first_topic + t) % WORLD->history.topics;
            if (done[topic])
                continue;
            done[topic] = true;
            tw_sim_publish_one(WORLD->at[place++ % nodes()], topic, 1, 10, false);
            tw_sim_run_until(tw_sim_now_us() + 100);
        }
    }
    free(done);
    tw_sim_run_until(tw_sim_now_us() + 2000000);
}

/* --- listings --- */

typedef struct tw_sim_listing {
    const tw_sim_gateway_t *gateway;
    uint64_t total, rows, streams; /* topics: followed topics and the sum of their streams */
    bool answered;
} tw_sim_listing_t;

static void expect(const tw_sim_listing_t *listing, const char *what, uint64_t found,
                   uint64_t expected)
{
    if (found != expected)
        tw_sim_fail(TW_SIM_LISTING, "%s lists %" PRIu64 " %s, there are %" PRIu64,
                    listing->gateway->id, found, what, expected);
}

static void on_topics(void *data, tw_status_t status, uint64_t total, const tw_topic_row_t *rows,
                      size_t count)
{
    tw_sim_listing_t *listing = data;

    ++WORLD->answered;
    listing->answered = true;
    if (status != TW_OK)
        tw_sim_fail(TW_SIM_LISTING, "%s cannot list topics", listing->gateway->id);
    listing->total = total;
    listing->rows += count;
    for (size_t i = 0; i < count; ++i)
        listing->streams += rows[i].stream_count;
}

static void on_streams(void *data, tw_status_t status, uint64_t total, const tw_stream_row_t *rows,
                       size_t count)
{
    tw_sim_listing_t *listing = data;

    ++WORLD->answered;
    listing->answered = true;
    if (status != TW_OK)
        tw_sim_fail(TW_SIM_LISTING, "%s cannot list streams", listing->gateway->id);
    listing->total = total;
    listing->rows += count;
}

static bool is_alive(const char *id)
{
    for (uint32_t place = 0; place < nodes(); ++place)
        if (strcmp(WORLD->ids[place], id) == 0)
            return true;
    return false;
}

static void on_nodes(void *data, tw_status_t status, const tw_node_row_t *rows, size_t count)
{
    tw_sim_listing_t *listing = data;

    ++WORLD->answered;
    listing->answered = true;
    if (status != TW_OK)
        tw_sim_fail(TW_SIM_LISTING, "%s cannot list nodes", listing->gateway->id);
    listing->rows = count;
    for (size_t i = 0; i < count; ++i)
        if (!is_alive(rows[i].node_id))
            tw_sim_fail(TW_SIM_LISTING, "%s lists %s, which is no more", listing->gateway->id,
                        rows[i].node_id);
}

static void wait_for(const tw_sim_listing_t *listing)
{
    int64_t deadline_us = tw_sim_now_us() + 10000000;
    while (!listing->answered && tw_sim_now_us() < deadline_us && tw_sim_verdict() == TW_SIM_NONE)
        tw_sim_run_until(tw_sim_now_us() + 1000);
    if (!listing->answered)
        tw_sim_fail(TW_SIM_UNANSWERED, "%s does not answer what it lists", listing->gateway->id);
}

typedef enum tw_sim_listed { TOPICS, STREAMS, NODES } tw_sim_listed_t;

/* All pages of a listing. An answer may come after the world was found broken, so that it must find
 * the listing still. */
static tw_sim_listing_t list_all(tw_sim_gateway_t *gateway, tw_sim_listed_t what)
{
    static tw_sim_listing_t listing;
    tw_page_query_t query = {.page = 0, .page_size = PAGE_SIZE};
    const tw_adapter_ops_t *ops = gateway->adapter->ops;

    listing = (tw_sim_listing_t){.gateway = gateway};
    do {
        tw_sim_host_t *before = tw_sim_enter(&gateway->host);
        ++query.page;
        ++WORLD->asked;
        listing.answered = false;
        if (what == TOPICS)
            ops->list_topics(gateway->adapter, tw_sim_gateway_worker(gateway), &query, on_topics,
                             &listing);
        else if (what == STREAMS)
            ops->list_streams(gateway->adapter, tw_sim_gateway_worker(gateway), &query, on_streams,
                              &listing);
        else
            ops->list_nodes(gateway->adapter, tw_sim_gateway_worker(gateway), on_nodes, &listing);
        tw_sim_enter(before);
        wait_for(&listing);
    } while (what != NODES && query.page * PAGE_SIZE < listing.total &&
             tw_sim_verdict() == TW_SIM_NONE);
    return listing;
}

static void judge_listings(void)
{
    uint8_t *followed = tw_alloc(WORLD->history.topics);
    uint64_t streams = 0, topics = 0, follows = 0;

    for (size_t i = 0; i < TW_SIM_CLIENTS; ++i) {
        const tw_sim_client_t *client = &WORLD->clients[i];
        streams += client->is_open;
        for (uint32_t t = 0; client->is_open && t < client->record.topic_count; ++t) {
            uint32_t topic = (client->record.first_topic + t) % WORLD->history.topics;
            topics += followed[topic] == 0;
            followed[topic] = 1;
            ++follows;
        }
    }
    free(followed);
    for (uint32_t place = 0; place < nodes() && tw_sim_verdict() == TW_SIM_NONE; ++place) {
        tw_sim_listing_t listing = list_all(WORLD->at[place], NODES);
        expect(&listing, "nodes", listing.rows, nodes());
        listing = list_all(WORLD->at[place], TOPICS);
        expect(&listing, "topics in all", listing.total, topics);
        expect(&listing, "rows of topics", listing.rows, topics);
        expect(&listing, "streams of topics", listing.streams, follows);
        listing = list_all(WORLD->at[place], STREAMS);
        expect(&listing, "streams in all", listing.total, streams);
        expect(&listing, "rows of streams", listing.rows, streams);
    }
}

/* --- clients --- */

static void judge_streams(void)
{
    for (size_t i = 0; i < TW_SIM_CLIENTS; ++i) {
        const tw_sim_client_t *client = &WORLD->clients[i];
        if (client->exists && client->comes_back && !client->is_open &&
            !WORLD->revoked[i].was_asked)
            tw_sim_fail(TW_SIM_REFUSED, "client %zu has no stream long after the last fault", i);
    }
}

void tw_sim_end_world(void)
{
    tw_sim_say("faults are over");
    WORLD->next_entry = WORLD->schedule->count;
    tw_sim_heal();
    tw_sim_disturb(0);
    wait_until_ready();
    tw_sim_run_until(tw_sim_now_us() + SETTLE_US);
    if (tw_sim_verdict() == TW_SIM_NONE)
        publish_last_ones();
    if (tw_sim_verdict() == TW_SIM_NONE)
        judge_commands();
    judge_streams();
    tw_sim_judge_revoked();
    if (tw_sim_verdict() == TW_SIM_NONE)
        judge_listings();
    tw_sim_clients_judge();
}
