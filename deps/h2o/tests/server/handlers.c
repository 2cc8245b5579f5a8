// What the paths of the server of ordinary requests answer; see `routes` below.

#include "server.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

static struct {
    uint64_t headers;  // calls of on_headers
    uint64_t requests; // calls of on_req
    uint64_t disposed; // requests that are gone
    uint64_t entities; // bytes of bodies that came with them
    uint64_t held;     // bytes that requests hold
} stats;

// A decision or an answer that comes later; ends with the request.
typedef struct delayed {
    uv_timer_t timer;
    h2o_req_t *req;       // borrowed; NULL once the request is gone
    struct delayed **ref; // in the request's pool; says that the request is gone
    void (*run)(h2o_req_t *req);
} delayed_t;

static void on_delayed_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void on_delay_over(uv_timer_t *timer)
{
    delayed_t *delayed = timer->data;
    h2o_req_t *req = delayed->req;

    delayed->req = NULL;
    uv_close((uv_handle_t *)timer, on_delayed_closed);
    if (req != NULL) {
        *delayed->ref = NULL;
        delayed->run(req);
    }
}

static void on_delayed_request_disposed(void *data)
{
    delayed_t *delayed = *(delayed_t **)data;

    if (delayed != NULL)
        delayed->req = NULL;
}

static void run_later(h2o_req_t *req, uint64_t delay_ms, void (*run)(h2o_req_t *req))
{
    delayed_t *delayed = h2o_mem_alloc(sizeof(*delayed));
    delayed_t **ref = h2o_mem_alloc_shared(&req->pool, sizeof(*ref), on_delayed_request_disposed);

    *ref = delayed;
    delayed->req = req;
    delayed->ref = ref;
    delayed->run = run;
    uv_timer_init(req->conn->ctx->loop, &delayed->timer);
    delayed->timer.data = delayed;
    uv_timer_start(&delayed->timer, on_delay_over, delay_ms, 0);
}

static void on_request_disposed(void *data)
{
    (void)data;
    ++stats.disposed;
}

static void answer(h2o_req_t *req, int status, const char *body)
{
    req->res.status = status;
    req->res.reason = "Answer";
    req->res.content_length = strlen(body);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("text/plain"));
    h2o_send_inline(req, body, strlen(body));
}

static void answer_hello(h2o_req_t *req)
{
    answer(req, 200, "hello");
}

static void answer_echo(h2o_req_t *req)
{
    char body[64];

    snprintf(body, sizeof(body), "entity=%zu", req->entity.len);
    stats.entities += req->entity.len;
    answer(req, 200, body);
}

static void answer_stats(h2o_req_t *req)
{
    char body[256];

    snprintf(body, sizeof(body),
             "{\"headers\":%" PRIu64 ",\"requests\":%" PRIu64 ",\"disposed\":%" PRIu64
             ",\"entities\":%" PRIu64 ",\"held\":%" PRIu64 "}",
             stats.headers, stats.requests, stats.disposed, stats.entities, stats.held);
    answer(req, 200, body);
}

static void on_generator_event(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)generator;
    (void)req;
}

static h2o_generator_t silent_generator = {on_generator_event, on_generator_event};

static void answer_stream(h2o_req_t *req)
{
    req->res.status = 200;
    h2o_start_response(req, &silent_generator);
    h2o_send(req, NULL, 0, H2O_SEND_STATE_IN_PROGRESS);
}

static void answer_big(h2o_req_t *req)
{
    static char *bytes;
    h2o_iovec_t body = {NULL, options[OPT_BIG_BYTES].value};

    if (bytes == NULL) {
        bytes = h2o_mem_alloc(body.len);
        memset(bytes, 'b', body.len);
    }
    body.base = bytes;
    req->res.status = 200;
    req->res.content_length = body.len;
    h2o_start_response(req, &silent_generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
}

// A response in two parts, the second of which is empty.
static void on_empty_final_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    (void)generator;
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    req->res.status = 0; // the request is still there
}

static void answer_empty_final(h2o_req_t *req)
{
    static h2o_generator_t generator = {on_empty_final_proceed, on_generator_event};
    h2o_iovec_t body = {H2O_STRLIT("hello")};

    req->res.status = 200;
    req->res.content_length = body.len;
    h2o_start_response(req, &generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_IN_PROGRESS);
}

// A response in two parts, the second of which has a buffer without content.
static void on_empty_part_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    h2o_iovec_t nothing = {H2O_STRLIT("")};

    (void)generator;
    h2o_send(req, &nothing, 1, H2O_SEND_STATE_FINAL);
}

static void answer_empty_part(h2o_req_t *req)
{
    static h2o_generator_t generator = {on_empty_part_proceed, on_generator_event};
    h2o_iovec_t body = {H2O_STRLIT("hello")};

    req->res.status = 200;
    req->res.content_length = body.len;
    h2o_start_response(req, &generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_IN_PROGRESS);
}

static void answer_dropped(h2o_req_t *req)
{
    answer(req, 202, "dropped");
}

static void answer_delayed(h2o_req_t *req)
{
    run_later(req, options[OPT_DELAY_MS].value, answer_hello);
}

static void answer_never(h2o_req_t *req)
{
    (void)req;
}

// Answers with what on_headers has left in the request.
static void answer_data(h2o_req_t *req)
{
#if HAS_EMBEDDER_ERRORS
    answer(req, 200, req->handler_data != NULL ? req->handler_data : "none");
#else
    answer(req, 200, "unsupported");
#endif
}

#if HAS_EARLY_ANSWER
#if HAS_EMBEDDER_ERRORS
static void keep_data(h2o_req_t *req)
{
    req->handler_data = h2o_strdup(&req->pool, "from on_headers", SIZE_MAX).base;
}
#else
#define keep_data NULL
#endif

static void decide_read(h2o_req_t *req)
{
    h2o_req_decide_body(req, H2O_BODY_READ);
}

static void decide_discard(h2o_req_t *req)
{
    h2o_req_decide_body(req, H2O_BODY_DISCARD);
    answer_dropped(req);
}

static void want_no_body(h2o_req_t *req)
{
    req->entity_max = 0;
}

// The answer is out before the decision is told.
static void answer_and_discard(h2o_req_t *req)
{
    answer_dropped(req);
    h2o_req_decide_body(req, H2O_BODY_DISCARD);
}
#endif

// What a path does when the headers are there (decision; may be delayed) and when the request is.
typedef struct {
    const char *path;
    void (*on_req)(h2o_req_t *req);
#if HAS_EARLY_ANSWER
    h2o_body_decision_t decision;
    void (*on_headers)(h2o_req_t *req);
    int is_delayed;
#define EARLY(decision, on_headers, is_delayed) , decision, on_headers, is_delayed
#else
#define EARLY(decision, on_headers, is_delayed)
#endif
} route_t;

static const route_t routes[] = {
    {"/hello", answer_hello EARLY(H2O_BODY_READ, NULL, 0)},
    {"/echo", answer_echo EARLY(H2O_BODY_READ, NULL, 0)},
    {"/stats", answer_stats EARLY(H2O_BODY_READ, NULL, 0)},
    {"/stream", answer_stream EARLY(H2O_BODY_READ, NULL, 0)},
    {"/big", answer_big EARLY(H2O_BODY_READ, NULL, 0)},
    {"/empty-final", answer_empty_final EARLY(H2O_BODY_READ, NULL, 0)},
    {"/empty-part", answer_empty_part EARLY(H2O_BODY_READ, NULL, 0)},
    {"/delay", answer_delayed EARLY(H2O_BODY_READ, NULL, 0)},
    {"/never", answer_never EARLY(H2O_BODY_READ, NULL, 0)},
    {"/no-body", answer_hello EARLY(H2O_BODY_READ, want_no_body, 0)},
    {"/data", answer_data EARLY(H2O_BODY_READ, keep_data, 0)},
    {"/drop", answer_dropped EARLY(H2O_BODY_DISCARD, answer_dropped, 0)},
    {"/drop-big", answer_big EARLY(H2O_BODY_DISCARD, answer_big, 0)},
    {"/drop-late", answer_dropped EARLY(H2O_BODY_DISCARD, answer_dropped, 1)},
    {"/drop-never", answer_never EARLY(H2O_BODY_DISCARD, answer_never, 0)},
    {"/hold-read", answer_echo EARLY(H2O_BODY_HOLD, decide_read, 1)},
    {"/hold-drop", answer_dropped EARLY(H2O_BODY_HOLD, decide_discard, 1)},
    {"/hold-answer-drop", answer_dropped EARLY(H2O_BODY_HOLD, answer_and_discard, 1)},
    {"/hold-never", answer_never EARLY(H2O_BODY_HOLD, answer_never, 0)},
};

static const route_t *find_route(const h2o_req_t *req)
{
    size_t i;

    for (i = 0; i != sizeof(routes) / sizeof(routes[0]); ++i)
        if (h2o_memis(req->path_normalized.base, req->path_normalized.len, routes[i].path,
                      strlen(routes[i].path)))
            return &routes[i];
    return NULL;
}

static int on_req(h2o_handler_t *handler, h2o_req_t *req)
{
    const route_t *route = find_route(req);

    (void)handler;
    if (route == NULL)
        return -1;
    if (route->on_req != answer_stats) {
        ++stats.requests;
        h2o_mem_alloc_shared(&req->pool, 1, on_request_disposed);
    }
    route->on_req(req);
    return 0;
}

#if HAS_EARLY_ANSWER
static h2o_body_decision_t on_headers(h2o_handler_t *handler, h2o_req_t *req)
{
    const route_t *route = find_route(req);

    (void)handler;
    if (route == NULL)
        return H2O_BODY_READ;
    ++stats.headers;
    if (route->on_headers != NULL) {
        if (route->is_delayed)
            run_later(req, options[OPT_DELAY_MS].value, route->on_headers);
        else
            route->on_headers(req);
    }
    return route->decision;
}
#endif

#if HAS_EMBEDDER_ERRORS
static void on_error(h2o_req_t *req, int status, const char *reason, const char *body, int flags)
{
    char json[256];

    (void)body;
    (void)flags;
    req->res.status = status;
    req->res.reason = reason;
    snprintf(json, sizeof(json), "{\"error\":%d}", status);
    req->res.content_length = strlen(json);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/json"));
    h2o_send_inline(req, json, strlen(json));
}
#endif

#if HAS_HELD_BYTES
static int on_held_bytes(h2o_conn_t *conn, int is_response, ssize_t bytes)
{
    (void)conn;
    (void)is_response;
    if (bytes > 0 && stats.held + (uint64_t)bytes > options[OPT_HELD_MAX].value)
        return 0;
    stats.held += (uint64_t)bytes;
    return 1;
}
#endif

#if HAS_WANTED_HEADERS
static int wants_header(const h2o_iovec_t *name)
{
    return h2o_memis(name->base, name->len, H2O_STRLIT("x-wanted"));
}
#endif

void handlers_register(h2o_globalconf_t *config)
{
    h2o_hostconf_t *host =
        h2o_config_register_host(config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_handler_t *handler =
        h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));

    handler->on_req = on_req;
#if HAS_EARLY_ANSWER
    handler->on_headers = on_headers;
#endif
#if HAS_EMBEDDER_ERRORS
    config->on_error = on_error;
#endif
#if HAS_WANTED_HEADERS
    config->wants_header = wants_header;
#endif
#if HAS_HELD_BYTES
    config->on_held_bytes = on_held_bytes;
#endif
}
