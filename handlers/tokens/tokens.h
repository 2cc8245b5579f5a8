/**
 * Tokens: the keys in force, which may be replaced at any time, and for each worker a cache of what
 * it has verified, so that a token that comes again costs a look-up.
 *
 * The cache knows a token by its digest and never holds its text. It keeps a token until it
 * expires, holds at most TW_TOKEN_CACHE_BYTES, and then forgets what was used longest ago. When the
 * keys change it is emptied: a token whose key is gone is valid no more. Wrong tokens are not kept.
 *
 * tw_tokens_t is the process's: one thread loads keys, any thread may read them. A cache belongs to
 * its worker's thread.
 *
 * The gateway owns the keys, each worker its cache. Callers: handlers/access.c, server/key_file.c,
 * server/process.c, server/worker.c.
 */
#ifndef TW_HANDLERS_TOKENS_H
#define TW_HANDLERS_TOKENS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <openssl/evp.h>

#include "handlers/tokens/verify.h"

#define TW_TOKEN_CACHE_BYTES ((size_t)4 << 20)

typedef struct tw_tokens {
    tw_token_rules_t rules;
    EVP_MD *sha256; /* owned */
    pthread_mutex_t lock;
    tw_token_keys_t *keys;  /* owned; under the lock */
    atomic_uint generation; /* of the keys: 0 when none have been loaded */
} tw_tokens_t;

/** Without keys no token is valid. */
void tw_tokens_init(tw_tokens_t *tokens, const tw_token_rules_t *rules);

/** Reads the keys of a file in place of those before. Returns NULL, or in a few words why nothing
 * has changed. */
const char *tw_tokens_load(tw_tokens_t *tokens, const char *path);

/** Whether keys have been loaded. */
bool tw_tokens_ready(const tw_tokens_t *tokens);

void tw_tokens_dispose(tw_tokens_t *tokens);

typedef struct tw_token_cache tw_token_cache_t;

/** `tokens` is borrowed, and outlives the cache. */
tw_token_cache_t *tw_token_cache_create(tw_tokens_t *tokens);

/**
 * Verifies a token as it was sent, or finds it among those that were verified. VALID: *token is
 * borrowed from the cache, and valid until its next call, unless the caller takes a reference.
 * *cost_ns is about what it has cost, 0 if it was found.
 */
tw_token_verdict_t tw_token_cache_verify(tw_token_cache_t *cache, tw_text_t text, int64_t now_s,
                                         tw_token_t **token, uint64_t *cost_ns);

/** How many tokens are kept. */
size_t tw_token_cache_count(const tw_token_cache_t *cache);

/** NULL is a no-op. */
void tw_token_cache_destroy(tw_token_cache_t *cache);

#endif
