#include "handlers/tokens/claims.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "handlers/tokens/strict_json.h"

#define TIME_MAX_S INT64_C(253402300799) /* the end of the year 9999 */

/* Reads a NumericDate, which may have a fraction. False: what is there is not one. */
static bool read_time(const json_t *claims, const char *name, int64_t *seconds)
{
    const json_t *claim = json_object_get(claims, name);

    if (claim == NULL)
        return true;
    double number = json_number_value(claim);
    if (!json_is_number(claim) || !(number >= 0))
        return false;
    *seconds = number < (double)TIME_MAX_S ? (int64_t)number : TIME_MAX_S;
    return true;
}

static bool is_text(const json_t *value, const char *text)
{
    const char *string = json_string_value(value);
    return string != NULL && strcmp(string, text) == 0;
}

/* One audience, or an array of them (RFC 7519 section 4.1.3). */
static bool is_for(const json_t *audience, const char *wanted)
{
    for (size_t i = 0; i < json_array_size(audience); ++i)
        if (is_text(json_array_get(audience, i), wanted))
            return true;
    return is_text(audience, wanted);
}

static bool read_subject(const json_t *claims, tw_token_t *token)
{
    const json_t *claim = json_object_get(claims, "sub");
    size_t len = json_string_length(claim);

    if (claim == NULL)
        return true;
    if (!json_is_string(claim) || len > TW_TOKEN_SUBJECT_MAX)
        return false;
    if (len > 0)
        token->subject = tw_strndup(json_string_value(claim), len);
    return true;
}

/* --- patterns --- */

/* The names of Mercure may be what no topic here can be; they grant nothing then. */
static tw_token_verdict_t add_patterns(const json_t *list, tw_pattern_kind_t kind, size_t *count,
                                       tw_patterns_t *set)
{
    if (list == NULL)
        return TW_TOKEN_VALID;
    if (!json_is_array(list))
        return TW_TOKEN_INVALID;
    *count += json_array_size(list);
    if (*count > TW_TOKEN_PATTERNS_MAX)
        return TW_TOKEN_TOO_LARGE;
    for (size_t i = 0; i < json_array_size(list); ++i) {
        const json_t *item = json_array_get(list, i);
        tw_text_t text = tw_text(json_string_value(item), json_string_length(item));
        if (!json_is_string(item) ||
            (!tw_patterns_add(set, text, kind) && kind == TW_PATTERN_ANY_PREFIX))
            return TW_TOKEN_INVALID;
    }
    return TW_TOKEN_VALID;
}

static tw_token_verdict_t read_grants(const json_t *claims, const char *name,
                                      tw_pattern_kind_t kind, size_t *count, tw_token_t *token)
{
    const json_t *grants = json_object_get(claims, name);

    if (grants == NULL)
        return TW_TOKEN_VALID;
    if (!json_is_object(grants))
        return TW_TOKEN_INVALID;
    tw_token_verdict_t verdict =
        add_patterns(json_object_get(grants, "subscribe"), kind, count, &token->subscribe);
    if (verdict == TW_TOKEN_VALID)
        verdict = add_patterns(json_object_get(grants, "publish"), kind, count, &token->publish);
    return verdict;
}

static tw_token_verdict_t read_all_grants(const json_t *claims, tw_token_t *token)
{
    size_t count = 0;
    tw_token_verdict_t verdict =
        read_grants(claims, "tideway", TW_PATTERN_ANY_PREFIX, &count, token);

    if (verdict == TW_TOKEN_VALID)
        verdict = read_grants(claims, "mercure", TW_PATTERN_EXACT, &count, token);
    tw_patterns_seal(&token->subscribe);
    tw_patterns_seal(&token->publish);
    return verdict;
}

/* --- all claims --- */

static tw_token_verdict_t read_claims(const json_t *claims, const tw_token_rules_t *rules,
                                      int64_t now_s, tw_token_t *token)
{
    int64_t not_before_s = 0;

    if (claims == NULL || json_object_get(claims, "exp") == NULL ||
        !read_time(claims, "exp", &token->expires_at_s) ||
        !read_time(claims, "nbf", &not_before_s) ||
        !read_time(claims, "iat", &token->issued_at_s) || !read_subject(claims, token))
        return TW_TOKEN_INVALID;
    if ((rules->issuer != NULL && !is_text(json_object_get(claims, "iss"), rules->issuer)) ||
        (rules->audience != NULL && !is_for(json_object_get(claims, "aud"), rules->audience)))
        return TW_TOKEN_INVALID;
    if (not_before_s > now_s + rules->leeway_s)
        return TW_TOKEN_INVALID;
    if (token->expires_at_s + rules->leeway_s <= now_s)
        return TW_TOKEN_EXPIRED;
    return read_all_grants(claims, token);
}

tw_token_verdict_t tw_claims_read(tw_text_t payload, const tw_token_rules_t *rules, int64_t now_s,
                                  tw_token_t **token)
{
    json_t *claims = tw_strict_json_read(payload);
    tw_token_t *made = tw_alloc(sizeof(*made));

    made->references = 1;
    tw_token_verdict_t verdict = read_claims(claims, rules, now_s, made);
    json_decref(claims);
    if (verdict == TW_TOKEN_VALID)
        *token = made;
    else
        tw_token_unref(made);
    return verdict;
}
