/* This node's topics and streams in Redis. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/hash.h"
#include "base/json.h"
#include "runtime/redis/node.h"

#define BATCH_MAX 128
#define BATCHES_AT_ONCE 4 /* so that publishes never wait behind many of them */
#define WALK_STEP 512

/* A stream to add (member set) or to take away, oldest first in node->changes. */
typedef struct tw_redis_change {
    struct tw_redis_change *next;
    tw_table_entry_t by_id; /* in node->adds, while it adds and waits */
    bool in_adds;
    bool again;     /* it may be in Redis already */
    bool cancelled; /* closed before it was sent */
    char *member;   /* owned; NULL: take away */
    char id[TW_STREAM_ID_SIZE];
} tw_redis_change_t;

#define CHANGE_OF(pointer) TW_CONTAINER_OF(pointer, tw_redis_change_t, by_id)

/* What was sent together and is sent again if its reply is lost. */
typedef struct tw_redis_batch {
    tw_redis_node_t *node;
    tw_redis_change_t *changes;
    size_t count;
} tw_redis_batch_t;

/* By hand: it is made for every stream that opens, on its worker. */
char *tw_redis_member(const tw_subscriber_t *subscriber)
{
    const tw_connection_t *connection = subscriber->connection;
    size_t client_len = subscriber->client_id != NULL ? strlen(subscriber->client_id) : 0;
    size_t address_len = strlen(connection->remote_address);
    size_t bytes = TW_STREAM_ID_SIZE + 128 + TW_JSON_STRING_MAX(client_len + address_len);

    for (size_t i = 0; i < subscriber->topic_count; ++i)
        bytes += TW_JSON_STRING_MAX(tw_subscriber_topic(subscriber, i).len) + 1;
    char *member = tw_alloc(bytes), *to = member + TW_STREAM_ID_SIZE - 1;
    tw_subscriber_id(subscriber, member);
    to = stpcpy(to, " {\"t\":[");
    for (size_t i = 0; i < subscriber->topic_count; ++i) {
        tw_topic_name_t name = tw_subscriber_topic(subscriber, i);
        if (i > 0)
            *to++ = ',';
        to = tw_json_write_string(to, name.base, name.len);
    }
    to = tw_json_write_string(stpcpy(to, "],\"a\":"), connection->remote_address, address_len);
    to = tw_json_write_string(stpcpy(to, ",\"p\":"), connection->protocol,
                              strlen(connection->protocol));
    if (subscriber->client_id != NULL)
        to = tw_json_write_string(stpcpy(to, ",\"c\":"), subscriber->client_id, client_len);
    to += sprintf(to, ",\"o\":%" PRId64 "}", subscriber->opened_at_ms);
    assert((size_t)(to - member) < bytes);
    return member;
}

/* --- changes --- */

static bool has_id(const tw_table_entry_t *node, const void *key)
{
    return strcmp(CHANGE_OF(node)->id, key) == 0;
}

static void free_change(tw_redis_node_t *node, tw_redis_change_t *change)
{
    if (change->in_adds)
        tw_table_remove(&node->adds, &change->by_id);
    free(change->member);
    free(change);
}

static void append(tw_redis_node_t *node, tw_redis_change_t *change)
{
    *node->changes_end = change;
    node->changes_end = &change->next;
    ++node->change_count;
    atomic_store(TW_REDIS_STAT(node, registry_backlog), node->change_count);
}

static tw_redis_change_t *find_add(tw_redis_node_t *node, const char *id)
{
    uint64_t hash = tw_hash(id, TW_STREAM_ID_SIZE - 1);
    tw_table_entry_t *found = tw_table_find(&node->adds, hash, has_id, id);
    return found != NULL ? CHANGE_OF(found) : NULL;
}

/* A member of Redis' set: takes the text over. */
static void add_member(tw_redis_node_t *node, char *member, bool again)
{
    tw_redis_change_t *change = tw_alloc(sizeof(*change));

    memcpy(change->id, member, TW_STREAM_ID_SIZE - 1);
    if (again && find_add(node, change->id) != NULL) {
        free(change);
        free(member);
        return;
    }
    change->member = member;
    change->again = again;
    change->by_id.hash = tw_hash(change->id, TW_STREAM_ID_SIZE - 1);
    change->in_adds = true;
    tw_table_insert(&node->adds, &change->by_id);
    append(node, change);
}

static void take_opened(tw_slice_t *slice)
{
    tw_redis_opening_t *opening = (tw_redis_opening_t *)slice;
    tw_redis_node_t *node = opening->node;

    tw_redis_step_begins(node, opening->topic_count);
    for (size_t i = 0; i < opening->topic_count; ++i)
        tw_redis_route_count(node, opening->routes[i], 1);
    add_member(node, opening->member, false);
    atomic_fetch_sub(&node->openings_open, 1);
    free(opening->routes);
    free(opening->last_event_id);
    free(opening);
}

void tw_redis_on_opened(void *owner, void *data)
{
    tw_redis_opening_t *opening = data;
    tw_redis_schedule(opening->node, &opening->slice, take_opened);
}

static void take_left(tw_slice_t *slice)
{
    tw_redis_left_t *left = (tw_redis_left_t *)slice;
    tw_redis_node_t *node = left->node;

    tw_redis_step_begins(node, left->topic_count);
    for (size_t i = 0; i < left->topic_count; ++i) {
        tw_redis_route_t *route = tw_redis_route_find(node, &left->topics[i]);
        assert(route != NULL);
        if (left->was_open)
            tw_redis_route_count(node, route, -1);
        tw_redis_route_unuse(node, route);
    }
    if (left->was_open) {
        tw_redis_change_t *waiting = find_add(node, left->id);
        if (waiting != NULL)
            waiting->cancelled = true;
        if (waiting == NULL || waiting->again) {
            tw_redis_change_t *change = tw_alloc(sizeof(*change));
            memcpy(change->id, left->id, sizeof(change->id));
            append(node, change);
        }
    }
    free(left);
}

void tw_redis_on_left(void *owner, void *data)
{
    tw_redis_left_t *left = data;
    if (left->node->stopped)
        free(left);
    else
        tw_redis_schedule(left->node, &left->slice, take_left);
}

/* --- sending them --- */

static void flush_full_batches(tw_redis_node_t *node);

/* A full Redis refuses what a batch adds. Nothing of it is kept for later, which could become any
 * amount: everything is registered again once the lease is granted. */
static void see_refusal(tw_redis_node_t *node, const char *what, const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return;
    tw_redis_refused(node, what, reply);
    node->registry_torn = true;
}

static void on_streams(const redisReply *reply, void *data)
{
    tw_redis_batch_t batch = *(tw_redis_batch_t *)data;
    tw_redis_node_t *node = batch.node;
    tw_redis_change_t *next;

    free(data);
    --node->registry_in_flight;
    see_refusal(node, "to register streams", reply);
    if (reply == NULL) {
        /* Doing it twice does no harm: in front of what came later. */
        tw_redis_change_t **end = &batch.changes;
        while (*end != NULL)
            end = &(*end)->next;
        *end = node->changes;
        if (node->changes == NULL)
            node->changes_end = end;
        node->changes = batch.changes;
        node->change_count += batch.count;
        return;
    }
    for (tw_redis_change_t *change = batch.changes; change != NULL; change = next) {
        next = change->next;
        free_change(node, change);
    }
    flush_full_batches(node);
}

/* Takes up to BATCH_MAX changes off the front. A batch adds first and takes away then, and no id
 * ever comes back. */
static tw_redis_batch_t *take_batch(tw_redis_node_t *node)
{
    tw_redis_batch_t *batch = tw_alloc(sizeof(*batch));
    tw_redis_change_t **end = &batch->changes;

    batch->node = node;
    while (node->changes != NULL && batch->count < BATCH_MAX) {
        tw_redis_change_t *change = node->changes;
        node->changes = change->next;
        if (node->changes == NULL)
            node->changes_end = &node->changes;
        change->next = NULL;
        --node->change_count;
        if (change->cancelled) {
            free_change(node, change);
            continue;
        }
        if (change->in_adds)
            tw_table_remove(&node->adds, &change->by_id);
        change->in_adds = false;
        *end = change;
        end = &change->next;
        ++batch->count;
    }
    atomic_store(TW_REDIS_STAT(node, registry_backlog), node->change_count);
    if (batch->count > 0)
        return batch;
    free(batch);
    return NULL;
}

static bool send_streams(tw_redis_node_t *node)
{
    tw_redis_batch_t *batch = take_batch(node);
    tw_redis_args_t args;
    uint64_t adds = 0;

    if (batch == NULL)
        return false;
    for (const tw_redis_change_t *change = batch->changes; change != NULL; change = change->next)
        adds += change->member != NULL;
    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_STREAMS);
    tw_redis_args_text(&args, node->info->node_id);
    tw_redis_args_number(&args, adds);
    for (const tw_redis_change_t *change = batch->changes; change != NULL; change = change->next) {
        if (change->member == NULL)
            continue;
        tw_redis_args_add(&args, "0", 1);
        tw_redis_args_text(&args, change->member);
    }
    for (const tw_redis_change_t *change = batch->changes; change != NULL; change = change->next)
        if (change->member == NULL)
            tw_redis_args_text(&args, change->id);
    ++node->registry_in_flight;
    if (tw_redis_args_send(&args, node->commands, on_streams, batch) == 0)
        return true;
    on_streams(NULL, batch);
    return false;
}

/* The counts of a batch of topics; they are marked as changed again if its reply is lost. */
typedef struct tw_redis_counts_batch {
    tw_redis_node_t *node;
    size_t count;
    tw_redis_route_t *routes[BATCH_MAX]; /* a use of each */
} tw_redis_counts_batch_t;

static void on_topics(const redisReply *reply, void *data)
{
    tw_redis_counts_batch_t *batch = data;
    tw_redis_node_t *node = batch->node;

    --node->registry_in_flight;
    see_refusal(node, "to register topics", reply);
    for (size_t i = 0; i < batch->count; ++i) {
        if (reply == NULL)
            tw_redis_route_count(node, batch->routes[i], 0);
        tw_redis_route_unuse(node, batch->routes[i]);
    }
    free(batch);
    if (reply != NULL)
        flush_full_batches(node);
}

/* Takes up to BATCH_MAX changed topics; NULL when there is none. */
static tw_redis_counts_batch_t *take_counts(tw_redis_node_t *node)
{
    tw_redis_route_t *route = TAILQ_FIRST(&node->changed_routes);
    if (route == NULL)
        return NULL;
    tw_redis_counts_batch_t *batch = tw_alloc(sizeof(*batch));
    batch->node = node;
    for (; route != NULL && batch->count < BATCH_MAX; route = TAILQ_FIRST(&node->changed_routes)) {
        TAILQ_REMOVE(&node->changed_routes, route, changed);
        --node->changed_count;
        route->is_changed = false;
        ++route->users;
        batch->routes[batch->count++] = route;
    }
    return batch;
}

static bool send_topics(tw_redis_node_t *node)
{
    tw_redis_counts_batch_t *batch = take_counts(node);
    tw_redis_args_t args;
    char numbers[BATCH_MAX][12];
    uint64_t followed = 0;

    if (batch == NULL)
        return false;
    for (size_t i = 0; i < batch->count; ++i)
        followed += batch->routes[i]->streams > 0;
    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_TOPICS);
    tw_redis_args_text(&args, node->info->node_id);
    tw_redis_args_number(&args, followed);
    for (size_t i = 0; i < batch->count; ++i) {
        const tw_redis_route_t *route = batch->routes[i];
        if (route->streams == 0)
            continue;
        snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu32, route->streams);
        tw_redis_args_add(&args, route->name.base, route->name.len);
        tw_redis_args_text(&args, numbers[i]);
    }
    for (size_t i = 0; i < batch->count; ++i)
        if (batch->routes[i]->streams == 0)
            tw_redis_args_add(&args, batch->routes[i]->name.base, batch->routes[i]->name.len);
    ++node->registry_in_flight;
    if (tw_redis_args_send(&args, node->commands, on_topics, batch) == 0)
        return true;
    on_topics(NULL, batch);
    return false;
}

void tw_redis_registry_flush(tw_redis_node_t *node)
{
    if (!tw_redis_node_up(node) || !node->registered || node->leaving)
        return;
    while (node->registry_in_flight < BATCHES_AT_ONCE && send_topics(node))
        ;
    while (node->registry_in_flight < BATCHES_AT_ONCE && send_streams(node))
        ;
}

/* A backlog goes as fast as Redis takes it; what is less waits for the timer and gathers. */
static void flush_full_batches(tw_redis_node_t *node)
{
    if (node->change_count >= BATCH_MAX || node->changed_count >= BATCH_MAX)
        tw_redis_registry_flush(node);
}

/* --- registering everything again --- */

/* One worker's live streams from a number on, as members. */
typedef struct tw_redis_walk {
    tw_redis_node_t *node;
    uint32_t worker;
    uint64_t after;
    size_t count;
    char *members[WALK_STEP];
} tw_redis_walk_t;

static void on_walked(void *owner, void *data);

static void visit(tw_subscriber_t *subscriber, void *data)
{
    tw_redis_walk_t *walk = data;
    walk->after = subscriber->number;
    walk->members[walk->count++] = tw_redis_member(subscriber);
}

/* Worker's thread. */
static void on_walk(void *owner, void *data)
{
    tw_fanout_t *fanout = owner;
    tw_redis_walk_t *walk = data;
    uint64_t from = walk->after + 1;

    tw_fanout_list(fanout, tw_ranked_before(&fanout->listing, &from), WALK_STEP, visit, walk);
    tw_loop_post(walk->node->loop, on_walked, walk);
}

static void walk_on(tw_redis_node_t *node, tw_redis_walk_t *walk)
{
    tw_loop_post(&node->hub->fanouts[walk->worker]->shard.loop, on_walk, walk);
}

static void on_walked(void *owner, void *data)
{
    tw_redis_walk_t *walk = data;
    tw_redis_node_t *node = walk->node;
    size_t count = walk->count;

    for (size_t i = 0; i < count; ++i)
        add_member(node, walk->members[i], true);
    walk->count = 0;
    if (count < WALK_STEP) {
        ++walk->worker;
        walk->after = 0;
    }
    if (walk->worker < node->hub->config.worker_count && !node->stopping) {
        walk_on(node, walk);
    } else {
        node->walking = false;
        free(walk);
    }
}

void tw_redis_register_everything(tw_redis_node_t *node)
{
    tw_redis_route_t *route;

    for (route = LIST_FIRST(&node->all_routes); route != NULL; route = LIST_NEXT(route, all)) {
        if (route->streams > 0)
            tw_redis_route_count(node, route, 0);
    }
    if (node->walking)
        return;
    node->walking = true;
    node->registry_torn = false;
    tw_redis_walk_t *walk = tw_alloc(sizeof(*walk));
    walk->node = node;
    walk_on(node, walk);
}

void tw_redis_registry_dispose(tw_redis_node_t *node)
{
    tw_redis_change_t *change;
    while ((change = node->changes) != NULL) {
        node->changes = change->next;
        free_change(node, change);
    }
    tw_table_dispose(&node->adds);
}
