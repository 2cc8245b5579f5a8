#include "runtime/redis/client/wire.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/redis/client/tls_engine.h"

#define READ_BUFFER_BYTES (64 * 1024)

typedef enum { RESOLVING, CONNECTING, SECURING, OPEN, FAILED, CLOSED } wire_state_t;

struct tw_redis_wire {
    uv_loop_t *loop; /* borrowed */
    const tw_redis_wire_callbacks_t *callbacks;
    void *data;
    wire_state_t state;
    unsigned pending; /* handles and requests whose last callback is still to come */
    tw_redis_endpoint_t endpoint;
    uv_timer_t deadline; /* of everything before OPEN */
    uint32_t connect_timeout_ms;
    uv_getaddrinfo_t lookup;
    struct addrinfo *addresses; /* owned: what the lookup found */
    struct addrinfo *next;      /* in `addresses`: to try when this one fails */
    uv_tcp_t socket;
    bool socket_open; /* initialized and not closing */
    uv_connect_t connect;
    SSL_CTX *context;           /* borrowed; NULL: cleartext */
    tw_redis_tls_engine_t *tls; /* owned; NULL: cleartext, or not connected yet */
    size_t unsent;
    char problem[TW_REDIS_ERROR_MAX]; /* why the last address failed */
    char buffer[READ_BUFFER_BYTES];
};

typedef struct write_request {
    uv_write_t request;
    size_t len;
    char bytes[];
} write_request_t;

static void connect_next(tw_redis_wire_t *wire);

static void release(tw_redis_wire_t *wire)
{
    assert(wire->pending > 0);
    if (--wire->pending > 0 || wire->state != CLOSED)
        return;
    if (wire->addresses != NULL)
        uv_freeaddrinfo(wire->addresses);
    tw_redis_tls_engine_destroy(wire->tls);
    free(wire);
}

static void fail(tw_redis_wire_t *wire, const char *problem)
{
    char host[TW_REDIS_ENDPOINT_TEXT_MAX], reason[TW_REDIS_ERROR_MAX + sizeof(host)];

    if (wire->state == FAILED || wire->state == CLOSED)
        return;
    wire->state = FAILED;
    snprintf(reason, sizeof(reason), "%s: %s",
             tw_redis_endpoint_text(&wire->endpoint, host, sizeof(host)), problem);
    wire->callbacks->on_fail(reason, wire->data);
}

static void on_handle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void close_socket(tw_redis_wire_t *wire, uv_close_cb on_closed)
{
    assert(wire->socket_open);
    wire->socket_open = false;
    uv_close((uv_handle_t *)&wire->socket, on_closed);
}

static void on_write(uv_write_t *request, int status)
{
    write_request_t *write = (write_request_t *)request;
    tw_redis_wire_t *wire = request->data;

    wire->unsent -= write->len;
    free(write);
    if (status != 0 && status != UV_ECANCELED)
        fail(wire, uv_strerror(status));
    release(wire);
}

/* What the socket takes goes now; a copy of the rest follows when it can. */
static void send_bytes(tw_redis_wire_t *wire, const char *bytes, size_t len)
{
    if (wire->unsent == 0) {
        uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
        int taken = uv_try_write((uv_stream_t *)&wire->socket, &buf, 1);
        if (taken > 0) {
            bytes += taken;
            len -= (size_t)taken;
        }
    }
    if (len == 0)
        return;
    write_request_t *write = tw_realloc(NULL, sizeof(*write) + len);
    memcpy(write->bytes, bytes, len);
    write->len = len;
    write->request.data = wire;
    uv_buf_t buf = uv_buf_init(write->bytes, (unsigned)len);
    if (uv_write(&write->request, (uv_stream_t *)&wire->socket, &buf, 1, on_write) != 0) {
        free(write); /* the reader will see why */
        return;
    }
    wire->unsent += len;
    ++wire->pending;
}

static void send_tls_output(tw_redis_wire_t *wire)
{
    size_t len;
    const char *bytes = tw_redis_tls_engine_output(wire->tls, &len);
    if (len > 0)
        send_bytes(wire, bytes, len);
    tw_redis_tls_engine_drop_output(wire->tls);
}

static void enter_open(tw_redis_wire_t *wire)
{
    wire->state = OPEN;
    uv_timer_stop(&wire->deadline);
    wire->callbacks->on_open(wire->data);
}

static void go_on_with_tls(tw_redis_wire_t *wire)
{
    char problem[TW_REDIS_ERROR_MAX];
    if (wire->state == SECURING) {
        int result = tw_redis_tls_engine_handshake(wire->tls, problem, sizeof(problem));
        send_tls_output(wire);
        if (result < 0)
            fail(wire, problem);
        else if (result > 0)
            enter_open(wire);
    }
    while (wire->state == OPEN) {
        char plain[16 * 1024];
        int len = tw_redis_tls_engine_read(wire->tls, plain, sizeof(plain));
        if (len == 0)
            break;
        if (len < 0)
            fail(wire, "the TLS session ended");
        else
            wire->callbacks->on_read(plain, (size_t)len, wire->data);
    }
    if (wire->state == OPEN)
        send_tls_output(wire);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    tw_redis_wire_t *wire = handle->data;
    *buf = uv_buf_init(wire->buffer, sizeof(wire->buffer));
}

static void on_socket_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    tw_redis_wire_t *wire = stream->data;

    if (len == 0)
        return;
    ++wire->pending; /* a callback below may close the wire */
    if (len < 0)
        fail(wire, len == UV_EOF ? "it closed the connection" : uv_strerror((int)len));
    else if (wire->tls == NULL)
        wire->callbacks->on_read(buf->base, (size_t)len, wire->data);
    else {
        tw_redis_tls_engine_feed(wire->tls, buf->base, (size_t)len);
        go_on_with_tls(wire);
    }
    release(wire);
}

static void on_failed_socket_closed(uv_handle_t *handle)
{
    tw_redis_wire_t *wire = handle->data;
    if (wire->state == CONNECTING)
        connect_next(wire);
    release(wire);
}

static void on_connect(uv_connect_t *connect, int status)
{
    tw_redis_wire_t *wire = connect->data;

    if (wire->state != CONNECTING)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&wire->socket, on_alloc, on_socket_read);
    if (status != 0) {
        snprintf(wire->problem, sizeof(wire->problem), "cannot connect: %s", uv_strerror(status));
        close_socket(wire, on_failed_socket_closed);
        return;
    }
    uv_tcp_nodelay(&wire->socket, 1);
    uv_tcp_keepalive(&wire->socket, 1, 15);
    ++wire->pending; /* a callback below may close the wire */
    if (wire->context == NULL)
        enter_open(wire);
    else {
        tw_tls_error_t error;
        wire->state = SECURING;
        wire->tls = tw_redis_tls_engine_create(wire->context, wire->endpoint.host, &error);
        if (wire->tls != NULL)
            go_on_with_tls(wire);
        else
            fail(wire, error.text);
    }
    release(wire);
}

/* Tries the next address; the socket of the one before is closed already. */
static void connect_next(tw_redis_wire_t *wire)
{
    struct addrinfo *address = wire->next;
    if (address == NULL) {
        fail(wire, wire->problem);
        return;
    }
    wire->next = address->ai_next;
    uv_tcp_init(wire->loop, &wire->socket);
    wire->socket.data = wire;
    wire->socket_open = true;
    ++wire->pending;
    wire->connect.data = wire;
    int status = uv_tcp_connect(&wire->connect, &wire->socket, address->ai_addr, on_connect);
    if (status != 0) {
        snprintf(wire->problem, sizeof(wire->problem), "cannot connect: %s", uv_strerror(status));
        close_socket(wire, on_failed_socket_closed);
    }
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *addresses)
{
    tw_redis_wire_t *wire = lookup->data;

    wire->addresses = addresses;
    if (wire->state == RESOLVING) {
        wire->state = CONNECTING;
        wire->next = addresses;
        if (status != 0)
            snprintf(wire->problem, sizeof(wire->problem), "the name cannot be looked up: %s",
                     uv_strerror(status));
        connect_next(wire);
    }
    release(wire);
}

static void on_deadline(uv_timer_t *timer)
{
    tw_redis_wire_t *wire = timer->data;
    char problem[128];
    const char *what = wire->state == RESOLVING    ? "the name was not looked up"
                       : wire->state == CONNECTING ? "no connection"
                                                   : "no TLS handshake";
    snprintf(problem, sizeof(problem), "%s within %u ms", what, wire->connect_timeout_ms);
    fail(wire, problem);
}

static void on_lookup_refused(uv_timer_t *timer)
{
    tw_redis_wire_t *wire = timer->data;
    fail(wire, wire->problem);
}

tw_redis_wire_t *tw_redis_wire_open(uv_loop_t *loop, const tw_redis_endpoint_t *endpoint,
                                    SSL_CTX *tls, uint32_t connect_timeout_ms,
                                    const tw_redis_wire_callbacks_t *callbacks, void *data)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    tw_redis_wire_t *wire = tw_alloc(sizeof(*wire));
    char port[8];

    wire->loop = loop;
    wire->callbacks = callbacks;
    wire->data = data;
    wire->endpoint = *endpoint;
    wire->context = tls;
    wire->connect_timeout_ms = connect_timeout_ms;
    wire->state = RESOLVING;
    uv_timer_init(loop, &wire->deadline);
    wire->deadline.data = wire;
    wire->pending = 1;
    uv_timer_start(&wire->deadline, on_deadline, connect_timeout_ms, 0);
    wire->lookup.data = wire;
    snprintf(port, sizeof(port), "%u", endpoint->port);
    int status = uv_getaddrinfo(loop, &wire->lookup, on_lookup, endpoint->host, port, &hints);
    if (status == 0) {
        ++wire->pending;
    } else {
        snprintf(wire->problem, sizeof(wire->problem), "the name cannot be looked up: %s",
                 uv_strerror(status));
        uv_timer_start(&wire->deadline, on_lookup_refused, 0, 0);
    }
    return wire;
}

void tw_redis_wire_write(tw_redis_wire_t *wire, const char *bytes, size_t len)
{
    assert(wire->state == OPEN);
    if (wire->tls == NULL) {
        send_bytes(wire, bytes, len);
        return;
    }
    /* A session that breaks here has read the peer's alert already, or will. */
    if (tw_redis_tls_engine_write(wire->tls, bytes, len) == 0)
        send_tls_output(wire);
}

size_t tw_redis_wire_unsent(const tw_redis_wire_t *wire)
{
    return wire->unsent;
}

void tw_redis_wire_close(tw_redis_wire_t *wire)
{
    assert(wire->state != CLOSED);
    if (wire->state == RESOLVING)
        uv_cancel((uv_req_t *)&wire->lookup);
    wire->state = CLOSED;
    if (wire->socket_open)
        close_socket(wire, on_handle_closed);
    uv_close((uv_handle_t *)&wire->deadline, on_handle_closed);
}
