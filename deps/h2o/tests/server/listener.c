#include "listener.h"

#include <stdio.h>
#include <stdlib.h>

#include "h2o/http1.h"
#include "h2o/http2.h"

static void on_accept(uv_stream_t *handle, int status)
{
    listener_t *listener = handle->data;
    uv_tcp_t *tcp;
    int bytes = listener->sndbuf;

    if (status != 0)
        return;
    tcp = h2o_mem_alloc(sizeof(*tcp));
    uv_tcp_init(handle->loop, tcp);
    if (uv_accept(handle, (uv_stream_t *)tcp) != 0) {
        uv_close((uv_handle_t *)tcp, (uv_close_cb)free);
        return;
    }
    if (bytes != 0)
        uv_send_buffer_size((uv_handle_t *)tcp, &bytes);
    h2o_accept(&listener->accept, h2o_uv_socket_create((uv_stream_t *)tcp, (uv_close_cb)free));
}

void listener_open(listener_t *listener, h2o_context_t *ctx, SSL_CTX *ssl_ctx)
{
    struct sockaddr_in address;
    struct sockaddr_storage bound;
    int len = sizeof(bound), ret;

    listener->accept.ctx = ctx;
    listener->accept.hosts = ctx->globalconf->hosts;
    listener->accept.ssl_ctx = ssl_ctx;
    uv_tcp_init(ctx->loop, &listener->handle);
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

SSL_CTX *listener_create_ssl_ctx(const char *cert_file, const char *key_file)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());

    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_use_certificate_file(ssl_ctx, cert_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(ssl_ctx, key_file, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "server: cannot read %s and %s\n", cert_file, key_file);
        exit(1);
    }
    h2o_ssl_register_alpn_protocols(ssl_ctx, h2o_http2_alpn_protocols);
    return ssl_ctx;
}

void listener_announce(const listener_t *plain, const listener_t *tls)
{
    printf("{\"plain\": %d, \"tls\": %d}\n", plain->port, tls->port);
    fflush(stdout);
}
