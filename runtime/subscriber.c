#include "runtime/subscriber.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/group.h"
#include "runtime/tokens/grants.h"

#define RING_MIN 4

/* Copies the names into one block: the array, then the bytes. */
static tw_topic_name_t *copy_names(const tw_topic_list_t *topics)
{
    tw_topic_name_t *names = tw_try_alloc(tw_topic_names_size(topics->items, topics->count));
    if (names != NULL)
        tw_topic_names_copy(names, topics->items, topics->count);
    return names;
}

static tw_backlog_t *backlog_of(const tw_subscriber_t *subscriber)
{
    return subscriber->connection->shard->config.backlog;
}

tw_subscriber_t *tw_subscriber_create(tw_connection_t *connection, const tw_topic_list_t *topics,
                                      const char *client_id, size_t client_id_len)
{
    size_t bytes = sizeof(tw_subscriber_t) + topics->count * sizeof(tw_membership_t);
    tw_subscriber_t *subscriber = tw_try_alloc(bytes);
    tw_topic_name_t *names = copy_names(topics);

    if (subscriber == NULL || names == NULL) {
        free(subscriber);
        free(names);
        return NULL;
    }
    memset(subscriber, 0, bytes);
    subscriber->connection = connection;
    subscriber->number = ++connection->shard->next_number;
    subscriber->opened_at_ms = tw_clock_wall_ms();
    subscriber->topic_count = (uint16_t)topics->count;
    subscriber->joining = names;
    if (client_id != NULL)
        subscriber->client_id = tw_strndup(client_id, client_id_len);
    subscriber->stream = tw_connection_add_stream(connection, subscriber);
    return subscriber;
}

void tw_subscriber_set_claims(tw_subscriber_t *subscriber, const tw_claims_t *claims)
{
    assert(subscriber->state == TW_SUBSCRIBER_NEW && subscriber->grant == NULL);
    subscriber->grant = tw_grant_create(subscriber, subscriber->number, claims);
}

const char *tw_subscriber_subject(const tw_subscriber_t *subscriber)
{
    const tw_grant_t *grant = subscriber->grant;
    return grant != NULL && grant->subject_len > 0 ? grant->subject : NULL;
}

static tw_counters_t *counters_of(tw_subscriber_t *subscriber)
{
    return &subscriber->connection->shard->counters;
}

uint64_t tw_subscriber_queued_bytes(const tw_subscriber_t *subscriber)
{
    return subscriber->live_bytes + subscriber->queue.replay_left;
}

/* Takes from the budgets for bytes that wait because the subscriber is slow. */
static void take_live(tw_subscriber_t *subscriber, uint64_t bytes)
{
    tw_count(&counters_of(subscriber)->queued_bytes, bytes);
    subscriber->live_bytes += bytes;
    tw_budget_take(&subscriber->connection->budget, bytes);
}

static void give_live(tw_subscriber_t *subscriber, uint64_t bytes)
{
    tw_uncount(&counters_of(subscriber)->queued_bytes, bytes);
    subscriber->live_bytes -= bytes;
    tw_budget_give(&subscriber->connection->budget, bytes);
}

/* Counts bytes that wait because the subscriber resumes; no budget limits those. */
static void take_replay(tw_subscriber_t *subscriber, uint64_t bytes)
{
    tw_count(&counters_of(subscriber)->queued_bytes, bytes);
    subscriber->queue.replay_left += bytes;
}

static void give_replay(tw_subscriber_t *subscriber, uint64_t bytes)
{
    tw_uncount(&counters_of(subscriber)->queued_bytes, bytes);
    subscriber->queue.replay_left -= bytes;
}

static void count_events(tw_subscriber_t *subscriber, uint64_t added, uint64_t removed)
{
    atomic_fetch_add_explicit(&backlog_of(subscriber)->queued_events, added - removed,
                              memory_order_relaxed);
}

static void pop(tw_subscriber_t *subscriber)
{
    tw_queue_t *queue = &subscriber->queue;
    count_events(subscriber, 0, 1);
    tw_event_unref(queue->ring[queue->first]);
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->offset = 0;
    if (--queue->count == 0) {
        free(queue->ring);
        *queue = (tw_queue_t){0};
        subscriber->stream->flags &= (uint8_t)~TW_STREAM_BEHIND;
    }
}

/* Frees everything that ties the subscriber to its connection. */
static void detach(tw_subscriber_t *subscriber)
{
    tw_subscriber_undoom(subscriber);
    give_live(subscriber, subscriber->live_bytes);
    give_replay(subscriber, subscriber->queue.replay_left);
    while (subscriber->queue.count > 0)
        pop(subscriber);
    tw_connection_remove_stream(subscriber->connection, subscriber->stream);
    subscriber->stream = NULL;
    subscriber->connection = NULL; /* it may be freed before the join arrives */
    free(subscriber->client_id);
    free(subscriber->remote_address);
    free(subscriber->grant);
    subscriber->client_id = subscriber->remote_address = NULL;
    subscriber->grant = NULL;
}

void tw_subscriber_destroy(tw_subscriber_t *subscriber)
{
    assert(subscriber->state == TW_SUBSCRIBER_NEW);
    detach(subscriber);
    free(subscriber->joining);
    free(subscriber);
}

void tw_subscriber_abandon(tw_subscriber_t *subscriber)
{
    assert(subscriber->state == TW_SUBSCRIBER_JOINING);
    detach(subscriber);
    subscriber->state = TW_SUBSCRIBER_LEFT;
}

tw_topic_name_t tw_subscriber_topic(const tw_subscriber_t *subscriber, size_t i)
{
    return subscriber->joining != NULL ? subscriber->joining[i]
                                       : tw_group_topic(subscriber->topics[i].group);
}

size_t tw_subscriber_topics_size(const tw_subscriber_t *subscriber)
{
    size_t bytes = subscriber->topic_count * sizeof(tw_topic_name_t);
    for (size_t i = 0; i < subscriber->topic_count; ++i)
        bytes += tw_subscriber_topic(subscriber, i).len;
    return bytes;
}

char *tw_subscriber_copy_topics(const tw_subscriber_t *subscriber, tw_topic_name_t *to)
{
    for (size_t i = 0; i < subscriber->topic_count; ++i)
        to[i] = tw_subscriber_topic(subscriber, i);
    return tw_topic_names_copy(to, to, subscriber->topic_count);
}

void tw_subscriber_id(const tw_subscriber_t *subscriber, char out[TW_STREAM_ID_SIZE])
{
    const tw_shard_t *shard = subscriber->connection->shard;
    snprintf(out, TW_STREAM_ID_SIZE, "%08" PRIx32 "-%02" PRIx32 "%010" PRIx64,
             shard->config.instance, shard->index & 0xff,
             subscriber->number & UINT64_C(0xffffffffff));
}

static void reserve(tw_queue_t *queue, uint32_t count)
{
    uint32_t capacity = queue->capacity == 0 ? RING_MIN : queue->capacity;
    while (capacity < count)
        capacity *= 2;
    if (capacity == queue->capacity)
        return;
    tw_event_t **ring = tw_alloc(capacity * sizeof(*ring));
    for (uint32_t i = 0; i < queue->count; ++i)
        ring[i] = queue->ring[(queue->first + i) & (queue->capacity - 1)];
    free(queue->ring);
    queue->ring = ring;
    queue->capacity = capacity;
    queue->first = 0;
}

static void push(tw_subscriber_t *subscriber, tw_event_t *event)
{
    tw_queue_t *queue = &subscriber->queue;
    reserve(queue, queue->count + 1);
    queue->ring[(queue->first + queue->count++) & (queue->capacity - 1)] = tw_event_ref(event);
    take_live(subscriber, event->frame_len);
    count_events(subscriber, 1, 0);
    subscriber->stream->flags |= TW_STREAM_BEHIND;
}

/* Whether one more event would be too much for the subscriber, its connection or the node. Sets
 * *reason in any case. */
static bool is_too_much(const tw_subscriber_t *subscriber, const tw_event_t *event,
                        tw_close_reason_t *reason)
{
    const tw_budget_t own = {.used = subscriber->live_bytes,
                             .max = backlog_of(subscriber)->stream_bytes_max};

    *reason = TW_CLOSE_SLOW_CONSUMER;
    if (!tw_budget_fits(&own, event->frame_len) ||
        !tw_budget_fits(&subscriber->connection->budget, event->frame_len))
        return true;
    *reason = TW_CLOSE_NODE_MEMORY;
    return tw_backlog_is_full(backlog_of(subscriber));
}

const char *tw_subscriber_remote_address(const tw_subscriber_t *subscriber)
{
    return subscriber->remote_address != NULL ? subscriber->remote_address
                                              : subscriber->connection->remote_address;
}

void tw_subscriber_queue(tw_subscriber_t *subscriber, tw_event_t *event)
{
    tw_close_reason_t reason;

    if (is_too_much(subscriber, event, &reason)) {
        tw_subscriber_doom(subscriber, reason);
        return;
    }
    tw_count(&counters_of(subscriber)->queued_deliveries, 1);
    push(subscriber, event);
}

void tw_subscriber_replay(tw_subscriber_t *subscriber, tw_event_t **events, size_t n)
{
    tw_queue_t live = subscriber->queue, *queue = &subscriber->queue;

    if (n == 0)
        return;
    assert(live.replay_left == 0);
    give_live(subscriber, subscriber->live_bytes);
    count_events(subscriber, 0, live.count);
    *queue = (tw_queue_t){0};
    reserve(queue, (uint32_t)n + live.count);
    for (; queue->count < n; ++queue->count) {
        queue->ring[queue->count] = events[queue->count];
        take_replay(subscriber, events[queue->count]->frame_len);
        tw_count(&counters_of(subscriber)->replayed, events[queue->count]->topic_count > 0);
    }
    count_events(subscriber, n, 0);
    subscriber->stream->flags |= TW_STREAM_BEHIND;
    for (uint32_t i = 0; i < live.count; ++i) {
        tw_event_t *event = live.ring[(live.first + i) & (live.capacity - 1)];
        if (event->position.seq > events[n - 1]->position.seq)
            push(subscriber, event);
        tw_event_unref(event);
    }
    free(live.ring);
}

void tw_subscriber_queue_first(tw_subscriber_t *subscriber, tw_event_t *event)
{
    tw_queue_t *queue = &subscriber->queue;

    assert(queue->offset == 0);
    reserve(queue, queue->count + 1);
    queue->first = (queue->first - 1) & (queue->capacity - 1);
    queue->ring[queue->first] = tw_event_ref(event);
    ++queue->count;
    take_replay(subscriber, event->frame_len);
    count_events(subscriber, 1, 0);
    subscriber->stream->flags |= TW_STREAM_BEHIND;
}

const char *tw_subscriber_peek(const tw_subscriber_t *subscriber, size_t *len)
{
    const tw_queue_t *queue = &subscriber->queue;
    if (queue->count == 0)
        return NULL;
    const tw_event_t *event = queue->ring[queue->first];
    *len = event->frame_len - queue->offset;
    return event->frame + queue->offset;
}

void tw_subscriber_advance(tw_subscriber_t *subscriber, size_t bytes)
{
    tw_queue_t *queue = &subscriber->queue;

    assert(queue->count > 0 && bytes <= queue->ring[queue->first]->frame_len - queue->offset);
    uint64_t replayed = bytes < queue->replay_left ? bytes : queue->replay_left;
    give_replay(subscriber, replayed);
    give_live(subscriber, bytes - replayed);
    queue->offset += (uint32_t)bytes;
    if (queue->offset == queue->ring[queue->first]->frame_len)
        pop(subscriber);
}

void tw_subscriber_doom(tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    if ((subscriber->stream->flags & TW_STREAM_DOOMED) != 0)
        return;
    subscriber->stream->flags |= TW_STREAM_DOOMED;
    subscriber->doom_reason = (uint8_t)reason;
    LIST_INSERT_HEAD(&subscriber->connection->shard->doomed, subscriber, doomed);
}

void tw_subscriber_undoom(tw_subscriber_t *subscriber)
{
    if (subscriber->doomed.le_prev == NULL)
        return;
    LIST_REMOVE(subscriber, doomed);
    subscriber->doomed.le_prev = NULL;
}
