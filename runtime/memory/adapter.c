#include "runtime/memory/adapter.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/join.h"
#include "runtime/listing.h"
#include "runtime/stats.h"

typedef struct tw_memory_adapter {
    tw_adapter_t super;
    tw_hub_t *hub;              /* borrowed */
    const tw_node_info_t *info; /* borrowed */
    _Atomic bool draining;
} tw_memory_adapter_t;

static tw_memory_adapter_t *self_of(tw_adapter_t *adapter)
{
    return (tw_memory_adapter_t *)adapter;
}

static int start(tw_adapter_t *adapter, tw_loop_t *control)
{
    return 0;
}

static void stop(tw_adapter_t *adapter, void (*on_stopped)(void *data), void *data)
{
    on_stopped(data);
}

static void destroy(tw_adapter_t *adapter)
{
    free(adapter);
}

static bool ready(tw_adapter_t *adapter, const char **why_not)
{
    *why_not = NULL;
    return true;
}

static void drain(tw_adapter_t *adapter)
{
    atomic_store(&self_of(adapter)->draining, true);
}

static void open_stream(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                        const tw_resume_t *resume, tw_opened_fn on_open, void *data)
{
    tw_hub_t *hub = self_of(adapter)->hub;
    tw_status_t status = tw_hub_check_token(hub, subscriber);

    if (status == TW_OK)
        status = tw_hub_join(hub, subscriber, resume, on_open, data);
    if (status != TW_OK)
        on_open(data, status, NULL);
}

static void close_stream(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                         tw_close_reason_t reason)
{
    tw_count(&subscriber->connection->shard->counters.closes[reason], 1);
    tw_hub_leave(self_of(adapter)->hub, subscriber);
}

static void has_subscribers(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_list_t *topics,
                            tw_followed_fn on_answer, void *data)
{
    uint8_t few[64] = {0}, *followed = topics->count <= sizeof(few) ? few : tw_alloc(topics->count);

    for (size_t i = 0; i < topics->count; ++i)
        followed[i] = tw_hub_accepts(self_of(adapter)->hub, &topics->items[i]);
    on_answer(data, TW_OK, followed);
    if (followed != few)
        free(followed);
}

typedef struct tw_publishing {
    tw_published_fn on_done;
    void *data;
} tw_publishing_t;

static void on_dispatched(void *data, const tw_dispatch_result_t *result)
{
    tw_publishing_t publishing = *(tw_publishing_t *)data;
    free(data);
    publishing.on_done(publishing.data, TW_OK, result);
}

static void publish(tw_adapter_t *adapter, tw_loop_t *from, tw_event_t *event,
                    tw_published_fn on_done, void *data)
{
    tw_publishing_t *publishing = tw_alloc(sizeof(*publishing));
    *publishing = (tw_publishing_t){.on_done = on_done, .data = data};
    tw_hub_dispatch(self_of(adapter)->hub, from, event, NULL, on_dispatched, publishing);
}

/* A page of topics. The names are copied, because rows are visited under the listing's lock. */
typedef struct tw_topic_page {
    const char *node_id;
    size_t count;
    tw_topic_row_t *rows;
    tw_node_share_t *shares; /* one for each row, since there is one node */
    char (*names)[TW_TOPIC_NAME_MAX];
} tw_topic_page_t;

static void visit_topic(const char *name, size_t name_len, uint32_t followers, void *data)
{
    tw_topic_page_t *page = data;
    size_t i = page->count++;

    page->shares[i] = (tw_node_share_t){.node_id = page->node_id, .stream_count = followers};
    for (size_t c = 0; c < name_len; ++c)
        page->names[i][c] = name[c];
    page->rows[i] = (tw_topic_row_t){.topic = page->names[i],
                                     .topic_len = name_len,
                                     .stream_count = followers,
                                     .nodes = &page->shares[i],
                                     .node_count = 1};
}

static void list_topics(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *query,
                        tw_topics_fn on_page, void *data)
{
    tw_topic_page_t page = {.node_id = self_of(adapter)->info->node_id,
                            .rows = tw_alloc(query->page_size * sizeof(*page.rows)),
                            .shares = tw_alloc(query->page_size * sizeof(*page.shares)),
                            .names = tw_alloc(query->page_size * sizeof(*page.names))};
    uint64_t skip = query->page - 1 > SIZE_MAX / query->page_size
                        ? SIZE_MAX
                        : (query->page - 1) * query->page_size;
    size_t total =
        tw_topic_index_list(&self_of(adapter)->hub->index, query->prefix, query->prefix_len, skip,
                            query->page_size, visit_topic, &page);

    on_page(data, TW_OK, total, page.rows, page.count);
    free(page.rows);
    free(page.shares);
    free(page.names);
}

static void list_streams(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *query,
                         tw_streams_fn on_page, void *data)
{
    tw_listing_streams(self_of(adapter)->hub, from, query, self_of(adapter)->info->node_id, on_page,
                       data);
}

static void list_nodes(tw_adapter_t *adapter, tw_loop_t *from, tw_nodes_fn on_nodes, void *data)
{
    const tw_memory_adapter_t *self = self_of(adapter);
    tw_stats_t stats;
    tw_stats_read(self->hub, &stats);
    const tw_node_row_t row = {.node_id = self->info->node_id,
                               .hostname = self->info->hostname,
                               .ip = self->info->ip,
                               .started_at_ms = self->info->started_at_ms,
                               .version = self->info->version,
                               .stream_count = stats.streams,
                               .stats = &stats,
                               .counted_at_ms = tw_clock_wall_ms(),
                               .state = atomic_load(&self->draining) ? "draining" : "up"};
    on_nodes(data, TW_OK, &row, 1);
}

static void tail_events(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                        const tw_position_t *after, size_t limit, tw_tail_fn on_tail, void *data)
{
    tw_event_t **events = tw_alloc((limit + 1) * sizeof(*events));
    uint64_t seq = after != NULL && after->epoch == tw_hub_position(self_of(adapter)->hub, 0).epoch
                       ? after->seq
                       : 0;
    size_t count = tw_hub_tail(self_of(adapter)->hub, topic, seq, events, limit);

    on_tail(data, TW_OK, events, count);
    for (size_t i = 0; i < count; ++i)
        tw_event_unref(events[i]);
    free(events);
}

static void forget_tail(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                        tw_status_fn on_done, void *data)
{
    tw_hub_forget(self_of(adapter)->hub, topic, UINT64_MAX);
    on_done(data, TW_OK);
}

static void close_by_id(tw_adapter_t *adapter, tw_loop_t *from, const char *stream_id,
                        tw_close_reason_t reason, tw_status_fn on_done, void *data)
{
    tw_listing_close(self_of(adapter)->hub, from, stream_id, reason, on_done, data);
}

static void close_subject(tw_adapter_t *adapter, tw_loop_t *from, tw_text_t subject,
                          tw_close_reason_t reason, tw_closed_fn on_done, void *data)
{
    const tw_ending_query_t query = {
        .subject = subject, .issued_until_ms = INT64_MAX, .reason = reason};
    tw_listing_close_subject(self_of(adapter)->hub, from, &query, on_done, data);
}

/* Who revokes waits until the streams are closed. */
typedef struct tw_revoking {
    tw_status_fn on_done;
    void *data;
} tw_revoking_t;

static void on_revoked(void *data, tw_status_t status, uint64_t count)
{
    tw_revoking_t revoking = *(tw_revoking_t *)data;
    free(data);
    revoking.on_done(revoking.data, status);
}

static void revoke_subject(tw_adapter_t *adapter, tw_loop_t *from, tw_text_t subject,
                           int64_t until_ms, tw_status_fn on_done, void *data)
{
    const tw_revocation_t revocation = {subject, tw_clock_wall_ms(), until_ms};
    tw_revoking_t *revoking = tw_alloc(sizeof(*revoking));

    *revoking = (tw_revoking_t){.on_done = on_done, .data = data};
    tw_status_t status =
        tw_listing_revoke(self_of(adapter)->hub, from, &revocation, true, on_revoked, revoking);
    if (status != TW_OK)
        on_revoked(revoking, status, 0);
}

static const tw_adapter_ops_t memory_ops = {
    .name = "memory",
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .ready = ready,
    .drain = drain,
    .open_stream = open_stream,
    .close_stream = close_stream,
    .has_subscribers = has_subscribers,
    .publish = publish,
    .list_topics = list_topics,
    .list_streams = list_streams,
    .list_nodes = list_nodes,
    .tail_events = tail_events,
    .forget_tail = forget_tail,
    .close_by_id = close_by_id,
    .close_subject = close_subject,
    .revoke = revoke_subject,
};

tw_adapter_t *tw_memory_adapter_create(tw_hub_t *hub, const tw_node_info_t *info)
{
    tw_memory_adapter_t *self = tw_alloc(sizeof(*self));
    self->super = (tw_adapter_t){.ops = &memory_ops};
    self->hub = hub;
    self->info = info;
    return &self->super;
}
