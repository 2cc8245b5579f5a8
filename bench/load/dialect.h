/*
 * How requests look to each kind of server, so that the same load goes to Tideway and to its peers.
 * Pure but for the scratch memory in load_request_t; any thread.
 */
#ifndef LOAD_DIALECT_H
#define LOAD_DIALECT_H

#include <nghttp2/nghttp2.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/load/payload.h"

enum { LOAD_REQUEST_HEADERS_MAX = 12, LOAD_TOPIC_NAME_BYTES = 12 };

/* One request in the making: headers point into `text`. Reused for many requests. */
typedef struct load_request {
    nghttp2_nv headers[LOAD_REQUEST_HEADERS_MAX];
    size_t header_count;
    const char *body; /* NULL: none */
    size_t body_bytes;
    size_t text_bytes;
    char text[8192];
    char body_text[LOAD_PAYLOAD_BYTES_MAX + 256];
} load_request_t;

/* What every request to one server shares; strings are borrowed. */
typedef struct load_dialect_server {
    const char *scheme;
    const char *authority;
    const char *authorization; /* "Bearer …" */
    const char *key;
} load_dialect_server_t;

typedef struct load_event {
    uint32_t topic;
    uint32_t lane;
    uint32_t sequence;
    const char *payload;
    size_t payload_bytes;
} load_event_t;

typedef enum { LOAD_ANSWER_ACCEPTED, LOAD_ANSWER_DROPPED, LOAD_ANSWER_FAILED } load_answer_kind_t;

typedef struct load_answer {
    load_answer_kind_t kind;
    int64_t delivered; /* -1: the server does not say */
} load_answer_t;

typedef struct load_dialect {
    const char *name;
    /* A stream that follows `count` topics from `first` on, modulo `topics`. */
    void (*subscribe)(load_request_t *request, const load_dialect_server_t *server, uint32_t first,
                      uint32_t count, uint32_t topics);
    /* Adds to a subscription that the event of this lane and sequence number was the last one seen;
     * NULL: this kind of server is not asked to resume. */
    void (*resume)(load_request_t *request, uint32_t lane, uint32_t sequence);
    void (*publish)(load_request_t *request, const load_dialect_server_t *server,
                    const load_event_t *event);
    load_answer_t (*answer)(int status, const char *body, size_t bytes);
} load_dialect_t;

/* The dialect of that name, or NULL. */
const load_dialect_t *load_dialect_find(const char *name);

#endif
