/**
 * Who may publish and administer: whoever has one of the keys. RFC 6750 2.1 (Authorization:
 * Bearer).
 *
 * Only digests of the keys are kept. Every check compares the digest of what was sent with all of
 * them, in constant time, so that an answer's time tells nothing. Set up before traffic, then read
 * by any thread.
 */
#ifndef TW_HANDLERS_AUTH_H
#define TW_HANDLERS_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#define TW_KEY_DIGEST_SIZE 32 /* SHA-256 */

typedef struct tw_auth {
    EVP_MD *sha256; /* owned; fetched once: each look-up by name costs as much as the digest */
    unsigned char (*digests)[TW_KEY_DIGEST_SIZE]; /* owned */
    size_t count;
} tw_auth_t;

/** Keys from a comma-separated text; blanks around a key do not count. Returns how many there are.
 */
size_t tw_auth_init(tw_auth_t *auth, const char *keys);

void tw_auth_dispose(tw_auth_t *auth);

/**
 * Whether this Authorization header (NULL: none) carries one of the keys; then *key (may be NULL)
 * is which, below auth->count.
 */
bool tw_auth_check(const tw_auth_t *auth, const char *header, size_t len, size_t *key);

#endif
