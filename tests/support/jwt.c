#include "tests/support/jwt.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjose/base64.h>
#include <cjose/header.h>
#include <cjose/jws.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static char *encode(const void *bytes, size_t len)
{
    char *text = NULL;
    size_t text_len;

    if (!cjose_base64url_encode(bytes, len, &text, &text_len, NULL))
        abort();
    return text;
}

char *tw_test_jwt_hs256(const char *secret, const char *header, const char *payload)
{
    unsigned char mac[32];
    unsigned mac_len = sizeof(mac);
    char *first = encode(header, strlen(header)), *second = encode(payload, strlen(payload));
    char *input = NULL, *token = NULL;
    int len = asprintf(&input, "%s.%s", first, second);

    HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)input, (size_t)len, mac,
         &mac_len);
    char *third = encode(mac, mac_len);
    if (asprintf(&token, "%s.%s", input, third) < 0)
        abort();
    free(first);
    free(second);
    free(third);
    free(input);
    return token;
}

char *tw_test_jwt(const cjose_jwk_t *key, const char *algorithm, const char *kid,
                  const char *payload)
{
    cjose_header_t *header = cjose_header_new(NULL);
    const char *text;

    cjose_header_set(header, CJOSE_HDR_ALG, algorithm, NULL);
    if (kid != NULL)
        cjose_header_set(header, CJOSE_HDR_KID, kid, NULL);
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)payload, strlen(payload), NULL);
    if (jws == NULL || !cjose_jws_export(jws, &text, NULL))
        abort();
    char *token = strdup(text);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return token;
}
