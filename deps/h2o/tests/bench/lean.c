/*
 * What a delivery costs: lean streams, one thread, every event to every stream.
 *
 *   lean CERTIFICATE KEY CONNECTIONS STREAMS SECONDS [PAYLOAD]
 *
 * Prints the port, waits for bench/client to open all streams, reports the memory that they took,
 * then broadcasts for SECONDS and reports CPU time per delivery. floor.c is the same without h2o.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>
#include <h2o/http2_lean.h>
#include <malloc.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "bench.h"

typedef struct conn_t {
    h2o_http2_conn_t *conn;
    h2o_http2_lean_stream_t *streams; /* room for all of them: lean streams must not move */
    unsigned count;
    int waits_for_room;
} conn_t;

static h2o_globalconf_t config;
static h2o_context_t ctx;
static h2o_accept_ctx_t accept_ctx;
static uv_loop_t loop;
static uv_idle_t idle;
static uv_timer_t timer;
static bench_t bench;
static conn_t *conns;
static unsigned conn_count;
static size_t heap_before;

static void on_window(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream)
{
}

static void on_room(h2o_http2_conn_t *conn)
{
    ((conn_t *)h2o_http2_lean_data(conn))->waits_for_room = 0;
}

static void on_close(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream, int h2_error)
{
    abort();
}

static void on_conn_close(h2o_http2_conn_t *conn)
{
    abort();
}

static const h2o_http2_lean_callbacks_t callbacks = {on_window, on_room, on_close, on_conn_close};

/* One event to one connection, as long as its output is not full. */
static void send_event(conn_t *conn)
{
    size_t frame = bench.payload_len + H2O_HTTP2_LEAN_FRAME_OVERHEAD;
    h2o_http2_lean_writer_t writer;

    if (conn->waits_for_room) {
        return;
    }
    if (h2o_http2_lean_pending(conn->conn) + frame * conn->count > config.http2.lean_output_max ||
        h2o_http2_lean_open(conn->conn, &writer, frame * conn->count) != 0) {
        conn->waits_for_room = 1;
        h2o_http2_lean_want_room(conn->conn);
        return;
    }
    for (unsigned i = 0; i < conn->count; i++) {
        if (!h2o_http2_lean_put(&writer, &conn->streams[i], bench.payload, bench.payload_len)) {
            break;
        }
        bench.delivered++;
    }
    h2o_http2_lean_commit(conn->conn, &writer);
}

static void on_idle(uv_idle_t *handle)
{
    for (unsigned i = 0; i < conn_count; i++) {
        send_event(&conns[i]);
    }
}

static void on_end(uv_timer_t *handle)
{
    bench_report(&bench);
    exit(0);
}

static void on_settled(uv_timer_t *handle)
{
    size_t streams = (size_t)bench.connections * bench.streams;
    printf("memory of h2o per stream and its share of the connection: %.1f bytes\n",
           (double)(mallinfo2().uordblks - heap_before) / (double)streams -
               sizeof(h2o_http2_lean_stream_t));
    bench_begin(&bench);
    uv_idle_init(&loop, &idle);
    uv_idle_start(&idle, on_idle);
    uv_timer_start(&timer, on_end, (uint64_t)bench.seconds * 1000, 0);
}

static int on_req(h2o_handler_t *self, h2o_req_t *req)
{
    h2o_http2_conn_t *h2 = h2o_http2_conn_of(req);
    conn_t *conn = h2o_http2_lean_data(h2);

    if (conn == NULL) {
        conn = &conns[conn_count++];
        conn->conn = h2;
        conn->streams = malloc(sizeof(conn->streams[0]) * bench.streams);
        h2o_http2_lean_attach(h2, conn, &callbacks);
    }
    req->res.status = 200;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("text/event-stream"));
    if (h2o_http2_lean_start(req, &conn->streams[conn->count]) != 0) {
        abort();
    }
    conn->count++;
    if (++bench.opened == bench.connections * bench.streams) {
        uv_timer_start(&timer, on_settled, 1000, 0);
    }
    return 0;
}

static void on_accept(uv_stream_t *listener, int status)
{
    uv_tcp_t *tcp = malloc(sizeof(*tcp));
    uv_tcp_init(&loop, tcp);
    if (uv_accept(listener, (uv_stream_t *)tcp) != 0) {
        abort();
    }
    h2o_accept(&accept_ctx, h2o_uv_socket_create((uv_stream_t *)tcp, (uv_close_cb)free));
}

int main(int argc, char **argv)
{
    uv_tcp_t listener;
    h2o_hostconf_t *host;
    h2o_handler_t *handler;

    bench_parse(&bench, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    conns = calloc(bench.connections, sizeof(conns[0]));
    uv_loop_init(&loop);
    uv_timer_init(&loop, &timer);
    h2o_config_init(&config);
    config.http2.max_streams = config.http2.max_concurrent_requests_per_connection = bench.streams;
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    handler = h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));
    handler->on_req = on_req;
    h2o_context_init(&ctx, &loop, &config);
    accept_ctx = (h2o_accept_ctx_t){.ctx = &ctx, .hosts = config.hosts, .ssl_ctx = bench.tls};
    h2o_ssl_register_alpn_protocols(bench.tls, h2o_http2_alpn_protocols);
    heap_before = mallinfo2().uordblks;
    uv_tcp_init(&loop, &listener);
    uv_tcp_open(&listener, bench.listener);
    uv_listen((uv_stream_t *)&listener, 1024, on_accept);
    return uv_run(&loop, UV_RUN_DEFAULT);
}
