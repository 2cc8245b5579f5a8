/**
 * The keys that may publish and administer, sent as Authorization: Bearer (RFC 6750 section 2.1).
 *
 * They come from an option, which stays, and from a file, which may be replaced at any time; both
 * count. Only digests of the keys are kept. Every check compares the digest of the key that was
 * sent with all of them, in constant time, so that the time of an answer reveals nothing.
 * tw_auth_init() is called before the first request; after that any thread may check, and one
 * thread load.
 *
 * The gateway owns it. Callers: handlers/request.c and handlers/access.c (check),
 * handlers/audit.c, server/ (reads and loads, on the main thread).
 */
#ifndef TW_HANDLERS_AUTH_H
#define TW_HANDLERS_AUTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#include "base/text.h"

#define TW_KEY_DIGEST_SIZE 32     /* SHA-256 */
#define TW_KEY_FINGERPRINT_SIZE 9 /* with its NUL */
#define TW_KEYS_MAX 1024
#define TW_KEY_LEN_GOOD 16 /* shorter keys can be guessed */

typedef enum tw_key_origin {
    TW_KEY_NONE, /* the place is free */
    TW_KEY_OF_OPTION,
    TW_KEY_OF_FILE,
} tw_key_origin_t;

typedef struct tw_auth {
    /* owned; fetched once, because each look-up by name costs as much as a digest */
    EVP_MD *sha256;
    pthread_rwlock_t lock;                        /* of all below */
    unsigned char (*digests)[TW_KEY_DIGEST_SIZE]; /* owned; TW_KEYS_MAX places */
    unsigned char origins[TW_KEYS_MAX];           /* tw_key_origin_t of each place */
    size_t count;                                 /* of places up to the last one that is taken */
    size_t short_of_option, short_of_file; /* how many are shorter than TW_KEY_LEN_GOOD; for the
                                              thread that loads */
} tw_auth_t;

/** Reads the keys of the option: a comma-separated text (NULL: none), without the white space
 * around them. Returns how many different ones there are; only the first TW_KEYS_MAX count. */
size_t tw_auth_init(tw_auth_t *auth, const char *keys);

/**
 * Reads the keys of a file, separated by commas or line ends, in place of those that the file held
 * before. A key that stays keeps its index. Returns NULL, or in a few words why nothing has
 * changed.
 */
const char *tw_auth_load(tw_auth_t *auth, const char *path);

/** Frees the digests. */
void tw_auth_dispose(tw_auth_t *auth);

/** What an Authorization header (NULL: the request has none) carries as Bearer; empty: nothing. */
tw_text_t tw_auth_bearer(const char *header, size_t len);

/**
 * Whether this Authorization header (NULL: the request has none) carries one of the keys. Then *key
 * is set to its index, which is below TW_KEYS_MAX; key may be NULL.
 */
bool tw_auth_check(tw_auth_t *auth, const char *header, size_t len, size_t *key);

/**
 * Writes what a log may say of the key in an Authorization header, valid or not: the first 8
 * hexadecimal digits of its SHA-256. Empty when the header (NULL: none) carries no key.
 */
void tw_auth_fingerprint(const tw_auth_t *auth, const char *header, size_t len,
                         char fingerprint[TW_KEY_FINGERPRINT_SIZE]);

#endif
