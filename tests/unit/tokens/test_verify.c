/* Which tokens are valid: by their form, their signature and their claims (RFC 8725). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/tokens/verify.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/jwt.h"

#define NOW_S 1800000000
#define SECRET "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HS256 "{\"alg\":\"HS256\"}"

static const tw_token_rules_t rules = {.leeway_s = 30};

static tw_token_keys_t *read_keys(const char *file)
{
    tw_token_keys_t *keys = NULL;
    const char *problem = tw_token_keys_read(tw_text_of(file), &keys);

    assert_null(problem);
    return keys;
}

/* The token is freed; *token may be NULL when only the verdict counts. */
static tw_token_verdict_t verdict_with(const tw_token_keys_t *keys, const tw_token_rules_t *asked,
                                       char *text, tw_token_t **token)
{
    tw_token_t *made = NULL;
    uint64_t cost_ns = 0;
    tw_token_verdict_t verdict =
        tw_token_verify(tw_text_of(text), keys, asked, NOW_S, &made, &cost_ns);

    free(text);
    if (token != NULL)
        *token = made;
    else
        tw_token_unref(made);
    return verdict;
}

/* What becomes of a token of the secret with this header and payload. */
static tw_token_verdict_t verdict_of(const tw_token_rules_t *asked, const char *header,
                                     const char *payload, tw_token_t **token)
{
    tw_token_keys_t *keys = read_keys(SECRET);
    tw_token_verdict_t verdict =
        verdict_with(keys, asked, tw_test_jwt_hs256(SECRET, header, payload), token);

    tw_token_keys_unref(keys);
    return verdict;
}

#define assert_verdict(wanted, header, payload)                                                    \
    assert_int_equal(verdict_of(&rules, header, payload, NULL), TW_TOKEN_##wanted)

static void test_token__says_who_until_when_and_what(void **state)
{
    tw_token_t *token;

    assert_int_equal(verdict_of(&rules, HS256,
                                "{\"sub\":\"ada\",\"exp\":1800000060.9,\"iat\":1799999999,"
                                "\"tideway\":{\"subscribe\":[\"a.*\",\"b\"],\"publish\":[\"c\"]}}",
                                &token),
                     TW_TOKEN_VALID);
    assert_string_equal(token->subject, "ada");
    assert_int_equal(token->expires_at_s, 1800000060);
    assert_int_equal(token->issued_at_s, 1799999999);
    assert_true(tw_patterns_match(&token->subscribe, "a.x", 3));
    assert_true(tw_patterns_match(&token->subscribe, "b", 1));
    assert_false(tw_patterns_match(&token->subscribe, "c", 1));
    assert_true(tw_patterns_match(&token->publish, "c", 1));
    assert_false(tw_patterns_match(&token->publish, "b", 1));
    tw_token_unref(token);
}

static void test_mercure_claim__has_names_and_the_star(void **state)
{
    tw_token_t *token;

    assert_int_equal(verdict_of(&rules, HS256,
                                "{\"exp\":1800000060,\"mercure\":{\"subscribe\":[\"a*\",\"/b\","
                                "\"two words\"],\"publish\":[\"*\"]}}",
                                &token),
                     TW_TOKEN_VALID);
    assert_null(token->subject);
    assert_int_equal(token->issued_at_s, 0);
    assert_true(tw_patterns_match(&token->subscribe, "/b", 2));
    assert_false(tw_patterns_match(&token->subscribe, "ab", 2));
    assert_true(tw_patterns_match(&token->publish, "ab", 2));
    tw_token_unref(token);
}

static void test_times__are_checked_with_leeway(void **state)
{
    assert_verdict(VALID, HS256, "{\"exp\":1799999971}");
    assert_verdict(EXPIRED, HS256, "{\"exp\":1799999970}");
    assert_verdict(EXPIRED, HS256, "{\"exp\":0}");
    assert_verdict(VALID, HS256, "{\"exp\":1e300}");
    assert_verdict(VALID, HS256, "{\"exp\":1800000060,\"nbf\":1800000030}");
    assert_verdict(INVALID, HS256, "{\"exp\":1800000060,\"nbf\":1800000031}");
}

static void test_claims__of_wrong_types_are_invalid(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "[]",
        "1",
        "",
        "{",
        "{\"exp\":null}",
        "{\"exp\":\"1800000060\"}",
        "{\"exp\":-1}",
        "{\"exp\":99999999999999999999}",
        "{\"exp\":1800000060,\"exp\":1800000061}",
        "{\"exp\":1800000060,\"nbf\":\"x\"}",
        "{\"exp\":1800000060,\"iat\":[]}",
        "{\"exp\":1800000060,\"sub\":7}",
        "{\"exp\":1800000060,\"sub\":\"a\\u0000b\"}",
        "{\"exp\":1800000060,\"tideway\":[]}",
        "{\"exp\":1800000060,\"tideway\":{\"subscribe\":\"a\"}}",
        "{\"exp\":1800000060,\"tideway\":{\"subscribe\":[1]}}",
        "{\"exp\":1800000060,\"tideway\":{\"subscribe\":[\"a b\"]}}",
        "{\"exp\":1800000060,\"tideway\":{\"publish\":[\"\"]}}",
        "{\"exp\":1800000060,\"tideway\":{\"subscribe\":[\"a\"],\"subscribe\":[\"*\"]}}",
        "{\"exp\":1800000060,\"mercure\":{\"publish\":{}}}",
        "{\"exp\":1800000060,\"deep\":[[[[[[[[[[1]]]]]]]]]]}",
        "{\"exp\":1800000060}x",
        "\xff",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); ++i)
        assert_verdict(INVALID, HS256, wrong[i]);
    assert_verdict(VALID, HS256, "{\"exp\":1800000060,\"text\":\"[[[[[[[[[[\\\"[[[[\"}");
}

static void test_subject__has_at_most_256_bytes(void **state)
{
    char payload[512], subject[258];

    memset(subject, 's', 257);
    subject[257] = '\0';
    snprintf(payload, sizeof(payload), "{\"exp\":1800000060,\"sub\":\"%s\"}", subject);
    assert_verdict(INVALID, HS256, payload);
    snprintf(payload, sizeof(payload), "{\"exp\":1800000060,\"sub\":\"%s\"}", subject + 1);
    assert_verdict(VALID, HS256, payload);
}

static void test_issuer_and_audience__are_asked_for_if_set(void **state)
{
    const tw_token_rules_t asked = {.issuer = "me", .audience = "tideway"};
    static const struct {
        const char *payload;
        tw_token_verdict_t verdict;
    } cases[] = {
        {"{\"exp\":1800000060,\"iss\":\"me\",\"aud\":\"tideway\"}", TW_TOKEN_VALID},
        {"{\"exp\":1800000060,\"iss\":\"me\",\"aud\":[\"x\",\"tideway\"]}", TW_TOKEN_VALID},
        {"{\"exp\":1800000060,\"iss\":\"me\",\"aud\":[\"x\"]}", TW_TOKEN_INVALID},
        {"{\"exp\":1800000060,\"iss\":\"me\",\"aud\":\"tideway2\"}", TW_TOKEN_INVALID},
        {"{\"exp\":1800000060,\"iss\":\"me\"}", TW_TOKEN_INVALID},
        {"{\"exp\":1800000060,\"iss\":\"you\",\"aud\":\"tideway\"}", TW_TOKEN_INVALID},
        {"{\"exp\":1800000060,\"iss\":[\"me\"],\"aud\":\"tideway\"}", TW_TOKEN_INVALID},
        {"{\"exp\":1800000060,\"aud\":\"tideway\"}", TW_TOKEN_INVALID},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i)
        assert_int_equal(verdict_of(&asked, HS256, cases[i].payload, NULL), cases[i].verdict);
}

static void test_headers__that_ask_for_anything_else_are_refused(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":null}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":\"HS256\",\"alg\":\"none\"}",
        "{\"alg\":\"HS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"kid\":7}",
        "{\"alg\":\"HS256\",\"x\":[[[[[[[[[]]]]]]]]]}",
        "[\"HS256\"]",
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); ++i)
        assert_verdict(INVALID, wrong[i], "{\"exp\":1800000060}");
    /* Keys come from the operator, whatever a token recommends. A secret has no kid. */
    assert_verdict(VALID,
                   "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"../../dev/null\",\"jku\":"
                   "\"https://evil.example\",\"x5u\":\"https://evil.example\",\"jwk\":{\"kty\":"
                   "\"oct\",\"k\":\"AA\"}}",
                   "{\"exp\":1800000060}");
}

static void test_forms__that_are_no_token_are_refused(void **state)
{
    static const char *const wrong[] = {"",      ".",      "..",      "a.b",     "a.b.c",  "aa.bb.",
                                        ".aa.b", "aa..bb", "aa.b b.", "aa.bb=.", "a.b.c.d"};
    tw_token_keys_t *keys = read_keys(SECRET);
    char *right = tw_test_jwt_hs256(SECRET, HS256, "{\"exp\":1800000060}"), *text;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); ++i)
        assert_int_equal(verdict_with(keys, &rules, strdup(wrong[i]), NULL), TW_TOKEN_INVALID);
    for (size_t i = 0; right[i] != '\0'; ++i) { /* cut short, or with one bit turned */
        text = strndup(right, i);
        assert_int_equal(verdict_with(keys, &rules, text, NULL), TW_TOKEN_INVALID);
        if (right[i + 1] == '\0')
            break; /* its last bits are of no meaning */
        text = strdup(right);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_equal(verdict_with(keys, &rules, text, NULL), TW_TOKEN_INVALID);
    }
    assert_int_equal(verdict_with(keys, &rules, right, NULL), TW_TOKEN_VALID);
    tw_token_keys_unref(keys);
}

/* A payload with so many patterns of so many bytes. */
static char *payload_of(int count, int len)
{
    char *payload = malloc(64 + (size_t)count * ((size_t)len + 3)), *to = payload;

    to += sprintf(to, "{\"exp\":1800000060,\"tideway\":{\"publish\":[");
    for (int i = 0; i < count; ++i)
        to += sprintf(to, "%s\"%0*d\"", i > 0 ? "," : "", len, i);
    strcpy(to, "]}}");
    return payload;
}

static void test_sizes__are_limited(void **state)
{
    char *most = payload_of(64, 3), *more = payload_of(65, 3), *huge = payload_of(64, 60);

    assert_verdict(VALID, HS256, most);
    assert_verdict(TOO_LARGE, HS256, more);
    assert_verdict(TOO_LARGE, HS256, huge);
    free(most);
    free(more);
    free(huge);
}

/* --- keys --- */

/* {"keys":[…]} of the public parts; the texts are freed. */
static tw_token_keys_t *set_of(char *first, char *second)
{
    char *text;

    assert_true(asprintf(&text, "{\"keys\":[%s%s%s]}", first, second != NULL ? "," : "",
                         second != NULL ? second : "") > 0);
    tw_token_keys_t *keys = read_keys(text);
    free(text);
    free(first);
    free(second);
    return keys;
}

/* The public JWK with members added; `secret`: with its secret part. */
static char *jwk_text(const cjose_jwk_t *key, bool secret, const char *members)
{
    char *json = cjose_jwk_to_json(key, secret, NULL), *text;

    assert_true(asprintf(&text, "{%s%s%s", members, members[0] != '\0' ? "," : "", json + 1) > 0);
    free(json);
    return text;
}

static cjose_jwk_t *make_key(const char *algorithm)
{
    static const uint8_t e[] = {1, 0, 1};

    if (algorithm[0] == 'H')
        return cjose_jwk_create_oct_random(512, NULL);
    if (algorithm[0] == 'E')
        return cjose_jwk_create_EC_random(
            strcmp(algorithm, "ES256") == 0 ? CJOSE_JWK_EC_P_256 : CJOSE_JWK_EC_P_384, NULL);
    return cjose_jwk_create_RSA_random(2048, e, sizeof(e), NULL);
}

static void test_each_algorithm__is_taken_from_its_own_key_alone(void **state)
{
    static const char *const algorithms[] = {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
                                             "PS256", "PS384", "PS512", "ES256", "ES384"};
    cjose_jwk_t *rsa = make_key("RS256");

    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); ++i) {
        bool is_rsa = algorithms[i][0] == 'R' || algorithms[i][0] == 'P';
        cjose_jwk_t *key = is_rsa ? rsa : make_key(algorithms[i]), *other = make_key("ES256");
        char members[32];

        snprintf(members, sizeof(members), "\"alg\":\"%s\"", algorithms[i]);
        tw_token_keys_t *keys =
            set_of(jwk_text(other, false, ""), jwk_text(key, algorithms[i][0] == 'H', members));
        for (size_t j = 0; j < sizeof(algorithms) / sizeof(algorithms[0]); ++j) {
            bool other_is_rsa = algorithms[j][0] == 'R' || algorithms[j][0] == 'P';
            if (algorithms[i][0] != algorithms[j][0] && (!is_rsa || !other_is_rsa))
                continue; /* the key cannot sign so */
            if (algorithms[i][0] == 'E' && i != j)
                continue;
            assert_int_equal(
                verdict_with(keys, &rules,
                             tw_test_jwt(key, algorithms[j], NULL, "{\"exp\":1800000060}"), NULL),
                i == j ? TW_TOKEN_VALID : TW_TOKEN_INVALID);
        }
        tw_token_keys_unref(keys);
        cjose_jwk_release(other);
        if (!is_rsa)
            cjose_jwk_release(key);
    }
    cjose_jwk_release(rsa);
}

static void test_kid__selects_the_key(void **state)
{
    cjose_jwk_t *first = make_key("ES256"), *second = make_key("ES256");
    tw_token_keys_t *keys =
        set_of(jwk_text(first, false, "\"kid\":\"1\""), jwk_text(second, false, "\"kid\":\"2\""));
    const char *payload = "{\"exp\":1800000060}";

    assert_int_equal(verdict_with(keys, &rules, tw_test_jwt(second, "ES256", "2", payload), NULL),
                     TW_TOKEN_VALID);
    assert_int_equal(verdict_with(keys, &rules, tw_test_jwt(second, "ES256", NULL, payload), NULL),
                     TW_TOKEN_VALID);
    assert_int_equal(verdict_with(keys, &rules, tw_test_jwt(second, "ES256", "1", payload), NULL),
                     TW_TOKEN_INVALID);
    assert_int_equal(verdict_with(keys, &rules, tw_test_jwt(second, "ES256", "3", payload), NULL),
                     TW_TOKEN_INVALID);
    tw_token_keys_unref(keys);
    cjose_jwk_release(first);
    cjose_jwk_release(second);
}

/* RFC 8725 section 2.1: the public key, which everybody has, is no secret of an HMAC. */
static void test_public_key__is_no_secret(void **state)
{
    static const char pem[] =
        "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
        "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
        "-----END PUBLIC KEY-----";
    tw_token_keys_t *keys = read_keys(pem);

    assert_int_equal(keys->count, 1);
    assert_string_equal(keys->items[0].algorithm->name, "ES256");
    assert_int_equal(
        verdict_with(keys, &rules, tw_test_jwt_hs256(pem, HS256, "{\"exp\":1800000060}"), NULL),
        TW_TOKEN_INVALID);
    tw_token_keys_unref(keys);
}

static void test_files__without_good_keys_are_refused(void **state)
{
    static const struct {
        const char *file, *problem;
    } cases[] = {
        {"short secret", "shorter than 32 bytes"},
        {"{\"keys\":[]}", "no key for signatures"},
        {"{\"keys\":{}}", "not a JWK Set"},
        {"{\"keys\":[1]}", "no string"},
        {"{\"keys\":[", "JSON cannot be read"},
        {"{\"keys\":[],\"keys\":[]}", "JSON cannot be read"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2hvcnQ\"}]}", "too weak"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE\","
         "\"alg\":\"HS512\"}]}",
         "too weak"},
        {"{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE\",\"use\":\"enc\"}",
         "no key for signatures"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}",
         "no key for signatures"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}",
         "cannot be read"},
        {"{\"kty\":\"EC\",\"crv\":1,\"x\":\"AAAA\",\"y\":\"AAAA\"}", "no string"},
        /* cjose ends the process at these. */
        {"{\"kty\":\"oct\",\"k\":\"ZmVkY2JhOTg3NjU0MzIxMGZlZGNiY=Tk4NzY1NDMyMTA\"}",
         "cannot be read"},
        {"{\"kty\":\"oct\",\"k\":\"ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=\"}",
         "cannot be read"},
        {"{\"kty\":\"oct\",\"k\":\"\"}", "cannot be read"},
        {"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----", "no PEM public key"},
        {"-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----", "no PEM public key"},
    };
    tw_token_keys_t *keys = NULL;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        const char *problem = tw_token_keys_read(tw_text_of(cases[i].file), &keys);
        assert_non_null(problem);
        if (strstr(problem, cases[i].problem) == NULL)
            fail_msg("%s: %s", cases[i].file, problem);
        assert_null(keys);
    }
}

static void test_set__leaves_out_what_it_cannot_use(void **state)
{
    cjose_jwk_t *key = make_key("ES256");
    tw_token_keys_t *keys =
        set_of(strdup("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"},"
                      "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}"),
               jwk_text(key, true, "\"use\":\"sig\",\"key_ops\":[\"verify\"]"));

    assert_int_equal(keys->count, 1);
    tw_token_keys_unref(keys);
    cjose_jwk_release(key);
}

static void test_key_of_an_unknown_kid__costs_no_verification(void **state)
{
    tw_token_keys_t *keys = read_keys(
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"1\",\"k\":"
        "\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE\"}]}");
    char *text = tw_test_jwt_hs256("01234567890123456789012345678901",
                                   "{\"alg\":\"HS256\",\"kid\":\"2\"}", "{\"exp\":1800000060}");
    uint64_t cost_ns = 0;
    tw_token_t *token = NULL;

    assert_int_equal(tw_token_verify(tw_text_of(text), keys, &rules, NOW_S, &token, &cost_ns),
                     TW_TOKEN_INVALID);
    assert_true(cost_ns < 5000);
    free(text);
    tw_token_keys_unref(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token__says_who_until_when_and_what),
        cmocka_unit_test(test_mercure_claim__has_names_and_the_star),
        cmocka_unit_test(test_times__are_checked_with_leeway),
        cmocka_unit_test(test_claims__of_wrong_types_are_invalid),
        cmocka_unit_test(test_subject__has_at_most_256_bytes),
        cmocka_unit_test(test_issuer_and_audience__are_asked_for_if_set),
        cmocka_unit_test(test_headers__that_ask_for_anything_else_are_refused),
        cmocka_unit_test(test_forms__that_are_no_token_are_refused),
        cmocka_unit_test(test_sizes__are_limited),
        cmocka_unit_test(test_each_algorithm__is_taken_from_its_own_key_alone),
        cmocka_unit_test(test_kid__selects_the_key),
        cmocka_unit_test(test_public_key__is_no_secret),
        cmocka_unit_test(test_files__without_good_keys_are_refused),
        cmocka_unit_test(test_set__leaves_out_what_it_cannot_use),
        cmocka_unit_test(test_key_of_an_unknown_kid__costs_no_verification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
