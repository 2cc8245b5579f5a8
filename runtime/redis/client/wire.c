#include "runtime/redis/client/wire.h"

#include <assert.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/redis/client/dial.h"
#include "tls/client_context.h"

#define READ_BUFFER_BYTES (64 * 1024)

typedef enum { DIALLING, SECURING, OPEN, FAILED, CLOSED } wire_state_t;

struct tw_redis_wire {
    uv_loop_t *loop; /* borrowed */
    const tw_redis_wire_callbacks_t *callbacks;
    void *data;
    wire_state_t state;
    unsigned pending; /* handles and requests whose last callback is still to come */
    tw_redis_endpoint_t endpoint;
    uv_timer_t deadline; /* of everything before OPEN */
    uint32_t connect_timeout_ms;
    tw_redis_dial_t *dial;          /* owned; NULL once it has answered */
    tw_redis_socket_t *socket;      /* owned; NULL before the connection, and once it is closing */
    const tw_redis_tls_t *security; /* borrowed; NULL: cleartext */
    SSL *ssl; /* owned, between two memory BIOs; NULL: cleartext, or not connected yet */
    size_t unsent;
    char buffer[READ_BUFFER_BYTES];
};

typedef struct write_request {
    uv_write_t request;
    size_t len;
    char bytes[];
} write_request_t;

static void release(tw_redis_wire_t *wire)
{
    assert(wire->pending > 0);
    if (--wire->pending > 0 || wire->state != CLOSED)
        return;
    SSL_free(wire->ssl);
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

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void on_socket_closed(uv_handle_t *handle)
{
    tw_redis_wire_t *wire = handle->data;
    free(handle);
    release(wire);
}

static void on_write(uv_write_t *request, int status)
{
    write_request_t *write = (write_request_t *)request;
    tw_redis_wire_t *wire = request->data;

    wire->unsent -= write->len;
    free(write);
    /* Of a write that failed the reader sees why: the peer's last words, such as a TLS alert, come
     * before its end. */
    release(wire);
}

/* What the socket takes goes now; a copy of the rest follows when it can. */
static void send_bytes(tw_redis_wire_t *wire, const char *bytes, size_t len)
{
    if (wire->unsent == 0) {
        uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);
        int taken = uv_try_write(&wire->socket->stream, &buf, 1);
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
    if (uv_write(&write->request, &wire->socket->stream, &buf, 1, on_write) != 0) {
        free(write); /* the reader will see why */
        return;
    }
    wire->unsent += len;
    ++wire->pending;
}

static void send_tls_output(tw_redis_wire_t *wire)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(SSL_get_wbio(wire->ssl), &bytes);
    if (len > 0)
        send_bytes(wire, bytes, (size_t)len);
    (void)BIO_reset(SSL_get_wbio(wire->ssl));
}

static void enter_open(tw_redis_wire_t *wire)
{
    wire->state = OPEN;
    uv_timer_stop(&wire->deadline);
    wire->callbacks->on_open(wire->data);
}

static void shake_hands(tw_redis_wire_t *wire)
{
    char problem[TW_REDIS_ERROR_MAX] = "";

    ERR_clear_error();
    int result = SSL_do_handshake(wire->ssl);
    if (result != 1 && SSL_get_error(wire->ssl, result) != SSL_ERROR_WANT_READ) {
        bool refused = SSL_get_verify_result(wire->ssl) != X509_V_OK;
        snprintf(problem, sizeof(problem), "%s: %s",
                 refused ? "its certificate is refused" : "the TLS handshake failed",
                 tw_tls_client_failure(wire->ssl));
    }
    send_tls_output(wire);
    if (problem[0] != '\0')
        fail(wire, problem);
    else if (result == 1)
        enter_open(wire);
}

/* Goes on with what the peer has sent. */
static void go_on_with_tls(tw_redis_wire_t *wire)
{
    if (wire->state == SECURING)
        shake_hands(wire);
    while (wire->state == OPEN) {
        char plain[16 * 1024];
        ERR_clear_error();
        int len = SSL_read(wire->ssl, plain, sizeof(plain));
        int kind = SSL_get_error(wire->ssl, len);
        if (kind == SSL_ERROR_WANT_READ)
            break;
        if (len > 0)
            wire->callbacks->on_read(plain, (size_t)len, wire->data);
        else
            fail(wire, kind == SSL_ERROR_ZERO_RETURN ? "it ended the TLS session"
                                                     : tw_tls_client_failure(wire->ssl));
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
    else if (wire->ssl == NULL)
        wire->callbacks->on_read(buf->base, (size_t)len, wire->data);
    else {
        /* A memory BIO takes all, or the process aborts inside OpenSSL's allocator. */
        BIO_write(SSL_get_rbio(wire->ssl), buf->base, (int)len);
        go_on_with_tls(wire);
    }
    release(wire);
}

static void secure(tw_redis_wire_t *wire)
{
    const char *name = wire->security->server_name;
    char problem[TW_REDIS_ERROR_MAX];
    SSL_CTX *context = NULL;
    tw_tls_error_t error;

    if (name == NULL)
        name = wire->endpoint.host;
    wire->state = SECURING;
    if (tw_redis_tls_context(wire->security, &context, problem, sizeof(problem)) != 0) {
        fail(wire, problem);
        return;
    }
    int status = tw_tls_client_create(&wire->ssl, context, name, &error);
    SSL_CTX_free(context); /* the SSL holds it */
    if (status != TW_TLS_OK) {
        fail(wire, error.text);
        return;
    }
    BIO *from_peer = BIO_new(BIO_s_mem()), *to_peer = BIO_new(BIO_s_mem());
    if (from_peer == NULL || to_peer == NULL)
        abort();
    SSL_set_bio(wire->ssl, from_peer, to_peer);
    go_on_with_tls(wire);
}

static void on_dialled(tw_redis_socket_t *socket, const char *problem, void *data)
{
    tw_redis_wire_t *wire = data;

    if (socket == NULL) {
        fail(wire, problem);
        return;
    }
    tw_redis_dial_close(wire->dial);
    wire->dial = NULL;
    wire->socket = socket;
    socket->handle.data = wire;
    wire->pending += 2; /* the socket, and a callback below may close the wire */
    int status = uv_read_start(&socket->stream, on_alloc, on_socket_read);
    if (socket->handle.type == UV_TCP) {
        uv_tcp_nodelay(&socket->tcp, 1);
        uv_tcp_keepalive(&socket->tcp, 1, 15);
    }
    if (status != 0)
        fail(wire, uv_strerror(status));
    else if (wire->security == NULL)
        enter_open(wire);
    else
        secure(wire);
    release(wire);
}

static void on_deadline(uv_timer_t *timer)
{
    tw_redis_wire_t *wire = timer->data;
    char problem[128];
    const char *what = wire->state != DIALLING              ? "no TLS handshake"
                       : tw_redis_dial_looks_up(wire->dial) ? "the name was not looked up"
                                                            : "no connection";
    snprintf(problem, sizeof(problem), "%s within %u ms", what, wire->connect_timeout_ms);
    fail(wire, problem);
}

tw_redis_wire_t *tw_redis_wire_open(uv_loop_t *loop, const tw_redis_endpoint_t *endpoint,
                                    const tw_redis_tls_t *tls, uint32_t connect_timeout_ms,
                                    const tw_redis_wire_callbacks_t *callbacks, void *data)
{
    tw_redis_wire_t *wire = tw_alloc(sizeof(*wire));

    wire->loop = loop;
    wire->callbacks = callbacks;
    wire->data = data;
    wire->endpoint = *endpoint;
    wire->security = tls;
    wire->connect_timeout_ms = connect_timeout_ms;
    wire->state = DIALLING;
    uv_timer_init(loop, &wire->deadline);
    wire->deadline.data = wire;
    wire->pending = 1;
    uv_timer_start(&wire->deadline, on_deadline, connect_timeout_ms, 0);
    wire->dial = tw_redis_dial_open(loop, endpoint, on_dialled, wire);
    return wire;
}

void tw_redis_wire_write(tw_redis_wire_t *wire, const char *bytes, size_t len)
{
    assert(wire->state == OPEN);
    if (wire->ssl == NULL) {
        send_bytes(wire, bytes, len);
        return;
    }
    ERR_clear_error();
    for (size_t written; len > 0 && SSL_write_ex(wire->ssl, bytes, len, &written) == 1;
         len -= written) /* a record at a time */
        bytes += written;
    ERR_clear_error();
    /* A session that breaks here has read the peer's alert already, or will. */
    if (len == 0)
        send_tls_output(wire);
}

size_t tw_redis_wire_unsent(const tw_redis_wire_t *wire)
{
    return wire->unsent;
}

void tw_redis_wire_close(tw_redis_wire_t *wire)
{
    assert(wire->state != CLOSED);
    wire->state = CLOSED;
    tw_redis_dial_close(wire->dial);
    if (wire->socket != NULL)
        uv_close(&wire->socket->handle, on_socket_closed);
    uv_close((uv_handle_t *)&wire->deadline, on_timer_closed);
}
