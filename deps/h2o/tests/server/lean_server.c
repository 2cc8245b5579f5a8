/*
 * A server for the tests of h2o's lean streams: the smallest embedder that uses all of the API.
 *
 * Every lean stream follows the same endless sequence of numbered events; event k is its number and
 * a filler. A stream's queue is therefore one integer, what it has got so far, and the tests can
 * tell what any stream must receive. The tests drive it by ordinary requests; lean_control.c has
 * them.
 *
 * Single thread: everything happens on the loop.
 */
#include "lean_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h2o/http2.h>
#include <uv.h>

#include "listener.h"

lean_server_t server = {.size = 32};

static h2o_globalconf_t config;
static listener_t plain, tls;
static uv_loop_t loop; /* not on the stack: what it owns stays reachable for leak checks */

/* ---- lean streams ---- */

static size_t encode_event(char *buf, unsigned seq)
{
    int len = snprintf(buf, server.size + 1, "%010u", seq);
    memset(buf + len, '.', server.size - (size_t)len);
    buf[server.size - 1] = '\n';
    return server.size;
}

/* Sends what the stream still lacks. Returns 0 if the room or the connection's window is used up.
 */
static int flush_stream(h2o_http2_lean_writer_t *writer, lean_entry_t *entry)
{
    char buf[H2O_HTTP2_LEAN_FRAME_MAX + 1];

    while (entry->sent != server.seq) {
        size_t len = encode_event(buf, entry->sent + 1);
        if (!h2o_http2_lean_put(writer, &entry->lean, buf, len)) {
            return entry->lean.window < (int32_t)len; /* then on_window follows */
        }
        entry->sent++;
        server.stats.delivered++;
    }
    return 1;
}

static size_t bytes_lacking(const lean_conn_t *lc)
{
    size_t events = 0;
    for (size_t i = 0; i != lc->count; i++) {
        events += server.seq - lc->entries[i]->sent;
    }
    return events * (server.size + H2O_HTTP2_LEAN_FRAME_OVERHEAD);
}

void lean_flush(lean_conn_t *lc)
{
    h2o_http2_lean_writer_t writer;
    size_t bytes = bytes_lacking(lc), i;

    if (bytes == 0) {
        return;
    }
    if (h2o_http2_lean_open(lc->conn, &writer, bytes) != 0) {
        server.stats.refused++;
        h2o_http2_lean_want_room(lc->conn);
        return;
    }
    for (i = 0; i != lc->count && flush_stream(&writer, lc->entries[i]); i++)
        ;
    h2o_http2_lean_commit(lc->conn, &writer);
    if (h2o_http2_lean_pending(lc->conn) > server.stats.pending_max) {
        server.stats.pending_max = h2o_http2_lean_pending(lc->conn);
    }
    if (i != lc->count) {
        server.stats.refused++;
        h2o_http2_lean_want_room(lc->conn);
    }
}

/* Takes the entry off its connection and frees it, so that a late use of it shows under ASan. */
void lean_drop(lean_conn_t *lc, lean_entry_t *entry)
{
    for (size_t i = 0; i != lc->count; i++) {
        if (lc->entries[i] == entry) {
            lc->entries[i] = lc->entries[--lc->count];
            server.streams--;
            free(entry);
            return;
        }
    }
    abort();
}

static void on_window(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream)
{
    lean_conn_t *lc = h2o_http2_lean_data(conn);
    lean_entry_t *entry = (lean_entry_t *)stream;
    h2o_http2_lean_writer_t writer;
    size_t lacking = server.seq - entry->sent;

    server.stats.on_window++;
    if (server.drop_on_window) {
        h2o_http2_lean_reset(conn, stream, 8);
        lean_drop(lc, entry);
        return;
    }
    if (lacking == 0) {
        return;
    }
    if (h2o_http2_lean_open(conn, &writer,
                            lacking * (server.size + H2O_HTTP2_LEAN_FRAME_OVERHEAD)) != 0) {
        h2o_http2_lean_want_room(conn);
        return;
    }
    if (!flush_stream(&writer, entry)) {
        h2o_http2_lean_want_room(conn);
    }
    h2o_http2_lean_commit(conn, &writer);
}

static void on_room(h2o_http2_conn_t *conn)
{
    static int depth;

    server.stats.on_room++;
    if (depth++ != 0) {
        abort();
    }
    lean_flush(h2o_http2_lean_data(conn));
    depth--;
}

static void on_close(h2o_http2_conn_t *conn, h2o_http2_lean_stream_t *stream, int h2_error)
{
    server.stats.on_close++;
    server.stats.last_error = h2_error;
    lean_drop(h2o_http2_lean_data(conn), (lean_entry_t *)stream);
}

static void on_conn_close(h2o_http2_conn_t *conn)
{
    lean_conn_t *lc = h2o_http2_lean_data(conn);

    server.stats.on_conn_close++;
    /* an embedder may do this in its clean-up; it must have no effect */
    if (lc->count != 0) {
        h2o_http2_lean_writer_t writer;
        h2o_http2_lean_end(conn, &lc->entries[0]->lean);
        h2o_http2_lean_want_room(conn);
        if (h2o_http2_lean_open(conn, &writer, 100) == 0) {
            abort();
        }
    }
    while (lc->count != 0) {
        lean_drop(lc, lc->entries[0]);
    }
    for (lean_conn_t **p = &server.conns; *p != NULL; p = &(*p)->next) {
        if (*p == lc) {
            *p = lc->next;
            break;
        }
    }
    free(lc->entries);
    free(lc);
}

static const h2o_http2_lean_callbacks_t callbacks = {on_window, on_room, on_close, on_conn_close};

static lean_conn_t *conn_of(h2o_http2_conn_t *conn)
{
    lean_conn_t *lc = h2o_http2_lean_data(conn);

    if (lc == NULL) {
        lc = calloc(1, sizeof(*lc));
        lc->conn = conn;
        lc->next = server.conns;
        server.conns = lc;
        h2o_http2_lean_attach(conn, lc, &callbacks);
    }
    return lc;
}

int lean_begin(h2o_req_t *req)
{
    h2o_http2_conn_t *conn = h2o_http2_conn_of(req);
    lean_conn_t *lc;
    lean_entry_t *entry;
    int failed;

    if (conn == NULL) {
        return -1;
    }
    lc = conn_of(conn);
    entry = calloc(1, sizeof(*entry));
    entry->sent = server.seq;
    req->res.status = 200;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("text/event-stream"));
    server.is_starting = 1;
    failed = h2o_http2_lean_start(req, &entry->lean);
    server.is_starting = 0;
    if (failed) {
        server.stats.start_failed++;
        free(entry);
        return -1;
    }
    lc->entries = realloc(lc->entries, (lc->count + 1) * sizeof(lc->entries[0]));
    lc->entries[lc->count++] = entry;
    server.streams++;
    return 0;
}

/* ---- the process ---- */

/* name=value pairs after certificate and key */
static void parse_options(int argc, char **argv)
{
    for (int i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        unsigned long number;
        if (value == NULL) {
            fprintf(stderr, "not an option: %s\n", argv[i]);
            exit(1);
        }
        *value++ = '\0';
        number = strtoul(value, NULL, 10);
        if (strcmp(argv[i], "output_max") == 0) {
            config.http2.lean_output_max = number;
        } else if (strcmp(argv[i], "ping_ms") == 0) {
#if H2O_SERIES >= 19
            config.http2.ping_interval = number;
#endif
        } else if (strcmp(argv[i], "write_ms") == 0) {
#if H2O_SERIES >= 17
            config.http2.write_timeout = number;
#endif
        } else if (strcmp(argv[i], "idle_ms") == 0) {
            config.http2.idle_timeout = number;
        } else if (strcmp(argv[i], "requests") == 0) {
            config.http2.max_concurrent_requests_per_connection = number;
        } else if (strcmp(argv[i], "max_streams") == 0) {
            config.http2.max_streams = (uint32_t)number;
        } else if (strcmp(argv[i], "sndbuf") == 0) {
            plain.sndbuf = tls.sndbuf = (int)number;
        } else {
            fprintf(stderr, "unknown option: %s\n", argv[i]);
            exit(1);
        }
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

int main(int argc, char **argv)
{
    h2o_hostconf_t *host;
    uv_signal_t term;

    if (argc < 3) {
        fprintf(stderr, "usage: %s CERTIFICATE KEY [OPTION=VALUE]...\n", argv[0]);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    h2o_config_init(&config);
    config.http2.max_concurrent_requests_per_connection = 100000;
    config.http2.max_streams = (uint32_t)100000;
    parse_options(argc, argv);
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    control_register(host);
    h2o_context_init(&server.ctx, &loop, &config);
    listener_open(&plain, &server.ctx, NULL);
    listener_open(&tls, &server.ctx, listener_create_ssl_ctx(argv[1], argv[2]));
    uv_signal_init(&loop, &term);
    uv_signal_start(&term, on_signal, SIGTERM);
    listener_announce(&plain, &tls);
    uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}
