#include "runtime/redis/peers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/listing.h"

#define CALL_TIMEOUT_MS 1500
#define LIST_ROWS_MAX 500 /* a page's */

/* A question that was sent. */
struct tw_redis_request {
    TAILQ_ENTRY(tw_redis_request) link;
    uint64_t token, deadline_ms;
    tw_redis_answer_fn on_answer;
    void *data;
};

/* A question that was put to us and is being answered. */
typedef struct tw_redis_service {
    tw_redis_peers_t *peers;
    char *from; /* owned; NULL: ourselves */
    json_int_t token;
    tw_redis_answer_fn on_answer; /* with from NULL */
    void *data;
} tw_redis_service_t;

void tw_redis_peers_init(tw_redis_peers_t *peers, tw_redis_session_t *session, tw_hub_t *hub,
                         const char *node_id)
{
    peers->session = session;
    peers->hub = hub;
    peers->node_id = node_id;
    TAILQ_INIT(&peers->requests);
}

/* --- sending --- */

/* A message under way, and the question in it if it is one. */
typedef struct tw_redis_call {
    tw_redis_peers_t *peers;
    uint64_t token; /* 0: an answer */
} tw_redis_call_t;

static void conclude(tw_redis_peers_t *peers, tw_redis_request_t *request, tw_status_t status,
                     const json_t *answer)
{
    TAILQ_REMOVE(&peers->requests, request, link);
    request->on_answer(request->data, status, answer);
    free(request);
}

static tw_redis_request_t *find_request(const tw_redis_peers_t *peers, uint64_t token)
{
    tw_redis_request_t *request;
    TAILQ_FOREACH(request, &peers->requests, link)
    if (request->token == token)
        break;
    return request;
}

/* 1, or 0 when there is no such node */
static void on_called(const redisReply *reply, void *data)
{
    tw_redis_call_t call = *(tw_redis_call_t *)data;
    tw_redis_request_t *request = find_request(call.peers, call.token);

    free(data);
    tw_redis_session_refused(call.peers->session, "a message to another node", reply);
    if (request == NULL)
        return;
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER)
        conclude(call.peers, request, TW_UNAVAILABLE, NULL);
    else if (reply->integer == 0)
        conclude(call.peers, request, TW_NOT_FOUND, NULL);
}

/* Sends "Q{…}" or "A{…}", and takes the object over. */
static void call_peer(tw_redis_peers_t *peers, const char *peer, char kind, json_t *object,
                      uint64_t token)
{
    tw_redis_call_t *call = tw_alloc(sizeof(*call));
    char *text = json_dumps(object, JSON_COMPACT), *message = NULL;
    tw_redis_args_t args;

    if (text == NULL || asprintf(&message, "%c%s", kind, text) < 0)
        abort();
    *call = (tw_redis_call_t){peers, token};
    tw_redis_script_begin_own(peers->session, &args, TW_REDIS_SCRIPT_CALL);
    tw_redis_args_text(&args, peer);
    tw_redis_args_text(&args, message);
    tw_redis_session_send(peers->session, &args, on_called, call);
    free(message);
    free(text);
    json_decref(object);
}

/* --- answering --- */

/* The answer's members are taken over. */
static void reply(tw_redis_service_t *service, json_t *answer)
{
    if (service->from != NULL) {
        json_object_set_new(answer, "token", json_integer(service->token));
        call_peer(service->peers, service->from, 'A', answer, 0);
    } else {
        service->on_answer(service->data, TW_OK, answer);
        json_decref(answer);
    }
    --service->peers->serving;
    free(service->from);
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
    if (row->subject != NULL)
        json_object_set_new(json, "s", json_string(row->subject));
    return json;
}

static void on_listed(void *data, tw_status_t status, uint64_t total, const tw_stream_row_t *rows,
                      size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; ++i)
        json_array_append_new(list, row_to_json(&rows[i]));
    reply(data, json_pack("{s:I,s:o}", "total", (json_int_t)total, "rows", list));
}

/* Empty when the request is about none. */
static tw_text_t subject_of(const json_t *request)
{
    const json_t *subject = json_object_get(request, "subject");
    size_t len = json_string_length(subject);
    return tw_text(json_string_value(subject), len <= TW_SUBJECT_MAX ? len : 0);
}

/* A page of our streams: of a topic, or of a subject, or with ids that begin with a prefix. */
static void serve_list(tw_redis_service_t *service, const json_t *request)
{
    const json_t *name = json_object_get(request, "topic"),
                 *prefix = json_object_get(request, "prefix");
    const char *base = json_string_value(name);
    tw_topic_name_t topic = tw_topic_name(base != NULL ? base : "", json_string_length(name));
    tw_text_t subject = subject_of(request);
    const tw_page_query_t query = {
        .page = 1,
        .page_size = (uint64_t)json_integer_value(json_object_get(request, "count")),
        .skip = (uint64_t)json_integer_value(json_object_get(request, "skip")),
        .prefix = json_string_value(prefix),
        .prefix_len = json_string_length(prefix),
        .topic = topic.len > 0 ? &topic : NULL,
        .subject = subject};
    if (query.page_size > LIST_ROWS_MAX || topic.len > TW_TOPIC_NAME_MAX ||
        (prefix == NULL && topic.len == 0 && subject.len == 0)) {
        reply(service, json_object());
        return;
    }
    tw_listing_streams(service->peers->hub, service->peers->loop, &query, service->peers->node_id,
                       on_listed, service);
}

static void on_subject_closed(void *data, tw_status_t status, uint64_t count)
{
    reply(data, json_pack("{s:I}", "total", (json_int_t)count));
}

static void serve(tw_redis_service_t *service, const json_t *request)
{
    const char *op = json_string_value(json_object_get(request, "op"));
    const char *id = json_string_value(json_object_get(request, "id"));
    json_int_t reason = json_integer_value(json_object_get(request, "reason"));
    bool closes = reason >= 0 && reason < TW_CLOSE_REASON_COUNT;
    const tw_ending_query_t query = {.subject = subject_of(request),
                                     .issued_until_ms = INT64_MAX,
                                     .reason = (tw_close_reason_t)reason};

    ++service->peers->serving;
    if (op != NULL && strcmp(op, "closeSubject") == 0 && query.subject.len > 0 && closes) {
        tw_listing_close_subject(service->peers->hub, service->peers->loop, &query,
                                 on_subject_closed, service);
    } else if (op != NULL && strcmp(op, "close") == 0 && id != NULL && closes) {
        tw_listing_close(service->peers->hub, service->peers->loop, id, (tw_close_reason_t)reason,
                         on_closed, service);
    } else if (op != NULL && strcmp(op, "list") == 0) {
        serve_list(service, request);
    } else {
        reply(service, json_object());
    }
}

/* --- asking --- */

static void serve_ourselves(tw_redis_peers_t *peers, json_t *request, tw_redis_answer_fn on_answer,
                            void *data)
{
    tw_redis_service_t *service = tw_alloc(sizeof(*service));
    service->peers = peers;
    service->on_answer = on_answer;
    service->data = data;
    serve(service, request);
    json_decref(request);
}

void tw_redis_peers_ask(tw_redis_peers_t *peers, const char *peer, json_t *request,
                        tw_redis_answer_fn on_answer, void *data)
{
    if (strncmp(peer, peers->session->registration, strlen(peer)) == 0) {
        serve_ourselves(peers, request, on_answer, data);
        return;
    }
    tw_redis_request_t *sent = tw_alloc(sizeof(*sent));
    *sent = (tw_redis_request_t){.token = ++peers->next_token,
                                 .deadline_ms = uv_now(peers->loop->uv) + CALL_TIMEOUT_MS,
                                 .on_answer = on_answer,
                                 .data = data};
    TAILQ_INSERT_TAIL(&peers->requests, sent, link);
    json_object_set_new(request, "from", json_string(peers->session->registration));
    json_object_set_new(request, "token", json_integer((json_int_t)sent->token));
    call_peer(peers, peer, 'Q', request, sent->token);
}

static void on_answer(tw_redis_peers_t *peers, const json_t *answer)
{
    tw_redis_request_t *request =
        find_request(peers, (uint64_t)json_integer_value(json_object_get(answer, "token")));
    if (request != NULL)
        conclude(peers, request, TW_OK, answer);
}

static void on_question(tw_redis_peers_t *peers, const json_t *request)
{
    const char *from = json_string_value(json_object_get(request, "from"));
    if (from == NULL)
        return;
    tw_redis_service_t *service = tw_alloc(sizeof(*service));
    service->peers = peers;
    service->from = tw_strndup(from, strlen(from));
    service->token = json_integer_value(json_object_get(request, "token"));
    serve(service, request);
}

/* "F<number> <topic>": an operator had the topic's events up to this one forgotten. */
static void on_forget(tw_redis_peers_t *peers, const char *message, size_t len)
{
    const char *space = memchr(message, ' ', len);
    size_t at = space != NULL ? (size_t)(space - message) + 1 : len;

    if (at == len || !tw_topic_name_valid(message + at, len - at))
        return;
    const tw_topic_name_t topic = tw_topic_name(message + at, len - at);
    tw_hub_forget(peers->hub, &topic, strtoull(message + 1, NULL, 10));
}

void tw_redis_peers_message(tw_redis_peers_t *peers, const char *message, size_t len)
{
    if (len > 0 && message[0] == 'F') {
        on_forget(peers, message, len);
        return;
    }
    json_t *object = len > 1 ? json_loadb(message + 1, len - 1, 0, NULL) : NULL;

    if (object != NULL && message[0] == 'Q')
        on_question(peers, object);
    else if (object != NULL && message[0] == 'A')
        on_answer(peers, object);
    json_decref(object);
}

void tw_redis_peers_expire(tw_redis_peers_t *peers, uint64_t now_ms, bool all)
{
    tw_redis_request_t *request;
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): conclude() takes it off the list */
    while ((request = TAILQ_FIRST(&peers->requests)) != NULL &&
           (all || now_ms >= request->deadline_ms))
        conclude(peers, request, TW_UNAVAILABLE, NULL);
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
}
