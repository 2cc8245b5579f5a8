/**
 * The TLS side of the listeners: one SSL_CTX that all workers share, and its replacement while
 * streams are open.
 *
 * A context speaks TLS 1.2 and 1.3 with forward-secret AEAD ciphers, offers h2 and http/1.1 (RFC
 * 7301), neither renegotiates nor compresses, and seals session tickets under keys that outlive it.
 * A connection keeps the context that it began with; replacing one drops nothing.
 *
 * Threads: tw_tls_store_context() any; the rest one thread at a time.
 */
#ifndef TW_TLS_SERVER_CONTEXT_H
#define TW_TLS_SERVER_CONTEXT_H

#include <openssl/ssl.h>
#include <time.h>

#include "tls/certificate.h"
#include "tls/error.h"
#include "tls/ticket_keys.h"

/**
 * A replaced context stays valid for this long, for connections that were accepted with it and have
 * not sent their first byte: longer than any handshake may take.
 */
#define TW_TLS_CONTEXT_GRACE_S 60

typedef struct tw_tls_store tw_tls_store_t;

/**
 * Makes a server context. Returns NULL with a message about `subject` when OpenSSL refuses the
 * certificate (too weak a key, say). The caller frees it with SSL_CTX_free().
 */
SSL_CTX *tw_tls_server_context_create(const tw_certificate_t *certificate, tw_ticket_keys_t *keys,
                                      const char *subject, tw_tls_error_t *error);

/**
 * Makes the store with its first context, from the PEM files `chain_path` and `key_path`, or, when
 * both are NULL, from an ephemeral certificate. 0, or a negative tw_tls_status_t with a message.
 * `*store` is set only on success.
 */
int tw_tls_store_create(tw_tls_store_t **store, const char *chain_path, const char *key_path,
                        tw_tls_error_t *error);

/** Frees it and its contexts. No connection may be in its handshake any more. NULL is nothing. */
void tw_tls_store_destroy(tw_tls_store_t *store);

/**
 * The context for a connection that is accepted now: borrowed, to be made an SSL of within
 * TW_TLS_CONTEXT_GRACE_S (an SSL keeps a reference of its own). Never NULL. Any thread.
 */
SSL_CTX *tw_tls_store_context(tw_tls_store_t *store);

/**
 * Loads the files anew into a context of its own, for tw_tls_store_replace(). Blocks; may run on
 * another thread than the store's while the store lives, since it reads only what never changes.
 * 0, or a negative status with a message; `*context` and `*not_after` (seconds since 1970) are set
 * only on success. The store must have paths.
 */
int tw_tls_store_load(const tw_tls_store_t *store, SSL_CTX **context, time_t *not_after,
                      tw_tls_error_t *error);

/** New connections get `context` from now on; the store takes the caller's reference. */
void tw_tls_store_replace(tw_tls_store_t *store, SSL_CTX *context, time_t not_after);

/** The end of the current certificate's validity, in seconds since 1970. Any thread. */
time_t tw_tls_store_not_after(tw_tls_store_t *store);

/** The files; NULL with an ephemeral certificate. Borrowed: live as long as the store. */
const char *tw_tls_store_chain_path(const tw_tls_store_t *store);
const char *tw_tls_store_key_path(const tw_tls_store_t *store);

#endif
