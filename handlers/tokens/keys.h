/**
 * The keys that tokens are checked with (RFC 7517): from a JWK Set, one PEM public key, or a shared
 * secret.
 *
 * Each key has exactly one algorithm (RFC 8725 section 3.1): the one that its `alg` names, else the
 * usual one of its kind: RS256, ES256, ES384, HS256. A set never changes once it is read; its
 * references are counted atomically. Any thread.
 *
 * Callers: handlers/tokens/tokens.c.
 */
#ifndef TW_HANDLERS_TOKEN_KEYS_H
#define TW_HANDLERS_TOKEN_KEYS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cjose/jwk.h>

#include "base/text.h"

#define TW_TOKEN_KEYS_MAX 32
#define TW_TOKEN_SECRET_MIN 32 /* bytes of a shared secret */

typedef struct tw_token_algorithm {
    const char *name;
    cjose_jwk_kty_t kind;
    int curve;          /* of kind EC; else 0 */
    size_t key_bits;    /* of kinds RSA and oct: the least size of a key */
    size_t signature;   /* bytes; 0: as many as the key has */
    uint64_t verify_ns; /* about what it costs to check a signature */
} tw_token_algorithm_t;

typedef struct tw_token_key {
    const tw_token_algorithm_t *algorithm;
    cjose_jwk_t *jwk; /* owned */
    char *kid;        /* owned; NULL: it has none, and fits whatever `kid` a token names */
} tw_token_key_t;

typedef struct tw_token_keys {
    atomic_uint references;
    size_t count; /* at least 1 */
    tw_token_key_t items[TW_TOKEN_KEYS_MAX];
} tw_token_keys_t;

/**
 * Reads what a file of keys holds. Returns NULL and sets *keys, or returns in a few words why there
 * are none; that text is constant. In a JWK Set, keys for other uses, of unknown kinds or with
 * unknown algorithms are left out (RFC 7517 section 5); weak ones are refused.
 */
const char *tw_token_keys_read(tw_text_t file, tw_token_keys_t **keys);

/** Returns the set with one more reference. */
tw_token_keys_t *tw_token_keys_ref(tw_token_keys_t *keys);

/** Drops a reference; the last one frees the set. NULL is a no-op. */
void tw_token_keys_unref(tw_token_keys_t *keys);

#endif
