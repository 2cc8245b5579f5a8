#include "runtime/redis/lane/publishing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/hash.h"
#include "runtime/redis/protocol/codec.h"

#define EVENT_TIMEOUT_MS 5000 /* an accepted event waits so long for its delivery here */
#define RENEW_EVERY_MS 30000
/* Of one call: Redis does nothing else meanwhile, and all of them share its fate. */
#define BATCH_EVENTS_MAX 64
#define BATCH_TOPICS_MAX 512
#define BATCH_BYTES_MAX ((size_t)64 * 1024)
/* With so many calls under way, events wait for an answer, or until they fill another call: the
 * more there are, the more of them share what a call costs by itself. */
#define BATCHES_MAX 1

typedef enum tw_redis_publish_state {
    QUEUED,
    SENT,
    ACCEPTED,
    DISPATCHED,
    ANSWERED,
} tw_redis_publish_state_t;

struct tw_redis_publish {
    tw_redis_publishing_t *publishing;
    tw_table_entry_t by_token;
    TAILQ_ENTRY(tw_redis_publish) link; /* in queued or accepted */
    tw_loop_t *worker;
    tw_event_t *event; /* owned reference */
    tw_published_fn on_done;
    void *data;
    uint64_t token;
    tw_redis_publish_state_t state;
    bool replied; /* while DISPATCHED: Redis' answer is there */
    bool queued;  /* and our workers have the event */
    tw_status_t status;
    uint64_t deadline_ms;
    tw_position_t position;
    uint64_t delivered;
    size_t accepted_count;
    uint8_t *accepted; /* owned, per topic */
};

#define PUBLISH_OF(pointer) TW_CONTAINER_OF(pointer, tw_redis_publish_t, by_token)

void tw_redis_publishing_init(tw_redis_publishing_t *publishing, tw_redis_routes_t *routes,
                              tw_hub_t *hub)
{
    publishing->session = routes->session;
    publishing->routes = routes;
    publishing->hub = hub;
    tw_random(&publishing->origin, sizeof(publishing->origin));
    tw_table_init(&publishing->by_token);
    TAILQ_INIT(&publishing->queued);
    TAILQ_INIT(&publishing->accepted);
}

/* --- states --- */

static uint64_t hash_of(uint64_t token)
{
    return token * UINT64_C(0x9e3779b97f4a7c15);
}

static bool has_token(const tw_table_entry_t *node, const void *key)
{
    return PUBLISH_OF(node)->token == *(const uint64_t *)key;
}

/* Worker's thread. */
static void on_published(void *owner, void *data)
{
    tw_redis_publish_t *publish = data;
    const tw_dispatch_result_t result = {.position = publish->position,
                                         .delivered = publish->delivered,
                                         .accepted = publish->accepted,
                                         .accepted_count = publish->accepted_count};
    publish->on_done(publish->data, publish->status, publish->status == TW_OK ? &result : NULL);
    tw_event_unref(publish->event);
    free(publish->accepted);
    free(publish);
}

/* Takes it to a state, out of the lists of the one before. */
static void enter(tw_redis_publish_t *publish, tw_redis_publish_state_t state)
{
    tw_redis_publishing_t *publishing = publish->publishing;
    bool was_found = publish->state == SENT || publish->state == ACCEPTED,
         is_found = state == SENT || state == ACCEPTED;

    if (publish->state == QUEUED) {
        TAILQ_REMOVE(&publishing->queued, publish, link);
        --publishing->queued_count;
    }
    if (publish->state == ACCEPTED)
        TAILQ_REMOVE(&publishing->accepted, publish, link);
    if (was_found && !is_found)
        tw_table_remove(&publishing->by_token, &publish->by_token);
    if (!was_found && is_found)
        tw_table_insert(&publishing->by_token, &publish->by_token);
    if (state == ACCEPTED)
        TAILQ_INSERT_TAIL(&publishing->accepted, publish, link);
    publish->state = state;
}

/* The answer is known: back to the worker. */
static void conclude(tw_redis_publish_t *publish, tw_status_t status)
{
    enter(publish, ANSWERED);
    publish->status = status;
    atomic_fetch_sub(&publish->publishing->count, 1);
    tw_loop_post(publish->worker, on_published, publish);
}

/* --- sending: the events of a turn, several in one call --- */

typedef struct tw_redis_publish_batch {
    tw_redis_publishing_t *publishing;
    uint64_t epoch; /* that the numbers are of */
    size_t count, topic_count;
    tw_redis_publish_t *items[BATCH_EVENTS_MAX];
} tw_redis_publish_batch_t;

/* Redis has answered, with the status that the publish has if nothing else goes wrong. */
static void take_reply(tw_redis_publish_t *publish, tw_status_t status, bool comes_here)
{
    publish->status = status;
    publish->replied = true;
    if (publish->state == DISPATCHED) {
        if (publish->queued)
            conclude(publish, status);
    } else if (status == TW_OK && comes_here) {
        publish->deadline_ms = uv_now(publish->publishing->loop->uv) + EVENT_TIMEOUT_MS;
        enter(publish, ACCEPTED);
    } else {
        conclude(publish, status);
    }
}

/* {first number, {streams elsewhere, 1 if it comes here, {1 accepted or 0}…}…} */
static bool is_answer(const redisReply *reply, const tw_redis_publish_batch_t *batch)
{
    if (reply->type != REDIS_REPLY_ARRAY ||
        reply->elements != 1 + 2 * batch->count + batch->topic_count ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return false;
    for (size_t i = 1; i < reply->elements; ++i)
        if (reply->element[i]->type != REDIS_REPLY_INTEGER)
            return false;
    return true;
}

static void take_answer(const tw_redis_publish_batch_t *batch, const redisReply *reply)
{
    uint64_t seq = strtoull(reply->element[0]->str, NULL, 10);
    redisReply **at = reply->element + 1;

    for (size_t i = 0; i < batch->count; ++i) {
        tw_redis_publish_t *publish = batch->items[i];
        uint32_t topic_count = publish->event->topic_count;
        publish->position = (tw_position_t){.epoch = batch->epoch, .seq = seq + i};
        publish->delivered += (uint64_t)at[0]->integer;
        publish->accepted = tw_alloc(topic_count);
        for (uint32_t t = 0; t < topic_count; ++t)
            publish->accepted_count += publish->accepted[t] = at[2 + t]->integer != 0;
        take_reply(publish, TW_OK, at[1]->integer != 0);
        at += 2 + topic_count;
    }
}

/* The batch is over. */
static void give_up(tw_redis_publish_batch_t *batch, tw_status_t status)
{
    for (size_t i = 0; i < batch->count; ++i)
        take_reply(batch->items[i], status, false);
    --batch->publishing->batches;
    free(batch);
}

static void on_reply(const redisReply *reply, void *data)
{
    tw_redis_publish_batch_t *batch = data;

    tw_redis_session_refused(batch->publishing->session, "events", reply);
    if (reply == NULL || !is_answer(reply, batch)) {
        give_up(batch, TW_UNAVAILABLE); /* they may have been published: the publisher repeats */
        return;
    }
    take_answer(batch, reply);
    --batch->publishing->batches;
    free(batch);
}

static tw_redis_publish_batch_t *take_batch(tw_redis_publishing_t *publishing)
{
    tw_redis_publish_batch_t *batch = tw_alloc(sizeof(*batch));
    tw_redis_publish_t *publish;
    size_t bytes = 0;

    ++publishing->batches;
    batch->publishing = publishing;
    batch->epoch = publishing->session->epoch_number;
    while (batch->count < BATCH_EVENTS_MAX && batch->topic_count < BATCH_TOPICS_MAX &&
           bytes < BATCH_BYTES_MAX && (publish = TAILQ_FIRST(&publishing->queued)) != NULL) {
        enter(publish, SENT);
        batch->items[batch->count++] = publish;
        batch->topic_count += publish->event->topic_count;
        bytes += publish->event->frame_len;
    }
    return batch;
}

/* All events' items, one after the other, and where each ends; NULL: no memory. */
static char *write_items(const tw_redis_publish_batch_t *batch, size_t ends[BATCH_EVENTS_MAX])
{
    size_t room = 0;

    for (size_t i = 0; i < batch->count; ++i)
        room += tw_redis_item_room(batch->items[i]->event);
    char *items = tw_try_alloc(room), *to = items;
    for (size_t i = 0; items != NULL && i < batch->count; ++i) {
        const tw_redis_publish_t *publish = batch->items[i];
        to = tw_redis_item_write(to, publish->event, batch->epoch, publish->publishing->origin,
                                 publish->token);
        ends[i] = (size_t)(to - items);
    }
    return items;
}

/* Whether the topic's history has to be told again that it is in use: now and then, not each time.
 * A place is shared by topics; who takes it renews. */
static bool renews(tw_redis_publishing_t *publishing, const tw_topic_name_t *topic, uint64_t now_ms)
{
    tw_redis_renewed_t *place = &publishing->renewed[topic->hash % TW_REDIS_RENEWED_PLACES];
    if (place->hash == topic->hash && now_ms - place->at_ms < RENEW_EVERY_MS)
        return false;
    *place = (tw_redis_renewed_t){.hash = topic->hash, .at_ms = now_ms};
    return true;
}

static void add_renewed(tw_redis_args_t *args, tw_redis_publishing_t *publishing,
                        const tw_event_t *event)
{
    uint64_t now_ms = uv_now(publishing->loop->uv);
    for (uint32_t t = 0; t < event->topic_count; ++t)
        if (renews(publishing, &event->topics[t], now_ms))
            tw_redis_args_add(args, event->topics[t].base, event->topics[t].len);
}

static void send_batch(tw_redis_publishing_t *publishing)
{
    tw_redis_publish_batch_t *batch = take_batch(publishing);
    uint32_t tail = publishing->hub->config.tail_events;
    size_t ends[BATCH_EVENTS_MAX] = {0};
    char *items = write_items(batch, ends);
    tw_redis_args_t args;

    if (items == NULL) {
        give_up(batch, TW_NO_MEMORY);
        return;
    }
    tw_redis_script_begin_own(publishing->session, &args, TW_REDIS_SCRIPT_PUBLISH);
    tw_redis_args_number(&args, tail > 0 ? tail : 1);
    tw_redis_args_number(&args, TW_REDIS_INBOX_BYTES);
    tw_redis_args_number(&args, batch->count);
    tw_redis_args_add(&args, items, ends[batch->count - 1]);
    for (size_t i = 0; i < batch->count; ++i) {
        const tw_event_t *event = batch->items[i]->event;
        tw_redis_args_number(&args, ends[i] - (i > 0 ? ends[i - 1] : 0));
        tw_redis_args_number(&args, event->topic_count);
        for (uint32_t t = 0; t < event->topic_count; ++t)
            tw_redis_args_add(&args, event->topics[t].base, event->topics[t].len);
    }
    for (size_t i = 0; i < batch->count; ++i)
        add_renewed(&args, publishing, batch->items[i]->event);
    tw_redis_session_send(publishing->session, &args, on_reply, batch);
    free(items);
}

/* --- requests --- */

static void on_request(void *owner, void *data)
{
    tw_redis_publish_t *publish = data;
    tw_redis_publishing_t *publishing = publish->publishing;

    publish->token = ++publishing->next_token;
    publish->by_token.hash = hash_of(publish->token);
    TAILQ_INSERT_TAIL(&publishing->queued, publish, link);
    ++publishing->queued_count;
    if (!tw_redis_session_up(publishing->session))
        conclude(publish, TW_UNAVAILABLE);
}

void tw_redis_publishing_begin(tw_redis_publishing_t *publishing, tw_loop_t *from,
                               tw_event_t *event, tw_published_fn on_done, void *data)
{
    tw_redis_publish_t *publish = tw_alloc(sizeof(*publish));
    publish->publishing = publishing;
    publish->worker = from;
    publish->event = tw_event_ref(event);
    publish->on_done = on_done;
    publish->data = data;
    atomic_fetch_add(&publishing->count, 1);
    tw_loop_post(publishing->loop, on_request, publish);
}

/* --- arriving --- */

static void on_queued_here(void *data, const tw_dispatch_result_t *result)
{
    tw_redis_publish_t *publish = data;

    publish->queued = true;
    publish->delivered += result->delivered;
    if (publish->replied)
        conclude(publish, publish->status);
}

static tw_redis_publish_t *find_publish(tw_redis_publishing_t *publishing,
                                        const tw_redis_body_t *body)
{
    if (body->origin != publishing->origin)
        return NULL;
    tw_table_entry_t *found =
        tw_table_find(&publishing->by_token, hash_of(body->token), has_token, &body->token);
    return found != NULL ? PUBLISH_OF(found) : NULL;
}

/* One of ours, whose publisher waits: the event that it has is the one that came. */
static bool return_own(tw_redis_publishing_t *publishing, tw_redis_publish_t *publish,
                       const tw_position_t *at)
{
    static const tw_dispatch_result_t nobody = {.delivered = 0};
    tw_event_t *part;

    if (!tw_redis_routes_admit(publishing->routes, publish->event, at->seq, &part))
        return false; /* its publisher waits in vain, and is told so in its time */
    publish->replied = publish->state == ACCEPTED;
    enter(publish, DISPATCHED);
    if (part != NULL)
        tw_hub_dispatch(publishing->hub, publishing->loop, part, at, on_queued_here, publish);
    else
        on_queued_here(publish, &nobody);
    tw_event_unref(part);
    return true;
}

bool tw_redis_publishing_arrived(tw_redis_publishing_t *publishing, uint64_t seq, const char *bytes,
                                 size_t len)
{
    const tw_position_t at = {.epoch = publishing->session->epoch_number, .seq = seq};
    tw_redis_body_t body;

    if (tw_redis_body_read(&body, bytes, len) != 0)
        return false;
    atomic_fetch_add_explicit(&publishing->session->stats->received, 1, memory_order_relaxed);
    tw_redis_publish_t *publish = find_publish(publishing, &body);
    if (publish != NULL)
        return return_own(publishing, publish, &at);
    tw_event_t *event = tw_redis_body_event(&body), *part = NULL;
    if (event == NULL)
        return false;
    bool taken = tw_redis_routes_admit(publishing->routes, event, seq, &part);
    if (part != NULL)
        tw_hub_dispatch(publishing->hub, NULL, part, &at, NULL, NULL);
    tw_event_unref(part);
    tw_event_unref(event);
    return taken;
}

void tw_redis_publishing_expire(tw_redis_publishing_t *publishing, uint64_t now_ms, bool all)
{
    tw_redis_publish_t *publish;
    while ((publish = TAILQ_FIRST(&publishing->accepted)) != NULL &&
           (all || now_ms >= publish->deadline_ms))
        conclude(publish, TW_UNAVAILABLE);
}

void tw_redis_publishing_turn(tw_redis_publishing_t *publishing)
{
    while (publishing->queued_count >= BATCH_EVENTS_MAX ||
           (publishing->queued_count > 0 && publishing->batches < BATCHES_MAX))
        send_batch(publishing);
    tw_redis_publishing_turn_asks(publishing);
}

void tw_redis_publishing_dispose(tw_redis_publishing_t *publishing)
{
    assert(publishing->by_token.count == 0 && publishing->queued_count == 0 &&
           publishing->asks == NULL);
    tw_table_dispose(&publishing->by_token);
}
