/**
 * A server certificate: leaf, chain and private key, checked before anything is made of them.
 *
 * Invariants: the key belongs to the leaf, and the leaf was valid when it was loaded. Immutable
 * after creation. Threads: any, also several at once; creating and loading block on files and
 * arithmetic.
 */
#ifndef TW_TLS_CERTIFICATE_H
#define TW_TLS_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <time.h>

#include "tls/error.h"

typedef struct tw_certificate {
    X509 *leaf;             /* owned */
    STACK_OF(X509) * chain; /* owned; what follows the leaf in its file, may be empty */
    EVP_PKEY *key;          /* owned */
} tw_certificate_t;

/**
 * Loads a PEM chain (leaf first) and its PEM private key; both may be the same file. 0, or a
 * negative tw_tls_status_t with a message that names the path. `*certificate` is set only on
 * success and is the caller's to destroy.
 */
int tw_certificate_load(tw_certificate_t **certificate, const char *chain_path,
                        const char *key_path, tw_tls_error_t *error);

/**
 * Makes a self-signed ECDSA P-256 certificate for localhost, 127.0.0.1, ::1 and the machine's host
 * name, valid for a year from yesterday (clocks differ). It exists in memory only.
 */
int tw_certificate_create_ephemeral(tw_certificate_t **certificate, tw_tls_error_t *error);

/** The end of the leaf's validity, in seconds since 1970. */
time_t tw_certificate_not_after(const tw_certificate_t *certificate);

/** Frees it; NULL is nothing. */
void tw_certificate_destroy(tw_certificate_t *certificate);

#endif
