#include "handlers/clients/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "base/alloc.h"
#include "base/text.h"

static bool digest(const tw_auth_t *auth, tw_text_t key, unsigned char out[TW_KEY_DIGEST_SIZE])
{
    return EVP_Digest(key.base, key.len, out, NULL, auth->sha256, NULL) == 1;
}

/* Whether the digest behind the last one is known already: a key that is given twice is one key. */
static bool is_repeated(const tw_auth_t *auth)
{
    for (size_t i = 0; i < auth->count; ++i)
        if (CRYPTO_memcmp(auth->digests[i], auth->digests[auth->count], TW_KEY_DIGEST_SIZE) == 0)
            return true;
    return false;
}

size_t tw_auth_init(tw_auth_t *auth, const char *keys)
{
    tw_text_t list = tw_text_of(keys), key;

    *auth = (tw_auth_t){.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)};
    while (tw_text_next_item(&list, &key)) {
        key = tw_text_strip(key); /* a mounted secret often ends with a line end */
        if (key.len == 0)
            continue;
        auth->digests = tw_realloc(auth->digests, (auth->count + 1) * sizeof(*auth->digests));
        if (digest(auth, key, auth->digests[auth->count]) && !is_repeated(auth))
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
    size_t found = 0; /* the index of the key, plus one */

    if (header == NULL)
        return false;
    tw_text_t text = tw_text_trim(tw_text(header, len));
    tw_text_t token = tw_text_trim(tw_text_from(text, sizeof(scheme) - 1));
    /* A blank lies between the scheme and the key. */
    if (token.len == 0 || token.base == text.base + sizeof(scheme) - 1 ||
        strncasecmp(text.base, scheme, sizeof(scheme) - 1) != 0)
        return false;
    if (!digest(auth, token, sent))
        return false;
    for (size_t i = 0; i < auth->count; ++i) {
        size_t differs = (size_t)(CRYPTO_memcmp(sent, auth->digests[i], TW_KEY_DIGEST_SIZE) != 0);
        found |=
            (differs - 1) & (i + 1); /* no branch depends on the result; at most one key matches */
    }
    if (found != 0 && key != NULL)
        *key = found - 1;
    return found != 0;
}
