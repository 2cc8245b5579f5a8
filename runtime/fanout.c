#include "runtime/fanout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"

#define TOPIC_OF(pointer) TW_CONTAINER_OF(pointer, tw_local_topic_t, entry)
#define GROUP_OF(pointer) TW_CONTAINER_OF(pointer, tw_group_t, entry)
#define SUBSCRIBER_OF(pointer) TW_CONTAINER_OF(pointer, tw_subscriber_t, ranked)

static bool topic_has_name(const tw_table_entry_t *node, const void *key)
{
    const tw_local_topic_t *topic = TOPIC_OF(node);
    const tw_topic_name_t *name = key;
    return topic->name_len == name->len && memcmp(topic->name, name->base, name->len) == 0;
}

static bool group_is_of(const tw_table_entry_t *node, const void *key)
{
    const tw_group_t *group = GROUP_OF(node), *wanted = key;
    return group->topic == wanted->topic && group->connection == wanted->connection;
}

static int compare_number(const void *key, const tw_ranked_entry_t *node)
{
    uint64_t number = *(const uint64_t *)key, other = SUBSCRIBER_OF(node)->number;
    return number < other ? -1 : number > other;
}

static void end_stream(void *stream, tw_close_reason_t reason)
{
    tw_subscriber_t *subscriber = stream;
    subscriber->connection->ops->close(subscriber->connection, subscriber->stream, reason);
}

static void on_batch(void *owner)
{
    tw_fanout_reap(owner);
}

void tw_fanout_init(tw_fanout_t *fanout, const tw_shard_config_t *config, uint32_t index,
                    uv_loop_t *uv)
{
    tw_shard_init(&fanout->shard, config, index, uv, fanout, on_batch);
    tw_table_init(&fanout->topics);
    tw_table_init(&fanout->groups);
    tw_ranked_tree_init(&fanout->listing, compare_number);
    tw_grants_init(&fanout->grants, &fanout->shard.loop, end_stream);
}

void tw_fanout_close(tw_fanout_t *fanout)
{
    tw_grants_close(&fanout->grants);
    tw_loop_close(&fanout->shard.loop);
}

void tw_fanout_dispose(tw_fanout_t *fanout)
{
    assert(LIST_EMPTY(&fanout->shard.connections) && fanout->topics.count == 0 &&
           fanout->groups.count == 0);
    tw_loop_dispose(&fanout->shard.loop);
    tw_table_dispose(&fanout->topics);
    tw_table_dispose(&fanout->groups);
}

static tw_local_topic_t *find_topic(const tw_fanout_t *fanout, const tw_topic_name_t *name)
{
    tw_table_entry_t *node = tw_table_find(&fanout->topics, name->hash, topic_has_name, name);
    return node != NULL ? TOPIC_OF(node) : NULL;
}

static bool spans(const tw_stream_t *stream)
{
    return stream->subscriber->spans;
}

/* The event to each stream of a group, and behind it the trail to each that spans lanes. Those that
 * do not are served together: a single one that does must not make the others dear. */
static size_t deliver_with_trail(const tw_group_t *group, tw_event_t *event, tw_event_t *trail)
{
    tw_connection_t *connection = group->connection;
    size_t delivered = 0;

    for (uint32_t i = 0, next; i < group->count; i = next) {
        tw_stream_t *const *streams = &group->streams[i];
        next = i + 1;
        while (!spans(streams[0]) && next < group->count && !spans(group->streams[next]))
            ++next;
        size_t got = connection->ops->deliver(connection, event, streams, next - i);
        if (got > 0 && spans(streams[0]))
            streams[0]->delivered -= connection->ops->deliver(connection, trail, streams, 1);
        delivered += got;
    }
    return delivered;
}

size_t tw_fanout_deliver(tw_fanout_t *fanout, tw_event_t *event, tw_event_t *trail)
{
    size_t delivered = 0;

    for (uint32_t t = 0; t < event->topic_count; ++t) {
        const tw_local_topic_t *topic = find_topic(fanout, &event->topics[t]);
        if (topic == NULL)
            continue;
        for (uint32_t g = 0; g < topic->count; ++g) {
            const tw_group_t *group = topic->groups[g];
            if (g + 1 < topic->count)
                __builtin_prefetch(topic->groups[g + 1]->streams);
            delivered += trail == NULL ? group->connection->ops->deliver(
                                             group->connection, event, group->streams, group->count)
                                       : deliver_with_trail(group, event, trail);
        }
    }
    tw_count(&fanout->shard.counters.deliveries, delivered);
    tw_count(&fanout->shard.counters.delivered_bytes, delivered * event->frame_len);
    return delivered;
}

/* Makes room for one more pointer in an array whose first element is stored inline (`single`). */
static void **grow(void **array, void **single, uint32_t count, uint32_t *capacity)
{
    if (count < *capacity)
        return array;
    if (*capacity == 0) {
        *capacity = 1;
        return single;
    }
    *capacity *= 2;
    if (array != single)
        return tw_realloc(array, *capacity * sizeof(*array));
    void **larger = tw_alloc(*capacity * sizeof(*larger));
    larger[0] = *single;
    return larger;
}

static tw_local_topic_t *obtain_topic(tw_fanout_t *fanout, const tw_topic_name_t *name)
{
    tw_local_topic_t *topic = find_topic(fanout, name);
    if (topic != NULL)
        return topic;
    topic = tw_alloc(sizeof(*topic) + name->len);
    topic->entry.hash = name->hash;
    topic->name_len = (uint32_t)name->len;
    memcpy(topic->name, name->base, name->len);
    tw_table_insert(&fanout->topics, &topic->entry);
    return topic;
}

static uint64_t group_hash(const tw_local_topic_t *topic, const tw_connection_t *connection)
{
    /* The topic's hash is keyed already. Multiplying spreads the bits of the pointer. */
    return (topic->entry.hash ^ (uint64_t)(uintptr_t)connection) * UINT64_C(0x9e3779b97f4a7c15) >>
           7;
}

static tw_group_t *obtain_group(tw_fanout_t *fanout, tw_local_topic_t *topic,
                                tw_connection_t *connection)
{
    const tw_group_t wanted = {.topic = topic, .connection = connection};
    uint64_t hash = group_hash(topic, connection);
    tw_table_entry_t *node = tw_table_find(&fanout->groups, hash, group_is_of, &wanted);
    if (node != NULL)
        return GROUP_OF(node);

    tw_group_t *group = tw_alloc(sizeof(*group));
    group->entry.hash = hash;
    group->topic = topic;
    group->connection = connection;
    topic->groups = (tw_group_t **)grow((void **)topic->groups, (void **)&topic->single,
                                        topic->count, &topic->capacity);
    group->index = topic->count;
    topic->groups[topic->count++] = group;
    tw_table_insert(&fanout->groups, &group->entry);
    return group;
}

void tw_fanout_join(tw_fanout_t *fanout, tw_subscriber_t *subscriber, const tw_topic_name_t *names)
{
    assert(subscriber->state == TW_SUBSCRIBER_JOINING);
    for (uint16_t i = 0; i < subscriber->topic_count; ++i) {
        tw_local_topic_t *topic = obtain_topic(fanout, &names[i]);
        tw_group_t *group = obtain_group(fanout, topic, subscriber->connection);
        group->streams = (tw_stream_t **)grow((void **)group->streams, (void **)&group->single,
                                              group->count, &group->capacity);
        subscriber->topics[i] = (tw_membership_t){.group = group, .index = group->count};
        group->streams[group->count++] = subscriber->stream;
        ++topic->stream_count;
    }
    subscriber->state = TW_SUBSCRIBER_LIVE;
    tw_ranked_insert(&fanout->listing, &subscriber->number, &subscriber->ranked);
    if (subscriber->grant != NULL)
        tw_grants_add(&fanout->grants, subscriber->grant);
    tw_count(&fanout->shard.counters.streams, 1);
    tw_count(&fanout->shard.counters.streams_opened, 1);
}

static void drop_group(tw_fanout_t *fanout, tw_group_t *group)
{
    tw_local_topic_t *topic = group->topic;
    tw_group_t *last = topic->groups[--topic->count];

    topic->groups[group->index] = last;
    last->index = group->index;
    tw_table_remove(&fanout->groups, &group->entry);
    if (group->streams != &group->single)
        free(group->streams);
    free(group);
    if (topic->count > 0)
        return;
    tw_table_remove(&fanout->topics, &topic->entry);
    if (topic->groups != &topic->single)
        free(topic->groups);
    free(topic);
}

static void leave_group(tw_fanout_t *fanout, const tw_membership_t *membership)
{
    tw_group_t *group = membership->group;
    tw_stream_t *last = group->streams[--group->count];

    --group->topic->stream_count;
    if (membership->index != group->count) {
        tw_subscriber_t *moved = last->subscriber;
        uint16_t i = 0;
        while (moved->topics[i].group != group)
            ++i;
        moved->topics[i].index = membership->index;
        group->streams[membership->index] = last;
    }
    if (group->count == 0)
        drop_group(fanout, group);
}

void tw_fanout_leave(tw_fanout_t *fanout, tw_subscriber_t *subscriber)
{
    assert(subscriber->state == TW_SUBSCRIBER_LIVE);
    for (uint16_t i = 0; i < subscriber->topic_count; ++i)
        leave_group(fanout, &subscriber->topics[i]);
    tw_ranked_remove(&fanout->listing, &subscriber->number);
    if (subscriber->grant != NULL)
        tw_grants_remove(&fanout->grants, subscriber->grant);
    subscriber->state = TW_SUBSCRIBER_NEW;
    tw_uncount(&fanout->shard.counters.streams, 1);
}

tw_subscriber_t *tw_fanout_find(tw_fanout_t *fanout, uint64_t number)
{
    tw_ranked_entry_t *node = tw_ranked_find(&fanout->listing, &number);
    return node != NULL ? SUBSCRIBER_OF(node) : NULL;
}

void tw_fanout_reap(tw_fanout_t *fanout)
{
    tw_subscriber_t *subscriber;
    while ((subscriber = LIST_FIRST(&fanout->shard.doomed)) != NULL) {
        tw_subscriber_undoom(subscriber);
        subscriber->connection->ops->close(subscriber->connection, subscriber->stream,
                                           (tw_close_reason_t)subscriber->doom_reason);
    }
}

size_t tw_fanout_close_some(tw_fanout_t *fanout, size_t max, tw_close_reason_t reason)
{
    tw_connection_t *connection;
    size_t closed = 0;

    while (closed < max && (connection = LIST_FIRST(&fanout->shard.connections)) != NULL)
        closed += tw_connection_close_streams(connection, max - closed, reason);
    return closed;
}

typedef struct tw_subscriber_visit {
    tw_subscriber_visit_fn visit;
    void *data;
} tw_subscriber_visit_t;

static void visit_subscriber(tw_ranked_entry_t *node, void *data)
{
    const tw_subscriber_visit_t *list = data;
    list->visit(SUBSCRIBER_OF(node), list->data);
}

void tw_fanout_list(tw_fanout_t *fanout, size_t from, size_t count, tw_subscriber_visit_fn visit,
                    void *data)
{
    tw_subscriber_visit_t list = {.visit = visit, .data = data};
    tw_ranked_walk(&fanout->listing, from, count, visit_subscriber, &list);
}

size_t tw_fanout_list_topic(tw_fanout_t *fanout, const tw_topic_name_t *name, size_t from,
                            size_t count, tw_subscriber_visit_fn visit, void *data)
{
    const tw_local_topic_t *topic = find_topic(fanout, name);
    if (topic == NULL)
        return 0;
    for (uint32_t g = 0; g < topic->count && count > 0; ++g) {
        const tw_group_t *group = topic->groups[g];
        if (from >= group->count) {
            from -= group->count;
            continue;
        }
        for (; from < group->count && count > 0; --count)
            visit(group->streams[from++]->subscriber, data);
        from = 0;
    }
    return topic->stream_count;
}
