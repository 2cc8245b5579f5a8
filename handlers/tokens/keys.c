#include "handlers/tokens/keys.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/alloc.h"
#include "handlers/tokens/base64url.h"
#include "handlers/tokens/strict_json.h"

#define RSA_BITS_MIN 2048
#define RSA_BYTES_MAX 2048 /* 16384 bits, OpenSSL's own limit */

static const tw_token_algorithm_t algorithms[] = {
    /* The first one of a kind is for keys that name none. */
    {"HS256", CJOSE_JWK_KTY_OCT, 0, 256, 32, 5000},
    {"HS384", CJOSE_JWK_KTY_OCT, 0, 384, 48, 5000},
    {"HS512", CJOSE_JWK_KTY_OCT, 0, 512, 64, 5000},
    {"RS256", CJOSE_JWK_KTY_RSA, 0, RSA_BITS_MIN, 0, 35000},
    {"RS384", CJOSE_JWK_KTY_RSA, 0, RSA_BITS_MIN, 0, 35000},
    {"RS512", CJOSE_JWK_KTY_RSA, 0, RSA_BITS_MIN, 0, 35000},
    {"PS256", CJOSE_JWK_KTY_RSA, 0, RSA_BITS_MIN, 0, 35000},
    {"PS384", CJOSE_JWK_KTY_RSA, 0, RSA_BITS_MIN, 0, 35000},
    {"PS512", CJOSE_JWK_KTY_RSA, 0, RSA_BITS_MIN, 0, 35000},
    {"ES256", CJOSE_JWK_KTY_EC, NID_X9_62_prime256v1, 0, 64, 75000},
    {"ES384", CJOSE_JWK_KTY_EC, NID_secp384r1, 0, 96, 750000},
};

static const char no_memory[] = "there is no memory for it";
static const char unreadable[] = "a key of it cannot be read";
static const char weak[] =
    "a key of it is too weak: RSA keys have at least 2048 bits, secrets as many as the hash, 256 "
    "to 512";

/* Whether the algorithm is for keys of this kind and curve, and the one of this name (NULL: any).
 */
static bool fits(const tw_token_algorithm_t *algorithm, const cjose_jwk_t *jwk, const char *name)
{
    cjose_jwk_kty_t kind = cjose_jwk_get_kty(jwk, NULL);

    return algorithm->kind == kind &&
           (kind != CJOSE_JWK_KTY_EC ||
            algorithm->curve == (int)cjose_jwk_EC_get_curve(jwk, NULL)) &&
           (name == NULL || strcmp(algorithm->name, name) == 0);
}

/* NULL: the gateway has no such algorithm, or it is not for such keys. */
static const tw_token_algorithm_t *algorithm_of(const cjose_jwk_t *jwk, const char *name)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); ++i)
        if (fits(&algorithms[i], jwk, name))
            return &algorithms[i];
    return NULL;
}

/* Takes the key over. One without an algorithm is left out. Returns NULL, or the problem. */
static const char *add(tw_token_keys_t *keys, cjose_jwk_t *jwk, const char *name, const char *kid)
{
    const tw_token_algorithm_t *algorithm = algorithm_of(jwk, name);
    const char *problem = NULL;

    if (algorithm != NULL && cjose_jwk_get_keysize(jwk, NULL) < algorithm->key_bits)
        problem = weak;
    else if (algorithm != NULL && keys->count == TW_TOKEN_KEYS_MAX)
        problem = "it holds too many keys";
    if (algorithm == NULL || problem != NULL) {
        cjose_jwk_release(jwk);
        return problem;
    }
    keys->items[keys->count++] =
        (tw_token_key_t){.algorithm = algorithm,
                         .jwk = jwk,
                         .kid = kid != NULL ? tw_strndup(kid, strlen(kid)) : NULL};
    return NULL;
}

/* --- JWK --- */

static bool lists(const json_t *array, const char *text)
{
    for (size_t i = 0; i < json_array_size(array); ++i) {
        const char *item = json_string_value(json_array_get(array, i));
        if (item != NULL && strcmp(item, text) == 0)
            return true;
    }
    return false;
}

/* Whether the key may check signatures (RFC 7517 sections 4.2 and 4.3). */
static bool is_for_signatures(const json_t *key)
{
    const json_t *use = json_object_get(key, "use"), *operations = json_object_get(key, "key_ops");
    const char *text = json_string_value(use);

    return (use == NULL || (text != NULL && strcmp(text, "sig") == 0)) &&
           (operations == NULL || lists(operations, "verify") || lists(operations, "sign"));
}

/* What signs is of no use here. */
static void forget_private_part(json_t *key)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i)
        json_object_del(key, names[i]);
}

/* Whether the members that are numbers can be read, as far as they are there. */
static bool is_encoded(const json_t *key)
{
    static const char *const names[] = {"k", "n", "e", "x", "y"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        const json_t *value = json_object_get(key, names[i]);
        if (value != NULL &&
            !tw_base64url_is(tw_text(json_string_value(value), json_string_length(value))))
            return false;
    }
    return true;
}

/* The empty text is that of a member that is not there. NULL: it is no string. */
static const char *member(const json_t *key, const char *name)
{
    const json_t *value = json_object_get(key, name);
    return value == NULL ? "" : json_string_value(value);
}

static const char *add_jwk(tw_token_keys_t *keys, json_t *key)
{
    const char *kind = member(key, "kty"), *name = member(key, "alg"), *kid = member(key, "kid");
    const char *curve = member(key, "crv");

    if (kind == NULL || name == NULL || kid == NULL || curve == NULL || kind[0] == '\0')
        return "a key of it has a member that is no string";
    bool known = strcmp(kind, "RSA") == 0 || strcmp(kind, "EC") == 0 || strcmp(kind, "oct") == 0;
    if (!known || !is_for_signatures(key))
        return NULL;
    if (!is_encoded(key))
        return unreadable;
    forget_private_part(key);
    char *text = json_dumps(key, JSON_COMPACT);
    if (text == NULL)
        return no_memory;
    cjose_jwk_t *jwk = cjose_jwk_import(text, strlen(text), NULL);
    OPENSSL_cleanse(text, strlen(text));
    free(text);
    /* Of a curve that nobody here knows. */
    if (jwk == NULL && strcmp(kind, "EC") == 0 && strncmp(curve, "P-", 2) != 0)
        return NULL;
    if (jwk == NULL)
        return unreadable;
    return add(keys, jwk, name[0] != '\0' ? name : NULL, kid[0] != '\0' ? kid : NULL);
}

static const char *read_json(tw_token_keys_t *keys, tw_text_t file)
{
    json_t *root = tw_strict_json_read(file);
    json_t *set = json_object_get(root, "keys");
    const char *problem = NULL;

    if (root == NULL)
        problem = "its JSON cannot be read";
    else if (set == NULL)
        problem = add_jwk(keys, root);
    else if (!json_is_array(set))
        problem = "it is not a JWK Set";
    for (size_t i = 0; problem == NULL && i < json_array_size(set); ++i)
        problem = add_jwk(keys, json_array_get(set, i));
    json_decref(root);
    return problem;
}

/* --- PEM --- */

static bool number_of(const EVP_PKEY *key, const char *name, uint8_t *out, size_t size, size_t *len)
{
    BIGNUM *number = NULL;

    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        return false;
    if (*len == 0)
        *len = (size_t)BN_num_bytes(number);
    bool fit = *len <= size && BN_bn2binpad(number, out, (int)*len) >= 0;
    BN_free(number);
    return fit;
}

static cjose_jwk_t *rsa_of(const EVP_PKEY *key)
{
    uint8_t modulus[RSA_BYTES_MAX], exponent[RSA_BYTES_MAX];
    cjose_jwk_rsa_keyspec spec = {.n = modulus, .e = exponent};

    if (!number_of(key, OSSL_PKEY_PARAM_RSA_N, modulus, sizeof(modulus), &spec.nlen) ||
        !number_of(key, OSSL_PKEY_PARAM_RSA_E, exponent, sizeof(exponent), &spec.elen))
        return NULL;
    return cjose_jwk_create_RSA_spec(&spec, NULL);
}

static cjose_jwk_t *ec_of(const EVP_PKEY *key)
{
    char group[32];
    uint8_t x[48], y[48];

    if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
        return NULL;
    int curve = OBJ_sn2nid(group);
    if (curve != CJOSE_JWK_EC_P_256 && curve != CJOSE_JWK_EC_P_384)
        return NULL;
    size_t len = curve == CJOSE_JWK_EC_P_256 ? 32 : 48;
    cjose_jwk_ec_keyspec spec = {
        .crv = (cjose_jwk_ec_curve)curve, .x = x, .xlen = len, .y = y, .ylen = len};
    if (!number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, x, sizeof(x), &spec.xlen) ||
        !number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, y, sizeof(y), &spec.ylen))
        return NULL;
    return cjose_jwk_create_EC_spec(&spec, NULL);
}

static const char *read_pem(tw_token_keys_t *keys, tw_text_t file)
{
    BIO *bio = BIO_new_mem_buf(file.base, (int)file.len);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    cjose_jwk_t *jwk = NULL;

    BIO_free(bio);
    if (key == NULL)
        return "it holds no PEM public key (-----BEGIN PUBLIC KEY-----)";
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
        jwk = rsa_of(key);
    else if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        jwk = ec_of(key);
    EVP_PKEY_free(key);
    if (jwk == NULL)
        return "its key is neither RSA nor EC on P-256 or P-384";
    return add(keys, jwk, NULL, NULL);
}

/* --- all forms --- */

static const char *read_secret(tw_token_keys_t *keys, tw_text_t file)
{
    if (file.len < TW_TOKEN_SECRET_MIN)
        return "its secret is shorter than 32 bytes";
    cjose_jwk_t *jwk = cjose_jwk_create_oct_spec((const uint8_t *)file.base, file.len, NULL);
    return jwk != NULL ? add(keys, jwk, NULL, NULL) : no_memory;
}

static bool begins_with(tw_text_t text, const char *begin)
{
    size_t len = strlen(begin);
    return text.len >= len && memcmp(text.base, begin, len) == 0;
}

const char *tw_token_keys_read(tw_text_t file, tw_token_keys_t **keys)
{
    tw_token_keys_t *made = tw_alloc(sizeof(*made));
    const char *problem;

    made->references = 1;
    if (begins_with(file, "{"))
        problem = read_json(made, file);
    else if (begins_with(file, "-----BEGIN"))
        problem = read_pem(made, file);
    else
        problem = read_secret(made, file);
    if (problem == NULL && made->count == 0)
        problem = "it holds no key for signatures of a known algorithm";
    ERR_clear_error(); /* TLS on this thread must not take them for its own */
    if (problem == NULL)
        *keys = made;
    else
        tw_token_keys_unref(made);
    return problem;
}

tw_token_keys_t *tw_token_keys_ref(tw_token_keys_t *keys)
{
    ++keys->references;
    return keys;
}

void tw_token_keys_unref(tw_token_keys_t *keys)
{
    if (keys == NULL || --keys->references > 0)
        return;
    for (size_t i = 0; i < keys->count; ++i) {
        cjose_jwk_release(keys->items[i].jwk);
        free(keys->items[i].kid);
    }
    free(keys);
}
