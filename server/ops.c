#include "server/ops.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <h2o.h>

#include "base/alloc.h"
#include "base/log.h"
#include "handlers/routes.h"
#include "server/options/host_port.h"

#define CONNECTIONS_MAX 128
#define BACKLOG 128

struct tw_ops {
    uv_tcp_t listener;
    h2o_globalconf_t config;
    tw_worker_context_t http;
    h2o_accept_ctx_t accept;
    unsigned connections;
};

typedef struct tw_ops_client {
    uv_tcp_t tcp;
    tw_ops_t *ops;
} tw_ops_client_t;

static void on_client_closed(uv_handle_t *handle)
{
    tw_ops_client_t *client = (tw_ops_client_t *)(void *)handle;
    --client->ops->connections;
    free(client);
}

static void on_connection(uv_stream_t *listener, int status)
{
    tw_ops_t *ops = listener->data;
    tw_ops_client_t *client;

    if (status != 0)
        return;
    client = tw_alloc(sizeof(*client));
    client->ops = ops;
    ++ops->connections;
    uv_tcp_init(listener->loop, &client->tcp);
    if (uv_accept(listener, (uv_stream_t *)&client->tcp) != 0 ||
        ops->connections > CONNECTIONS_MAX) {
        uv_close((uv_handle_t *)&client->tcp, on_client_closed);
        return;
    }
    h2o_accept(&ops->accept, h2o_uv_socket_create((uv_stream_t *)&client->tcp, on_client_closed));
}

static int listen_on(tw_ops_t *ops, uv_loop_t *loop, const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;

    if (getaddrinfo(host, port, &hints, &found) != 0)
        return UV_EAI_NONAME;
    uv_tcp_init(loop, &ops->listener);
    ops->listener.data = ops;
    int error = uv_tcp_bind(&ops->listener, found->ai_addr, 0);
    freeaddrinfo(found);
    return error != 0 ? error : uv_listen((uv_stream_t *)&ops->listener, BACKLOG, on_connection);
}

tw_ops_t *tw_ops_open(uv_loop_t *loop, tw_gateway_t *gateway, const char *address, char *error,
                      size_t error_size)
{
    char host[256], port[6];

    if (!tw_host_port_split(address, strlen(address), host, port)) {
        snprintf(error, error_size,
                 "TIDEWAY_OPS_LISTEN is \"%s\": it must be host:port, [v6]:port or off", address);
        return NULL;
    }
    tw_ops_t *ops = tw_alloc(sizeof(*ops));
    int failed = listen_on(ops, loop, host, port);
    if (failed != 0) {
        snprintf(error, error_size, "TIDEWAY_OPS_LISTEN: cannot listen on %s: %s", address,
                 uv_strerror(failed));
        return NULL; /* the process ends and frees everything */
    }
    h2o_config_init(&ops->config);
    ops->config.server_name = h2o_iovec_init(H2O_STRLIT("tideway"));
    /* Proxies that speak HTTP/2 with prior knowledge to the gateway probe it so, too. */
    ops->config.http1.upgrade_to_http2 = 1;
    ops->config.max_request_entity_size = 1;
    tw_routes_register_ops(&ops->config);
    h2o_context_init(&ops->http.super, loop, &ops->config);
    ops->http.gateway = gateway;
    ops->accept = (h2o_accept_ctx_t){.ctx = &ops->http.super, .hosts = ops->config.hosts};
    tw_log(TW_LOG_INFO, "serving probes and metrics", tw_log_text("address", address));
    return ops;
}

void tw_ops_close(tw_ops_t *ops)
{
    if (ops == NULL)
        return;
    uv_close((uv_handle_t *)&ops->listener, NULL);
    h2o_context_request_shutdown(&ops->http.super);
}

unsigned tw_ops_connections(const tw_ops_t *ops)
{
    return ops != NULL ? ops->connections : 0;
}

void tw_ops_destroy(tw_ops_t *ops)
{
    if (ops == NULL)
        return;
    if (h2o_timeout_is_linked(&ops->http.super.http2._graceful_shutdown_timeout))
        h2o_timeout_unlink(&ops->http.super.http2._graceful_shutdown_timeout);
    h2o_context_dispose(&ops->http.super);
    h2o_config_dispose(&ops->config);
    free(ops);
}
