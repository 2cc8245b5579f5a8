#include "runtime/redis/registry.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/hash.h"

#define BATCH_MAX 128
#define BATCHES_AT_ONCE 4 /* so that publishes never wait behind many of them */
#define WALK_STEP 512
/* What the end of a stream costs the control loop, and each of its topics. */
#define STEP_NS 2000
#define STEP_TOPIC_NS 1500

/* A stream to add (member set) or to take away, oldest first in registry->changes. */
typedef struct tw_redis_change {
    struct tw_redis_change *next;
    tw_table_entry_t by_id; /* in registry->adds, while it adds and waits */
    bool in_adds;
    bool again;     /* it may be in Redis already */
    bool cancelled; /* closed before it was sent */
    char *member;   /* owned; NULL: take away */
    char id[TW_STREAM_ID_SIZE];
} tw_redis_change_t;

#define CHANGE_OF(pointer) TW_CONTAINER_OF(pointer, tw_redis_change_t, by_id)

/* What was sent together and is sent again if its reply is lost. */
typedef struct tw_redis_batch {
    tw_redis_registry_t *registry;
    tw_redis_change_t *changes;
    size_t count;
} tw_redis_batch_t;

/* --- changes --- */

static bool has_id(const tw_table_entry_t *node, const void *key)
{
    return strcmp(CHANGE_OF(node)->id, key) == 0;
}

static void free_change(tw_redis_registry_t *registry, tw_redis_change_t *change)
{
    if (change->in_adds)
        tw_table_remove(&registry->adds, &change->by_id);
    free(change->member);
    free(change);
}

static void append(tw_redis_registry_t *registry, tw_redis_change_t *change)
{
    *registry->changes_end = change;
    registry->changes_end = &change->next;
    ++registry->change_count;
    atomic_store(&registry->session->stats->registry_backlog, registry->change_count);
}

static tw_redis_change_t *find_add(tw_redis_registry_t *registry, const char *id)
{
    uint64_t hash = tw_hash(id, TW_STREAM_ID_SIZE - 1);
    tw_table_entry_t *found = tw_table_find(&registry->adds, hash, has_id, id);
    return found != NULL ? CHANGE_OF(found) : NULL;
}

/* A member of Redis' set: takes the text over. */
static void add_member(tw_redis_registry_t *registry, char *member, bool again)
{
    tw_redis_change_t *change = tw_alloc(sizeof(*change));

    memcpy(change->id, member, TW_STREAM_ID_SIZE - 1);
    if (again && find_add(registry, change->id) != NULL) {
        free(change);
        free(member);
        return;
    }
    change->member = member;
    change->again = again;
    change->by_id.hash = tw_hash(change->id, TW_STREAM_ID_SIZE - 1);
    change->in_adds = true;
    tw_table_insert(&registry->adds, &change->by_id);
    append(registry, change);
}

void tw_redis_registry_add(tw_redis_registry_t *registry, char *member,
                           tw_redis_route_t *const *routes, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        tw_redis_route_count(routes[i], 1);
    add_member(registry, member, false);
}

/* A stream that was closed. */
typedef struct tw_redis_left {
    tw_slice_t slice; /* first member */
    tw_redis_registry_t *registry;
    char id[TW_STREAM_ID_SIZE];
    size_t topic_count;
    tw_topic_name_t topics[]; /* bytes behind */
} tw_redis_left_t;

static void take_left(tw_slice_t *slice)
{
    tw_redis_left_t *left = (tw_redis_left_t *)slice;
    tw_redis_registry_t *registry = left->registry;
    tw_redis_change_t *waiting = find_add(registry, left->id);

    --registry->leaving;
    tw_loop_spend(registry->loop, STEP_NS + left->topic_count * STEP_TOPIC_NS);
    for (size_t i = 0; i < left->topic_count; ++i) {
        const tw_redis_lane_t *lane = tw_redis_lane_of(registry->lanes, &left->topics[i]);
        tw_redis_route_t *route = tw_redis_route_find(&lane->routes, &left->topics[i]);
        assert(route != NULL);
        tw_redis_route_count(route, -1);
        tw_redis_route_unuse(route);
    }
    if (waiting != NULL)
        waiting->cancelled = true;
    if (waiting == NULL || waiting->again) {
        tw_redis_change_t *change = tw_alloc(sizeof(*change));
        memcpy(change->id, left->id, sizeof(change->id));
        append(registry, change);
    }
    free(left);
}

static void on_left(void *owner, void *data)
{
    tw_redis_left_t *left = data;
    if (left->registry->stopped) {
        free(left);
        return;
    }
    ++left->registry->leaving;
    tw_loop_defer(left->registry->loop, &left->slice, take_left);
}

void tw_redis_registry_remove(tw_redis_registry_t *registry, const tw_subscriber_t *subscriber)
{
    tw_redis_left_t *left = tw_alloc(sizeof(*left) + tw_subscriber_topics_size(subscriber));

    left->registry = registry;
    left->topic_count = subscriber->topic_count;
    tw_subscriber_id(subscriber, left->id);
    tw_subscriber_copy_topics(subscriber, left->topics);
    tw_loop_post(registry->loop, on_left, left);
}

/* --- sending them --- */

static void flush_full_batches(tw_redis_registry_t *registry);

/* A full Redis refuses what a batch adds. Nothing of it is kept for later, which could become any
 * amount: everything is registered again once the lease is granted. */
static void see_refusal(tw_redis_registry_t *registry, const char *what, const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return;
    tw_redis_session_refused(registry->session, what, reply);
    registry->incomplete = true;
}

static void on_streams(const redisReply *reply, void *data)
{
    tw_redis_batch_t batch = *(tw_redis_batch_t *)data;
    tw_redis_registry_t *registry = batch.registry;
    tw_redis_change_t *next;

    free(data);
    --registry->in_flight;
    see_refusal(registry, "to register streams", reply);
    if (reply == NULL) {
        /* Doing it twice does no harm: in front of what came later. */
        tw_redis_change_t **end = &batch.changes;
        while (*end != NULL)
            end = &(*end)->next;
        *end = registry->changes;
        if (registry->changes == NULL)
            registry->changes_end = end;
        registry->changes = batch.changes;
        registry->change_count += batch.count;
        return;
    }
    for (tw_redis_change_t *change = batch.changes; change != NULL; change = next) {
        next = change->next;
        free_change(registry, change);
    }
    flush_full_batches(registry);
}

/* Takes up to BATCH_MAX changes off the front. A batch adds first and takes away then, and no id
 * ever comes back. */
static tw_redis_batch_t *take_batch(tw_redis_registry_t *registry)
{
    tw_redis_batch_t *batch = tw_alloc(sizeof(*batch));
    tw_redis_change_t **end = &batch->changes;

    batch->registry = registry;
    while (registry->changes != NULL && batch->count < BATCH_MAX) {
        tw_redis_change_t *change = registry->changes;
        registry->changes = change->next;
        if (registry->changes == NULL)
            registry->changes_end = &registry->changes;
        change->next = NULL;
        --registry->change_count;
        if (change->cancelled) {
            free_change(registry, change);
            continue;
        }
        if (change->in_adds)
            tw_table_remove(&registry->adds, &change->by_id);
        change->in_adds = false;
        *end = change;
        end = &change->next;
        ++batch->count;
    }
    atomic_store(&registry->session->stats->registry_backlog, registry->change_count);
    if (batch->count > 0)
        return batch;
    free(batch);
    return NULL;
}

static bool send_streams(tw_redis_registry_t *registry)
{
    tw_redis_batch_t *batch = take_batch(registry);
    tw_redis_args_t args;
    uint64_t adds = 0;

    if (batch == NULL)
        return false;
    for (const tw_redis_change_t *change = batch->changes; change != NULL; change = change->next)
        adds += change->member != NULL;
    tw_redis_script_begin_own(registry->session, &args, TW_REDIS_SCRIPT_STREAMS);
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
    ++registry->in_flight;
    tw_redis_session_send(registry->session, &args, on_streams, batch);
    return true;
}

void tw_redis_registry_flush(tw_redis_registry_t *registry)
{
    while (tw_redis_session_up(registry->session) && registry->in_flight < BATCHES_AT_ONCE &&
           send_streams(registry))
        ;
}

/* A backlog goes as fast as Redis takes it; what is less waits for the timer and gathers. */
static void flush_full_batches(tw_redis_registry_t *registry)
{
    if (registry->change_count >= BATCH_MAX)
        tw_redis_registry_flush(registry);
}

/* --- registering everything again --- */

/* One worker's live streams from a number on, as members. */
typedef struct tw_redis_walk {
    tw_redis_registry_t *registry;
    uint32_t worker;
    uint64_t after;
    size_t count;
    char *members[WALK_STEP];
} tw_redis_walk_t;

static void on_walked(void *owner, void *data);
static void register_everything(tw_redis_registry_t *registry);

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
    tw_loop_post(walk->registry->loop, on_walked, walk);
}

static void walk_on(tw_redis_registry_t *registry, tw_redis_walk_t *walk)
{
    tw_loop_post(&registry->hub->fanouts[walk->worker]->shard.loop, on_walk, walk);
}

static void on_walked(void *owner, void *data)
{
    tw_redis_walk_t *walk = data;
    tw_redis_registry_t *registry = walk->registry;
    size_t count = walk->count;

    for (size_t i = 0; i < count; ++i)
        add_member(registry, walk->members[i], true);
    walk->count = 0;
    if (count < WALK_STEP) {
        ++walk->worker;
        walk->after = 0;
    }
    if (walk->worker < registry->hub->config.worker_count && !registry->stopping) {
        walk_on(registry, walk);
    } else {
        registry->walking = false;
        free(walk);
        if (registry->walk_again && !registry->stopping) {
            registry->walk_again = false;
            register_everything(registry);
        }
    }
}

/* Nothing of ours is in Redis any more: all streams go there again, in the usual pace. */
static void register_everything(tw_redis_registry_t *registry)
{
    registry->incomplete = false;
    if (registry->walking) {
        registry->walk_again = true;
        return;
    }
    registry->walking = true;
    tw_redis_walk_t *walk = tw_alloc(sizeof(*walk));
    walk->registry = registry;
    walk_on(registry, walk);
}

void tw_redis_registry_up(tw_redis_registry_t *registry, bool kept)
{
    if (!kept)
        register_everything(registry);
}

void tw_redis_registry_granted(tw_redis_registry_t *registry)
{
    if (registry->incomplete)
        register_everything(registry);
}

bool tw_redis_registry_busy(const tw_redis_registry_t *registry)
{
    return registry->walking || registry->leaving > 0;
}

void tw_redis_registry_init(tw_redis_registry_t *registry, tw_redis_lanes_t *lanes, tw_hub_t *hub)
{
    registry->lanes = lanes;
    registry->session = &lanes->items[0].session;
    registry->hub = hub;
    registry->changes_end = &registry->changes;
    tw_table_init(&registry->adds);
}

void tw_redis_registry_dispose(tw_redis_registry_t *registry)
{
    tw_redis_change_t *change;
    while ((change = registry->changes) != NULL) {
        registry->changes = change->next;
        free_change(registry, change);
    }
    tw_table_dispose(&registry->adds);
}
