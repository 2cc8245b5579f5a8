/**
 * A server certificate: leaf, chain and private key, which are checked when they are loaded.
 *
 * The key belongs to the leaf, and the leaf was valid when it was loaded. A certificate is
 * immutable. Any thread, several at once. Creating and loading block, on files and on arithmetic.
 */
#ifndef TW_TLS_CERTIFICATE_H
#define TW_TLS_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <time.h>

#include "tls/error.h"

typedef struct tw_certificate {
    X509 *leaf;             /* owned */
    STACK_OF(X509) * chain; /* owned; the certificates behind the leaf in its file; may be empty */
    EVP_PKEY *key;          /* owned */
} tw_certificate_t;

/**
 * Loads a PEM chain (leaf first) and its PEM private key; both may be the same file. Returns 0, or
 * a negative tw_tls_status_t with a message that names the path. `*certificate` is set only on
 * success and is the caller's to destroy.
 */
int tw_certificate_load(tw_certificate_t **certificate, const char *chain_path,
                        const char *key_path, tw_tls_error_t *error);

/**
 * Makes a self-signed ECDSA P-256 certificate for localhost, 127.0.0.1, ::1 and the machine's host
 * name. It is valid for a year from yesterday, because clocks differ, and exists in memory only.
 * Returns and sets as tw_certificate_load() does.
 */
int tw_certificate_create_ephemeral(tw_certificate_t **certificate, tw_tls_error_t *error);

/** The end of the leaf's validity, in seconds since 1970. */
time_t tw_certificate_not_after(const tw_certificate_t *certificate);

/** Frees it; NULL is a no-op. */
void tw_certificate_destroy(tw_certificate_t *certificate);

#endif
