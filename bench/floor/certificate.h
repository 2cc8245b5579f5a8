/* A throw-away TLS identity for the floor program; main thread, at start. */
#ifndef LOAD_FLOOR_CERTIFICATE_H
#define LOAD_FLOOR_CERTIFICATE_H

#include <openssl/ssl.h>

/*
 * A TLS 1.3 server context with a self-signed P-256 certificate made now, which selects ALPN h2.
 * NULL when OpenSSL fails. The caller frees it.
 */
SSL_CTX *load_floor_tls_create(void);

#endif
