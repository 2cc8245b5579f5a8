/* /v1/admin: what operators see and do. The router has checked the key. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "handlers/admin/subjects.h"
#include "handlers/audit.h"
#include "handlers/gateway.h"
#include "handlers/handlers.h"
#include "handlers/pending.h"
#include "handlers/reply.h"
#include "handlers/request.h"

#define PAGE_SIZE_DEFAULT 100
#define PAGE_SIZE_MAX 500

static json_t *json_time(int64_t ms)
{
    return json_integer((json_int_t)ms);
}

/* False: the request has been answered. The texts belong to the request. */
static bool read_page(h2o_req_t *req, tw_page_query_t *query)
{
    size_t at = 0;
    h2o_iovec_t prefix = tw_request_query(req, "prefix", &at);

    *query = (tw_page_query_t){.page = 1, .page_size = PAGE_SIZE_DEFAULT, .prefix = ""};
    if (!tw_request_number(req, "page", TW_ERROR_INVALID_PAGE, UINT32_MAX, &query->page) ||
        !tw_request_number(req, "pageSize", TW_ERROR_INVALID_PAGE_SIZE, PAGE_SIZE_MAX,
                           &query->page_size))
        return false;
    if (prefix.len == 0)
        return true;
    if (!tw_request_printable(prefix, TW_TOPIC_NAME_MAX)) {
        tw_reply_error(req, TW_ERROR_INVALID_PREFIX);
        return false;
    }
    query->prefix = prefix.base;
    query->prefix_len = prefix.len;
    return true;
}

/* Answers with a page of rows, or with the error of the status. Takes the reference to `data`. */
static void answer_page(tw_pending_t *pending, tw_status_t status, uint64_t total, json_t *data)
{
    h2o_req_t *req = tw_pending_take(pending);

    if (req != NULL && status != TW_OK)
        tw_reply_status(req, status);
    else if (req != NULL)
        tw_reply_json(req, 200,
                      json_pack("{s:I,s:I,s:I,s:O}", "page", (json_int_t)pending->page, "pageSize",
                                (json_int_t)pending->page_size, "total", (json_int_t)total, "data",
                                data));
    json_decref(data);
    tw_pending_unref(pending);
}

/* Makes the request wait for a page. */
static tw_pending_t *await_page(h2o_req_t *req, const tw_page_query_t *query)
{
    tw_pending_t *pending = tw_pending_create(req);
    pending->page = query->page;
    pending->page_size = query->page_size;
    return pending;
}

/* --- topics --- */

static json_t *topic_json(const tw_topic_row_t *row)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < row->node_count; ++i)
        json_array_append_new(nodes,
                              json_pack("{s:s,s:I}", "nodeId", row->nodes[i].node_id,
                                        "connectionCount", (json_int_t)row->nodes[i].stream_count));
    return json_pack("{s:o,s:I,s:o}", "topic", json_stringn(row->topic, row->topic_len),
                     "connectionCount", (json_int_t)row->stream_count, "nodes", nodes);
}

static void on_topics(void *data, tw_status_t status, uint64_t total, const tw_topic_row_t *rows,
                      size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; ++i)
        json_array_append_new(list, topic_json(&rows[i]));
    answer_page(data, status, total, list);
}

void tw_handle_admin_topics(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    tw_page_query_t query;

    if (!read_page(req, &query))
        return;
    worker->gateway->adapter->ops->list_topics(worker->gateway->adapter, &worker->shard->loop,
                                               &query, on_topics, await_page(req, &query));
}

/* --- connections --- */

static json_t *connection_json(const tw_stream_row_t *row)
{
    json_t *topics = json_array();
    for (size_t i = 0; i < row->topic_count; ++i)
        json_array_append_new(topics, json_stringn(row->topics[i].base, row->topics[i].len));
    return json_pack("{s:s,s:o,s:o,s:o,s:s,s:s,s:s,s:o,s:I,s:I}", "connectionId", row->stream_id,
                     "clientId", row->client_id != NULL ? json_string(row->client_id) : json_null(),
                     "subject", row->subject != NULL ? json_string(row->subject) : json_null(),
                     "topics", topics, "nodeId", row->node_id, "remoteAddress", row->remote_address,
                     "protocol", row->protocol, "openedAt", json_time(row->opened_at_ms),
                     "delivered", (json_int_t)row->delivered, "queuedBytes",
                     (json_int_t)row->queued_bytes);
}

static void on_connections(void *data, tw_status_t status, uint64_t total,
                           const tw_stream_row_t *rows, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; ++i)
        json_array_append_new(list, connection_json(&rows[i]));
    answer_page(data, status, total, list);
}

void tw_handle_admin_connections(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    tw_page_query_t query;
    size_t at = 0;

    if (!read_page(req, &query) || !tw_admin_read_subject(req, &query.subject))
        return;
    h2o_iovec_t topic = tw_request_query(req, "topic", &at);
    if (topic.len > 0 && !tw_topic_name_valid(topic.base, topic.len)) {
        tw_reply_error_about(req, TW_ERROR_INVALID_TOPIC, topic.base, topic.len);
        return;
    }
    /* There is an order by id, one by topic and one by subject; two together would need a scan of
     * everything. */
    if ((topic.len > 0) + (query.prefix_len > 0) + (query.subject.len > 0) > 1) {
        tw_reply_error(req, TW_ERROR_CONFLICTING_FILTERS);
        return;
    }
    tw_topic_name_t name = tw_topic_name(topic.base, topic.len);
    if (topic.len > 0)
        query.topic = &name;
    worker->gateway->adapter->ops->list_streams(worker->gateway->adapter, &worker->shard->loop,
                                                &query, on_connections, await_page(req, &query));
}

static void on_closed(void *data, tw_status_t status)
{
    tw_pending_t *pending = data;
    h2o_req_t *req = tw_pending_take(pending);

    if (req != NULL && status == TW_OK)
        tw_reply_text(req, 204, NULL, "", 0);
    else if (req != NULL && status == TW_NOT_FOUND)
        tw_reply_error(req, TW_ERROR_CONNECTION_NOT_FOUND);
    else if (req != NULL)
        tw_reply_status(req, status);
    tw_pending_unref(pending);
}

void tw_handle_admin_close(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    h2o_iovec_t sent = tw_routed(req)->parameter;
    h2o_iovec_t id = tw_request_decode(req, sent.base, sent.len, false);

    tw_audit_action(req, "operator closes a connection",
                    tw_log_bytes("connectionId", id.base, id.len));
    worker->gateway->adapter->ops->close_by_id(worker->gateway->adapter, &worker->shard->loop,
                                               id.base, TW_CLOSE_ADMIN, on_closed,
                                               tw_pending_create(req));
}

/* --- what nodes count, for the charts of the admin UI --- */

static void set(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *stats_json(const char *node_id, const tw_stats_t *stats, int64_t started_at_ms,
                          int64_t counted_at_ms)
{
    const tw_counters_t *sum = &stats->counters;
    json_t *json = json_object(), *closes = json_object();

    json_object_set_new(json, "nodeId", json_string(node_id));
    set(json, "connections", sum->connections);
    set(json, "streams", sum->streams);
    set(json, "topics", stats->topics);
    set(json, "publishesAccepted", sum->published_accepted);
    set(json, "publishesDropped", sum->published_dropped);
    set(json, "publishesRefused", sum->published_refused + sum->published_failed);
    set(json, "deliveries", sum->deliveries);
    set(json, "bytes", sum->delivered_bytes);
    set(json, "queuedBytes", sum->queued_bytes);
    for (int i = 0; i < TW_CLOSE_REASON_COUNT; ++i)
        set(closes, tw_close_reason_label((tw_close_reason_t)i), sum->closes[i]);
    json_object_set_new(json, "closes", closes);
    set(json, "uptimeMs",
        counted_at_ms > started_at_ms ? (uint64_t)(counted_at_ms - started_at_ms) : 0);
    set(json, "now", (uint64_t)counted_at_ms);
    return json;
}

/* --- nodes --- */

static json_t *node_json(const tw_node_row_t *row)
{
    json_t *stats = row->stats != NULL ? stats_json(row->node_id, row->stats, row->started_at_ms,
                                                    row->counted_at_ms)
                                       : json_null();
    return json_pack("{s:s,s:s,s:s,s:o,s:s,s:I,s:s,s:o}", "nodeId", row->node_id, "hostname",
                     row->hostname, "ip", row->ip, "startedAt", json_time(row->started_at_ms),
                     "version", row->version, "connectionCount", (json_int_t)row->stream_count,
                     "state", row->state, "stats", stats);
}

static void on_nodes(void *data, tw_status_t status, const tw_node_row_t *rows, size_t count)
{
    tw_pending_t *pending = data;
    h2o_req_t *req = tw_pending_take(pending);

    if (req != NULL && status != TW_OK) {
        tw_reply_status(req, status);
    } else if (req != NULL) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; ++i)
            json_array_append_new(list, node_json(&rows[i]));
        tw_reply_json(req, 200, json_pack("{s:o}", "data", list));
    }
    tw_pending_unref(pending);
}

void tw_handle_admin_nodes(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);

    worker->gateway->adapter->ops->list_nodes(worker->gateway->adapter, &worker->shard->loop,
                                              on_nodes, tw_pending_create(req));
}

void tw_handle_admin_stats(h2o_req_t *req)
{
    const tw_gateway_t *gateway = tw_worker_of(req)->gateway;
    tw_stats_t now;

    tw_stats_read(gateway->hub, &now);
    tw_reply_json(req, 200,
                  stats_json(gateway->node_id, &now, gateway->started_at_ms, tw_clock_wall_ms()));
}

/* --- what operators did on this node --- */

/* Texts that clients sent may not be UTF-8, which JSON has to be. */
static json_t *json_sent(const char *text, size_t len)
{
    json_t *json = json_stringn(text, len);
    return json != NULL ? json : json_string("(not UTF-8)");
}

static void add_entry(const tw_audit_entry_t *entry, void *data)
{
    json_array_append_new(data, json_pack("{s:o,s:s,s:o,s:o,s:s,s:I}", "at",
                                          json_time(entry->at_ms), "action", entry->action, "about",
                                          json_sent(entry->about, entry->about_len), "address",
                                          json_sent(entry->address, entry->address_len), "key",
                                          entry->key, "count", (json_int_t)entry->count));
}

void tw_handle_admin_audit(h2o_req_t *req)
{
    tw_gateway_t *gateway = tw_worker_of(req)->gateway;
    json_t *list = json_array();

    tw_audit_visit(&gateway->audit, add_entry, list);
    tw_reply_json(req, 200, json_pack("{s:s,s:o}", "nodeId", gateway->node_id, "data", list));
}
