#include "server/proxied.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "handlers/clients/proxy_header.h"

struct tw_proxied_socket {
    tw_proxied_t *all;
    h2o_socket_t *socket; /* owned */
    void *data;
    h2o_timeout_entry_t timeout;
    TAILQ_ENTRY(tw_proxied_socket) neighbours;
};

/* Frees the entry. The socket belongs to the caller again. */
static h2o_socket_t *end(tw_proxied_socket_t *entry)
{
    h2o_socket_t *socket = entry->socket;

    TAILQ_REMOVE(&entry->all->waiting, entry, neighbours);
    h2o_timeout_unlink(&entry->timeout);
    h2o_socket_read_stop(socket);
    socket->data = NULL;
    free(entry);
    return socket;
}

static void on_timeout(h2o_timeout_entry_t *timeout)
{
    h2o_socket_close(end(H2O_STRUCT_FROM_MEMBER(tw_proxied_socket_t, timeout, timeout)));
}

static void log_refused(tw_proxied_t *proxied, const char *why)
{
    uint64_t count = tw_log_limit_count(&proxied->refusals, tw_clock_ms());

    if (count > 0)
        tw_log(TW_LOG_WARN, "connections refused", tw_log_text("reason", why),
               tw_log_number("count", (int64_t)count));
}

/* Counts the connection for the client that the header names, unless that is a trusted proxy, too.
 * Returns NULL, or which limit is reached. */
static const char *count_client(tw_proxied_t *proxied, const tw_proxy_header_t *header,
                                tw_client_t **client)
{
    tw_limits_t *limits = &proxied->gateway->limits;
    tw_address_t address = tw_address_of((const struct sockaddr *)&header->client);

    *client = NULL;
    if (header->named && !tw_limits_is_proxy(limits, &address)) {
        tw_client_key_t key = tw_client_key(&address);
        *client = tw_limits_add_connection(limits, &key);
        if (*client == NULL)
            return "an address has reached TIDEWAY_MAX_CONNECTIONS_PER_IP";
    }
    return NULL;
}

static void on_header(tw_proxied_t *proxied, h2o_socket_t *socket, void *data,
                      tw_proxy_header_t *header)
{
    tw_client_t *client;
    const char *why = count_client(proxied, header, &client);

    if (why != NULL) {
        atomic_fetch_add(&proxied->gateway->connections_refused, 1);
        log_refused(proxied, why);
        h2o_socket_close(socket);
        return;
    }
    h2o_buffer_consume(&socket->input, header->len);
    if (header->named)
        h2o_socket_setpeername(socket, (struct sockaddr *)&header->client, header->client_len);
    proxied->on_named(data, socket, client);
}

static void on_read(h2o_socket_t *socket, const char *error)
{
    tw_proxied_socket_t *entry = socket->data;
    tw_proxied_t *all = entry->all;
    void *data = entry->data;
    tw_proxy_header_t header;

    if (error != NULL) {
        h2o_socket_close(end(entry));
        return;
    }
    switch (tw_proxy_header_read(socket->input->bytes, socket->input->size, &header)) {
    case TW_PROXY_MORE:
        break;
    case TW_PROXY_BAD:
        log_refused(all, "a trusted proxy began without a PROXY header");
        h2o_socket_close(end(entry));
        break;
    case TW_PROXY_DONE:
        on_header(all, end(entry), data, &header);
        break;
    }
}

void tw_proxied_init(tw_proxied_t *proxied, h2o_context_t *context, tw_gateway_t *gateway, bool tls,
                     tw_proxied_fn on_named)
{
    *proxied =
        (tw_proxied_t){.context = context, .gateway = gateway, .tls = tls, .on_named = on_named};
    TAILQ_INIT(&proxied->waiting);
}

void tw_proxied_add(tw_proxied_t *proxied, h2o_socket_t *socket, void *data)
{
    tw_proxied_socket_t *entry = tw_alloc(sizeof(*entry));

    entry->all = proxied;
    entry->socket = socket;
    entry->data = data;
    entry->timeout.cb = on_timeout;
    h2o_timeout_link(proxied->context->loop, &proxied->context->handshake_timeout, &entry->timeout);
    TAILQ_INSERT_TAIL(&proxied->waiting, entry, neighbours);
    socket->data = entry;
    h2o_socket_read_start(socket, on_read);
}

void tw_proxied_refuse(tw_proxied_t *proxied)
{
    tw_proxied_socket_t *next;

    for (tw_proxied_socket_t *first = TAILQ_FIRST(&proxied->waiting); first != NULL; first = next) {
        next = TAILQ_NEXT(first, neighbours);
        h2o_socket_close(end(first));
    }
}
