/* What the parts of the test server share; see lean_server.c. */
#ifndef LEAN_SERVER_H
#define LEAN_SERVER_H

#include <stddef.h>

#include <h2o.h>
#include <h2o/http2_lean.h>

typedef struct lean_entry_t {
    h2o_http2_lean_stream_t lean; /* first: callbacks cast */
    unsigned sent;                /* number of the last event it has got */
} lean_entry_t;

typedef struct lean_conn_t {
    h2o_http2_conn_t *conn;
    struct lean_conn_t *next;
    lean_entry_t **entries; /* owned */
    size_t count;
} lean_conn_t;

/* One row per figure of /stats. */
#define LEAN_STATS(X)                                                                              \
    X(on_window)                                                                                   \
    X(on_room)                                                                                     \
    X(on_close)                                                                                    \
    X(on_conn_close)                                                                               \
    X(last_error)                                                                                  \
    X(delivered)                                                                                   \
    X(refused)                                                                                     \
    X(pending_max)                                                                                 \
    X(start_failed)                                                                                \
    X(requests)                                                                                    \
    X(pools_disposed)

typedef struct lean_server_t {
    h2o_context_t ctx;
    lean_conn_t *conns;
    size_t streams;
    size_t size;  /* of an event */
    unsigned seq; /* number of the newest event */
    int drop_on_window;
    int is_starting; /* within h2o_http2_lean_start, which must not call back */
    struct {
#define X(name) size_t name;
        LEAN_STATS(X)
#undef X
    } stats;
} lean_server_t;

extern lean_server_t server;

/* Makes the request a lean stream. Returns 0, or -1 if the request is still an ordinary one. */
int lean_begin(h2o_req_t *req);
/* Sends to all streams of the connection what they lack, as far as there is room. */
void lean_flush(lean_conn_t *lc);
/* Frees a stream that h2o no longer refers to. */
void lean_drop(lean_conn_t *lc, lean_entry_t *entry);

/* lean_control.c: the handlers */
void control_register(h2o_hostconf_t *host);

#endif
