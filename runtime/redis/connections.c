/*
 * The listing of connections: which there are is in Redis; what changes with every event
 * (delivered, queued) only their node knows, and is asked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/listing.h"
#include "runtime/redis/query.h"

/* A row as JSON, and what of it is not. */
typedef struct tw_redis_parsed_row {
    json_t *fields;          /* owned */
    tw_topic_name_t *topics; /* owned; bytes in fields */
    char id[TW_STREAM_ID_SIZE];
} tw_redis_parsed_row_t;

/* "<id> <json>" as registered, or the object that a node made of its stream. */
static json_t *fields_of(const json_t *item, char id[TW_STREAM_ID_SIZE])
{
    const char *member = json_string_value(item), *space;

    if (json_is_object(item)) {
        const char *text = json_string_value(json_object_get(item, "i"));
        snprintf(id, TW_STREAM_ID_SIZE, "%s", text != NULL ? text : "");
        return json_incref((json_t *)(uintptr_t)item);
    }
    if (member == NULL || (space = strchr(member, ' ')) == NULL)
        return NULL;
    snprintf(id, TW_STREAM_ID_SIZE, "%.*s", (int)(space - member), member);
    return json_loads(space + 1, 0, NULL);
}

static uint64_t number_of(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

static bool parse_row(const tw_redis_query_t *query, tw_redis_parsed_row_t *parsed,
                      tw_stream_row_t *row, const json_t *item)
{
    json_t *fields = parsed->fields = fields_of(item, parsed->id);
    const json_t *topics = json_object_get(fields, "t");
    const json_t *stats = json_object_get(query->stats, parsed->id);

    if (fields == NULL)
        return false;
    row->topic_count = json_array_size(topics);
    parsed->topics = tw_alloc((row->topic_count + 1) * sizeof(*parsed->topics));
    for (size_t i = 0; i < row->topic_count; ++i) {
        const json_t *name = json_array_get(topics, i);
        parsed->topics[i].base = json_string_value(name);
        parsed->topics[i].len = json_string_length(name);
    }
    row->stream_id = parsed->id;
    row->topics = parsed->topics;
    row->client_id = json_string_value(json_object_get(fields, "c"));
    row->subject = json_string_value(json_object_get(fields, "s"));
    row->remote_address = json_string_value(json_object_get(fields, "a"));
    row->protocol = json_string_value(json_object_get(fields, "p"));
    row->opened_at_ms = (int64_t)number_of(fields, "o");
    row->delivered = stats != NULL ? (uint64_t)json_integer_value(json_array_get(stats, 0))
                                   : number_of(fields, "d");
    row->queued_bytes = stats != NULL ? (uint64_t)json_integer_value(json_array_get(stats, 1))
                                      : number_of(fields, "q");
    return row->remote_address != NULL && row->protocol != NULL;
}

/* {total, node, row, node, row, …} */
static void deliver(tw_redis_query_t *query)
{
    if (query->rows == NULL) {
        query->on_answer.streams(query->data, TW_UNAVAILABLE, 0, NULL, 0);
        return;
    }
    size_t most = json_array_size(query->rows) / 2, count = 0;
    tw_stream_row_t *rows = tw_alloc((most + 1) * sizeof(*rows));
    tw_redis_parsed_row_t *parsed = tw_alloc((most + 1) * sizeof(*parsed));

    for (size_t i = 0; i < most; ++i) {
        rows[count].node_id = tw_redis_text_at(query->rows, 1 + 2 * i);
        if (parse_row(query, &parsed[i], &rows[count], json_array_get(query->rows, 2 + 2 * i)))
            ++count;
    }
    query->on_answer.streams(query->data, TW_OK, tw_redis_total_of(query->rows), rows, count);
    for (size_t i = 0; i < most; ++i) {
        free(parsed[i].topics);
        json_decref(parsed[i].fields);
    }
    free(parsed);
    free(rows);
}

/* A question to one node about a part of the page. */
typedef struct tw_redis_part {
    tw_redis_query_t *query;
    json_t *ids; /* owned: what was asked for */
    size_t at;   /* of a topic's page: which part it is */
} tw_redis_part_t;

static void part_done(tw_redis_part_t *part)
{
    tw_redis_query_t *query = part->query;
    json_decref(part->ids);
    free(part);
    if (--query->pending == 0)
        tw_redis_query_answer(query);
}

/* --- all streams --- */

static void on_stats(void *data, tw_status_t status, const json_t *answer)
{
    tw_redis_part_t *part = data;
    const json_t *rows = json_object_get(answer, "rows");

    for (size_t i = 0; i < json_array_size(rows); ++i)
        json_object_set(part->query->stats, tw_redis_text_at(part->ids, i),
                        json_array_get(rows, i));
    part_done(part);
}

/* Which process carries which of the page's streams: instance → [id…]. */
static json_t *ids_by_instance(const json_t *rows)
{
    json_t *instances = json_object();
    for (size_t i = 1; i + 1 < json_array_size(rows); i += 2) {
        const char *member = tw_redis_text_at(rows, i + 1);
        char instance[TW_REDIS_INSTANCE_LEN + 1];
        snprintf(instance, sizeof(instance), "%s", member); /* ids begin with it */
        json_t *ids = json_object_get(instances, instance);
        if (ids == NULL)
            json_object_set_new(instances, instance, ids = json_array());
        json_array_append_new(ids, json_stringn(member, strcspn(member, " ")));
    }
    return instances;
}

static void on_streams(const redisReply *reply, void *data)
{
    tw_redis_query_t *query = data;
    const char *instance;
    json_t *ids;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        tw_redis_query_answer(query);
        return;
    }
    query->rows = tw_redis_to_json(reply);
    query->stats = json_object();
    query->pending = 1;
    json_t *instances = ids_by_instance(query->rows);
    json_object_foreach(instances, instance, ids)
    {
        tw_redis_part_t *part = tw_alloc(sizeof(*part));
        *part = (tw_redis_part_t){.query = query, .ids = json_incref(ids)};
        ++query->pending;
        tw_redis_peers_ask(&query->node->peers, instance,
                           json_pack("{s:s,s:O}", "op", "stats", "ids", ids), on_stats, part);
    }
    json_decref(instances);
    if (--query->pending == 0)
        tw_redis_query_answer(query);
}

static void send_all(tw_redis_query_t *query)
{
    tw_redis_query_page(query, TW_REDIS_SCRIPT_LIST_STREAMS, on_streams);
}

/* --- a topic's followers --- */

/* The parts come in any order; each has its place. */
static void deliver_parts(tw_redis_query_t *query)
{
    if (query->rows != NULL) {
        json_t *rows = json_array(), *part;
        size_t i, r;
        json_array_append_new(rows, json_integer((json_int_t)query->total));
        json_array_foreach(query->rows, i, part)
        {
            const json_t *list = json_object_get(part, "rows");
            for (r = 0; r < json_array_size(list); ++r) {
                json_array_append(rows, json_object_get(part, "node"));
                json_array_append(rows, json_array_get(list, r));
            }
        }
        json_decref(query->rows);
        query->rows = rows;
    }
    deliver(query);
}

static void on_part(void *data, tw_status_t status, const json_t *answer)
{
    tw_redis_part_t *part = data;
    const json_t *rows = json_object_get(answer, "rows");
    if (rows != NULL)
        json_object_set(json_array_get(part->query->rows, part->at), "rows",
                        (json_t *)(uintptr_t)rows);
    part_done(part);
}

void tw_redis_list_parts(tw_redis_query_t *query, const char *filter, const json_t *followers)
{
    uint64_t skip = query->skip, left = query->count;

    query->rows = json_array();
    query->pending = 1;
    for (size_t i = 0; i + 2 < json_array_size(followers); i += 3) {
        char instance[TW_REDIS_INSTANCE_LEN + 1];
        uint64_t here = strtoull(tw_redis_text_at(followers, i + 2), NULL, 10);
        query->total += here;
        if (skip < here && left > 0) {
            uint64_t take = here - skip < left ? here - skip : left;
            tw_redis_part_t *part = tw_alloc(sizeof(*part));
            snprintf(instance, sizeof(instance), "%s", tw_redis_text_at(followers, i));
            *part = (tw_redis_part_t){.query = query, .at = json_array_size(query->rows)};
            json_array_append_new(query->rows,
                                  json_pack("{s:s}", "node", tw_redis_text_at(followers, i + 1)));
            ++query->pending;
            left -= take;
            tw_redis_peers_ask(&query->node->peers, instance,
                               json_pack("{s:s,s:s%,s:I,s:I}", "op", "list", filter, query->text,
                                         query->text_len, "skip", (json_int_t)skip, "count",
                                         (json_int_t)take),
                               on_part, part);
        }
        skip -= here < skip ? here : skip;
    }
    if (--query->pending == 0)
        tw_redis_query_answer(query);
}

static void on_followers(const redisReply *reply, void *data)
{
    tw_redis_query_t *query = data;

    tw_redis_session_refused(query->session, "who follows a topic", reply);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        tw_redis_query_answer(query);
        return;
    }
    json_t *followers = tw_redis_to_json(reply);
    tw_redis_list_parts(query, "topic", followers);
    json_decref(followers);
}

static void send_topic(tw_redis_query_t *query)
{
    tw_redis_args_t args;
    tw_redis_script_begin(query->session, &args, TW_REDIS_SCRIPT_FOLLOWERS);
    tw_redis_args_add(&args, query->text, query->text_len);
    tw_redis_session_send(query->session, &args, on_followers, query);
}

void tw_redis_list_streams(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *page,
                           tw_streams_fn on_page, void *data)
{
    bool by_topic = page->topic != NULL, by_subject = page->subject.len > 0;
    tw_text_t text = by_subject ? page->subject
                     : by_topic ? tw_text(page->topic->base, page->topic->len)
                                : tw_text(page->prefix, page->prefix_len);
    tw_redis_query_t *query = tw_redis_query_begin(adapter, from, text.base, text.len, data);

    tw_redis_query_set_page(query, page);
    if (by_topic)
        tw_redis_query_set_topic(query, page->topic);
    query->send = by_subject ? tw_redis_send_subject : by_topic ? send_topic : send_all;
    query->deliver = by_subject || by_topic ? deliver_parts : deliver;
    query->on_answer.streams = on_page;
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
