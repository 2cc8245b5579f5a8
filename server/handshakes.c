#include "server/handshakes.h"

#include <stdlib.h>
#include <string.h>

#include <h2o/http1.h>
#include <h2o/http2.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

/* At most two milliseconds of signing and one of closing between two times that streams are served.
 */
#define BEGUN_PER_TURN 4
#define BEGIN_NS 500000
#define CLOSED_PER_TURN 16

/* A TLS record's header: type, version, length (RFC 8446 section 5.1). */
#define RECORD_HEADER_BYTES 5
#define RECORD_TYPE_HANDSHAKE 22
#define RECORD_BYTES_MAX 16384

struct tw_handshake {
    tw_handshakes_t *all;
    h2o_socket_t *socket;     /* owned */
    tw_client_t *client;      /* borrowed: outlives the socket; or NULL */
    h2o_accept_ctx_t *accept; /* borrowed */
    struct timeval connected_at;
    h2o_timeout_entry_t timeout;
    tw_handshake_queue_t *queue; /* in which it waits; NULL: in progress */
    bool has_place;              /* it counts as a handshake */
    TAILQ_ENTRY(tw_handshake) neighbours;
};

static void on_time_for_some(tw_slice_t *slice);

static void leave(tw_handshake_t *handshake)
{
    if (handshake->queue == &handshake->all->silent)
        --handshake->all->silent_count;
    if (handshake->queue != NULL)
        TAILQ_REMOVE(handshake->queue, handshake, neighbours);
    handshake->queue = NULL;
}

static void enter(tw_handshake_t *handshake, tw_handshake_queue_t *queue)
{
    leave(handshake);
    handshake->queue = queue;
    TAILQ_INSERT_TAIL(queue, handshake, neighbours);
    tw_loop_defer(handshake->all->loop, &handshake->all->slice, on_time_for_some);
}

/* Frees the handshake. The socket belongs to the caller again. */
static h2o_socket_t *end(tw_handshake_t *handshake)
{
    h2o_socket_t *socket = handshake->socket;

    leave(handshake);
    h2o_timeout_unlink(&handshake->timeout);
    if (handshake->has_place)
        tw_limits_end_handshake(handshake->all->limits, handshake->client);
    socket->data = NULL;
    free(handshake);
    return socket;
}

static void fail(tw_handshake_t *handshake)
{
    h2o_timeout_unlink(&handshake->timeout);
    h2o_socket_read_stop(handshake->socket);
    enter(handshake, &handshake->all->failed);
}

static void on_timeout(h2o_timeout_entry_t *entry)
{
    fail(H2O_STRUCT_FROM_MEMBER(tw_handshake_t, timeout, entry));
}

static void log_refused(tw_log_limit_t *limit, const char *message, const char *why)
{
    uint64_t count = tw_log_limit_count(limit, tw_clock_ms());

    if (count > 0)
        tw_log(TW_LOG_WARN, message, tw_log_text("reason", why),
               tw_log_number("count", (int64_t)count));
}

/* --- silence, until the ClientHello --- */

/* Whether the input begins with a whole record of a handshake, or with something that cannot become
 * one, which OpenSSL then answers with an alert. */
static bool has_hello(const h2o_buffer_t *input)
{
    const unsigned char *bytes = (const unsigned char *)input->bytes;

    if (input->size == 0)
        return false;
    if (bytes[0] != RECORD_TYPE_HANDSHAKE)
        return true;
    if (input->size < RECORD_HEADER_BYTES)
        return false;
    size_t len = (size_t)bytes[3] << 8 | bytes[4];
    return len > RECORD_BYTES_MAX || input->size >= RECORD_HEADER_BYTES + len;
}

/* The ClientHello has come: takes a place for the handshake. */
static void take_place(tw_handshake_t *handshake)
{
    tw_handshakes_t *all = handshake->all;
    const char *why = tw_limits_begin_handshake(all->limits, handshake->client);

    h2o_socket_read_stop(handshake->socket);
    if (why != NULL) {
        log_refused(&all->refusals, "connections refused", why);
        fail(handshake);
        return;
    }
    handshake->has_place = true;
    enter(handshake, &all->waiting);
}

static void on_first_bytes(h2o_socket_t *socket, const char *error)
{
    tw_handshake_t *handshake = socket->data;

    if (error != NULL)
        fail(handshake);
    else if (has_hello(socket->input))
        take_place(handshake);
}

static void wait_for_hello(tw_handshake_t *handshake)
{
    tw_handshakes_t *all = handshake->all;

    if (all->silent_count >= all->silent_max) {
        ++all->limits->refused_silent;
        log_refused(&all->silences, "silent connections closed",
                    "too many have not begun their TLS handshake; the oldest give way");
        fail(TAILQ_FIRST(&all->silent));
    }
    ++all->silent_count;
    handshake->queue = &all->silent;
    TAILQ_INSERT_TAIL(&all->silent, handshake, neighbours);
    h2o_socket_read_start(handshake->socket, on_first_bytes);
}

/* --- the handshake --- */

static bool speaks_http2(h2o_socket_t *socket)
{
    h2o_iovec_t chosen = h2o_socket_ssl_get_selected_protocol(socket);

    for (const h2o_iovec_t *name = h2o_http2_alpn_protocols; name->len != 0; ++name)
        if (h2o_memis(chosen.base, chosen.len, name->base, name->len))
            return true;
    return false;
}

static void on_complete(h2o_socket_t *socket, const char *error)
{
    tw_handshake_t *handshake = socket->data;
    h2o_accept_ctx_t *accept = handshake->accept;
    struct timeval connected_at = handshake->connected_at;

    if (handshake->queue != NULL)
        return; /* it has timed out, and is about to be closed */
    if (error != NULL) {
        fail(handshake);
        return;
    }
    end(handshake);
    if (speaks_http2(socket))
        h2o_http2_accept(accept, socket, connected_at);
    else
        h2o_http1_accept(accept, socket, connected_at);
}

static void close_first(tw_handshake_queue_t *queue, size_t max)
{
    tw_handshake_t *next;

    for (tw_handshake_t *first = TAILQ_FIRST(queue); first != NULL && max > 0;
         first = next, --max) {
        next = TAILQ_NEXT(first, neighbours);
        h2o_socket_close(end(first));
    }
}

static void begin_first(tw_handshakes_t *handshakes)
{
    tw_handshake_t *first = TAILQ_FIRST(&handshakes->waiting);

    leave(first);
    h2o_socket_ssl_handshake(first->socket, tw_tls_store_context(handshakes->tls), NULL,
                             on_complete);
    tw_loop_spend(handshakes->loop, BEGIN_NS);
}

static void on_time_for_some(tw_slice_t *slice)
{
    tw_handshakes_t *handshakes = H2O_STRUCT_FROM_MEMBER(tw_handshakes_t, slice, slice);

    for (int i = 0; i < BEGUN_PER_TURN && !TAILQ_EMPTY(&handshakes->waiting); ++i)
        begin_first(handshakes);
    close_first(&handshakes->failed, CLOSED_PER_TURN);
    if (!TAILQ_EMPTY(&handshakes->waiting) || !TAILQ_EMPTY(&handshakes->failed))
        tw_loop_defer(handshakes->loop, slice, on_time_for_some);
}

void tw_handshakes_init(tw_handshakes_t *handshakes, tw_loop_t *loop, tw_tls_store_t *tls,
                        tw_limits_t *limits, size_t silent_max)
{
    *handshakes =
        (tw_handshakes_t){.loop = loop, .tls = tls, .limits = limits, .silent_max = silent_max};
    TAILQ_INIT(&handshakes->silent);
    TAILQ_INIT(&handshakes->waiting);
    TAILQ_INIT(&handshakes->failed);
}

void tw_handshakes_add(tw_handshakes_t *handshakes, h2o_socket_t *socket, tw_client_t *client,
                       h2o_accept_ctx_t *accept)
{
    h2o_context_t *context = accept->ctx;

    if (handshakes->closing) {
        h2o_socket_close(socket);
        return;
    }
    tw_handshake_t *handshake = tw_alloc(sizeof(*handshake));
    handshake->all = handshakes;
    handshake->socket = socket;
    handshake->client = client;
    handshake->accept = accept;
    handshake->connected_at = *h2o_get_timestamp(context, NULL, NULL);
    handshake->timeout.cb = on_timeout;
    h2o_timeout_link(context->loop, &context->handshake_timeout, &handshake->timeout);
    socket->data = handshake;
    if (has_hello(socket->input)) /* behind a header of the PROXY protocol */
        take_place(handshake);
    else
        wait_for_hello(handshake);
}

void tw_handshakes_refuse(tw_handshakes_t *handshakes)
{
    handshakes->closing = true;
    close_first(&handshakes->silent, SIZE_MAX);
    close_first(&handshakes->waiting, SIZE_MAX);
    close_first(&handshakes->failed, SIZE_MAX);
    tw_loop_cancel(handshakes->loop, &handshakes->slice);
}
