/**
 * The client side of TLS, for connections to a server that must prove who it is (Redis).
 *
 * A context may be used by any thread, an SSL that was made from it by its owner only. Creating a
 * context reads files, and blocks.
 */
#ifndef TW_TLS_CLIENT_CONTEXT_H
#define TW_TLS_CLIENT_CONTEXT_H

#include <openssl/ssl.h>

#include "tls/error.h"

/**
 * Makes a context that trusts the PEM certificates in `ca_path`, or the system's when it is NULL.
 * TLS 1.2 and newer; the peer's certificate is always verified. Returns 0, or a negative
 * tw_tls_status_t with a message that names the file. The caller frees `*context` with
 * SSL_CTX_free().
 */
int tw_tls_client_context_create(SSL_CTX **context, const char *ca_path, tw_tls_error_t *error);

/**
 * Sets the PEM chain (leaf first) and its PEM key with which we prove who we are to servers that
 * ask. 0, or a negative tw_tls_status_t with a message that names the file.
 */
int tw_tls_client_context_identify(SSL_CTX *context, const char *chain_path, const char *key_path,
                                   tw_tls_error_t *error);

/**
 * Makes the SSL of one connection to `host`, a DNS name or an IP address (IPv6 without brackets):
 * the handshake fails unless the peer's certificate names it. DNS names are sent as SNI (RFC 6066
 * section 3 leaves addresses out). The SSL is in connect state and has no BIO yet; the caller frees
 * it.
 */
int tw_tls_client_create(SSL **ssl, SSL_CTX *context, const char *host, tw_tls_error_t *error);

/**
 * Why the handshake of `ssl` failed: the verification error if there was one ("certificate has
 * expired"), else OpenSSL's reason; empties the thread's error queue. Never NULL; a constant
 * string.
 */
const char *tw_tls_client_failure(const SSL *ssl);

#endif
