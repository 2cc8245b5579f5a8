#include "handlers/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "base/alloc.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void trim(const char **from, const char **to)
{
    while (*from < *to && is_blank(**from))
        ++*from;
    while (*to > *from && is_blank((*to)[-1]))
        --*to;
}

static bool digest(const tw_auth_t *auth, const char *from, const char *to,
                   unsigned char out[TW_KEY_DIGEST_SIZE])
{
    return EVP_Digest(from, (size_t)(to - from), out, NULL, auth->sha256, NULL) == 1;
}

/* Whether the digest behind the last one is there already: a key given twice is one key. */
static bool is_repeated(const tw_auth_t *auth)
{
    for (size_t i = 0; i < auth->count; ++i)
        if (CRYPTO_memcmp(auth->digests[i], auth->digests[auth->count], TW_KEY_DIGEST_SIZE) == 0)
            return true;
    return false;
}

size_t tw_auth_init(tw_auth_t *auth, const char *keys)
{
    *auth = (tw_auth_t){.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)};
    for (const char *item = keys; item != NULL;) {
        const char *comma = strchr(item, ','), *from = item,
                   *to = comma != NULL ? comma : item + strlen(item);
        item = comma != NULL ? comma + 1 : NULL;
        trim(&from, &to);
        if (from == to)
            continue;
        auth->digests = tw_realloc(auth->digests, (auth->count + 1) * sizeof(*auth->digests));
        if (digest(auth, from, to, auth->digests[auth->count]) && !is_repeated(auth))
            ++auth->count;
    }
    return auth->count;
}

void tw_auth_dispose(tw_auth_t *auth)
{
    free(auth->digests);
    EVP_MD_free(auth->sha256);
    *auth = (tw_auth_t){0};
}

bool tw_auth_check(const tw_auth_t *auth, const char *header, size_t len, size_t *key)
{
    static const char scheme[] = "bearer";
    unsigned char sent[TW_KEY_DIGEST_SIZE];
    size_t found = 0; /* one above the key's index */

    if (header == NULL)
        return false;
    const char *from = header, *to = header + len;
    trim(&from, &to);
    if ((size_t)(to - from) < sizeof(scheme) ||
        strncasecmp(from, scheme, sizeof(scheme) - 1) != 0 || !is_blank(from[sizeof(scheme) - 1]))
        return false;
    from += sizeof(scheme);
    trim(&from, &to);
    if (!digest(auth, from, to, sent))
        return false;
    for (size_t i = 0; i < auth->count; ++i) {
        size_t differs = (size_t)(CRYPTO_memcmp(sent, auth->digests[i], TW_KEY_DIGEST_SIZE) != 0);
        found |= (differs - 1) &
                 (i + 1); /* all keys every time, and no branch on the outcome; one at most */
    }
    if (found != 0 && key != NULL)
        *key = found - 1;
    return found != 0;
}
