/* The test server's handlers: the streams, ordinary answers, and the requests that drive a test. */
#include "lean_server.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h2o/http2.h>

/* ---- requests ---- */

/* Value of a number in the query, or `fallback`. */
static long query_number(h2o_req_t *req, const char *name, long fallback)
{
    size_t name_len = strlen(name);

    if (req->query_at == SIZE_MAX) {
        return fallback;
    }
    for (size_t i = req->query_at + 1; i + name_len < req->path.len; i++) {
        const char *p = req->path.base + i;
        if ((p[-1] == '?' || p[-1] == '&') && strncmp(p, name, name_len) == 0 &&
            p[name_len] == '=') {
            char *number = h2o_strdup(&req->pool, p + name_len + 1,
                                      req->path.base + req->path.len - (p + name_len + 1))
                               .base;
            return strtol(number, NULL, 10);
        }
    }
    return fallback;
}

static int answer(h2o_req_t *req, int status, const char *body)
{
    req->res.status = status;
    req->res.content_length = strlen(body);
    h2o_send_inline(req, body, strlen(body));
    return 0;
}

static int done(h2o_req_t *req)
{
    return answer(req, 200, "done\n");
}

/* ---- what clients ask for ---- */

static void on_pool_dispose(void *unused)
{
    (void)unused;
    server.stats.pools_disposed++;
}

/* A request that waits for a timer; the pool's end cancels it. */
typedef struct delayed_t {
    h2o_timeout_entry_t timer;
    h2o_req_t *req;
} delayed_t;

static void on_delayed_dispose(void *p)
{
    delayed_t *delayed = p;
    h2o_timeout_unlink(&delayed->timer);
}

static void on_delayed(h2o_timeout_entry_t *timer)
{
    delayed_t *delayed = H2O_STRUCT_FROM_MEMBER(delayed_t, timer, timer);
    h2o_req_t *req = delayed->req;

    if (lean_begin(req) != 0) {
        answer(req, 503, "no stream\n");
    }
}

static void delay(h2o_req_t *req, h2o_timeout_cb cb)
{
    delayed_t *delayed = h2o_mem_alloc_shared(&req->pool, sizeof(*delayed), on_delayed_dispose);
    *delayed = (delayed_t){.req = req, .timer = {.cb = cb}};
    h2o_timeout_link(server.ctx.loop, &server.ctx.hundred_ms_timeout, &delayed->timer);
}

static int on_stream(h2o_req_t *req)
{
    h2o_mem_alloc_shared(&req->pool, 1, on_pool_dispose);
    if (query_number(req, "delay", 0) != 0) {
        delay(req, on_delayed);
        return 0;
    }
    if (lean_begin(req) != 0) {
        return answer(req, 503, "no stream\n");
    }
    return 0;
}

static int on_hello(h2o_req_t *req)
{
    return answer(req, 200, "hello\n");
}

static int on_big(h2o_req_t *req)
{
    static h2o_generator_t generator;
    size_t size = (size_t)query_number(req, "size", 1000000);
    h2o_iovec_t body = {h2o_mem_alloc_pool(&req->pool, size), size};

    memset(body.base, 'b', size);
    req->res.status = 200;
    req->res.content_length = size;
    h2o_start_response(req, &generator);
    h2o_send(req, &body, 1, H2O_SEND_STATE_FINAL);
    return 0;
}

static int on_echo(h2o_req_t *req)
{
    req->res.status = 200;
    req->res.content_length = req->entity.len;
    h2o_send_inline(req, req->entity.base, req->entity.len);
    return 0;
}

/* ---- what tests ask for ---- */

static int on_broadcast(h2o_req_t *req)
{
    server.size = (size_t)query_number(req, "size", (long)server.size);
    if (server.size < 16 || server.size > H2O_HTTP2_LEAN_FRAME_MAX) {
        return answer(req, 400, "size\n");
    }
    /* one flush per event, as an embedder does that is given one event after the other */
    for (long n = query_number(req, "events", 1); n > 0; n--) {
        server.seq++;
        for (lean_conn_t *lc = server.conns; lc != NULL; lc = lc->next) {
            lean_flush(lc);
        }
    }
    return done(req);
}

/* Ends (code=-1) or resets the streams with the id, or all of them. */
static int on_end(h2o_req_t *req)
{
    long id = query_number(req, "id", 0), code = query_number(req, "code", -1);

    for (lean_conn_t *lc = server.conns; lc != NULL; lc = lc->next) {
        for (size_t i = lc->count; i-- != 0;) {
            lean_entry_t *entry = lc->entries[i];
            if (id != 0 && entry->lean.stream_id != (uint32_t)id) {
                continue;
            }
            if (code == -1) {
                h2o_http2_lean_end(lc->conn, &entry->lean);
            } else {
                h2o_http2_lean_reset(lc->conn, &entry->lean, (int)code);
            }
            lean_drop(lc, entry);
        }
    }
    return done(req);
}

static int on_drop_on_window(h2o_req_t *req)
{
    server.drop_on_window = 1;
    return done(req);
}

static int on_want_room(h2o_req_t *req)
{
    for (lean_conn_t *lc = server.conns; lc != NULL; lc = lc->next) {
        h2o_http2_lean_want_room(lc->conn);
    }
    return done(req);
}

static int on_goaway(h2o_req_t *req)
{
    for (lean_conn_t *lc = server.conns; lc != NULL; lc = lc->next) {
        h2o_http2_conn_goaway(lc->conn);
    }
    return done(req);
}

static int on_shutdown(h2o_req_t *req)
{
    h2o_context_request_shutdown(&server.ctx);
    return done(req);
}

/* Memory that is kept for the next use goes back to the system. */
static int on_release(h2o_req_t *req)
{
#if H2O_SERIES >= 15
    h2o_mem_release_recycled();
#endif
    malloc_trim(0);
    return done(req);
}

static int on_stats(h2o_req_t *req)
{
    char body[1024];
    size_t conns = 0, pending = 0, off;

    for (lean_conn_t *lc = server.conns; lc != NULL; lc = lc->next) {
        conns++;
        pending += h2o_http2_lean_pending(lc->conn);
    }
    off = (size_t)snprintf(body, sizeof(body), "{\"streams\":%zu,\"conns\":%zu,\"pending\":%zu",
                           server.streams, conns, pending);
#define X(name)                                                                                    \
    off +=                                                                                         \
        (size_t)snprintf(body + off, sizeof(body) - off, ",\"" #name "\":%zu", server.stats.name);
    LEAN_STATS(X)
#undef X
    snprintf(body + off, sizeof(body) - off, "}\n");
    return answer(req, 200, body);
}

static const struct {
    const char *path;
    int (*on_req)(h2o_req_t *req);
} routes[] = {
    {"/stream", on_stream},       {"/hello", on_hello},         {"/big", on_big},
    {"/echo", on_echo},           {"/broadcast", on_broadcast}, {"/end", on_end},
    {"/drop", on_drop_on_window}, {"/room", on_want_room},      {"/goaway", on_goaway},
    {"/shutdown", on_shutdown},   {"/stats", on_stats},         {"/release", on_release},
};

static void on_decide(h2o_timeout_entry_t *timer)
{
    h2o_req_decide_body(H2O_STRUCT_FROM_MEMBER(delayed_t, timer, timer)->req, H2O_BODY_READ);
}

/* Requests with a body: with discard=1 the stream starts without it, with hold=1 it is read later.
 */
static h2o_body_decision_t on_headers(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    if (query_number(req, "discard", 0) != 0) {
        delay(req, on_delayed);
        return H2O_BODY_DISCARD;
    }
    if (query_number(req, "hold", 0) != 0) {
        delay(req, on_decide);
        return H2O_BODY_HOLD;
    }
    return H2O_BODY_READ;
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    (void)self;
    if (server.is_starting) {
        abort();
    }
    server.stats.requests++;
    for (size_t i = 0; i != sizeof(routes) / sizeof(routes[0]); i++) {
        if (h2o_memis(req->path_normalized.base, req->path_normalized.len, routes[i].path,
                      strlen(routes[i].path))) {
            return routes[i].on_req(req);
        }
    }
    return -1;
}

void control_register(h2o_hostconf_t *host)
{
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_handler_t *handler = h2o_create_handler(path, sizeof(*handler));
    handler->on_req = on_req;
    handler->on_headers = on_headers;
}
