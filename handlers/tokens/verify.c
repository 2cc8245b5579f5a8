#include "handlers/tokens/verify.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cjose/base64.h>
#include <cjose/jws.h>
#include <openssl/err.h>

#include "handlers/tokens/base64url.h"
#include "handlers/tokens/strict_json.h"

/* Reading three parts and two texts of JSON, nanoseconds. */
#define BYTE_NS 20

/** A token's three parts, still encoded (RFC 7515 section 7.1), and what its header says. */
typedef struct tw_signed {
    tw_text_t text; /* all of it */
    tw_text_t header, payload, signature;
    const char *algorithm; /* in `json` */
    const char *kid;       /* likewise; NULL: none */
    json_t *json;          /* owned */
} tw_signed_t;

/* Takes the part up to the next dot or the end. False: it is no base64url without padding. */
static bool take_part(tw_text_t *rest, tw_text_t *part)
{
    *part = tw_text(rest->base, tw_base64url_span(*rest));
    *rest = tw_text_from(*rest, part->len);
    return tw_base64url_is(*part);
}

static bool take_dot(tw_text_t *rest)
{
    if (rest->len == 0 || rest->base[0] != '.')
        return false;
    *rest = tw_text_from(*rest, 1);
    return true;
}

static bool split(tw_signed_t *parts)
{
    tw_text_t rest = parts->text;

    return take_part(&rest, &parts->header) && take_dot(&rest) &&
           take_part(&rest, &parts->payload) && take_dot(&rest) &&
           take_part(&rest, &parts->signature) && rest.len == 0;
}

/* The caller frees the text. */
static bool decode(tw_text_t part, tw_text_t *decoded)
{
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (!cjose_base64url_decode(part.base, part.len, &bytes, &len, NULL))
        return false;
    *decoded = tw_text((const char *)bytes, len);
    return bytes != NULL;
}

static bool read_header(tw_signed_t *parts)
{
    tw_text_t text;

    if (!decode(parts->header, &text))
        return false;
    parts->json = tw_strict_json_read(text);
    free((char *)text.base);
    const json_t *kid = json_object_get(parts->json, "kid");
    parts->algorithm = json_string_value(json_object_get(parts->json, "alg"));
    parts->kid = json_string_value(kid);
    return parts->algorithm != NULL && (kid == NULL || parts->kid != NULL) &&
           json_object_get(parts->json, "crit") == NULL;
}

/* Whether the key may have signed the token. */
static bool is_candidate(const tw_token_key_t *key, const tw_signed_t *parts)
{
    const tw_token_algorithm_t *algorithm = key->algorithm;

    return strcmp(algorithm->name, parts->algorithm) == 0 &&
           (algorithm->signature == 0 ||
            parts->signature.len == (algorithm->signature * 4 + 2) / 3) &&
           (key->kid == NULL || parts->kid == NULL || strcmp(key->kid, parts->kid) == 0);
}

static bool is_signed_with(const tw_signed_t *parts, const tw_token_key_t *key)
{
    cjose_jws_t *jws = cjose_jws_import(parts->text.base, parts->text.len, NULL);
    bool right = jws != NULL && cjose_jws_verify(jws, key->jwk, NULL);

    cjose_jws_release(jws);
    return right;
}

static bool is_signed(const tw_signed_t *parts, const tw_token_keys_t *keys, uint64_t *cost_ns)
{
    unsigned tries = 0;

    for (size_t i = 0; i < keys->count && tries < TW_TOKEN_TRIES_MAX; ++i) {
        const tw_token_key_t *key = &keys->items[i];
        if (!is_candidate(key, parts))
            continue;
        ++tries;
        *cost_ns += key->algorithm->verify_ns;
        if (is_signed_with(parts, key))
            return true;
    }
    return false;
}

tw_token_verdict_t tw_token_verify(tw_text_t text, const tw_token_keys_t *keys,
                                   const tw_token_rules_t *rules, int64_t now_s, tw_token_t **token,
                                   uint64_t *cost_ns)
{
    tw_signed_t parts = {.text = text};
    tw_token_verdict_t verdict = TW_TOKEN_INVALID;
    tw_text_t payload;

    if (text.len > TW_TOKEN_BYTES_MAX)
        return TW_TOKEN_TOO_LARGE;
    *cost_ns += text.len * BYTE_NS;
    if (split(&parts) && read_header(&parts) && is_signed(&parts, keys, cost_ns) &&
        decode(parts.payload, &payload)) {
        verdict = tw_claims_read(payload, rules, now_s, token);
        free((char *)payload.base);
    }
    json_decref(parts.json);
    ERR_clear_error(); /* TLS on this thread must not take them for its own */
    return verdict;
}
