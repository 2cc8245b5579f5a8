#include "handlers/tokens/mint.h"

#include <stdlib.h>
#include <string.h>

#include <cjose/jws.h>
#include <jansson.h>

#include "base/alloc.h"
#include "handlers/tokens/keys.h"

/* NULL: an item is no pattern, or there are too many. */
static json_t *patterns_of(const char *list)
{
    tw_patterns_t set = {.items = NULL};
    tw_text_t rest = tw_text_of(list), item;
    json_t *array = json_array();

    while (array != NULL && tw_text_next_item(&rest, &item)) {
        if (tw_patterns_add(&set, item, TW_PATTERN_ANY_PREFIX) &&
            set.count <= TW_TOKEN_PATTERNS_MAX) {
            json_array_append_new(array, json_stringn(item.base, item.len));
        } else {
            json_decref(array);
            array = NULL;
        }
    }
    tw_patterns_dispose(&set);
    return array;
}

static void set_text(json_t *claims, const char *name, const char *value)
{
    if (value != NULL)
        json_object_set_new(claims, name, json_string(value));
}

/* NULL: the patterns are wrong, or a text is no UTF-8. */
static char *payload_of(const tw_mint_t *what)
{
    json_t *subscribe = patterns_of(what->subscribe), *publish = patterns_of(what->publish);
    json_t *claims =
        json_pack("{s:I,s:I,s:{s:o,s:o}}", "iat", (json_int_t)what->issued_at_s, "exp",
                  (json_int_t)what->until_s, "tideway", "subscribe", subscribe, "publish", publish);

    set_text(claims, "sub", what->subject);
    set_text(claims, "iss", what->issuer);
    set_text(claims, "aud", what->audience);
    char *payload = claims != NULL ? json_dumps(claims, JSON_COMPACT) : NULL;
    json_decref(claims);
    return payload;
}

static char *sign(const char *payload, tw_text_t secret)
{
    cjose_jwk_t *key = cjose_jwk_create_oct_spec((const uint8_t *)secret.base, secret.len, NULL);
    cjose_header_t *header = cjose_header_new(NULL);
    const char *text = NULL;

    cjose_header_set(header, CJOSE_HDR_ALG, CJOSE_HDR_ALG_HS256, NULL);
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)payload, strlen(payload), NULL);
    char *token =
        cjose_jws_export(jws, &text, NULL) && text != NULL ? tw_strndup(text, strlen(text)) : NULL;
    cjose_jws_release(jws);
    cjose_header_release(header);
    cjose_jwk_release(key);
    return token;
}

const char *tw_token_mint(const tw_mint_t *what, tw_text_t secret, char **token)
{
    if (what->subject != NULL && strlen(what->subject) > TW_TOKEN_SUBJECT_MAX)
        return "a subject has at most 256 bytes";
    if (secret.len < TW_TOKEN_SECRET_MIN)
        return "the secret is shorter than 32 bytes";
    char *payload = payload_of(what);
    if (payload == NULL)
        return "write at most 64 topics, or prefixes that end with *, comma-separated";
    char *made = sign(payload, secret);
    free(payload);
    if (made == NULL)
        return "it could not be signed";
    if (strlen(made) > TW_TOKEN_BYTES_MAX) {
        free(made);
        return "a token has at most 4096 bytes";
    }
    *token = made;
    return NULL;
}
