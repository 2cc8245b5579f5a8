// A small libh2o server that the tests of the patch series talk to. It offers what Tideway asks of
// h2o (answers at the end of the headers, streams that stay open, large responses) without being
// Tideway, so that a failing test points at h2o or at a patch.
//
// usage: server key=value...      keys: see `options` below
// Prints one line {"plain": PORT, "tls": PORT} to stdout when it listens. SIGUSR1 starts h2o's
// graceful shutdown, SIGTERM ends the process. GET /stats answers with counters.
//
// H2O_SERIES is the number of the last patch in the libh2o that this is built with: it still builds
// with a part of the series, which shows what each patch is there for.

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "h2o.h"
#include "h2o/http1.h"
#include "h2o/http2.h"

#define HAS_EARLY_ANSWER (H2O_SERIES >= 2)

typedef struct {
    const char *name;
    uint64_t value;
} option_t;

enum {
    OPT_DELAY_MS,
    OPT_ENTITY_MAX,
    OPT_BIG_BYTES,
    OPT_CONCURRENT,
    OPT_HTTP2_IDLE_MS,
    OPT_HTTP1_REQUEST_MS,
    OPT_NO_ROOM_FOR_ALERTS,
#define PATCHED(series, name, label, field, value) OPT_##name,
#include "patched_options.h"
#undef PATCHED
    OPT_COUNT
};

static option_t options[OPT_COUNT] = {
    [OPT_DELAY_MS] = {"delay_ms", 300}, // of /delay and of the decisions about bodies on hold
    [OPT_ENTITY_MAX] = {"entity_max", 1048576}, // bytes
    [OPT_BIG_BYTES] = {"big_bytes", 1048576},   // size of the answer of /big
    [OPT_CONCURRENT] = {"concurrent", 100000},  // requests in process per connection
    [OPT_HTTP2_IDLE_MS] = {"http2_idle_ms", 10000},
    [OPT_HTTP1_REQUEST_MS] = {"http1_request_ms", 10000},
    [OPT_NO_ROOM_FOR_ALERTS] = {"no_room_for_alerts",
                                0}, // see writev(); TLS 1.2, which shows what an alert is
#define PATCHED(series, name, label, field, value) [OPT_##name] = {label, value},
#include "patched_options.h"
#undef PATCHED
};

typedef struct {
    h2o_accept_ctx_t accept;
    uv_tcp_t handle;
    int port;
} listener_t;

static uv_loop_t loop;
static h2o_globalconf_t config;
static h2o_context_t context;
static listener_t plain, tls;
static char *big_body;
static struct {
    uint64_t headers;  // calls of on_headers
    uint64_t requests; // calls of on_req
    uint64_t disposed; // requests that are gone
    uint64_t entities; // bytes of bodies that came with them
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
    uv_timer_init(&loop, &delayed->timer);
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
             ",\"entities\":%" PRIu64 "}",
             stats.headers, stats.requests, stats.disposed, stats.entities);
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
    h2o_iovec_t body = {big_body, options[OPT_BIG_BYTES].value};

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
#if H2O_SERIES >= 3
    answer(req, 200, req->handler_data != NULL ? req->handler_data : "none");
#else
    answer(req, 200, "unsupported");
#endif
}

#if HAS_EARLY_ANSWER
#if H2O_SERIES >= 3
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

#if H2O_SERIES >= 3
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

static void on_accept(uv_stream_t *handle, int status)
{
    listener_t *listener = handle->data;
    uv_tcp_t *tcp;

    if (status != 0)
        return;
    tcp = h2o_mem_alloc(sizeof(*tcp));
    uv_tcp_init(&loop, tcp);
    if (uv_accept(handle, (uv_stream_t *)tcp) != 0) {
        uv_close((uv_handle_t *)tcp, (uv_close_cb)free);
        return;
    }
    h2o_accept(&listener->accept, h2o_uv_socket_create((uv_stream_t *)tcp, (uv_close_cb)free));
}

static void open_listener(listener_t *listener, SSL_CTX *ssl_ctx)
{
    struct sockaddr_in address;
    struct sockaddr_storage bound;
    int len = sizeof(bound), ret;

    listener->accept.ctx = &context;
    listener->accept.hosts = config.hosts;
    listener->accept.ssl_ctx = ssl_ctx;
    uv_tcp_init(&loop, &listener->handle);
    listener->handle.data = listener;
    uv_ip4_addr("127.0.0.1", 0, &address);
    if ((ret = uv_tcp_bind(&listener->handle, (struct sockaddr *)&address, 0)) != 0 ||
        (ret = uv_listen((uv_stream_t *)&listener->handle, 1024, on_accept)) != 0 ||
        (ret = uv_tcp_getsockname(&listener->handle, (struct sockaddr *)&bound, &len)) != 0) {
        fprintf(stderr, "server: cannot listen: %s\n", uv_strerror(ret));
        exit(1);
    }
    listener->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

static SSL_CTX *create_ssl_ctx(void)
{
    const char *cert = getenv("SERVER_CERT"), *key = getenv("SERVER_KEY");
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());

    if (cert == NULL || key == NULL ||
        SSL_CTX_use_certificate_file(ssl_ctx, cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(ssl_ctx, key, SSL_FILETYPE_PEM) != 1 ||
        (options[OPT_NO_ROOM_FOR_ALERTS].value != 0 &&
         SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION) != 1)) {
        fprintf(stderr, "server: SERVER_CERT and SERVER_KEY must name a pair\n");
        exit(1);
    }
    h2o_ssl_register_alpn_protocols(ssl_ctx, h2o_http2_alpn_protocols);
    return ssl_ctx;
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)handle;
    if (number == SIGUSR1)
        h2o_context_request_shutdown(&context);
    else
        uv_stop(&loop);
}

#define TLS_ALERT 21

// A kernel whose buffer is full in the moment in which a TLS alert comes, and stays so.
static int has_room(const void *bytes, size_t len)
{
    if (options[OPT_NO_ROOM_FOR_ALERTS].value == 0 || len == 0 ||
        *(const uint8_t *)bytes != TLS_ALERT)
        return 1;
    errno = EAGAIN;
    return 0;
}

// These two are what libuv calls.
ssize_t write(int fd, const void *bytes, size_t len)
{
    return has_room(bytes, len) ? syscall(SYS_write, fd, bytes, len) : -1;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return has_room(parts[0].iov_base, parts[0].iov_len) ? syscall(SYS_writev, fd, parts, count)
                                                         : -1;
}

static void parse_options(char **argv)
{
    for (; *argv != NULL; ++argv) {
        size_t i, len = strcspn(*argv, "=");

        for (i = 0; i != OPT_COUNT; ++i)
            if (strlen(options[i].name) == len && strncmp(options[i].name, *argv, len) == 0)
                break;
        if (i == OPT_COUNT || (*argv)[len] == '\0') {
            fprintf(stderr, "server: unknown option %s\n", *argv);
            exit(2);
        }
        options[i].value = strtoull(*argv + len + 1, NULL, 10);
    }
}

static void configure(void)
{
    h2o_hostconf_t *host;
    h2o_handler_t *handler;

    h2o_config_init(&config);
    config.max_request_entity_size = options[OPT_ENTITY_MAX].value;
    config.http2.max_concurrent_requests_per_connection = options[OPT_CONCURRENT].value;
    config.http2.idle_timeout = options[OPT_HTTP2_IDLE_MS].value;
    config.http1.req_timeout = options[OPT_HTTP1_REQUEST_MS].value;
#define PATCHED(series, name, label, field, value) series(name, field)
#include "patched_options.h"
#undef PATCHED
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    handler = h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));
    handler->on_req = on_req;
#if HAS_EARLY_ANSWER
    handler->on_headers = on_headers;
#endif
#if H2O_SERIES >= 3
    config.on_error = on_error;
#endif
}

int main(int argc, char **argv)
{
    uv_signal_t usr1, term;

    (void)argc;
    signal(SIGPIPE, SIG_IGN);
    parse_options(argv + 1);
    big_body = h2o_mem_alloc(options[OPT_BIG_BYTES].value);
    memset(big_body, 'b', options[OPT_BIG_BYTES].value);

    uv_loop_init(&loop);
    configure();
    h2o_context_init(&context, &loop, &config);
    open_listener(&plain, NULL);
    open_listener(&tls, create_ssl_ctx());
    uv_signal_init(&loop, &usr1);
    uv_signal_start(&usr1, on_signal, SIGUSR1);
    uv_signal_init(&loop, &term);
    uv_signal_start(&term, on_signal, SIGTERM);

    printf("{\"plain\": %d, \"tls\": %d, \"series\": %d}\n", plain.port, tls.port, H2O_SERIES);
    fflush(stdout);
    uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}
