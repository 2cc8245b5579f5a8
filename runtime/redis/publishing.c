/* Publishing, and what other nodes count. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "runtime/redis/node.h"

#define COUNT_FRESH_MS 1000
#define COUNTS_MAX 10000 /* topics whose count is remembered */
/* Of one call: Redis does nothing else meanwhile, and all of them share its fate. */
#define BATCH_EVENTS_MAX 32
#define BATCH_BYTES_MAX ((size_t)64 * 1024)

#define PUBLISH_OF(pointer) TW_CONTAINER_OF(pointer, tw_redis_publish_t, by_token)

/* --- what other nodes have registered of a topic --- */

typedef struct tw_redis_count {
    tw_table_entry_t node;
    uint64_t at_ms;   /* when it was asked for */
    uint64_t streams; /* on all other nodes */
    uint64_t asked;   /* sum of the answers so far */
    unsigned pending;
    size_t name_len;
    char name[];
} tw_redis_count_t;

#define COUNT_OF(pointer) TW_CONTAINER_OF(pointer, tw_redis_count_t, node)

static bool count_has_name(const tw_table_entry_t *node, const void *key)
{
    const tw_topic_name_t *name = key;
    const tw_redis_count_t *count = COUNT_OF(node);
    return count->name_len == name->len && memcmp(count->name, name->base, name->len) == 0;
}

static tw_redis_count_t *find_count(tw_redis_node_t *node, const tw_topic_name_t *topic)
{
    tw_table_entry_t *found = tw_table_find(&node->counts, topic->hash, count_has_name, topic);
    return found != NULL ? COUNT_OF(found) : NULL;
}

/* Forgets one that nobody waits for, when there are too many. */
static void bound_counts(tw_redis_node_t *node)
{
    if (node->counts.count < COUNTS_MAX)
        return;
    tw_redis_count_t *count = COUNT_OF(tw_table_any(&node->counts));
    if (count->pending > 0)
        return;
    tw_table_remove(&node->counts, &count->node);
    free(count);
}

static void on_count(const redisReply *reply, void *data)
{
    tw_redis_count_t *count = data;
    if (reply != NULL && reply->type == REDIS_REPLY_STRING)
        count->asked += strtoull(reply->str, NULL, 10);
    if (--count->pending == 0)
        count->streams = count->asked;
}

/* Asks every other node's registered count, unless it was asked a moment ago. */
static void refresh_count(tw_redis_node_t *node, const tw_topic_name_t *topic, uint64_t now_ms)
{
    tw_redis_count_t *count = find_count(node, topic);

    if (node->peers == NULL || node->peers[0] == '\0')
        return;
    if (count == NULL) {
        bound_counts(node);
        count = tw_alloc(sizeof(*count) + topic->len);
        count->node.hash = topic->hash;
        count->name_len = topic->len;
        memcpy(count->name, topic->base, topic->len);
        tw_table_insert(&node->counts, &count->node);
    } else if (count->pending > 0 || now_ms - count->at_ms < COUNT_FRESH_MS) {
        return;
    }
    count->at_ms = now_ms;
    count->asked = 0;
    for (const char *peer = node->peers; *peer != '\0'; peer += strlen(peer) + 1) {
        char key[512];
        const char *argv[] = {"HGET", key, topic->base};
        int len = snprintf(key, sizeof(key), "tw:{n:%s}:t", peer);
        const size_t lens[] = {4, (size_t)len, topic->len};
        if (lens[1] >= sizeof(key))
            continue; /* no node has such a name */
        if (tw_redis_client_send(node->commands, 3, argv, lens, on_count, count) == 0)
            ++count->pending;
    }
}

/* --- publishing --- */

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

static void unpin(tw_redis_node_t *node, tw_redis_publish_t *publish)
{
    for (uint32_t i = 0; publish->routes != NULL && i < publish->event->topic_count; ++i) {
        tw_redis_route_t *route = publish->routes[i];
        if (route != NULL && --route->publishes == 0)
            tw_redis_route_collect(node, route);
    }
    free(publish->routes);
    publish->routes = NULL;
}

/* The answer is known: out of everything here, back to the worker. */
static void conclude(tw_redis_node_t *node, tw_redis_publish_t *publish, tw_status_t status)
{
    publish->status = status;
    unpin(node, publish);
    free(publish->body);
    publish->body = NULL;
    atomic_fetch_sub(&node->publishes_open, 1);
    tw_loop_post(publish->worker, on_published, publish);
}

/* Neither to be found by its event nor by its deadline any more. */
static void forget(tw_redis_node_t *node, tw_redis_publish_t *publish)
{
    if (publish->returns)
        tw_table_remove(&node->publishes, &publish->by_token);
    if (publish->returns && publish->replied && !publish->returned)
        TAILQ_REMOVE(&node->unreturned, publish, link);
    publish->returns = false;
}

static void on_queued_here(void *data, const tw_dispatch_result_t *result)
{
    tw_redis_publish_t *publish = data;

    publish->in_flight = false;
    publish->delivered += result->delivered;
    if (publish->replied)
        conclude(publish->node, publish, publish->status);
}

/* --- sending: the events of a turn, several in one call --- */

typedef struct tw_redis_batch {
    tw_redis_node_t *node;
    size_t count, topic_count;
    tw_redis_publish_t *publishes[BATCH_EVENTS_MAX];
} tw_redis_batch_t;

/* Takes in how many nodes got the event, for each of its topics. */
static void read_receivers(tw_redis_publish_t *publish, redisReply *const *receivers)
{
    const tw_event_t *event = publish->event;

    publish->accepted = tw_alloc(event->topic_count);
    for (uint32_t i = 0; i < event->topic_count; ++i) {
        if (receivers[i]->integer < 0)
            continue;
        publish->accepted[i] = 1;
        ++publish->accepted_count;
        uint64_t others = (uint64_t)receivers[i]->integer;
        if (publish->routes[i] != NULL && others > 0)
            --others; /* us */
        const tw_redis_count_t *count = find_count(publish->node, &event->topics[i]);
        publish->delivered +=
            others > 0 && count != NULL && count->streams > others ? count->streams : others;
    }
}

/* Redis has the event: our own workers may still have to get it. */
static void sent(tw_redis_publish_t *publish)
{
    publish->replied = true;
    publish->status = TW_OK;
    if (publish->returns && !publish->returned) {
        publish->deadline_ms = uv_now(publish->node->loop->uv) + TW_REDIS_PUBLISH_TIMEOUT_MS;
        TAILQ_INSERT_TAIL(&publish->node->unreturned, publish, link);
    } else if (!publish->in_flight) {
        conclude(publish->node, publish, TW_OK);
    }
}

/* It may have been published: that is not known, so it is not said. */
static void unknown(tw_redis_publish_t *publish)
{
    forget(publish->node, publish);
    publish->replied = true;
    publish->status = TW_UNAVAILABLE;
    if (!publish->in_flight)
        conclude(publish->node, publish, TW_UNAVAILABLE);
}

static bool has_answers(const redisReply *reply, const tw_redis_batch_t *batch)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 + batch->topic_count &&
           reply->element[0]->type == REDIS_REPLY_STRING;
}

static void take_answers(const tw_redis_batch_t *batch, const redisReply *reply)
{
    uint64_t seq = strtoull(reply->element[0]->str, NULL, 10);
    redisReply **receivers = reply->element + 1;

    for (size_t i = 0; i < batch->count; ++i) {
        tw_redis_publish_t *publish = batch->publishes[i];
        uint32_t topic_count = publish->event->topic_count;
        publish->position = (tw_position_t){.epoch = batch->node->epoch, .seq = seq + i};
        read_receivers(publish, receivers);
        receivers += topic_count;
        sent(publish);
    }
}

static void on_reply(const redisReply *reply, void *data)
{
    tw_redis_batch_t *batch = data;

    if (reply != NULL)
        tw_redis_refused(batch->node, "events", reply);
    if (reply != NULL && has_answers(reply, batch)) {
        take_answers(batch, reply);
    } else {
        for (size_t i = 0; i < batch->count; ++i)
            unknown(batch->publishes[i]);
    }
    free(batch);
}

/* Whether the topics' history has to be told again that it is in use: now and then, not each time.
 * A place is shared by topics; who takes it renews. */
static bool renews(tw_redis_node_t *node, const tw_event_t *event, uint64_t now_ms)
{
    bool any = false;
    for (uint32_t i = 0; i < event->topic_count; ++i) {
        uint64_t hash = event->topics[i].hash;
        tw_redis_renewed_t *place = &node->renewed[hash % TW_REDIS_RENEWED_PLACES];
        if (place->hash == hash && now_ms - place->at_ms < TW_REDIS_RENEW_EVERY_MS)
            continue;
        *place = (tw_redis_renewed_t){.hash = hash, .at_ms = now_ms};
        any = true;
    }
    return any;
}

static tw_redis_batch_t *take_batch(tw_redis_node_t *node)
{
    tw_redis_batch_t *batch = tw_alloc(sizeof(*batch));
    tw_redis_publish_t *publish;
    size_t bytes = 0;

    batch->node = node;
    while (batch->count < BATCH_EVENTS_MAX && bytes < BATCH_BYTES_MAX &&
           (publish = TAILQ_FIRST(&node->to_publish)) != NULL) {
        TAILQ_REMOVE(&node->to_publish, publish, link);
        batch->publishes[batch->count++] = publish;
        batch->topic_count += publish->event->topic_count;
        bytes += publish->body_len;
    }
    return batch;
}

static void send_batch(tw_redis_node_t *node)
{
    tw_redis_batch_t *batch = take_batch(node);
    uint64_t now_ms = uv_now(node->loop->uv);
    tw_redis_args_t args;

    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_PUBLISH);
    tw_redis_args_number(&args, node->keep);
    tw_redis_args_number(&args, TW_REDIS_HISTORY_MS + 2 * TW_REDIS_RENEW_EVERY_MS);
    tw_redis_args_number(&args, node->hub->config.resume_window_ms > 0 ? 1 : 0);
    tw_redis_args_number(&args, batch->count);
    for (size_t i = 0; i < batch->count; ++i) {
        const tw_redis_publish_t *publish = batch->publishes[i];
        const tw_event_t *event = publish->event;
        tw_redis_args_add(&args, publish->body, publish->body_len);
        tw_redis_args_add(&args, renews(node, event, now_ms) ? "1" : "0", 1);
        tw_redis_args_number(&args, event->topic_count);
        for (uint32_t t = 0; t < event->topic_count; ++t)
            tw_redis_args_add(&args, event->topics[t].base, event->topics[t].len);
    }
    if (tw_redis_args_send(&args, node->commands, on_reply, batch) != 0) {
        on_reply(NULL, batch);
        return;
    }
    for (size_t i = 0; i < batch->count; ++i) {
        free(batch->publishes[i]->body);
        batch->publishes[i]->body = NULL;
    }
}

/* --- requests --- */

/* Finds the routes by which the event comes back; false when one of them is being left, whose
 * subscription may or may not still count. */
static bool find_routes(tw_redis_node_t *node, tw_redis_publish_t *publish)
{
    const tw_event_t *event = publish->event;

    publish->routes = tw_alloc(event->topic_count * sizeof(tw_redis_route_t *));
    for (uint32_t i = 0; i < event->topic_count; ++i) {
        tw_redis_route_t *route = tw_redis_route_find(node, &event->topics[i]);
        if (route != NULL && route->leaving) {
            free(publish->routes);
            publish->routes = NULL;
            return false;
        }
        publish->routes[i] = route != NULL && route->subscribed ? route : NULL;
    }
    return true;
}

void tw_redis_on_publish_request(void *owner, void *data)
{
    tw_redis_publish_t *publish = data;
    tw_redis_node_t *node = publish->node;
    const tw_event_t *event = publish->event;
    uint64_t now_ms = uv_now(node->loop->uv);

    if (!tw_redis_node_up(node)) {
        conclude(node, publish, TW_UNAVAILABLE);
        return;
    }
    if (!find_routes(node, publish)) {
        TAILQ_INSERT_TAIL(&node->parked, publish, link);
        return;
    }
    publish->token = ++node->next_token;
    publish->body =
        tw_redis_body_write(event, node->epoch, node->origin, publish->token, &publish->body_len);
    if (publish->body == NULL) {
        free(publish->routes); /* nothing is pinned yet */
        publish->routes = NULL;
        conclude(node, publish, TW_NO_MEMORY);
        return;
    }
    for (uint32_t i = 0; i < event->topic_count; ++i) {
        /* A channel that is confirmed stays ours until the event has come back by it. */
        if (publish->routes[i] != NULL) {
            ++publish->routes[i]->publishes;
            publish->returns = true;
        }
        refresh_count(node, &event->topics[i], now_ms);
    }
    if (publish->returns) {
        publish->by_token.hash = publish->token * UINT64_C(0x9e3779b97f4a7c15);
        tw_table_insert(&node->publishes, &publish->by_token);
    }
    TAILQ_INSERT_TAIL(&node->to_publish, publish, link);
}

static tw_redis_publish_t *find_publish(tw_redis_node_t *node, const tw_redis_body_t *body)
{
    if (body->origin != node->origin)
        return NULL;
    tw_table_entry_t *found = tw_table_find(
        &node->publishes, body->token * UINT64_C(0x9e3779b97f4a7c15), has_token, &body->token);
    return found != NULL ? PUBLISH_OF(found) : NULL;
}

void tw_redis_event_arrived(tw_redis_node_t *node, uint64_t seq, const char *bytes, size_t len)
{
    const tw_position_t at = {.epoch = node->epoch, .seq = seq};
    tw_redis_body_t body;

    /* An event of several topics comes once by each of them. */
    if (seq <= node->last || tw_redis_body_read(&body, bytes, len) != 0)
        return;
    node->last = seq;
    atomic_fetch_add_explicit(TW_REDIS_STAT(node, received), 1, memory_order_relaxed);
    tw_redis_publish_t *publish = find_publish(node, &body);
    if (publish != NULL) {
        forget(node, publish);
        publish->returned = publish->in_flight = true;
        tw_hub_dispatch(node->hub, node->loop, publish->event, &at, on_queued_here, publish);
        return;
    }
    tw_event_t *event = tw_redis_body_event(&body);
    if (event == NULL)
        return;
    tw_hub_dispatch(node->hub, NULL, event, &at, NULL, NULL);
    tw_event_unref(event);
}

void tw_redis_publishes_expire(tw_redis_node_t *node, uint64_t now_ms, bool caught_up)
{
    tw_redis_publish_t *publish;
    while ((publish = TAILQ_FIRST(&node->unreturned)) != NULL &&
           (caught_up || now_ms >= publish->deadline_ms)) {
        forget(node, publish);
        conclude(node, publish, TW_UNAVAILABLE);
    }
}

void tw_redis_publishing_unpark(tw_redis_node_t *node)
{
    tw_redis_ask_t *asks = node->parked_asks, *next;
    tw_redis_publishes_t publishes = TAILQ_HEAD_INITIALIZER(publishes);
    tw_redis_publish_t *publish;

    node->parked_asks = NULL;
    for (; asks != NULL; asks = next) {
        next = asks->next;
        tw_redis_on_ask_request(NULL, asks);
    }
    TAILQ_CONCAT(&publishes, &node->parked, link);
    while ((publish = TAILQ_FIRST(&publishes)) != NULL) {
        TAILQ_REMOVE(&publishes, publish, link);
        tw_redis_on_publish_request(NULL, publish);
    }
}

void tw_redis_publishing_turn(tw_redis_node_t *node)
{
    while (!TAILQ_EMPTY(&node->to_publish))
        send_batch(node);
}

void tw_redis_publishing_dispose(tw_redis_node_t *node)
{
    tw_table_entry_t *entry;
    assert(node->publishes.count == 0 && TAILQ_EMPTY(&node->to_publish) && node->asks == NULL);
    while ((entry = tw_table_any(&node->counts)) != NULL) {
        tw_table_remove(&node->counts, entry);
        free(COUNT_OF(entry));
    }
    tw_table_dispose(&node->counts);
    tw_table_dispose(&node->publishes);
}
