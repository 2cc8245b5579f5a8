#include "handlers/routes.h"

#include <string.h>

#include "handlers/age.h"
#include "handlers/audit.h"
#include "handlers/cors.h"
#include "handlers/gateway.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"
#include "handlers/request.h"
#include "handlers/turns.h"

#define SMALL_BODY_BYTES 4096

/** Who checks that a request may be made. */
typedef enum tw_route_access {
    TW_ACCESS_PUBLIC,  /* nobody: anyone may make it */
    TW_ACCESS_KEY,     /* the router: a valid key is required before the handler is called */
    TW_ACCESS_HANDLER, /* the handler, which counts per key */
} tw_route_access_t;

/** What happens to a request's body. */
typedef enum tw_route_body {
    TW_BODY_DISCARDED, /* the request is answered from its headers; a body is discarded unread */
    TW_BODY_SMALL,     /* read once access is granted, and refused above SMALL_BODY_BYTES */
    TW_BODY_EMPTY,     /* read before the handler is called, and refused if it is not empty */
    TW_BODY_DECIDED,   /* tw_publish_on_headers() decides */
} tw_route_body_t;

typedef struct tw_route {
    const char *method;
    const char *path; /* `:` stands for one segment, which is the parameter; a final `*` for the
                         rest of the path */
    void (*handle)(h2o_req_t *req);
    tw_route_access_t access;
    tw_route_body_t body;
} tw_route_t;

/* The location is relative, because a proxy may have stripped a prefix of the path. */
static void handle_root(h2o_req_t *req)
{
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_LOCATION, NULL, H2O_STRLIT("admin/"));
    tw_reply_text(req, 302, NULL, "", 0);
}

#define ROUTE(method, path, handle, access, body)                                                  \
    {method, path, handle, TW_ACCESS_##access, TW_BODY_##body},

/* clang-format off */
/* Those of operators come first, so that the others are a table of their own. */
static const tw_route_t main_routes[] = {
    ROUTE("GET",    "/v1/admin/topics",               tw_handle_admin_topics,      KEY,     DISCARDED)
    ROUTE("GET",    "/v1/admin/topics/:/tail",        tw_handle_admin_tail,        KEY,     DISCARDED)
    ROUTE("GET",    "/v1/admin/topics/:/tail/stream", tw_handle_admin_tail_stream, KEY,     DISCARDED)
    ROUTE("GET",    "/v1/admin/tail",                 tw_handle_admin_tail,        KEY,     DISCARDED)
    ROUTE("DELETE", "/v1/admin/tail",                 tw_handle_admin_forget,      KEY,     DISCARDED)
    ROUTE("GET",    "/v1/admin/tail/stream",          tw_handle_admin_tail_stream, KEY,     DISCARDED)
    ROUTE("GET",    "/v1/admin/connections",          tw_handle_admin_connections, KEY,     DISCARDED)
    ROUTE("DELETE", "/v1/admin/connections",          tw_handle_admin_close_subject, KEY,  DISCARDED)
    ROUTE("POST",   "/v1/admin/revocations",          tw_handle_admin_revoke,      KEY,     SMALL)
    ROUTE("DELETE", "/v1/admin/connections/:",        tw_handle_admin_close,       KEY,     DISCARDED)
    ROUTE("GET",    "/v1/admin/nodes",                tw_handle_admin_nodes,       KEY,     DISCARDED)
    ROUTE("GET",    "/v1/admin/stats",                tw_handle_admin_stats,       KEY,     DISCARDED)
    ROUTE("GET",    "/v1/admin/audit",                tw_handle_admin_audit,       KEY,     DISCARDED)
    ROUTE("GET",    "/",                              handle_root,                 PUBLIC,  DISCARDED)
    ROUTE("GET",    "/admin",                         handle_root,                 PUBLIC,  DISCARDED)
    ROUTE("GET",    "/admin/*",                       tw_handle_ui,                PUBLIC,  DISCARDED)
    ROUTE("GET",    "/v1/stream",                     tw_handle_stream,            PUBLIC,  EMPTY)
    ROUTE("POST",   "/v1/publish",                    tw_handle_publish,           HANDLER, DECIDED)
    ROUTE("GET",    "/healthz",                       tw_handle_health,            PUBLIC,  DISCARDED)
    ROUTE("GET",    "/openapi.json",                  tw_handle_openapi,           PUBLIC,  DISCARDED)
    {.method = NULL}
};

static const tw_route_t ops_routes[] = {
    ROUTE("GET",    "/healthz",                       tw_handle_health,            PUBLIC,  DISCARDED)
    ROUTE("GET",    "/readyz",                        tw_handle_ready,             PUBLIC,  DISCARDED)
    ROUTE("GET",    "/metrics",                       tw_handle_metrics,           PUBLIC,  DISCARDED)
    {.method = NULL}
};
/* clang-format on */

#undef ROUTE

typedef struct tw_routes_handler {
    h2o_handler_t super;
    const tw_route_t *routes;
} tw_routes_handler_t;

static bool path_matches(const char *pattern, h2o_iovec_t path, h2o_iovec_t *parameter)
{
    const char *p = path.base, *end = p + path.len;

    *parameter = h2o_iovec_init(NULL, 0);
    for (; *pattern != '\0'; ++pattern) {
        if (*pattern == '*' || *pattern == ':') {
            const char *slash = *pattern == ':' ? memchr(p, '/', (size_t)(end - p)) : NULL;
            const char *to = slash != NULL ? slash : end;
            if (*pattern == ':' && to == p)
                return false;
            *parameter = h2o_iovec_init(p, (size_t)(to - p));
            p = to;
        } else if (p == end || *p++ != *pattern) {
            return false;
        }
    }
    return p == end;
}

/* HEAD is GET without the body, which h2o leaves out. */
static bool method_matches(const tw_route_t *route, h2o_iovec_t method)
{
    if (h2o_memis(method.base, method.len, route->method, strlen(route->method)))
        return true;
    return h2o_memis(method.base, method.len, H2O_STRLIT("HEAD")) &&
           strcmp(route->method, "GET") == 0;
}

/* Returns NULL when there is no such path, or it does not have the method. */
static const tw_route_t *find_route(const tw_route_t *routes, h2o_req_t *req,
                                    h2o_iovec_t *parameter)
{
    h2o_iovec_t path = tw_request_path(req);
    for (const tw_route_t *route = routes; route->method != NULL; ++route)
        if (method_matches(route, req->method) && path_matches(route->path, path, parameter))
            return route;
    return NULL;
}

/* The methods of the path in the form of an Allow header (RFC 9110 section 10.2.1); empty when
 * there is no such path. */
static h2o_iovec_t allowed_methods(const tw_route_t *routes, h2o_req_t *req)
{
    h2o_iovec_t path = tw_request_path(req), methods = h2o_iovec_init(NULL, 0);
    h2o_iovec_t parameter;

    for (const tw_route_t *route = routes; route->method != NULL; ++route)
        if (path_matches(route->path, path, &parameter))
            methods = methods.len == 0
                          ? h2o_iovec_init(route->method, strlen(route->method))
                          : h2o_concat(&req->pool, methods, h2o_iovec_init(H2O_STRLIT(", ")),
                                       h2o_iovec_init(route->method, strlen(route->method)));
    if (methods.len > 0)
        methods = h2o_concat(&req->pool, methods, h2o_iovec_init(H2O_STRLIT(", OPTIONS")));
    return methods;
}

static void add_header(h2o_req_t *req, const char *name, const char *value, size_t value_len)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, name, strlen(name), 0, NULL, value,
                          value_len);
}

/* Answers OPTIONS with what the path allows, and a browser's preflight (Fetch standard 3.2.2). */
static void reply_options(h2o_req_t *req, h2o_iovec_t methods)
{
    add_header(req, "allow", methods.base, methods.len);
    if (tw_request_header(req, "access-control-request-method").base != NULL)
        tw_cors_add_preflight(req, methods);
    tw_reply_text(req, 204, NULL, "", 0);
}

static void reply_without_route(const tw_route_t *routes, h2o_req_t *req)
{
    h2o_iovec_t methods = allowed_methods(routes, req), path = tw_request_path(req);

    /* About the server as a whole (RFC 9112 section 3.2.4). */
    if (h2o_memis(path.base, path.len, H2O_STRLIT("*")))
        methods = h2o_iovec_init(H2O_STRLIT("GET, POST, DELETE, OPTIONS"));
    if (methods.len == 0) {
        tw_reply_error(req, TW_ERROR_NOT_FOUND);
    } else if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("OPTIONS"))) {
        reply_options(req, methods);
    } else {
        add_header(req, "allow", methods.base, methods.len);
        tw_reply_error(req, TW_ERROR_METHOD_NOT_ALLOWED);
    }
}

/* Does what all answers have in common. */
static void prepare(h2o_req_t *req)
{
    const tw_worker_context_t *worker = tw_worker_of(req);
    const char *hsts = worker->gateway->hsts;

    tw_turn_spend_request(req);
    tw_age_check(req);
    /* A kept connection must not bring the next request to a gateway that is gone then. */
    if (worker->gateway->draining)
        req->http1_is_persistent = 0;
    h2o_set_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-content-type-options"), 0,
                          H2O_STRLIT("nosniff"), 1);
    /* RFC 6797 section 7.2: over TLS only, so never on the ops listener. */
    if (hsts[0] != '\0' && worker->shard != NULL)
        h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_STRICT_TRANSPORT_SECURITY, hsts,
                       strlen(hsts), 1);
}

/* Returns the request's route, which is looked up the first time. */
static tw_routed_t *route_request(const tw_route_t *routes, h2o_req_t *req)
{
    tw_routed_t *routed = tw_routed(req);

    if (routed != NULL)
        return routed;
    routed = h2o_mem_alloc_pool(&req->pool, sizeof(*routed));
    *routed = (tw_routed_t){.routes = routes};
    routed->route = find_route(routes, req, &routed->parameter);
    req->handler_data = routed;
    prepare(req);
    return routed;
}

/* False: the request has been answered. */
static bool may_make(const tw_route_t *route, h2o_req_t *req)
{
    if (route->access != TW_ACCESS_KEY || tw_request_authorized(req))
        return true;
    tw_audit_refused_key(req);
    return false;
}

static void answer(h2o_req_t *req)
{
    const tw_route_t *route = tw_routed(req)->route;

    if (route == NULL)
        reply_without_route(tw_routed(req)->routes, req);
    else if (may_make(route, req))
        route->handle(req);
}

static int on_req(h2o_handler_t *handler, h2o_req_t *req)
{
    route_request(((const tw_routes_handler_t *)handler)->routes, req);
    if (tw_turn_is_over(req))
        tw_turn_await(req, answer);
    else
        answer(req);
    return 0;
}

/* A publish whose decision had to wait for a later turn. An answer is a decision, too. */
static void decide_publish(h2o_req_t *req)
{
    if (tw_publish_on_headers(req) == H2O_BODY_READ)
        h2o_req_decide_body(req, H2O_BODY_READ);
}

/* h2o calls this at the end of the headers when a body follows. Routes without one answer now. */
static h2o_body_decision_t on_headers(h2o_handler_t *handler, h2o_req_t *req)
{
    const tw_routes_handler_t *self = (const tw_routes_handler_t *)handler;
    const tw_route_t *route = route_request(self->routes, req)->route;

    switch (route != NULL ? route->body : TW_BODY_DISCARDED) {
    case TW_BODY_DECIDED:
        if (!tw_turn_is_over(req))
            return tw_publish_on_headers(req);
        tw_turn_await(req, decide_publish);
        return H2O_BODY_HOLD;
    case TW_BODY_SMALL:
        if (!may_make(route, req))
            return H2O_BODY_DISCARD;
        req->entity_max = SMALL_BODY_BYTES;
        return H2O_BODY_READ;
    case TW_BODY_EMPTY:
        req->entity_max = 0;
        return H2O_BODY_READ;
    case TW_BODY_DISCARDED:
        break;
    }
    on_req(handler, req);
    return H2O_BODY_DISCARD;
}

/* What the node counts, and whose refusals. */
typedef struct tw_held_kind {
    bool (*take)(tw_backlog_t *backlog, uint64_t bytes);
    void (*give_back)(tw_backlog_t *backlog, uint64_t bytes);
    _Atomic uint64_t *refused;
} tw_held_kind_t;

static tw_held_kind_t held_kind(tw_limits_t *limits, bool is_answer)
{
    if (is_answer)
        return (tw_held_kind_t){tw_backlog_take_answer_bytes, tw_backlog_return_answer_bytes,
                                &limits->refused_answer_bytes};
    return (tw_held_kind_t){tw_backlog_take_body_bytes, tw_backlog_return_body_bytes,
                            &limits->refused_request_bytes};
}

static bool take_held(tw_limits_t *limits, tw_backlog_t *backlog, const tw_client_key_t *client,
                      bool is_answer, uint64_t bytes)
{
    const tw_held_kind_t kind = held_kind(limits, is_answer);

    if (client != NULL && !tw_limits_hold(limits, client, is_answer, bytes))
        return false;
    if (kind.take(backlog, bytes))
        return true;
    if (client != NULL)
        tw_limits_release(limits, client, is_answer, bytes);
    atomic_fetch_add(kind.refused, 1);
    return false;
}

/*
 * h2o asks before requests of a connection hold so many bytes more, and tells when they hold less
 * (bytes is negative). A client and the node have a limit each; connections of trusted proxies
 * count for the node alone. What is refused is not counted: h2o resets the oldest answers of the
 * connection then, or discards the body.
 */
static int on_held_bytes(h2o_conn_t *conn, int is_answer, ssize_t bytes)
{
    const tw_worker_context_t *worker = (const tw_worker_context_t *)conn->ctx;

    if (worker->shard == NULL) /* the ops listener, which takes no bodies */
        return 1;
    tw_backlog_t *backlog = worker->shard->config.backlog;
    tw_limits_t *limits = &worker->gateway->limits;
    tw_client_key_t key, *client = tw_request_conn_client(conn, &key) ? &key : NULL;
    if (bytes > 0)
        return take_held(limits, backlog, client, is_answer, (uint64_t)bytes);
    held_kind(limits, is_answer).give_back(backlog, (uint64_t)-bytes);
    if (client != NULL)
        tw_limits_release(limits, client, is_answer, (uint64_t)-bytes);
    return 1;
}

static void register_routes(h2o_globalconf_t *config, const char *name, const tw_route_t *routes)
{
    h2o_hostconf_t *host =
        h2o_config_register_host(config, h2o_iovec_init(name, strlen(name)), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    tw_routes_handler_t *self = (tw_routes_handler_t *)h2o_create_handler(path, sizeof(*self));

    self->super.on_req = on_req;
    self->super.on_headers = on_headers;
    self->routes = routes;
    config->on_error = tw_reply_h2o_error;
    config->on_held_bytes = on_held_bytes;
    config->wants_header = tw_request_wants_header;
}

static bool is_for_operators(const tw_route_t *route)
{
    return strncmp(route->path, "/v1/admin/", 10) == 0 || strncmp(route->path, "/admin", 6) == 0 ||
           strcmp(route->path, "/") == 0;
}

void tw_routes_register(h2o_globalconf_t *config, bool admin_apart)
{
    const tw_route_t *others = main_routes;

    while (is_for_operators(others))
        ++others;
    register_routes(config, "main", admin_apart ? others : main_routes);
    register_routes(config, "admin", main_routes);
    config->http2.is_shared = tw_request_conn_is_shared;
}

void tw_routes_register_ops(h2o_globalconf_t *config)
{
    register_routes(config, "ops", ops_routes);
}
