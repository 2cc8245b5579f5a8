/**
 * Makes tokens for tests, right ones and wrong ones.
 */
#ifndef TW_TESTS_JWT_H
#define TW_TESTS_JWT_H

#include <cjose/jwk.h>

/** Signs the two texts with HS256, whatever they say. The caller frees the token. */
char *tw_test_jwt_hs256(const char *secret, const char *header, const char *payload);

/** Signs the payload with the algorithm and the key, naming `kid` unless it is NULL. The caller
 * frees the token. */
char *tw_test_jwt(const cjose_jwk_t *key, const char *algorithm, const char *kid,
                  const char *payload);

#endif
