#include "handlers/tokens/tokens.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/alloc.h"
#include "base/container.h"
#include "base/secret_file.h"
#include "base/table.h"

#define FILE_BYTES_MAX ((size_t)64 << 10)
#define DIGEST_SIZE 32 /* SHA-256 */

/* --- the keys in force --- */

void tw_tokens_init(tw_tokens_t *tokens, const tw_token_rules_t *rules)
{
    *tokens = (tw_tokens_t){.rules = *rules, .sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)};
    pthread_mutex_init(&tokens->lock, NULL);
}

const char *tw_tokens_load(tw_tokens_t *tokens, const char *path)
{
    char *buffer = tw_alloc(FILE_BYTES_MAX);
    tw_token_keys_t *keys = NULL, *past = NULL;
    tw_text_t text;
    const char *problem = tw_secret_file_read(path, buffer, FILE_BYTES_MAX, &text);

    if (problem == NULL)
        problem = tw_token_keys_read(text, &keys);
    OPENSSL_cleanse(buffer, FILE_BYTES_MAX);
    free(buffer);
    if (problem != NULL)
        return problem;
    pthread_mutex_lock(&tokens->lock);
    past = tokens->keys;
    tokens->keys = keys;
    ++tokens->generation;
    pthread_mutex_unlock(&tokens->lock);
    tw_token_keys_unref(past);
    return NULL;
}

bool tw_tokens_ready(const tw_tokens_t *tokens)
{
    return tokens->generation > 0;
}

void tw_tokens_dispose(tw_tokens_t *tokens)
{
    tw_token_keys_unref(tokens->keys);
    EVP_MD_free(tokens->sha256);
    pthread_mutex_destroy(&tokens->lock);
    *tokens = (tw_tokens_t){.keys = NULL};
}

/* --- a worker's cache --- */

typedef struct tw_cached {
    tw_table_entry_t entry;
    TAILQ_ENTRY(tw_cached) used;
    unsigned char digest[DIGEST_SIZE];
    size_t bytes;
    tw_token_t *token; /* owned reference */
} tw_cached_t;

struct tw_token_cache {
    tw_tokens_t *tokens;   /* borrowed */
    tw_token_keys_t *keys; /* owned reference; NULL while there are none */
    unsigned generation;   /* of these keys */
    tw_table_t table;
    TAILQ_HEAD(tw_cached_list, tw_cached) by_use; /* the last used one is the last */
    size_t bytes;
};

tw_token_cache_t *tw_token_cache_create(tw_tokens_t *tokens)
{
    tw_token_cache_t *cache = tw_alloc(sizeof(*cache));

    cache->tokens = tokens;
    tw_table_init(&cache->table);
    TAILQ_INIT(&cache->by_use);
    return cache;
}

static void forget(tw_token_cache_t *cache, tw_cached_t *cached)
{
    tw_table_remove(&cache->table, &cached->entry);
    TAILQ_REMOVE(&cache->by_use, cached, used);
    cache->bytes -= cached->bytes;
    tw_token_unref(cached->token);
    free(cached);
}

static void forget_all(tw_token_cache_t *cache)
{
    while (!TAILQ_EMPTY(&cache->by_use))
        forget(cache, TAILQ_FIRST(&cache->by_use));
}

/* What was verified with keys that have been replaced does not count any more. */
static void follow_keys(tw_token_cache_t *cache)
{
    tw_tokens_t *tokens = cache->tokens;

    if (cache->generation == tokens->generation)
        return;
    forget_all(cache);
    tw_token_keys_unref(cache->keys);
    pthread_mutex_lock(&tokens->lock);
    cache->keys = tw_token_keys_ref(tokens->keys);
    cache->generation = tokens->generation;
    pthread_mutex_unlock(&tokens->lock);
}

/* The digest is the key of the look-up, and cannot be chosen: a part of it is its hash. */
static uint64_t hash_of(const unsigned char *digest)
{
    uint64_t hash;
    memcpy(&hash, digest, sizeof(hash));
    return hash;
}

static bool has_digest(const tw_table_entry_t *entry, const void *digest)
{
    const tw_cached_t *cached = TW_CONTAINER_OF(entry, tw_cached_t, entry);
    return memcmp(cached->digest, digest, DIGEST_SIZE) == 0;
}

static void keep(tw_token_cache_t *cache, const unsigned char *digest, tw_token_t *token)
{
    tw_cached_t *cached = tw_alloc(sizeof(*cached));

    cached->entry.hash = hash_of(digest);
    memcpy(cached->digest, digest, DIGEST_SIZE);
    cached->token = tw_token_ref(token);
    cached->bytes = sizeof(*cached) + sizeof(*token) + tw_patterns_size(&token->subscribe) +
                    tw_patterns_size(&token->publish) +
                    (token->subject != NULL ? strlen(token->subject) : 0);
    tw_table_insert(&cache->table, &cached->entry);
    TAILQ_INSERT_TAIL(&cache->by_use, cached, used);
    cache->bytes += cached->bytes;
    while (cache->bytes > TW_TOKEN_CACHE_BYTES)
        forget(cache, TAILQ_FIRST(&cache->by_use));
}

/* NULL: it is not among those that were verified. */
static tw_cached_t *find(tw_token_cache_t *cache, const unsigned char *digest)
{
    tw_table_entry_t *entry = tw_table_find(&cache->table, hash_of(digest), has_digest, digest);

    if (entry == NULL)
        return NULL;
    tw_cached_t *cached = TW_CONTAINER_OF(entry, tw_cached_t, entry);
    TAILQ_REMOVE(&cache->by_use, cached, used);
    TAILQ_INSERT_TAIL(&cache->by_use, cached, used);
    return cached;
}

tw_token_verdict_t tw_token_cache_verify(tw_token_cache_t *cache, tw_text_t text, int64_t now_s,
                                         tw_token_t **token, uint64_t *cost_ns)
{
    const tw_token_rules_t *rules = &cache->tokens->rules;
    unsigned char digest[DIGEST_SIZE];

    *cost_ns = 0;
    follow_keys(cache);
    if (text.len > TW_TOKEN_BYTES_MAX)
        return TW_TOKEN_TOO_LARGE;
    if (cache->keys == NULL ||
        EVP_Digest(text.base, text.len, digest, NULL, cache->tokens->sha256, NULL) != 1)
        return TW_TOKEN_INVALID;
    tw_cached_t *cached = find(cache, digest);
    if (cached != NULL) {
        if (cached->token->expires_at_s + rules->leeway_s <= now_s) {
            forget(cache, cached);
            return TW_TOKEN_EXPIRED;
        }
        *token = cached->token;
        return TW_TOKEN_VALID;
    }
    tw_token_verdict_t verdict = tw_token_verify(text, cache->keys, rules, now_s, token, cost_ns);
    if (verdict == TW_TOKEN_VALID) {
        keep(cache, digest, *token);
        tw_token_unref(*token); /* the cache has its own */
    }
    return verdict;
}

size_t tw_token_cache_count(const tw_token_cache_t *cache)
{
    return cache->table.count;
}

void tw_token_cache_destroy(tw_token_cache_t *cache)
{
    if (cache == NULL)
        return;
    forget_all(cache);
    tw_table_dispose(&cache->table);
    tw_token_keys_unref(cache->keys);
    free(cache);
}
