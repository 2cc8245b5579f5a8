/**
 * How both test servers listen: for HTTP on one free port of the loopback interface and for HTTPS
 * on another.
 */
#ifndef TEST_LISTENER_H
#define TEST_LISTENER_H

#include <openssl/ssl.h>
#include <uv.h>

#include "h2o.h"

typedef struct {
    h2o_accept_ctx_t accept;
    uv_tcp_t handle;
    int port;
    int sndbuf; /* size of the send buffer of accepted sockets; 0: the system's default */
} listener_t;

/* Listens; ssl_ctx is NULL for HTTP. Ends the process when that fails. */
void listener_open(listener_t *listener, h2o_context_t *ctx, SSL_CTX *ssl_ctx);

/* A context with the certificate and its key (PEM files). Ends the process when that fails. */
SSL_CTX *listener_create_ssl_ctx(const char *cert_file, const char *key_file);

/* Prints {"plain": PORT, "tls": PORT}, which tells the test that the server listens. */
void listener_announce(const listener_t *plain, const listener_t *tls);

#endif
