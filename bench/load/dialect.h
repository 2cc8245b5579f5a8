/*
 * How requests look to each kind of server, so that the same load goes to Tideway and to its peers.
 * Pure but for the scratch memory in tw_request_t; any thread.
 */
#ifndef TW_BENCH_DIALECT_H
#define TW_BENCH_DIALECT_H

#include <nghttp2/nghttp2.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/load/payload.h"

enum { TW_REQUEST_HEADERS_MAX = 12, TW_TOPIC_NAME_BYTES = 12 };

/* One request in the making: headers point into `text`. Reused for many requests. */
typedef struct st_tw_request_t {
    nghttp2_nv headers[TW_REQUEST_HEADERS_MAX];
    size_t header_count;
    const char *body; /* NULL: none */
    size_t body_bytes;
    size_t text_bytes;
    char text[8192];
    char body_text[TW_PAYLOAD_BYTES_MAX + 256];
} tw_request_t;

/* What every request to one server shares; strings are borrowed. */
typedef struct st_tw_dialect_server_t {
    const char *scheme;
    const char *authority;
    const char *authorization; /* "Bearer …" */
    const char *key;
} tw_dialect_server_t;

typedef struct st_tw_event_t {
    uint32_t topic;
    uint32_t lane;
    uint32_t sequence;
    const char *payload;
    size_t payload_bytes;
} tw_event_t;

typedef enum { TW_ANSWER_ACCEPTED, TW_ANSWER_DROPPED, TW_ANSWER_FAILED } tw_answer_kind_t;

typedef struct st_tw_answer_t {
    tw_answer_kind_t kind;
    int64_t delivered; /* -1: the server does not say */
} tw_answer_t;

typedef struct st_tw_dialect_t {
    const char *name;
    /* A stream that follows `count` topics from `first` on, modulo `topics`. */
    void (*subscribe)(tw_request_t *request, const tw_dialect_server_t *server, uint32_t first,
                      uint32_t count, uint32_t topics);
    /* Adds to a subscription that the event of this lane and sequence number was the last one seen;
     * NULL: this kind of server is not asked to resume. */
    void (*resume)(tw_request_t *request, uint32_t lane, uint32_t sequence);
    void (*publish)(tw_request_t *request, const tw_dialect_server_t *server,
                    const tw_event_t *event);
    tw_answer_t (*answer)(int status, const char *body, size_t bytes);
} tw_dialect_t;

/* The dialect of that name, or NULL. */
const tw_dialect_t *tw_dialect_find(const char *name);

#endif
