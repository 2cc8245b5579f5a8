/**
 * The keys that may publish and administer, sent as Authorization: Bearer (RFC 6750 section 2.1).
 *
 * Only digests of the keys are kept. Every check compares the digest of the key that was sent with
 * all of them, in constant time, so that the time of an answer reveals nothing. Set up before the
 * first request; after that any thread may check.
 */
#ifndef TW_HANDLERS_AUTH_H
#define TW_HANDLERS_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#define TW_KEY_DIGEST_SIZE 32 /* SHA-256 */

typedef struct tw_auth {
    EVP_MD
    *sha256; /* owned; fetched once, because each look-up by name costs as much as a digest */
    unsigned char (*digests)[TW_KEY_DIGEST_SIZE]; /* owned */
    size_t count;
} tw_auth_t;

/** Reads the keys of a comma-separated text, without the white space around them. Returns how many
 * different ones there are. */
size_t tw_auth_init(tw_auth_t *auth, const char *keys);

/** Frees the digests. */
void tw_auth_dispose(tw_auth_t *auth);

/**
 * Whether this Authorization header (NULL: the request has none) carries one of the keys. Then *key
 * is set to its index, which is below auth->count; key may be NULL.
 */
bool tw_auth_check(const tw_auth_t *auth, const char *header, size_t len, size_t *key);

#endif
