#include "runtime/listing.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"
#include "runtime/hub.h"

/* A row and the texts that it borrows, in one block. */
typedef struct tw_row {
    tw_stream_row_t row;
    char stream_id[TW_STREAM_ID_SIZE];
    char remote_address[sizeof(((tw_connection_t *)0)->remote_address)];
    _Alignas(tw_topic_name_t) char text[]; /* the topics' names, the client id, the subject */
} tw_row_t;

/* A page that is posted from worker to worker; only one of them has it at a time. */
typedef struct tw_page {
    tw_hub_t *hub;
    tw_loop_t *from;
    const char *node_id;
    tw_streams_fn on_page;
    void *data;
    uint64_t skip; /* rows that are still to be passed over */
    size_t wanted; /* rows that are still to be taken */
    uint64_t total;
    uint32_t worker; /* the worker that is asked now */
    bool by_topic;
    tw_topic_name_t topic;            /* used with by_topic; its bytes are in topic_text */
    uint64_t low, high;               /* wanted: from number `low` of worker_low … */
    uint32_t worker_low, worker_high; /* … up to, without it, number `high` of worker_high */
    char topic_text[TW_TOPIC_NAME_MAX];
    tw_text_t subject; /* len 0: of all; its bytes are in subject_text */
    char subject_text[TW_SUBJECT_MAX];
    size_t count;
    tw_row_t *rows[]; /* owned */
} tw_page_t;

static tw_row_t *copy_row(const tw_subscriber_t *subscriber, const char *node_id)
{
    const char *subject = tw_subscriber_subject(subscriber);
    size_t client_len = subscriber->client_id != NULL ? strlen(subscriber->client_id) + 1 : 0,
           subject_len = subject != NULL ? strlen(subject) + 1 : 0;

    tw_row_t *copy =
        tw_alloc(sizeof(*copy) + tw_subscriber_topics_size(subscriber) + client_len + subject_len);
    tw_topic_name_t *topics = (tw_topic_name_t *)(void *)copy->text;
    char *to = tw_subscriber_copy_topics(subscriber, topics);
    tw_subscriber_id(subscriber, copy->stream_id);
    snprintf(copy->remote_address, sizeof(copy->remote_address), "%s",
             tw_subscriber_remote_address(subscriber));
    copy->row = (tw_stream_row_t){
        .stream_id = copy->stream_id,
        .client_id = client_len > 0 ? memcpy(to, subscriber->client_id, client_len) : NULL,
        .subject = subject_len > 0 ? memcpy(to + client_len, subject, subject_len) : NULL,
        .topics = topics,
        .topic_count = subscriber->topic_count,
        .node_id = node_id,
        .remote_address = copy->remote_address,
        .protocol = subscriber->connection->protocol,
        .opened_at_ms = subscriber->opened_at_ms,
        .delivered = subscriber->stream->delivered,
        .queued_bytes = tw_subscriber_queued_bytes(subscriber),
    };
    return copy;
}

static void visit(tw_subscriber_t *subscriber, void *data)
{
    tw_page_t *page = data;
    page->rows[page->count++] = copy_row(subscriber, page->node_id);
}

static void visit_granted(void *stream, void *data)
{
    visit(stream, data);
}

static void on_page_done(void *owner, void *data)
{
    tw_page_t *page = data;
    tw_stream_row_t *rows = tw_alloc((page->count + 1) * sizeof(*rows));

    for (size_t i = 0; i < page->count; ++i)
        rows[i] = page->rows[i]->row;
    page->on_page(page->data, TW_OK, page->total, rows, page->count);
    free(rows);
    for (size_t i = 0; i < page->count; ++i)
        free(page->rows[i]);
    free(page);
}

/* How many streams of this worker match the page's prefix, and the rank of the first. */
static uint64_t range_of(const tw_page_t *page, tw_fanout_t *fanout, uint64_t *first)
{
    uint64_t end = tw_ranked_count(&fanout->listing);

    *first = 0;
    if (fanout->shard.index < page->worker_low || fanout->shard.index > page->worker_high)
        return 0;
    if (fanout->shard.index == page->worker_low)
        *first = tw_ranked_before(&fanout->listing, &page->low);
    if (fanout->shard.index == page->worker_high)
        end = tw_ranked_before(&fanout->listing, &page->high);
    return end > *first ? end - *first : 0;
}

static void on_ask(void *owner, void *data)
{
    tw_fanout_t *fanout = owner;
    tw_page_t *page = data;
    uint64_t first = 0, here;
    size_t before = page->count;

    if (page->subject.len > 0) {
        here = tw_grants_list(&fanout->grants, page->subject, page->skip, page->wanted,
                              visit_granted, page);
    } else if (page->by_topic) {
        here = tw_fanout_list_topic(fanout, &page->topic, page->skip, page->wanted, visit, page);
    } else {
        here = range_of(page, fanout, &first);
        if (page->skip < here) {
            uint64_t take = here - page->skip < page->wanted ? here - page->skip : page->wanted;
            tw_fanout_list(fanout, first + page->skip, take, visit, page);
        }
    }
    page->total += here;
    page->skip -= here < page->skip ? here : page->skip;
    page->wanted -= page->count - before;
    if (++page->worker < page->hub->config.worker_count)
        tw_loop_post(&page->hub->fanouts[page->worker]->shard.loop, on_ask, page);
    else
        tw_loop_post(page->from, on_page_done, page);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static uint64_t hex_value(const char *digits, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; ++i)
        value = value * 16 + (uint64_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
    return value;
}

/* Where the parts of an id begin: its worker, two hex digits, and its number. */
#define WORKER_AT 9
#define NUMBER_AT 11
#define ID_LEN (TW_STREAM_ID_SIZE - 1)

/* Whether an id of this process can begin with the prefix. */
static bool is_own_prefix(const tw_hub_t *hub, const char *prefix, size_t len)
{
    char own[WORKER_AT + 1];

    snprintf(own, sizeof(own), "%08" PRIx32 "-", hub->shards.instance);
    if (len > ID_LEN || memcmp(prefix, own, len < WORKER_AT ? len : WORKER_AT) != 0)
        return false;
    for (size_t i = WORKER_AT; i < len; ++i)
        if (!is_hex(prefix[i]))
            return false;
    return true;
}

/*
 * Turns a prefix of an id into a range of (worker, number): its low end is the prefix filled up
 * with zeros, its high end the prefix filled up with `f`. False when no id of this process begins
 * with it.
 */
static bool parse_prefix(tw_page_t *page, const char *prefix, size_t len)
{
    char low[ID_LEN], high[ID_LEN];

    if (!is_own_prefix(page->hub, prefix, len))
        return false;
    memset(low, '0', sizeof(low));
    memset(high, 'f', sizeof(high));
    for (size_t i = WORKER_AT; i < len; ++i)
        low[i] = high[i] = prefix[i];
    page->worker_low = (uint32_t)hex_value(low + WORKER_AT, NUMBER_AT - WORKER_AT);
    page->worker_high = (uint32_t)hex_value(high + WORKER_AT, NUMBER_AT - WORKER_AT);
    page->low = hex_value(low + NUMBER_AT, ID_LEN - NUMBER_AT);
    page->high = hex_value(high + NUMBER_AT, ID_LEN - NUMBER_AT) + 1;
    return true;
}

void tw_listing_streams(tw_hub_t *hub, tw_loop_t *from, const tw_page_query_t *query,
                        const char *node_id, tw_streams_fn on_page, void *data)
{
    tw_page_t *page = tw_alloc(sizeof(*page) + query->page_size * sizeof(page->rows[0]));

    page->hub = hub;
    page->from = from;
    page->node_id = node_id;
    page->on_page = on_page;
    page->data = data;
    page->wanted = query->page_size;
    if (__builtin_mul_overflow(query->page - 1, query->page_size, &page->skip) ||
        __builtin_add_overflow(page->skip, query->skip, &page->skip))
        page->skip = UINT64_MAX;
    if (query->subject.len > 0) {
        assert(query->subject.len <= TW_SUBJECT_MAX);
        page->subject = tw_text(memcpy(page->subject_text, query->subject.base, query->subject.len),
                                query->subject.len);
    } else if (query->topic != NULL) {
        page->by_topic = true;
        page->topic = *query->topic;
        page->topic.base = memcpy(page->topic_text, query->topic->base, query->topic->len);
    } else if (!parse_prefix(page, query->prefix != NULL ? query->prefix : "", query->prefix_len)) {
        tw_loop_post(from, on_page_done, page);
        return;
    }
    tw_loop_post(&hub->fanouts[0]->shard.loop, on_ask, page);
}

/* A request to close a stream, posted to its worker and back. */
typedef struct tw_close {
    tw_loop_t *from;
    uint64_t number;
    tw_close_reason_t reason;
    tw_status_t status;
    tw_status_fn on_done;
    void *data;
} tw_close_t;

static void on_closed(void *owner, void *data)
{
    tw_close_t *close = data;
    close->on_done(close->data, close->status);
    free(close);
}

static void on_close(void *owner, void *data)
{
    tw_close_t *close = data;
    tw_subscriber_t *subscriber = tw_fanout_find(owner, close->number);

    close->status = subscriber != NULL ? TW_OK : TW_NOT_FOUND;
    if (subscriber != NULL)
        tw_subscriber_doom(subscriber, close->reason);
    if (close->from != NULL)
        tw_loop_post(close->from, on_closed, close);
    else
        free(close);
}

static bool parse_id(const tw_hub_t *hub, const char *id, uint32_t *worker, uint64_t *number)
{
    if (strlen(id) != ID_LEN || !is_own_prefix(hub, id, ID_LEN))
        return false;
    *worker = (uint32_t)hex_value(id + WORKER_AT, NUMBER_AT - WORKER_AT);
    *number = hex_value(id + NUMBER_AT, ID_LEN - NUMBER_AT);
    return *worker < hub->config.worker_count;
}

bool tw_listing_owns(const tw_hub_t *hub, const char *stream_id)
{
    uint32_t worker;
    uint64_t number;
    return parse_id(hub, stream_id, &worker, &number);
}

void tw_listing_close(tw_hub_t *hub, tw_loop_t *from, const char *stream_id,
                      tw_close_reason_t reason, tw_status_fn on_done, void *data)
{
    tw_close_t *close = tw_alloc(sizeof(*close));
    uint32_t worker;

    assert((from == NULL) == (on_done == NULL));
    *close = (tw_close_t){.from = from, .reason = reason, .on_done = on_done, .data = data};
    if (parse_id(hub, stream_id, &worker, &close->number)) {
        tw_loop_post(&hub->fanouts[worker]->shard.loop, on_close, close);
    } else if (from != NULL) {
        close->status = TW_NOT_FOUND;
        tw_loop_post(from, on_closed, close);
    } else {
        free(close);
    }
}

/* --- a subject --- */

typedef struct tw_closing tw_closing_t;

/* What is to be done on one worker. */
typedef struct tw_closing_part {
    tw_ending_t ending;
    tw_closing_t *closing;
} tw_closing_part_t;

struct tw_closing {
    tw_loop_t *from;
    tw_closed_fn on_done;
    void *data;
    _Atomic uint64_t count;
    atomic_uint pending; /* workers that are not done */
    char subject[TW_SUBJECT_MAX];
    tw_closing_part_t parts[]; /* one for each worker */
};

static void on_all_closed(void *owner, void *data)
{
    tw_closing_t *closing = data;
    closing->on_done(closing->data, TW_OK, closing->count);
    free(closing);
}

static void on_part_closed(tw_ending_t *ending)
{
    tw_closing_t *closing = TW_CONTAINER_OF(ending, tw_closing_part_t, ending)->closing;

    atomic_fetch_add(&closing->count, ending->count);
    if (atomic_fetch_sub(&closing->pending, 1) != 1)
        return;
    if (closing->from != NULL)
        tw_loop_post(closing->from, on_all_closed, closing);
    else
        free(closing);
}

static void on_close_part(void *owner, void *data)
{
    tw_fanout_t *fanout = owner;
    tw_closing_part_t *part = data;
    tw_grants_end_subject(&fanout->grants, &part->ending, fanout->shard.next_number);
}

void tw_listing_close_subject(tw_hub_t *hub, tw_loop_t *from, const tw_ending_query_t *query,
                              tw_closed_fn on_done, void *data)
{
    uint32_t workers = hub->config.worker_count;
    tw_closing_t *closing = tw_alloc(sizeof(*closing) + workers * sizeof(closing->parts[0]));
    tw_ending_query_t own = *query;

    assert((from == NULL) == (on_done == NULL) && query->subject.len <= TW_SUBJECT_MAX);
    own.subject.base = memcpy(closing->subject, query->subject.base, query->subject.len);
    closing->from = from;
    closing->on_done = on_done;
    closing->data = data;
    closing->pending = workers;
    for (uint32_t i = 0; i < workers; ++i) {
        closing->parts[i].closing = closing;
        closing->parts[i].ending = (tw_ending_t){.query = own, .on_done = on_part_closed};
        tw_loop_post(&hub->fanouts[i]->shard.loop, on_close_part, &closing->parts[i]);
    }
}

tw_status_t tw_listing_revoke(tw_hub_t *hub, tw_loop_t *from, const tw_revocation_t *revocation,
                              bool all, tw_closed_fn on_done, void *data)
{
    bool changed;
    tw_status_t status = tw_revocations_add(&hub->revocations, revocation, &changed);
    const tw_ending_query_t query = {.subject = revocation->subject,
                                     .issued_until_ms = all ? INT64_MAX : revocation->revoked_at_ms,
                                     .reason = TW_CLOSE_REVOKED};

    if (status == TW_OK && (changed || from != NULL))
        tw_listing_close_subject(hub, from, &query, on_done, data);
    return status;
}
