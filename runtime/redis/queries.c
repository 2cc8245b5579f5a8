#include "runtime/redis/query.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "runtime/redis/lane/figures.h"

static void free_query(tw_redis_query_t *query)
{
    for (size_t i = 0; i < query->event_count; ++i)
        tw_event_unref(query->events[i]);
    free(query->events);
    json_decref(query->rows);
    free(query->text);
    free(query);
}

/* Worker's thread. */
static void on_delivered(void *owner, void *data)
{
    tw_redis_query_t *query = data;
    query->deliver(query);
    free_query(query);
}

void tw_redis_query_deliver_status(tw_redis_query_t *query)
{
    query->on_answer.done(query->data, query->status);
}

void tw_redis_query_answer(tw_redis_query_t *query)
{
    tw_loop_post(query->from, on_delivered, query);
}

static void on_query(void *owner, void *data)
{
    tw_redis_query_t *query = data;
    if (tw_redis_session_up(query->session)) {
        query->send(query);
        return;
    }
    json_decref(query->rows);
    query->rows = NULL;
    query->status = TW_UNAVAILABLE;
    tw_redis_query_answer(query);
}

tw_redis_query_t *tw_redis_query_begin(tw_adapter_t *adapter, tw_loop_t *from, const char *text,
                                       size_t len, void *data)
{
    tw_redis_query_t *query = tw_alloc(sizeof(*query));
    query->node = tw_redis_node_of(adapter);
    query->session = &query->node->lanes.items[0].session;
    query->from = from;
    query->status = TW_UNAVAILABLE;
    query->data = data;
    query->text = tw_strndup(text != NULL ? text : "", len);
    query->text_len = len;
    return query;
}

void tw_redis_query_post(tw_redis_query_t *query)
{
    tw_loop_post(query->node->loop, on_query, query);
}

json_t *tw_redis_to_json(const redisReply *reply)
{
    json_t *array;
    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        return json_integer(reply->integer);
    case REDIS_REPLY_STRING:
        return json_stringn(reply->str, reply->len);
    case REDIS_REPLY_ARRAY:
        array = json_array();
        for (size_t i = 0; i < reply->elements; ++i)
            json_array_append_new(array, tw_redis_to_json(reply->element[i]));
        return array;
    default:
        return json_null();
    }
}

static void on_rows(const redisReply *reply, void *data)
{
    tw_redis_query_t *query = data;
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY)
        query->rows = tw_redis_to_json(reply);
    else if (reply != NULL)
        tw_redis_session_refused(query->session, "a read", reply);
    tw_redis_query_answer(query);
}

void tw_redis_query_ask_nodes(tw_redis_query_t *query, tw_redis_reply_cb on_reply)
{
    tw_redis_args_t args;
    tw_redis_script_begin(query->session, &args, TW_REDIS_SCRIPT_LIST_NODES);
    tw_redis_session_send(query->session, &args, on_reply, query);
}

void tw_redis_query_set_topic(tw_redis_query_t *query, const tw_topic_name_t *topic)
{
    query->session = &tw_redis_lane_of(&query->node->lanes, topic)->session;
}

/* Pages beyond what a double counts exactly are beyond the last one. */
void tw_redis_query_set_page(tw_redis_query_t *query, const tw_page_query_t *page)
{
    const uint64_t most = UINT64_C(1) << 52;
    query->count = page->page_size;
    query->skip =
        page->page - 1 > most / page->page_size ? most : (page->page - 1) * page->page_size;
}

/* --- nodes: {{registration, node, field, value…}…} --- */

static const char *field_of(const json_t *row, const char *name)
{
    for (size_t i = 2; i + 1 < json_array_size(row); i += 2)
        if (strcmp(tw_redis_text_at(row, i), name) == 0)
            return tw_redis_text_at(row, i + 1);
    return "";
}

static int compare_nodes(const void *a, const void *b)
{
    return strcmp(((const tw_node_row_t *)a)->node_id, ((const tw_node_row_t *)b)->node_id);
}

static void deliver_nodes(tw_redis_query_t *query)
{
    if (query->rows == NULL) {
        query->on_answer.nodes(query->data, TW_UNAVAILABLE, NULL, 0);
        return;
    }
    size_t count = json_array_size(query->rows);
    tw_node_row_t *rows = tw_alloc((count + 1) * sizeof(*rows));
    tw_stats_t *stats = tw_alloc((count + 1) * sizeof(*stats));
    for (size_t i = 0; i < count; ++i) {
        const json_t *row = json_array_get(query->rows, i);
        rows[i] = (tw_node_row_t){
            .node_id = tw_redis_text_at(row, 1),
            .hostname = field_of(row, "hostname"),
            .ip = field_of(row, "ip"),
            .version = field_of(row, "version"),
            .state = field_of(row, "state"),
            .started_at_ms = (int64_t)strtoll(field_of(row, "startedAt"), NULL, 10),
        };
        if (tw_redis_figures_read(field_of(row, "figures"), &stats[i], &rows[i].counted_at_ms))
            rows[i].stats = &stats[i];
        rows[i].stream_count = stats[i].streams;
    }
    qsort(rows, count, sizeof(*rows), compare_nodes);
    query->on_answer.nodes(query->data, TW_OK, rows, count);
    free(stats);
    free(rows);
}

static void send_nodes(tw_redis_query_t *query)
{
    tw_redis_query_ask_nodes(query, on_rows);
}

void tw_redis_list_nodes(tw_adapter_t *adapter, tw_loop_t *from, tw_nodes_fn on_nodes, void *data)
{
    tw_redis_query_t *query = tw_redis_query_begin(adapter, from, NULL, 0, data);
    query->send = send_nodes;
    query->deliver = deliver_nodes;
    query->on_answer.nodes = on_nodes;
    tw_redis_query_post(query);
}
