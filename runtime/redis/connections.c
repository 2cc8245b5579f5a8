/*
 * Connections, which only the node that carries them knows: all nodes are asked how many they have,
 * then those that have a part of the page for it. The page is a range over one node's after the
 * other's, in the order of the registrations, with which ids begin. A node that does not answer
 * has no part.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/listing.h"
#include "runtime/redis/query.h"

static uint64_t number_of(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static size_t rows_in(const json_t *node)
{
    return json_array_size(json_object_get(node, "rows"));
}

/* False when it is not what a node makes of a stream. */
static bool read_row(const json_t *fields, tw_stream_row_t *row, tw_topic_name_t *topics)
{
    const json_t *names = json_object_get(fields, "t");

    row->topic_count = json_array_size(names);
    row->topics = topics;
    for (size_t i = 0; i < row->topic_count; ++i) {
        const json_t *name = json_array_get(names, i);
        topics[i] =
            (tw_topic_name_t){.base = json_string_value(name), .len = json_string_length(name)};
    }
    row->stream_id = json_string_value(json_object_get(fields, "i"));
    row->client_id = json_string_value(json_object_get(fields, "c"));
    row->subject = json_string_value(json_object_get(fields, "s"));
    row->remote_address = json_string_value(json_object_get(fields, "a"));
    row->protocol = json_string_value(json_object_get(fields, "p"));
    row->opened_at_ms = (int64_t)number_of(fields, "o");
    row->delivered = number_of(fields, "d");
    row->queued_bytes = number_of(fields, "q");
    return row->stream_id != NULL && row->remote_address != NULL && row->protocol != NULL;
}

/* [{"registration", "node", "total", "rows"}…] */
static void deliver(tw_redis_query_t *query)
{
    size_t most = 1, topics_max = 1, count = 0, topics_used = 0, i, r;
    json_t *node, *fields;

    if (query->rows == NULL) {
        query->on_answer.streams(query->data, TW_UNAVAILABLE, 0, NULL, 0);
        return;
    }
    json_array_foreach(query->rows, i, node)
    {
        most += rows_in(node);
        json_array_foreach(json_object_get(node, "rows"), r, fields)
        {
            topics_max += json_array_size(json_object_get(fields, "t"));
        }
    }
    tw_stream_row_t *rows = tw_alloc(most * sizeof(*rows));
    tw_topic_name_t *topics = tw_alloc(topics_max * sizeof(*topics));
    json_array_foreach(query->rows, i, node)
    {
        json_array_foreach(json_object_get(node, "rows"), r, fields)
        {
            tw_stream_row_t row = {.node_id = json_string_value(json_object_get(node, "node"))};
            bool is_row = read_row(fields, &row, topics + topics_used);
            topics_used += row.topic_count;
            if (is_row)
                rows[count++] = row;
        }
    }
    query->on_answer.streams(query->data, TW_OK, query->total, rows, count);
    free(topics);
    free(rows);
}

/* --- asking the nodes --- */

/* A question to a node about its part. */
typedef struct tw_redis_part {
    tw_redis_query_t *query;
    json_t *node; /* borrowed from query->rows */
} tw_redis_part_t;

/* The next step begins when the loop comes to it: it is known then whether the session has ended
 * meanwhile. */
static void part_done(tw_redis_query_t *query)
{
    if (--query->pending == 0)
        tw_redis_query_post(query);
}

static void on_answer(void *data, tw_status_t status, const json_t *answer)
{
    tw_redis_part_t part = *(tw_redis_part_t *)data;

    free(data);
    json_object_update(part.node, (json_t *)(uintptr_t)answer);
    if (status == TW_UNAVAILABLE) /* one that has gone since has no streams */
        part.query->status = TW_UNAVAILABLE;
    part_done(part.query);
}

static void ask_node(tw_redis_query_t *query, json_t *node, uint64_t skip, uint64_t count)
{
    tw_redis_part_t *part = tw_alloc(sizeof(*part));

    *part = (tw_redis_part_t){.query = query, .node = node};
    ++query->pending;
    tw_redis_peers_ask(&query->node->peers,
                       json_string_value(json_object_get(node, "registration")),
                       json_pack("{s:s,s:s%,s:I,s:I,s:i}", "op", query->op, query->filter,
                                 query->text, query->text_len, "skip", (json_int_t)skip, "count",
                                 (json_int_t)count, "reason", (int)query->reason),
                       on_answer, part);
}

/* It is known how many each has, or has closed. */
static void ask_for_rows(tw_redis_query_t *query)
{
    uint64_t skip = query->skip, left = query->count;
    json_t *node;
    size_t i;

    query->send = tw_redis_query_answer;
    query->pending = 1;
    json_array_foreach(query->rows, i, node)
    {
        uint64_t here = number_of(node, "total"), passed = skip < here ? skip : here;
        uint64_t take = here - passed < left ? here - passed : left;
        query->total += here;
        if (take > 0)
            ask_node(query, node, skip, take);
        skip -= passed;
        left -= take;
    }
    part_done(query);
}

/* {{registration, node, …}…} */
static void on_nodes(const redisReply *reply, void *data)
{
    tw_redis_query_t *query = data;
    json_t *node;
    size_t i;

    tw_redis_session_refused(query->session, "a read", reply);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        tw_redis_query_answer(query);
        return;
    }
    json_t *nodes = tw_redis_to_json(reply);
    query->rows = json_array();
    query->send = ask_for_rows;
    query->status = TW_OK;
    query->pending = 1;
    json_array_foreach(nodes, i, node)
    {
        json_array_append_new(query->rows,
                              json_pack("{s:s,s:s}", "registration", tw_redis_text_at(node, 0),
                                        "node", tw_redis_text_at(node, 1)));
    }
    json_decref(nodes);
    json_array_foreach(query->rows, i, node)
    {
        ask_node(query, node, 0, 0);
    }
    part_done(query);
}

static void ask_nodes(tw_redis_query_t *query)
{
    tw_redis_query_ask_nodes(query, on_nodes);
}

/* Whether an id may begin so. */
static bool is_prefix(const char *text, size_t len)
{
    for (size_t i = 0; i < len; ++i)
        if (text[i] == '\0' || strchr("0123456789abcdef-", text[i]) == NULL)
            return false;
    return len < TW_STREAM_ID_SIZE;
}

void tw_redis_list_streams(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *page,
                           tw_streams_fn on_page, void *data)
{
    bool by_topic = page->topic != NULL, by_subject = page->subject.len > 0;
    tw_text_t text = by_subject ? page->subject
                     : by_topic ? tw_text(page->topic->base, page->topic->len)
                                : tw_text(page->prefix, page->prefix_len);

    if (!by_subject && !by_topic && !is_prefix(text.base, text.len)) {
        on_page(data, TW_OK, 0, NULL, 0);
        return;
    }
    tw_redis_query_t *query = tw_redis_query_begin(adapter, from, text.base, text.len, data);
    tw_redis_query_set_page(query, page);
    query->op = "list";
    query->filter = by_subject ? "subject" : by_topic ? "topic" : "prefix";
    query->send = ask_nodes;
    query->deliver = deliver;
    query->on_answer.streams = on_page;
    tw_redis_query_post(query);
}

/* --- closing those of a subject --- */

static void deliver_count(tw_redis_query_t *query)
{
    query->on_answer.closed(query->data, query->status, query->total);
}

void tw_redis_close_subject(tw_adapter_t *adapter, tw_loop_t *from, tw_text_t subject,
                            tw_close_reason_t reason, tw_closed_fn on_done, void *data)
{
    tw_redis_query_t *query = tw_redis_query_begin(adapter, from, subject.base, subject.len, data);
    query->op = "closeSubject";
    query->filter = "subject";
    query->reason = reason;
    query->send = ask_nodes;
    query->deliver = deliver_count;
    query->on_answer.closed = on_done;
    tw_redis_query_post(query);
}

/* --- closing one --- */

static void on_close_answer(void *data, tw_status_t status, const json_t *answer)
{
    tw_redis_query_t *query = data;
    bool closed = json_is_true(json_object_get(answer, "closed"));
    query->status = status != TW_OK || closed ? status : TW_NOT_FOUND;
    tw_redis_query_answer(query);
}

static void send_close(tw_redis_query_t *query)
{
    char instance[TW_REDIS_INSTANCE_LEN + 1];
    snprintf(instance, sizeof(instance), "%s", query->text); /* ids begin with it */
    tw_redis_peers_ask(
        &query->node->peers, instance,
        json_pack("{s:s,s:s,s:i}", "op", "close", "id", query->text, "reason", (int)query->reason),
        on_close_answer, query);
}

void tw_redis_close_by_id(tw_adapter_t *adapter, tw_loop_t *from, const char *stream_id,
                          tw_close_reason_t reason, tw_status_fn on_done, void *data)
{
    size_t len = strlen(stream_id);
    tw_hub_t *hub = tw_redis_node_of(adapter)->hub;

    if (len != TW_STREAM_ID_SIZE - 1) {
        on_done(data, TW_NOT_FOUND);
        return;
    }
    if (tw_listing_owns(hub, stream_id)) {
        tw_listing_close(hub, from, stream_id, reason, on_done, data);
        return;
    }
    tw_redis_query_t *query = tw_redis_query_begin(adapter, from, stream_id, len, data);
    query->reason = reason;
    query->send = send_close;
    query->deliver = tw_redis_query_deliver_status;
    query->on_answer.done = on_done;
    tw_redis_query_post(query);
}
