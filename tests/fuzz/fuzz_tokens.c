/*
 * What tokens are made of. The first byte says what follows: a token as it is sent; a header and a
 * payload, which are signed; a file of keys; or patterns and a topic. Checked: only what is signed
 * is valid; what is valid has not expired, has a subject that fits and patterns that are sorted;
 * the cost is bounded; and a set of patterns matches what its patterns match one by one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/tokens/keys.h"
#include "handlers/tokens/verify.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"
#include "tests/support/jwt.h"

#define NOW_S 1800000000
#define SECRET "0123456789abcdef0123456789abcdef"
#define COST_NS_MAX (TW_TOKEN_TRIES_MAX * UINT64_C(1000000) + 200000)

static const tw_token_rules_t rules = {.leeway_s = 30};

/* Two secrets, one with a kid, and a public key. */
static const char key_file[] =
    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
    "{\"kty\":\"oct\",\"kid\":\"1\",\"k\":\"ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY\","
    "\"y\":\"T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU\"}]}";

static tw_token_keys_t *keys;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    tw_check(tw_token_keys_read(tw_text_of(key_file), &keys) == NULL);
    return 0;
}

static void check_patterns(const tw_patterns_t *set)
{
    for (size_t i = 0; i < set->count; ++i) {
        const tw_pattern_t *item = &set->items[i];
        tw_check(item->at + item->len <= set->byte_count && item->len <= TW_PATTERN_MAX);
        tw_check(tw_patterns_match(set, set->bytes + item->at, item->len));
    }
}

static void check_token(tw_token_t *token)
{
    tw_check(token->references == 1);
    tw_check(token->expires_at_s + rules.leeway_s > NOW_S);
    tw_check(token->issued_at_s >= 0);
    tw_check(token->subject == NULL ||
             (token->subject[0] != '\0' && strlen(token->subject) <= TW_TOKEN_SUBJECT_MAX));
    tw_check(token->subscribe.count + token->publish.count <= TW_TOKEN_PATTERNS_MAX);
    check_patterns(&token->subscribe);
    check_patterns(&token->publish);
}

static tw_token_verdict_t verify(const tw_token_keys_t *with, tw_text_t text)
{
    tw_token_t *token = NULL;
    uint64_t cost_ns = 0;
    tw_token_verdict_t verdict = tw_token_verify(text, with, &rules, NOW_S, &token, &cost_ns);

    tw_check(cost_ns <= COST_NS_MAX);
    tw_check((verdict == TW_TOKEN_VALID) == (token != NULL));
    tw_check((verdict == TW_TOKEN_TOO_LARGE) || text.len <= TW_TOKEN_BYTES_MAX);
    if (token != NULL)
        check_token(token);
    tw_token_unref(token);
    return verdict;
}

static void run_signed(tw_fuzz_input_t *input)
{
    tw_fuzz_text_t first = tw_fuzz_until(input, '\n');
    tw_fuzz_text_t second = tw_fuzz_bytes(input, input->left);
    char *header = strndup(first.base != NULL ? first.base : "", first.len);
    char *payload = strndup(second.base != NULL ? second.base : "", second.len);
    char *text = tw_test_jwt_hs256(SECRET, header, payload);
    char *forged = tw_test_jwt_hs256("00000000000000000000000000000000", header, payload);

    verify(keys, tw_text_of(text));
    tw_check(verify(keys, tw_text_of(forged)) != TW_TOKEN_VALID);
    free(header);
    free(payload);
    free(text);
    free(forged);
}

static void run_key_file(tw_fuzz_input_t *input)
{
    tw_fuzz_text_t text = tw_fuzz_bytes(input, input->left);
    char *file = strndup(text.base != NULL ? text.base : "", text.len);
    tw_token_keys_t *read = NULL;
    const char *problem = tw_token_keys_read(tw_text_of(file), &read);

    tw_check((problem == NULL) == (read != NULL));
    if (read != NULL) {
        tw_check(read->count > 0 && read->count <= TW_TOKEN_KEYS_MAX);
        verify(read, tw_text_of("eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.AAAA"));
    }
    tw_token_keys_unref(read);
    free(file);
}

static bool plainly_matches(const char *list, const char *topic)
{
    tw_text_t rest = tw_text_of(list), item;
    size_t len = strlen(topic);

    while (tw_text_next_item(&rest, &item)) {
        bool prefix = item.base[item.len - 1] == '*';
        size_t least = item.len - prefix;
        if ((prefix ? len >= least : len == least) && memcmp(item.base, topic, least) == 0)
            return true;
    }
    return false;
}

static void run_patterns(tw_fuzz_input_t *input)
{
    tw_fuzz_text_t first = tw_fuzz_until(input, '\n');
    tw_fuzz_text_t second = tw_fuzz_bytes(input, input->left);
    char *list = strndup(first.base != NULL ? first.base : "", first.len);
    char *topic = strndup(second.base != NULL ? second.base : "", second.len);
    tw_patterns_t set;
    tw_text_t bad;

    if (tw_patterns_parse(list, &set, &bad)) {
        check_patterns(&set);
        tw_check(tw_patterns_match(&set, topic, strlen(topic)) == plainly_matches(list, topic));
        tw_patterns_dispose(&set);
    }
    free(list);
    free(topic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_fuzz_input_t input = {data, size};

    switch (tw_fuzz_byte(&input)) {
    case 't': {
        tw_fuzz_text_t text = tw_fuzz_bytes(&input, input.left);
        verify(keys, tw_text(text.base, text.len));
        break;
    }
    case 's':
        run_signed(&input);
        break;
    case 'k':
        run_key_file(&input);
        break;
    case 'p':
        run_patterns(&input);
        break;
    default:
        break;
    }
    return 0;
}
