/**
 * TLS for the listeners: an SSL_CTX that all workers share, and its replacement while streams are
 * open.
 *
 * A context speaks TLS 1.2 and 1.3 with forward-secret AEAD ciphers, offers h2 and http/1.1 (RFC
 * 7301), does not renegotiate or compress, bounds key updates, and encrypts session tickets with
 * keys that outlive it. A connection keeps the context that it began with, so replacing the context
 * closes nothing.
 *
 * tw_tls_store_context() may be called by any thread, the other functions by one thread at a time.
 */
#ifndef TW_TLS_SERVER_CONTEXT_H
#define TW_TLS_SERVER_CONTEXT_H

#include <openssl/ssl.h>
#include <time.h>

#include "tls/certificate.h"
#include "tls/error.h"
#include "tls/ticket_keys.h"

/**
 * A replaced context stays valid for so long, for connections that were accepted with it and have
 * not sent their first byte. It is longer than a handshake may take.
 */
#define TW_TLS_CONTEXT_GRACE_S 60

typedef struct tw_tls_store tw_tls_store_t;

/**
 * Makes a server context. Returns NULL with a message about `subject` when OpenSSL refuses the
 * certificate, for example for a key that is too weak. The caller frees it with SSL_CTX_free().
 */
SSL_CTX *tw_tls_server_context_create(const tw_certificate_t *certificate, tw_ticket_keys_t *keys,
                                      const char *subject, tw_tls_error_t *error);

/**
 * Makes the store with its first context, from the PEM files `chain_path` and `key_path`, or, when
 * both are NULL, from an ephemeral certificate. Returns 0, or a negative tw_tls_status_t with a
 * message.
 * `*store` is set only on success.
 */
int tw_tls_store_create(tw_tls_store_t **store, const char *chain_path, const char *key_path,
                        tw_tls_error_t *error);

/** Frees the store and its contexts. No connection may be in its handshake any more. NULL is a
 * no-op. */
void tw_tls_store_destroy(tw_tls_store_t *store);

/**
 * The context for a connection that is accepted now: borrowed, to be made an SSL of within
 * TW_TLS_CONTEXT_GRACE_S (an SSL keeps a reference of its own). Never NULL. Any thread.
 */
SSL_CTX *tw_tls_store_context(tw_tls_store_t *store);

/**
 * Reloads the files into a new context, for tw_tls_store_replace(). Blocks. May run on another
 * thread while the store exists, because it reads only what never changes. Returns 0, or a negative
 * status with a message; `*context` and `*not_after` (seconds since 1970) are set only on success.
 * The store must have paths.
 */
int tw_tls_store_load(const tw_tls_store_t *store, SSL_CTX **context, time_t *not_after,
                      tw_tls_error_t *error);

/** New connections get `context` from now on; the store takes the caller's reference. */
void tw_tls_store_replace(tw_tls_store_t *store, SSL_CTX *context, time_t not_after);

/** The end of the current certificate's validity, in seconds since 1970. Any thread. */
time_t tw_tls_store_not_after(tw_tls_store_t *store);

/** The paths of the files; NULL with an ephemeral certificate. Borrowed: they live as long as the
 * store. */
const char *tw_tls_store_chain_path(const tw_tls_store_t *store);
const char *tw_tls_store_key_path(const tw_tls_store_t *store);

#endif
