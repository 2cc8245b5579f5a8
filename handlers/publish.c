/*
 * POST /v1/publish. The headers alone decide whether the request may publish, what and where to;
 * the body of an event without subscribers is never read.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "handlers/access.h"
#include "handlers/gateway.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "handlers/request.h"
#include "handlers/turns.h"
#include "runtime/model/sse.h"

#define ID_MAX 256
#define UNCHECKED_MAX 80 /* bytes of what a peer that is not admitted has sent */
#define TYPE_MAX 256
/* What it costs to check a payload, to make an event of it and to put it into the tails of its
 * topics, nanoseconds. What the event's deliveries cost is not counted: they never wait. */
#define EVENT_NS(bytes, topics) (2000 + 3 * (bytes) + 500 * (topics))

typedef enum tw_publish_stage {
    TW_PUBLISH_ASKING,  /* the runtime is asked which topics have subscribers */
    TW_PUBLISH_READING, /* there are subscribers: the body is read */
    TW_PUBLISH_REPLIED,
} tw_publish_stage_t;

/*
 * A publish between its headers and its answer. It is not part of the request's memory, because an
 * answer of the runtime may come when the request has gone.
 */
typedef struct tw_publish {
    h2o_req_t *req; /* NULL: the client has gone */
    bool asking; /* an answer of the runtime is to come; it frees a publish whose client has gone */
    bool body_follows;
    bool inside; /* begin() is running: its caller acts on an answer that comes within it, and still
                    needs this struct */
    bool counted;            /* it is one of the publishes in flight */
    tw_counters_t *counters; /* borrowed from the worker: outlives the request */
    int64_t begun_us;        /* when the adapter was given the event */
    tw_publish_stage_t stage;
    tw_publisher_t publisher;
    tw_topic_list_t topics; /* bytes in the request */
    h2o_iovec_t id, type;   /* likewise */
} tw_publish_t;

static tw_counters_t *counters_of(const h2o_req_t *req)
{
    return &tw_worker_of(req)->shard->counters;
}

static void destroy(tw_publish_t *publish)
{
    tw_topic_list_dispose(&publish->topics);
    tw_publisher_dispose(&publish->publisher);
    free(publish);
}

/* The request's pool is freed. */
static void on_request_gone(void *data)
{
    tw_publish_t *publish = *(tw_publish_t **)data;
    if (publish->counted)
        tw_limits_end_publish(&tw_worker_of(publish->req)->gateway->limits);
    publish->counted = false;
    publish->req = NULL;
    if (!publish->asking && !publish->inside)
        destroy(publish);
}

static void log_publish(const tw_publish_t *publish, const char *message, const char *code)
{
    char topics[512];
    size_t len = 0;

    for (size_t i = 0; i < publish->topics.count; ++i) {
        const tw_topic_name_t *name = &publish->topics.items[i];
        if (len + name->len + 1 > sizeof(topics))
            break;
        if (i > 0)
            topics[len++] = ',';
        memcpy(topics + len, name->base, name->len);
        len += name->len;
    }
    if (publish->topics.count ==
        0) { /* refused before they were read: log them as they were sent */
        h2o_iovec_t sent = tw_request_header(publish->req, "x-sse-topic");
        len = sent.len < sizeof(topics) ? sent.len : sizeof(topics);
        memcpy(topics, sent.base != NULL ? sent.base : "", len);
    }
    const tw_token_t *token = publish->publisher.token;
    tw_log_field_t fields[4] = {
        tw_log_bytes("topic", topics, len),
        tw_log_bytes("id", publish->id.len > 0 ? publish->id.base : "", publish->id.len)};
    size_t count = 2;
    if (code != NULL)
        fields[count++] = tw_log_text("code", code);
    if (token != NULL && token->subject != NULL)
        fields[count++] = tw_log_text("subject", token->subject);
    tw_log_write(TW_LOG_INFO, message, fields, count);
}

/* Answers a publisher that has a key with an error, and logs it. */
static void refuse_event(tw_publish_t *publish, tw_error_t error, const char *code)
{
    tw_count(&counters_of(publish->req)->published_refused, 1);
    log_publish(publish, "publish refused", code);
    tw_reply_error(publish->req, error);
}

/* Writes the answer without a tree of JSON values, which would cost too much at 100,000 publishes a
 * second. */
static void reply_result(tw_publish_t *publish, const char *status, const uint8_t *followed,
                         const uint64_t *delivered)
{
    h2o_req_t *req = publish->req;
    size_t size = 128 + TW_JSON_STRING_MAX(publish->id.len);

    for (size_t i = 0; i < publish->topics.count; ++i)
        size += TW_JSON_STRING_MAX(publish->topics.items[i].len) + 1;
    char *text = h2o_mem_alloc_pool(&req->pool, size), *to = text;
    to += sprintf(to, "{\"status\":\"%s\",\"id\":", status);
    to = tw_json_write_string(to, publish->id.base, publish->id.len);
    if (delivered != NULL)
        to += sprintf(to, ",\"delivered\":%" PRIu64, *delivered);
    to = stpcpy(to, ",\"droppedTopics\":[");
    for (size_t i = 0; i < publish->topics.count; ++i) {
        if (followed[i])
            continue;
        to = tw_json_write_string(to, publish->topics.items[i].base, publish->topics.items[i].len);
        *to++ = ',';
    }
    if (to[-1] == ',')
        --to;
    to = stpcpy(to, "]}");
    tw_reply_text(req, 202, "application/json", text, (size_t)(to - text));
}

static void reply_dropped(tw_publish_t *publish, const uint8_t *followed)
{
    tw_count(&counters_of(publish->req)->published_dropped, 1);
    log_publish(publish, "publish dropped: its topics have no subscribers", NULL);
    reply_result(publish, "dropped", followed, NULL);
}

static void fail(tw_publish_t *publish, tw_status_t status)
{
    tw_count(&counters_of(publish->req)->published_failed, 1);
    log_publish(publish, "publish failed",
                status == TW_UNAVAILABLE ? "runtime_unavailable" : "no_memory");
    tw_reply_status(publish->req, status);
}

/* --- headers --- */

/*
 * Counts and logs a publish that was not admitted. A peer can repeat it as fast as the network
 * allows, so each worker logs at most one line a second.
 */
static void log_unadmitted(tw_publish_t *publish, const char *code)
{
    h2o_iovec_t topics = tw_request_header(publish->req, "x-sse-topic");
    uint64_t count =
        tw_log_limit_count(&tw_worker_of(publish->req)->publish_refusals, tw_clock_ms());

    tw_count(&counters_of(publish->req)->published_refused, 1);
    if (count == 0)
        return;
    tw_log(TW_LOG_INFO, "publish refused",
           tw_log_bytes("topic", topics.base != NULL ? topics.base : "",
                        topics.len < UNCHECKED_MAX ? topics.len : UNCHECKED_MAX),
           tw_log_text("code", code), tw_log_number("count", (int64_t)count));
}

/* Checks the key or token, its rate and the number of publishes in flight. Returns NULL, or the
 * code of the error that the request has been answered with. */
static const char *admit(tw_publish_t *publish)
{
    h2o_req_t *req = publish->req;
    tw_limits_t *limits = &tw_worker_of(req)->gateway->limits;
    const char *code = tw_access_publisher(req, &publish->publisher);

    if (code != NULL)
        return code;
    unsigned wait_s = tw_limits_publish_wait_s(limits, publish->publisher.rate);
    if (wait_s > 0) {
        tw_reply_error_wait(req, TW_ERROR_RATE_LIMITED, wait_s);
        return "rate_limited";
    }
    publish->counted = tw_limits_begin_publish(limits);
    if (!publish->counted) {
        tw_reply_error_text(req, TW_ERROR_OVER_CAPACITY,
                            "%" PRIu64
                            " publishes are in progress on this node, which is its limit; "
                            "try again",
                            limits->config.publishes_in_flight);
        return "over_capacity";
    }
    return NULL;
}

/* Types that begin with `tideway.` are those of the gateway's own events. */
static bool is_publishable_type(h2o_iovec_t type)
{
    static const char reserved[] = "tideway.";
    size_t len = sizeof(reserved) - 1;

    return tw_request_printable(type, TYPE_MAX) &&
           (type.len < len || memcmp(type.base, reserved, len) != 0);
}

/* False: the request has been answered. */
static bool read_headers(tw_publish_t *publish)
{
    h2o_req_t *req = publish->req;

    publish->id = tw_request_header(req, "x-sse-id");
    const char *code = admit(publish);
    if (code == NULL && !tw_request_topics(req, false, &publish->topics))
        code = "bad_topics";
    if (code == NULL && !tw_access_may_publish(req, &publish->publisher, &publish->topics))
        code = "topic_forbidden";
    if (code != NULL) {
        log_unadmitted(publish, code);
        return false;
    }
    publish->type = tw_request_header(req, "x-sse-event");
    if (publish->id.len == 0)
        refuse_event(publish, TW_ERROR_MISSING_ID, "missing_id");
    else if (!tw_request_printable(publish->id, ID_MAX) || publish->id.base[0] == '~')
        refuse_event(publish, TW_ERROR_INVALID_ID, "invalid_id");
    else if (publish->type.base != NULL && !is_publishable_type(publish->type))
        refuse_event(publish, TW_ERROR_INVALID_EVENT, "invalid_event");
    else
        return true;
    return false;
}

static void publish_body(tw_publish_t *publish);

/* The runtime says which topics have subscribers. This is called even when the client has gone. */
static void on_followed(void *data, tw_status_t status, const uint8_t *followed)
{
    tw_publish_t *publish = data;
    h2o_req_t *req = publish->req;

    publish->asking = false;
    if (req == NULL) {
        destroy(publish);
        return;
    }
    if (status == TW_OK && memchr(followed, 1, publish->topics.count) != NULL) {
        publish->stage = TW_PUBLISH_READING;
        if (!publish->body_follows)
            publish_body(publish);
        else if (!publish->inside)
            h2o_req_decide_body(req, H2O_BODY_READ);
        return;
    }
    publish->stage = TW_PUBLISH_REPLIED;
    if (publish->body_follows && !publish->inside)
        h2o_req_decide_body(req, H2O_BODY_DISCARD);
    if (status == TW_OK)
        reply_dropped(publish, followed);
    else
        fail(publish, status);
}

/* Reads the headers and asks the runtime which topics have subscribers. Returns the stage that the
 * publish has reached. */
static tw_publish_stage_t begin(h2o_req_t *req, bool body_follows)
{
    tw_gateway_t *gateway = tw_worker_of(req)->gateway;
    tw_publish_t *publish = tw_alloc(sizeof(*publish));
    tw_publish_t **from_pool =
        h2o_mem_alloc_shared(&req->pool, sizeof(*from_pool), on_request_gone);

    *from_pool = publish;
    tw_routed(req)->data = publish;
    publish->req = req;
    publish->body_follows = body_follows;
    publish->inside = true;
    tw_topic_list_init(&publish->topics, gateway->topics_max);
    if (read_headers(publish)) {
        publish->asking = true;
        gateway->adapter->ops->has_subscribers(gateway->adapter, &tw_worker_of(req)->shard->loop,
                                               &publish->topics, on_followed, publish);
    } else {
        publish->stage = TW_PUBLISH_REPLIED;
    }
    publish->inside = false;
    tw_publish_stage_t stage = publish->stage;
    if (publish->req == NULL && !publish->asking)
        destroy(publish);
    return stage;
}

h2o_body_decision_t tw_publish_on_headers(h2o_req_t *req)
{
    switch (begin(req, true)) {
    case TW_PUBLISH_ASKING:
        return H2O_BODY_HOLD;
    case TW_PUBLISH_READING:
        return H2O_BODY_READ;
    case TW_PUBLISH_REPLIED:
        break;
    }
    return H2O_BODY_DISCARD;
}

/* --- body --- */

static void on_published(void *data, tw_status_t status, const tw_dispatch_result_t *result)
{
    tw_publish_t *publish = data;

    publish->asking = false;
    if (status == TW_OK)
        tw_count_latency(publish->counters, (uint64_t)(tw_clock_us() - publish->begun_us));
    if (publish->req == NULL) {
        destroy(publish);
        return;
    }
    publish->stage = TW_PUBLISH_REPLIED;
    if (status != TW_OK) {
        fail(publish, status);
    } else if (result->accepted_count == 0) { /* the last subscriber left while the body was read */
        reply_dropped(publish, result->accepted);
    } else {
        tw_count(&counters_of(publish->req)->published_accepted, 1);
        reply_result(publish, "accepted", result->accepted, &result->delivered);
    }
}

static void publish_body(tw_publish_t *publish)
{
    h2o_req_t *req = publish->req;
    tw_gateway_t *gateway = tw_worker_of(req)->gateway;
    const tw_event_spec_t spec = {.topics = &publish->topics,
                                  .id = publish->id.base,
                                  .id_len = publish->id.len,
                                  .type = publish->type.base,
                                  .type_len = publish->type.len,
                                  .payload = req->entity.base != NULL ? req->entity.base : "",
                                  .payload_len = req->entity.base != NULL ? req->entity.len : 0,
                                  .published_at_ms = tw_clock_wall_ms()};

    if (spec.payload_len > gateway->payload_bytes_max) {
        tw_count(&counters_of(req)->published_refused, 1);
        log_publish(publish, "publish refused", "payload_too_large");
        tw_reply_h2o_error(req, 413, "", "", 0);
        return;
    }
    tw_turn_spend(req, EVENT_NS(spec.payload_len, publish->topics.count));
    if (!tw_sse_text_valid(spec.payload, spec.payload_len)) {
        refuse_event(publish, TW_ERROR_INVALID_PAYLOAD, "invalid_payload");
        return;
    }
    tw_event_t *event = tw_event_create(&spec);
    if (event == NULL) {
        fail(publish, TW_NO_MEMORY);
        return;
    }
    publish->asking = true;
    publish->counters = counters_of(req);
    publish->begun_us = tw_clock_us();
    gateway->adapter->ops->publish(gateway->adapter, &tw_worker_of(req)->shard->loop, event,
                                   on_published, publish);
    tw_event_unref(event);
}

void tw_handle_publish(h2o_req_t *req)
{
    tw_publish_t *publish = tw_routed(req)->data;

    if (publish == NULL) { /* there is no body, so h2o did not ask for a decision */
        begin(req, false);
    } else {
        assert(publish->stage == TW_PUBLISH_READING);
        publish_body(publish);
    }
}
