#include "handlers/clients/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "base/alloc.h"
#include "base/secret_file.h"

#define FILE_BYTES_MAX ((size_t)256 << 10)

static bool digest(const tw_auth_t *auth, tw_text_t key, unsigned char out[TW_KEY_DIGEST_SIZE])
{
    return EVP_Digest(key.base, key.len, out, NULL, auth->sha256, NULL) == 1;
}

static bool same(const unsigned char *a, const unsigned char *b)
{
    return memcmp(a, b, TW_KEY_DIGEST_SIZE) == 0;
}

/* --- a set of keys, as a text lists them --- */

typedef struct tw_key_set {
    unsigned char digests[TW_KEYS_MAX][TW_KEY_DIGEST_SIZE];
    size_t count;
    size_t short_count;
    bool too_many;
} tw_key_set_t;

static bool set_has(const tw_key_set_t *set, const unsigned char *sought)
{
    for (size_t i = 0; i < set->count; ++i)
        if (same(set->digests[i], sought))
            return true;
    return false;
}

static void set_add(tw_key_set_t *set, const tw_auth_t *auth, tw_text_t key)
{
    unsigned char made[TW_KEY_DIGEST_SIZE];

    if (key.len == 0 || !digest(auth, key, made) || set_has(set, made))
        return; /* a key that is given twice is one key */
    if (set->count == TW_KEYS_MAX) {
        set->too_many = true;
        return;
    }
    memcpy(set->digests[set->count++], made, sizeof(made));
    set->short_count += key.len < TW_KEY_LEN_GOOD;
}

/* Commas and line ends separate keys. */
static tw_key_set_t *read_set(const tw_auth_t *auth, tw_text_t list)
{
    tw_key_set_t *set = tw_alloc(sizeof(*set));

    while (list.len > 0) {
        size_t len = 0;
        while (len < list.len && memchr(",\r\n", list.base[len], 3) == NULL)
            ++len;
        set_add(set, auth, tw_text_strip(tw_text(list.base, len)));
        list = tw_text_from(list, len + 1);
    }
    return set;
}

/* --- the keys in force --- */

/* The place of the digest, or TW_KEYS_MAX. */
static size_t find(const tw_auth_t *auth, const unsigned char *sought)
{
    for (size_t i = 0; i < auth->count; ++i)
        if (auth->origins[i] != TW_KEY_NONE && same(auth->digests[i], sought))
            return i;
    return TW_KEYS_MAX;
}

static void put(tw_auth_t *auth, const unsigned char *made, tw_key_origin_t origin)
{
    size_t place = 0;

    if (find(auth, made) < TW_KEYS_MAX)
        return;
    while (place < TW_KEYS_MAX && auth->origins[place] != TW_KEY_NONE)
        ++place;
    if (place == TW_KEYS_MAX)
        return;
    memcpy(auth->digests[place], made, TW_KEY_DIGEST_SIZE);
    auth->origins[place] = (unsigned char)origin;
    if (place >= auth->count)
        auth->count = place + 1;
}

static void remove_all_but(tw_auth_t *auth, const tw_key_set_t *set)
{
    for (size_t i = 0; i < auth->count; ++i)
        if (auth->origins[i] == TW_KEY_OF_FILE && !set_has(set, auth->digests[i]))
            auth->origins[i] = TW_KEY_NONE;
}

static size_t count_of_option(const tw_auth_t *auth)
{
    size_t count = 0;
    for (size_t i = 0; i < auth->count; ++i)
        count += auth->origins[i] == TW_KEY_OF_OPTION;
    return count;
}

size_t tw_auth_init(tw_auth_t *auth, const char *keys)
{
    pthread_rwlockattr_t attributes;

    *auth = (tw_auth_t){.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL),
                        .digests = tw_alloc(TW_KEYS_MAX * sizeof(*auth->digests))};
    /* Checks that come without a pause must not keep new keys out. */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&auth->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);

    tw_key_set_t *set = read_set(auth, tw_text_of(keys));
    for (size_t i = 0; i < set->count; ++i)
        put(auth, set->digests[i], TW_KEY_OF_OPTION);
    auth->short_of_option = set->short_count;
    free(set);
    return auth->count;
}

const char *tw_auth_load(tw_auth_t *auth, const char *path)
{
    char *buffer = tw_alloc(FILE_BYTES_MAX);
    tw_text_t text;
    const char *problem = tw_secret_file_read(path, buffer, FILE_BYTES_MAX, &text);
    tw_key_set_t *set = problem == NULL ? read_set(auth, text) : NULL;

    OPENSSL_cleanse(buffer, FILE_BYTES_MAX);
    free(buffer);
    if (problem == NULL && set->count == 0)
        problem = "it holds no key";
    else if (problem == NULL && (set->too_many || set->count + count_of_option(auth) > TW_KEYS_MAX))
        problem = "it holds too many keys";
    if (problem == NULL) {
        pthread_rwlock_wrlock(&auth->lock);
        remove_all_but(auth, set);
        for (size_t i = 0; i < set->count; ++i)
            put(auth, set->digests[i], TW_KEY_OF_FILE);
        auth->short_of_file = set->short_count;
        pthread_rwlock_unlock(&auth->lock);
    }
    free(set);
    return problem;
}

void tw_auth_dispose(tw_auth_t *auth)
{
    free(auth->digests);
    EVP_MD_free(auth->sha256);
    pthread_rwlock_destroy(&auth->lock);
    *auth = (tw_auth_t){.sha256 = NULL};
}

tw_text_t tw_auth_bearer(const char *header, size_t len)
{
    static const char scheme[] = "bearer";

    if (header == NULL)
        return tw_text(NULL, 0);
    tw_text_t text = tw_text_trim(tw_text(header, len));
    tw_text_t token = tw_text_trim(tw_text_from(text, sizeof(scheme) - 1));
    /* A blank lies between the scheme and the key. */
    if (token.len == 0 || token.base == text.base + sizeof(scheme) - 1 ||
        strncasecmp(text.base, scheme, sizeof(scheme) - 1) != 0)
        return tw_text(NULL, 0);
    return token;
}

/* The digest of the key in the header; false when it carries none. */
static bool digest_of_header(const tw_auth_t *auth, const char *header, size_t len,
                             unsigned char out[TW_KEY_DIGEST_SIZE])
{
    tw_text_t token = tw_auth_bearer(header, len);
    return token.len > 0 && digest(auth, token, out);
}

void tw_auth_fingerprint(const tw_auth_t *auth, const char *header, size_t len,
                         char fingerprint[TW_KEY_FINGERPRINT_SIZE])
{
    unsigned char sent[TW_KEY_DIGEST_SIZE];

    fingerprint[0] = '\0';
    if (digest_of_header(auth, header, len, sent))
        snprintf(fingerprint, TW_KEY_FINGERPRINT_SIZE, "%02x%02x%02x%02x", sent[0], sent[1],
                 sent[2], sent[3]);
}

bool tw_auth_check(tw_auth_t *auth, const char *header, size_t len, size_t *key)
{
    unsigned char sent[TW_KEY_DIGEST_SIZE];
    size_t found = 0; /* the index of the key, plus one */

    if (!digest_of_header(auth, header, len, sent))
        return false;
    pthread_rwlock_rdlock(&auth->lock);
    for (size_t i = 0; i < auth->count; ++i) {
        size_t differs = (size_t)(CRYPTO_memcmp(sent, auth->digests[i], TW_KEY_DIGEST_SIZE) != 0) |
                         (size_t)(auth->origins[i] == TW_KEY_NONE);
        found |=
            (differs - 1) & (i + 1); /* no branch depends on the result; at most one key matches */
    }
    pthread_rwlock_unlock(&auth->lock);
    if (found != 0 && key != NULL)
        *key = found - 1;
    return found != 0;
}
