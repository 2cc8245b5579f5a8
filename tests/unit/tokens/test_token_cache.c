/* Tokens that come again, and keys that are replaced. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "handlers/tokens/tokens.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/jwt.h"

#define NOW_S 1800000000
#define SECRET "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"

typedef struct tw_fixture {
    char path[64];
    tw_tokens_t tokens;
    tw_token_cache_t *cache;
} tw_fixture_t;

static void write_file(const tw_fixture_t *f, const char *text)
{
    FILE *file = fopen(f->path, "w");
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state)
{
    static const tw_token_rules_t rules = {.leeway_s = 30};
    tw_fixture_t *f = calloc(1, sizeof(*f));

    strcpy(f->path, "/tmp/tideway-keys-XXXXXX");
    close(mkstemp(f->path));
    write_file(f, SECRET "\n");
    tw_tokens_init(&f->tokens, &rules);
    f->cache = tw_token_cache_create(&f->tokens);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    tw_fixture_t *f = *state;

    tw_token_cache_destroy(f->cache);
    tw_tokens_dispose(&f->tokens);
    unlink(f->path);
    free(f);
    return 0;
}

static char *mint(const char *secret, const char *payload)
{
    return tw_test_jwt_hs256(secret, "{\"alg\":\"HS256\"}", payload);
}

static tw_token_verdict_t verify(tw_fixture_t *f, const char *text, int64_t now_s, uint64_t *cost)
{
    tw_token_t *token = NULL;
    tw_token_verdict_t verdict =
        tw_token_cache_verify(f->cache, tw_text_of(text), now_s, &token, cost);

    assert_true((verdict == TW_TOKEN_VALID) == (token != NULL));
    return verdict;
}

static void test_token__is_verified_once_and_until_it_expires(void **state)
{
    tw_fixture_t *f = *state;
    char *text = mint(SECRET, "{\"exp\":1800000060}");
    uint64_t cost;

    assert_int_equal(verify(f, text, NOW_S, &cost), TW_TOKEN_INVALID); /* no keys yet */
    assert_false(tw_tokens_ready(&f->tokens));
    assert_null(tw_tokens_load(&f->tokens, f->path));
    assert_true(tw_tokens_ready(&f->tokens));
    assert_int_equal(verify(f, text, NOW_S, &cost), TW_TOKEN_VALID);
    assert_true(cost > 0);
    assert_int_equal(verify(f, text, NOW_S + 89, &cost), TW_TOKEN_VALID);
    assert_int_equal(cost, 0);
    assert_int_equal(tw_token_cache_count(f->cache), 1);
    assert_int_equal(verify(f, text, NOW_S + 90, &cost), TW_TOKEN_EXPIRED);
    assert_int_equal(tw_token_cache_count(f->cache), 0);
    assert_int_equal(verify(f, text, NOW_S + 90, &cost), TW_TOKEN_EXPIRED);
    free(text);
}

static void test_wrong_tokens__are_not_kept(void **state)
{
    tw_fixture_t *f = *state;
    char *wrong = mint(OTHER, "{\"exp\":1800000060}"), *late = mint(SECRET, "{\"exp\":1}");
    char huge[5000];
    uint64_t cost;

    assert_null(tw_tokens_load(&f->tokens, f->path));
    assert_int_equal(verify(f, wrong, NOW_S, &cost), TW_TOKEN_INVALID);
    assert_int_equal(verify(f, late, NOW_S, &cost), TW_TOKEN_EXPIRED);
    memset(huge, 'a', sizeof(huge));
    huge[4097] = '\0';
    assert_int_equal(verify(f, huge, NOW_S, &cost), TW_TOKEN_TOO_LARGE);
    assert_int_equal(cost, 0);
    assert_int_equal(tw_token_cache_count(f->cache), 0);
    free(wrong);
    free(late);
}

static void test_replaced_keys__end_what_they_have_signed(void **state)
{
    tw_fixture_t *f = *state;
    char *text = mint(SECRET, "{\"exp\":1800000060}"), *next = mint(OTHER, "{\"exp\":1800000060}");
    uint64_t cost;

    assert_null(tw_tokens_load(&f->tokens, f->path));
    assert_int_equal(verify(f, text, NOW_S, &cost), TW_TOKEN_VALID);
    write_file(f, "too short");
    assert_non_null(tw_tokens_load(&f->tokens, f->path)); /* the old ones stay */
    assert_int_equal(verify(f, text, NOW_S, &cost), TW_TOKEN_VALID);
    assert_int_equal(cost, 0);
    write_file(f,
               "{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
               "{\"kty\":\"oct\",\"k\":\"ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA\"}]}");
    assert_null(tw_tokens_load(&f->tokens, f->path));
    assert_int_equal(verify(f, text, NOW_S, &cost), TW_TOKEN_VALID);
    assert_true(cost > 0);
    assert_int_equal(verify(f, next, NOW_S, &cost), TW_TOKEN_VALID);
    write_file(f, OTHER);
    assert_null(tw_tokens_load(&f->tokens, f->path));
    assert_int_equal(verify(f, text, NOW_S, &cost), TW_TOKEN_INVALID);
    assert_int_equal(verify(f, next, NOW_S, &cost), TW_TOKEN_VALID);
    free(text);
    free(next);
}

static void test_cache__is_bounded_and_forgets_what_was_used_longest_ago(void **state)
{
    tw_fixture_t *f = *state;
    char *first = mint(SECRET, "{\"exp\":1800000060}"), payload[300];
    uint64_t cost;
    size_t count = 0;

    assert_null(tw_tokens_load(&f->tokens, f->path));
    for (int i = 0; i < 40000 && tw_token_cache_count(f->cache) == count; ++i, ++count) {
        snprintf(payload, sizeof(payload), "{\"exp\":1800000060,\"sub\":\"%0200d\"}", i);
        char *text = mint(SECRET, payload);
        assert_int_equal(verify(f, text, NOW_S, &cost), TW_TOKEN_VALID);
        free(text);
        if (i == 0)
            ++count;
        assert_int_equal(verify(f, first, NOW_S, &cost), TW_TOKEN_VALID);
        if (i > 0)
            assert_int_equal(cost, 0); /* used all the time, so it stays */
    }
    assert_true(tw_token_cache_count(f->cache) * 300 < TW_TOKEN_CACHE_BYTES);
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_token__is_verified_once_and_until_it_expires, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_tokens__are_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_replaced_keys__end_what_they_have_signed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_cache__is_bounded_and_forgets_what_was_used_longest_ago, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
