#include "bench/load/dialect.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- building requests ---- */

static void begin(load_request_t *request)
{
    request->header_count = 0;
    request->text_bytes = 0;
    request->body = NULL;
    request->body_bytes = 0;
}

/* Adds to the text that the next headers point into. */
static void put(load_request_t *request, const char *text, size_t bytes)
{
    assert(request->text_bytes + bytes <= sizeof(request->text));
    memcpy(request->text + request->text_bytes, text, bytes);
    request->text_bytes += bytes;
}

static void put_string(load_request_t *request, const char *text)
{
    put(request, text, strlen(text));
}

static void put_hex(load_request_t *request, uint32_t value, int digits)
{
    char text[8];
    assert(digits <= 8);
    for (int i = digits; i-- > 0; value >>= 4)
        text[i] = "0123456789abcdef"[value & 0xf];
    put(request, text, (size_t)digits);
}

/* LOAD_TOPIC_NAME_BYTES long. */
static void put_topic(load_request_t *request, uint32_t topic)
{
    put(request, "bench-", 6);
    put_hex(request, topic, 6);
}

static void add(load_request_t *request, const char *name, const char *value, size_t bytes,
                uint8_t flags)
{
    assert(request->header_count < LOAD_REQUEST_HEADERS_MAX);
    request->headers[request->header_count++] =
        (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), bytes, flags};
}

/* A header that is the same in every request, so that HPACK's table makes it one octet. */
static void add_constant(load_request_t *request, const char *name, const char *value)
{
    add(request, name, value, strlen(value), NGHTTP2_NV_FLAG_NONE);
}

/* A header whose value is the text since `from`; it never enters HPACK's table. */
static void add_text(load_request_t *request, const char *name, size_t from)
{
    add(request, name, request->text + from, request->text_bytes - from, NGHTTP2_NV_FLAG_NO_INDEX);
}

static void add_start(load_request_t *request, const load_dialect_server_t *server,
                      const char *method)
{
    add_constant(request, ":method", method);
    add_constant(request, ":scheme", server->scheme);
    add_constant(request, ":authority", server->authority);
}

static void set_body(load_request_t *request, const char *before, const char *topic_text,
                     const char *between, const load_event_t *event, const char *after)
{
    int head = snprintf(request->body_text, sizeof(request->body_text), "%s%.*s%s", before,
                        topic_text != NULL ? LOAD_TOPIC_NAME_BYTES : 0,
                        topic_text != NULL ? topic_text : "", between);
    size_t tail = strlen(after);
    assert(head >= 0 && (size_t)head + event->payload_bytes + tail <= sizeof(request->body_text));
    memcpy(request->body_text + head, event->payload, event->payload_bytes);
    memcpy(request->body_text + head + event->payload_bytes, after, tail);
    request->body = request->body_text;
    request->body_bytes = (size_t)head + event->payload_bytes + tail;
}

/* ---- Tideway ---- */

static void tideway_subscribe(load_request_t *request, const load_dialect_server_t *server,
                              uint32_t first, uint32_t count, uint32_t topics)
{
    begin(request);
    add_start(request, server, "GET");
    add_constant(request, ":path", "/v1/stream");
    add_constant(request, "accept", "text/event-stream");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            put(request, ",", 1);
        put_topic(request, (first + i) % topics);
    }
    add_text(request, "x-sse-topic", 0);
}

/* A header that is an event's id. */
static void add_event_id(load_request_t *request, const char *name, uint32_t lane,
                         uint32_t sequence)
{
    size_t from = request->text_bytes;
    put_hex(request, lane, 2);
    put(request, "-", 1);
    put_hex(request, sequence, 8);
    add_text(request, name, from);
}

static void tideway_resume(load_request_t *request, uint32_t lane, uint32_t sequence)
{
    add_event_id(request, "last-event-id", lane, sequence);
}

static void tideway_publish(load_request_t *request, const load_dialect_server_t *server,
                            const load_event_t *event)
{
    begin(request);
    add_start(request, server, "POST");
    add_constant(request, ":path", "/v1/publish");
    add_constant(request, "authorization", server->authorization);
    put_topic(request, event->topic);
    add_text(request, "x-sse-topic", 0);
    add_event_id(request, "x-sse-id", event->lane, event->sequence);
    request->body = event->payload;
    request->body_bytes = event->payload_bytes;
}

static load_answer_t tideway_answer(int status, const char *body, size_t bytes)
{
    static const char dropped[] = "\"status\":\"dropped\"", delivered[] = "\"delivered\":";
    if (status != 202)
        return (load_answer_t){LOAD_ANSWER_FAILED, -1};
    if (memmem(body, bytes, dropped, sizeof(dropped) - 1) != NULL)
        return (load_answer_t){LOAD_ANSWER_DROPPED, 0};
    load_answer_t answer = {LOAD_ANSWER_ACCEPTED, -1};
    const char *p = memmem(body, bytes, delivered, sizeof(delivered) - 1), *end = body + bytes;
    if (p != NULL) {
        answer.delivered = 0;
        for (p += sizeof(delivered) - 1; p < end && *p >= '0' && *p <= '9'; p++)
            answer.delivered = answer.delivered * 10 + (*p - '0');
    }
    return answer;
}

/* ---- nginx with nchan: location /sub/TOPIC and /pub/TOPIC ---- */

static void nchan_path(load_request_t *request, const char *prefix, uint32_t topic)
{
    size_t from = request->text_bytes;
    put_string(request, prefix);
    put_topic(request, topic);
    add_text(request, ":path", from);
}

static void nchan_subscribe(load_request_t *request, const load_dialect_server_t *server,
                            uint32_t first, uint32_t count, uint32_t topics)
{
    begin(request);
    add_start(request, server, "GET");
    if (count == 1) {
        nchan_path(request, "/sub/", first % topics);
    } else {
        /* Its multiplexed channels: several ids in one path. */
        put_string(request, "/multi/");
        for (uint32_t i = 0; i < count; i++) {
            if (i > 0)
                put(request, ",", 1);
            put_topic(request, (first + i) % topics);
        }
        add_text(request, ":path", 0);
    }
    add_constant(request, "accept", "text/event-stream");
}

static void nchan_publish(load_request_t *request, const load_dialect_server_t *server,
                          const load_event_t *event)
{
    begin(request);
    add_start(request, server, "POST");
    nchan_path(request, "/pub/", event->topic);
    request->body = event->payload;
    request->body_bytes = event->payload_bytes;
}

static load_answer_t nchan_answer(int status, const char *body, size_t bytes)
{
    /* 201: there were subscribers; 202: there were none. */
    if (status == 201 || status == 202)
        return (load_answer_t){status == 201 ? LOAD_ANSWER_ACCEPTED : LOAD_ANSWER_DROPPED, -1};
    return (load_answer_t){LOAD_ANSWER_FAILED, -1};
}

/* ---- Mercure ---- */

static void mercure_subscribe(load_request_t *request, const load_dialect_server_t *server,
                              uint32_t first, uint32_t count, uint32_t topics)
{
    begin(request);
    add_start(request, server, "GET");
    put_string(request, "/.well-known/mercure");
    for (uint32_t i = 0; i < count; i++) {
        put_string(request, i == 0 ? "?topic=" : "&topic=");
        put_topic(request, (first + i) % topics);
    }
    add_text(request, ":path", 0);
    add_constant(request, "accept", "text/event-stream");
}

static void mercure_publish(load_request_t *request, const load_dialect_server_t *server,
                            const load_event_t *event)
{
    begin(request);
    add_start(request, server, "POST");
    add_constant(request, ":path", "/.well-known/mercure");
    add_constant(request, "authorization", server->authorization);
    add_constant(request, "content-type", "application/x-www-form-urlencoded");
    put_topic(request, event->topic);
    set_body(request, "topic=", request->text, "&data=", event, "");
}

static load_answer_t any_200_answer(int status, const char *body, size_t bytes)
{
    return (load_answer_t){status == 200 ? LOAD_ANSWER_ACCEPTED : LOAD_ANSWER_FAILED, -1};
}

/* ---- Centrifugo: unidirectional SSE and its HTTP API ---- */

static void centrifugo_subscribe(load_request_t *request, const load_dialect_server_t *server,
                                 uint32_t first, uint32_t count, uint32_t topics)
{
    begin(request);
    add_start(request, server, "GET");
    /* {"subs":{"TOPIC":{},…}} */
    put_string(request, "/connection/uni_sse?cf_connect=%7B%22subs%22%3A%7B");
    for (uint32_t i = 0; i < count; i++) {
        put_string(request, i == 0 ? "%22" : "%2C%22");
        put_topic(request, (first + i) % topics);
        put_string(request, "%22%3A%7B%7D");
    }
    put_string(request, "%7D%7D");
    add_text(request, ":path", 0);
    add_constant(request, "accept", "text/event-stream");
}

static void centrifugo_publish(load_request_t *request, const load_dialect_server_t *server,
                               const load_event_t *event)
{
    begin(request);
    add_start(request, server, "POST");
    add_constant(request, ":path", "/api/publish");
    add_constant(request, "x-api-key", server->key);
    add_constant(request, "content-type", "application/json");
    put_topic(request, event->topic);
    set_body(request, "{\"channel\":\"", request->text, "\",\"data\":\"", event, "\"}");
}

static load_answer_t centrifugo_answer(int status, const char *body, size_t bytes)
{
    static const char error[] = "\"error\"";
    if (status != 200 || memmem(body, bytes, error, sizeof(error) - 1) != NULL)
        return (load_answer_t){LOAD_ANSWER_FAILED, -1};
    return (load_answer_t){LOAD_ANSWER_ACCEPTED, -1};
}

static const load_dialect_t dialects[] = {
    {"tideway", tideway_subscribe, tideway_resume, tideway_publish, tideway_answer},
    {"nchan", nchan_subscribe, NULL, nchan_publish, nchan_answer},
    {"mercure", mercure_subscribe, NULL, mercure_publish, any_200_answer},
    {"centrifugo", centrifugo_subscribe, NULL, centrifugo_publish, centrifugo_answer},
};

const load_dialect_t *load_dialect_find(const char *name)
{
    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++)
        if (strcmp(dialects[i].name, name) == 0)
            return &dialects[i];
    return NULL;
}
