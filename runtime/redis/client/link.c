#include "runtime/redis/client/link.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/redis/client/tls_engine.h"

#define READ_BUFFER_BYTES (64 * 1024)

typedef enum { RESOLVING, CONNECTING, SECURING, OPEN, FAILED, CLOSED } link_state_t;

struct tw_redis_link {
    uv_loop_t *loop; /* borrowed */
    const tw_redis_link_callbacks_t *callbacks;
    void *data;
    link_state_t state;
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

static void connect_next(tw_redis_link_t *link);

static void release(tw_redis_link_t *link)
{
    assert(link->pending > 0);
    if (--link->pending > 0 || link->state != CLOSED)
        return;
    if (link->addresses != NULL)
        uv_freeaddrinfo(link->addresses);
    tw_redis_tls_engine_destroy(link->tls);
    free(link);
}

static void fail(tw_redis_link_t *link, const char *problem)
{
    char host[TW_REDIS_ENDPOINT_TEXT_MAX], reason[TW_REDIS_ERROR_MAX + sizeof(host)];

    if (link->state == FAILED || link->state == CLOSED)
        return;
    link->state = FAILED;
    snprintf(reason, sizeof(reason), "%s: %s",
             tw_redis_endpoint_text(&link->endpoint, host, sizeof(host)), problem);
    link->callbacks->on_fail(reason, link->data);
}

static void on_handle_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void close_socket(tw_redis_link_t *link, uv_close_cb on_closed)
{
    assert(link->socket_open);
    link->socket_open = false;
    uv_close((uv_handle_t *)&link->socket, on_closed);
}

static void on_write(uv_write_t *request, int status)
{
    write_request_t *write = (write_request_t *)request;
    tw_redis_link_t *link = request->data;

    link->unsent -= write->len;
    free(write);
    if (status != 0 && status != UV_ECANCELED)
        fail(link, uv_strerror(status));
    release(link);
}

/* What the socket takes goes now; a copy of the rest follows when it can. */
static void send_bytes(tw_redis_link_t *link, const char *bytes, size_t len)
{
    if (link->unsent == 0) {
        uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
        int taken = uv_try_write((uv_stream_t *)&link->socket, &buf, 1);
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
    write->request.data = link;
    uv_buf_t buf = uv_buf_init(write->bytes, (unsigned)len);
    if (uv_write(&write->request, (uv_stream_t *)&link->socket, &buf, 1, on_write) != 0) {
        free(write); /* the reader will see why */
        return;
    }
    link->unsent += len;
    ++link->pending;
}

static void send_tls_output(tw_redis_link_t *link)
{
    size_t len;
    const char *bytes = tw_redis_tls_engine_output(link->tls, &len);
    if (len > 0)
        send_bytes(link, bytes, len);
    tw_redis_tls_engine_drop_output(link->tls);
}

static void enter_open(tw_redis_link_t *link)
{
    link->state = OPEN;
    uv_timer_stop(&link->deadline);
    link->callbacks->on_open(link->data);
}

static void go_on_with_tls(tw_redis_link_t *link)
{
    char problem[TW_REDIS_ERROR_MAX];
    if (link->state == SECURING) {
        int result = tw_redis_tls_engine_handshake(link->tls, problem, sizeof(problem));
        send_tls_output(link);
        if (result < 0)
            fail(link, problem);
        else if (result > 0)
            enter_open(link);
    }
    while (link->state == OPEN) {
        char plain[16 * 1024];
        int len = tw_redis_tls_engine_read(link->tls, plain, sizeof(plain));
        if (len == 0)
            break;
        if (len < 0)
            fail(link, "the TLS session ended");
        else
            link->callbacks->on_read(plain, (size_t)len, link->data);
    }
    if (link->state == OPEN)
        send_tls_output(link);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    tw_redis_link_t *link = handle->data;
    *buf = uv_buf_init(link->buffer, sizeof(link->buffer));
}

static void on_socket_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    tw_redis_link_t *link = stream->data;

    if (len == 0)
        return;
    ++link->pending; /* a callback below may close the link */
    if (len < 0)
        fail(link, len == UV_EOF ? "it closed the connection" : uv_strerror((int)len));
    else if (link->tls == NULL)
        link->callbacks->on_read(buf->base, (size_t)len, link->data);
    else {
        tw_redis_tls_engine_feed(link->tls, buf->base, (size_t)len);
        go_on_with_tls(link);
    }
    release(link);
}

static void on_failed_socket_closed(uv_handle_t *handle)
{
    tw_redis_link_t *link = handle->data;
    if (link->state == CONNECTING)
        connect_next(link);
    release(link);
}

static void on_connect(uv_connect_t *connect, int status)
{
    tw_redis_link_t *link = connect->data;

    if (link->state != CONNECTING)
        return;
    if (status == 0)
        status = uv_read_start((uv_stream_t *)&link->socket, on_alloc, on_socket_read);
    if (status != 0) {
        snprintf(link->problem, sizeof(link->problem), "cannot connect: %s", uv_strerror(status));
        close_socket(link, on_failed_socket_closed);
        return;
    }
    uv_tcp_nodelay(&link->socket, 1);
    uv_tcp_keepalive(&link->socket, 1, 15);
    ++link->pending; /* a callback below may close the link */
    if (link->context == NULL)
        enter_open(link);
    else {
        tw_tls_error_t error;
        link->state = SECURING;
        link->tls = tw_redis_tls_engine_create(link->context, link->endpoint.host, &error);
        if (link->tls != NULL)
            go_on_with_tls(link);
        else
            fail(link, error.text);
    }
    release(link);
}

/* Tries the next address; the socket of the one before is closed already. */
static void connect_next(tw_redis_link_t *link)
{
    struct addrinfo *address = link->next;
    if (address == NULL) {
        fail(link, link->problem);
        return;
    }
    link->next = address->ai_next;
    uv_tcp_init(link->loop, &link->socket);
    link->socket.data = link;
    link->socket_open = true;
    ++link->pending;
    link->connect.data = link;
    int status = uv_tcp_connect(&link->connect, &link->socket, address->ai_addr, on_connect);
    if (status != 0) {
        snprintf(link->problem, sizeof(link->problem), "cannot connect: %s", uv_strerror(status));
        close_socket(link, on_failed_socket_closed);
    }
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *addresses)
{
    tw_redis_link_t *link = lookup->data;

    link->addresses = addresses;
    if (link->state == RESOLVING) {
        link->state = CONNECTING;
        link->next = addresses;
        if (status != 0)
            snprintf(link->problem, sizeof(link->problem), "the name cannot be looked up: %s",
                     uv_strerror(status));
        connect_next(link);
    }
    release(link);
}

static void on_deadline(uv_timer_t *timer)
{
    tw_redis_link_t *link = timer->data;
    char problem[128];
    const char *what = link->state == RESOLVING    ? "the name was not looked up"
                       : link->state == CONNECTING ? "no connection"
                                                   : "no TLS handshake";
    snprintf(problem, sizeof(problem), "%s within %u ms", what, link->connect_timeout_ms);
    fail(link, problem);
}

static void on_lookup_refused(uv_timer_t *timer)
{
    tw_redis_link_t *link = timer->data;
    fail(link, link->problem);
}

tw_redis_link_t *tw_redis_link_open(uv_loop_t *loop, const tw_redis_endpoint_t *endpoint,
                                    SSL_CTX *tls, uint32_t connect_timeout_ms,
                                    const tw_redis_link_callbacks_t *callbacks, void *data)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    tw_redis_link_t *link = tw_alloc(sizeof(*link));
    char port[8];

    link->loop = loop;
    link->callbacks = callbacks;
    link->data = data;
    link->endpoint = *endpoint;
    link->context = tls;
    link->connect_timeout_ms = connect_timeout_ms;
    link->state = RESOLVING;
    uv_timer_init(loop, &link->deadline);
    link->deadline.data = link;
    link->pending = 1;
    uv_timer_start(&link->deadline, on_deadline, connect_timeout_ms, 0);
    link->lookup.data = link;
    snprintf(port, sizeof(port), "%u", endpoint->port);
    int status = uv_getaddrinfo(loop, &link->lookup, on_lookup, endpoint->host, port, &hints);
    if (status == 0) {
        ++link->pending;
    } else {
        snprintf(link->problem, sizeof(link->problem), "the name cannot be looked up: %s",
                 uv_strerror(status));
        uv_timer_start(&link->deadline, on_lookup_refused, 0, 0);
    }
    return link;
}

void tw_redis_link_write(tw_redis_link_t *link, const char *bytes, size_t len)
{
    assert(link->state == OPEN);
    if (link->tls == NULL) {
        send_bytes(link, bytes, len);
        return;
    }
    /* A session that breaks here has read the peer's alert already, or will. */
    if (tw_redis_tls_engine_write(link->tls, bytes, len) == 0)
        send_tls_output(link);
}

size_t tw_redis_link_unsent(const tw_redis_link_t *link)
{
    return link->unsent;
}

void tw_redis_link_close(tw_redis_link_t *link)
{
    assert(link->state != CLOSED);
    if (link->state == RESOLVING)
        uv_cancel((uv_req_t *)&link->lookup);
    link->state = CLOSED;
    if (link->socket_open)
        close_socket(link, on_handle_closed);
    uv_close((uv_handle_t *)&link->deadline, on_handle_closed);
}
