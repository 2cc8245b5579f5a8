/*
 * Requests between nodes, over their own channels: what only the node that carries a stream can do
 * or knows. A node that does not answer in time counts as one that has nothing to say.
 *
 *     Q{"from": node, "token": n, "op": …}      A{"token": n, …}
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "runtime/listing.h"
#include "runtime/redis/node.h"

#define CALL_TIMEOUT_MS 1500
#define LIST_ROWS_MAX 500 /* a page's */

/* A question that was sent. */
struct tw_redis_call {
    TAILQ_ENTRY(tw_redis_call) link;
    uint64_t token, deadline_ms;
    tw_redis_answer_fn on_answer;
    void *data;
};

/* A question that was put to us and is being answered. */
typedef struct tw_redis_service {
    tw_redis_node_t *node;
    char *from; /* owned; NULL: ourselves */
    json_int_t token;
    tw_redis_answer_fn on_answer; /* with from NULL */
    void *data;
    json_t *ids;  /* owned; of "stats" */
    size_t next;  /* in ids */
    json_t *rows; /* owned */
} tw_redis_service_t;

static void publish_to(tw_redis_node_t *node, const char *id, const char *message)
{
    char channel[512];
    const char *argv[] = {"PUBLISH", channel, message};
    const size_t lens[] = {7, (size_t)snprintf(channel, sizeof(channel), "tw:{n:%s}", id),
                           strlen(message)};
    if (lens[1] >= sizeof(channel))
        return; /* no node has such a name */
    tw_redis_client_send(node->commands, 3, argv, lens, NULL, NULL);
}

/* "Q{…}" or "A{…}"; free() it. Takes the object over. */
static char *to_message(char kind, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT), *message = NULL;
    if (text == NULL || asprintf(&message, "%c%s", kind, text) < 0)
        abort();
    free(text);
    json_decref(object);
    return message;
}

/* --- answering --- */

/* The answer's members are taken over. */
static void reply(tw_redis_service_t *service, json_t *answer)
{
    if (service->from != NULL) {
        json_object_set_new(answer, "token", json_integer(service->token));
        char *message = to_message('A', answer);
        publish_to(service->node, service->from, message);
        free(message);
    } else {
        service->on_answer(service->data, answer);
        json_decref(answer);
    }
    --service->node->peer_reads;
    free(service->from);
    json_decref(service->ids);
    json_decref(service->rows);
    free(service);
}

static void on_closed(void *data, tw_status_t status)
{
    reply(data, json_pack("{s:b}", "closed", status == TW_OK));
}

static json_t *row_to_json(const tw_stream_row_t *row)
{
    json_t *topics = json_array();
    for (size_t i = 0; i < row->topic_count; ++i)
        json_array_append_new(topics, json_stringn(row->topics[i].base, row->topics[i].len));
    json_t *json =
        json_pack("{s:s,s:o,s:s,s:s,s:I,s:I,s:I}", "i", row->stream_id, "t", topics, "a",
                  row->remote_address, "p", row->protocol, "o", (json_int_t)row->opened_at_ms, "d",
                  (json_int_t)row->delivered, "q", (json_int_t)row->queued_bytes);
    if (row->client_id != NULL)
        json_object_set_new(json, "c", json_string(row->client_id));
    return json;
}

static void on_listed(void *data, tw_status_t status, uint64_t total, const tw_stream_row_t *rows,
                      size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; ++i)
        json_array_append_new(list, row_to_json(&rows[i]));
    reply(data, json_pack("{s:o}", "rows", list));
}

static void serve_list(tw_redis_service_t *service, const json_t *request)
{
    const json_t *name = json_object_get(request, "topic");
    const char *base = json_string_value(name);
    tw_topic_name_t topic = tw_topic_name(base != NULL ? base : "", json_string_length(name));
    const tw_page_query_t query = {
        .page = 1,
        .page_size = (uint64_t)json_integer_value(json_object_get(request, "count")),
        .skip = (uint64_t)json_integer_value(json_object_get(request, "skip")),
        .topic = &topic};
    if (query.page_size == 0 || query.page_size > LIST_ROWS_MAX || topic.len == 0 ||
        topic.len > TW_TOPIC_NAME_MAX) {
        reply(service, json_object());
        return;
    }
    tw_listing_streams(service->node->hub, service->node->loop, &query,
                       service->node->info->node_id, on_listed, service);
}

static void serve_next_stats(tw_redis_service_t *service);

static void on_stats(void *data, tw_status_t status, uint64_t total, const tw_stream_row_t *rows,
                     size_t count)
{
    tw_redis_service_t *service = data;
    json_array_append_new(service->rows,
                          json_pack("[I,I]", (json_int_t)(count > 0 ? rows->delivered : 0),
                                    (json_int_t)(count > 0 ? rows->queued_bytes : 0)));
    serve_next_stats(service);
}

static void serve_next_stats(tw_redis_service_t *service)
{
    const json_t *id = json_array_get(service->ids, service->next++);
    if (id == NULL) {
        reply(service, json_pack("{s:O}", "rows", service->rows));
        return;
    }
    const char *text = json_string_value(id);
    const tw_page_query_t query = {.page = 1,
                                   .page_size = 1,
                                   .prefix = text != NULL ? text : "?",
                                   .prefix_len = text != NULL ? strlen(text) : 1};
    tw_listing_streams(service->node->hub, service->node->loop, &query,
                       service->node->info->node_id, on_stats, service);
}

static void serve(tw_redis_service_t *service, const json_t *request)
{
    const char *op = json_string_value(json_object_get(request, "op"));
    const char *id = json_string_value(json_object_get(request, "id"));
    json_int_t reason = json_integer_value(json_object_get(request, "reason"));

    ++service->node->peer_reads;
    if (op != NULL && strcmp(op, "close") == 0 && id != NULL && reason >= 0 &&
        reason < TW_CLOSE_REASON_COUNT) {
        tw_listing_close(service->node->hub, service->node->loop, id, (tw_close_reason_t)reason,
                         on_closed, service);
    } else if (op != NULL && strcmp(op, "list") == 0) {
        serve_list(service, request);
    } else if (op != NULL && strcmp(op, "stats") == 0) {
        service->ids = json_incref(json_object_get(request, "ids"));
        service->rows = json_array();
        serve_next_stats(service);
    } else {
        reply(service, json_object());
    }
}

/* --- asking --- */

void tw_redis_call(tw_redis_node_t *node, const char *peer, json_t *request,
                   tw_redis_answer_fn on_answer, void *data)
{
    if (strcmp(peer, node->info->node_id) == 0) {
        tw_redis_service_t *service = tw_alloc(sizeof(*service));
        service->node = node;
        service->on_answer = on_answer;
        service->data = data;
        serve(service, request);
        json_decref(request);
        return;
    }
    char *message = tw_redis_call_message(node, request, on_answer, data);
    publish_to(node, peer, message);
    free(message);
}

char *tw_redis_call_message(tw_redis_node_t *node, json_t *request, tw_redis_answer_fn on_answer,
                            void *data)
{
    tw_redis_call_t *call = tw_alloc(sizeof(*call));

    *call = (tw_redis_call_t){.token = ++node->next_token,
                              .deadline_ms = uv_now(node->loop->uv) + CALL_TIMEOUT_MS,
                              .on_answer = on_answer,
                              .data = data};
    TAILQ_INSERT_TAIL(&node->calls, call, link);
    json_object_set_new(request, "from", json_string(node->info->node_id));
    json_object_set_new(request, "token", json_integer((json_int_t)call->token));
    return to_message('Q', request);
}

static void conclude(tw_redis_node_t *node, tw_redis_call_t *call, const json_t *answer)
{
    TAILQ_REMOVE(&node->calls, call, link);
    call->on_answer(call->data, answer);
    free(call);
}

static void on_answer(tw_redis_node_t *node, const json_t *answer)
{
    uint64_t token = (uint64_t)json_integer_value(json_object_get(answer, "token"));
    tw_redis_call_t *call;

    for (call = TAILQ_FIRST(&node->calls); call != NULL; call = TAILQ_NEXT(call, link)) {
        if (call->token == token) {
            conclude(node, call, answer);
            return;
        }
    }
}

static void on_question(tw_redis_node_t *node, const json_t *request)
{
    const char *from = json_string_value(json_object_get(request, "from"));
    if (from == NULL)
        return;
    tw_redis_service_t *service = tw_alloc(sizeof(*service));
    service->node = node;
    service->from = tw_strndup(from, strlen(from));
    service->token = json_integer_value(json_object_get(request, "token"));
    serve(service, request);
}

void tw_redis_peer_message(tw_redis_node_t *node, const char *message, size_t len)
{
    json_t *object = len > 1 ? json_loadb(message + 1, len - 1, 0, NULL) : NULL;

    if (object != NULL && message[0] == 'Q')
        on_question(node, object);
    else if (object != NULL && message[0] == 'A')
        on_answer(node, object);
    json_decref(object);
}

void tw_redis_peers_expire(tw_redis_node_t *node, uint64_t now_ms, bool all)
{
    tw_redis_call_t *call = TAILQ_FIRST(&node->calls), *next;
    for (; call != NULL && (all || now_ms >= call->deadline_ms); call = next) {
        next = TAILQ_NEXT(call, link);
        conclude(node, call, NULL);
    }
}

void tw_redis_peers_dispose(tw_redis_node_t *node)
{
    assert(TAILQ_EMPTY(&node->calls));
    (void)node;
}

/* --- closing a stream anywhere --- */

typedef struct tw_redis_closing {
    tw_redis_node_t *node;
    tw_loop_t *from;
    tw_status_fn on_done;
    void *data;
    tw_close_reason_t reason;
    tw_status_t status;
    char id[]; /* NUL-terminated */
} tw_redis_closing_t;

/* Worker's thread. */
static void on_close_done(void *owner, void *data)
{
    tw_redis_closing_t *closing = data;
    closing->on_done(closing->data, closing->status);
    free(closing);
}

static void on_close_answer(void *data, const json_t *answer)
{
    tw_redis_closing_t *closing = data;
    closing->status = json_is_true(json_object_get(answer, "closed")) ? TW_OK : TW_NOT_FOUND;
    tw_loop_post(closing->from, on_close_done, closing);
}

/* How many nodes got the question: the owner of the id, or none. */
static void on_close_sent(const redisReply *sent, void *data)
{
    tw_redis_node_t *node = data;
    tw_redis_call_t *call;

    /* The oldest question that nobody got has been shown to be one without an owner. */
    if (sent == NULL || sent->type != REDIS_REPLY_ARRAY || sent->elements != 2 ||
        sent->element[0]->integer != 0 || sent->element[1]->type != REDIS_REPLY_STRING)
        return;
    uint64_t token = strtoull(sent->element[1]->str, NULL, 10);
    for (call = TAILQ_FIRST(&node->calls); call != NULL; call = TAILQ_NEXT(call, link)) {
        if (call->token == token) {
            conclude(node, call, NULL);
            return;
        }
    }
}

static void on_close_request(void *owner, void *data)
{
    tw_redis_closing_t *closing = data;
    tw_redis_node_t *node = closing->node;
    tw_redis_args_t args;
    char instance[9] = "";

    if (!tw_redis_node_up(node)) {
        closing->status = TW_UNAVAILABLE;
        tw_loop_post(closing->from, on_close_done, closing);
        return;
    }
    char *message = tw_redis_call_message(node,
                                          json_pack("{s:s,s:s,s:i}", "op", "close", "id",
                                                    closing->id, "reason", (int)closing->reason),
                                          on_close_answer, closing);
    snprintf(instance, sizeof(instance), "%.8s", closing->id);
    tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_CALL_OWNER);
    tw_redis_args_text(&args, instance);
    tw_redis_args_text(&args, message);
    tw_redis_args_number(&args, node->next_token);
    tw_redis_args_send(&args, node->commands, on_close_sent, node);
    free(message);
}

void tw_redis_close_by_id(tw_adapter_t *adapter, tw_loop_t *from, const char *stream_id,
                          tw_close_reason_t reason, tw_status_fn on_done, void *data)
{
    size_t len = strlen(stream_id);

    if (len != TW_STREAM_ID_SIZE - 1) {
        on_done(data, TW_NOT_FOUND);
        return;
    }
    if (tw_listing_owns(tw_redis_node_of_adapter(adapter)->hub, stream_id)) {
        tw_listing_close(tw_redis_node_of_adapter(adapter)->hub, from, stream_id, reason, on_done,
                         data);
        return;
    }
    tw_redis_closing_t *closing = tw_alloc(sizeof(*closing) + len + 1);
    closing->node = tw_redis_node_of_adapter(adapter);
    closing->from = from;
    closing->on_done = on_done;
    closing->data = data;
    closing->reason = reason;
    memcpy(closing->id, stream_id, len + 1);
    tw_loop_post(closing->node->loop, on_close_request, closing);
}
