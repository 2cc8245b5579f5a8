/*
 * Keys: which headers carry one, and that a check takes the same steps whatever was sent.
 * CRYPTO_memcmp() is replaced here, so every comparison with a key's digest is seen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "handlers/clients/auth.h"
#include "tests/support/cmocka_test.h"

#define CALLS_MAX 64

static struct {
    const void *sent, *key;
    size_t len;
} calls[CALLS_MAX];
static size_t call_count;

int CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
    assert_true(call_count < CALLS_MAX);
    calls[call_count].sent = a;
    calls[call_count].key = b;
    calls[call_count++].len = len;
    return memcmp(a, b, len);
}

static bool check(tw_auth_t *auth, const char *header, size_t *key)
{
    call_count = 0;
    return tw_auth_check(auth, header, strlen(header), key);
}

/* What was sent was compared with the whole digest of every key, each once and in their order. */
static void expect_all_compared(const tw_auth_t *auth)
{
    assert_int_equal(call_count, auth->count);
    for (size_t i = 0; i < call_count; ++i) {
        assert_int_equal(calls[i].len, TW_KEY_DIGEST_SIZE);
        assert_ptr_equal(calls[i].sent, calls[0].sent);
        assert_ptr_equal(calls[i].key, auth->digests[i]);
    }
}

static void test_check__compares_with_every_key_whichever_matches(void **state)
{
    static const char *const headers[] = {"Bearer one",    "Bearer two",  "Bearer three",
                                          "Bearer four",   "Bearer none", "Bearer o",
                                          "Bearer one \t", "Bearer "};
    tw_auth_t auth;

    assert_int_equal(tw_auth_init(&auth, "one,two,three,four"), 4);
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); ++i) {
        size_t key;
        bool valid = check(&auth, headers[i], &key);
        if (strlen(headers[i]) == strlen("Bearer "))
            assert_int_equal(call_count, 0); /* the header names no key at all */
        else
            expect_all_compared(&auth);
        assert_int_equal(valid, i < 4 || i == 6);
        if (valid)
            assert_int_equal(key, i % 6);
    }
    tw_auth_dispose(&auth);
}

/* Keys of every length are digests when they are compared: neither length nor first bytes can be
 * felt for. */
static void test_check__compares_digests_never_keys(void **state)
{
    char header[300];
    tw_auth_t auth;

    assert_int_equal(tw_auth_init(&auth, "a,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                     2);
    for (size_t len = 1; len < 250; ++len) {
        strcpy(header, "Bearer ");
        memset(header + 7, 'a', len);
        header[7 + len] = '\0';
        bool valid = check(&auth, header, NULL);
        assert_int_equal(valid, len == 1 || len == 52);
        expect_all_compared(&auth);
        const char *sent = calls[0].sent;
        assert_false(sent >= header && sent < header + sizeof(header));
    }
    tw_auth_dispose(&auth);
}

static void test_check__takes_the_scheme_in_any_case_and_blanks_around(void **state)
{
    static const char *const good[] = {"Bearer k", "bearer k", "BEARER k", "  Bearer \t k \t",
                                       "bEaReR   k"};
    static const char *const bad[] = {"",           "k",          "Bearer",    "Bearer ",
                                      "Bearerk",    "Basic k",    "Bearer kk", "Bearer K",
                                      "Bearer k,k", "Bearer k k", "Bea k",     "Bearer\nk"};
    tw_auth_t auth;

    assert_int_equal(tw_auth_init(&auth, "k"), 1);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); ++i)
        assert_true(check(&auth, good[i], NULL));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i)
        assert_false(check(&auth, bad[i], NULL));
    call_count = 0;
    assert_false(tw_auth_check(&auth, NULL, 0, NULL));
    assert_false(tw_auth_check(&auth, "Bearer k", 7, NULL)); /* no NUL ends a header */
    tw_auth_dispose(&auth);
}

static void test_init__takes_each_key_once(void **state)
{
    tw_auth_t auth;
    size_t key;

    call_count = 0;
    assert_int_equal(tw_auth_init(&auth, " a, b ,,a,\tc d\t,b, "), 3);
    assert_true(check(&auth, "Bearer a", &key) && key == 0);
    assert_true(check(&auth, "Bearer b", &key) && key == 1);
    assert_true(check(&auth, "Bearer c d", &key) && key == 2);
    assert_false(check(&auth, "Bearer a, b", &key));
    tw_auth_dispose(&auth);
    assert_int_equal(tw_auth_init(&auth, " , ,"), 0);
    assert_false(check(&auth, "Bearer ", NULL));
    assert_false(check(&auth, "Bearer x", NULL));
    tw_auth_dispose(&auth);
}

/* --- the file --- */

static const char *path_of_file(void)
{
    static char path[] = "/tmp/tideway-keys-XXXXXX";
    static bool made;

    if (!made)
        close(mkstemp(path));
    made = true;
    return path;
}

/* Writes the file and loads it; returns the problem. */
static const char *load(tw_auth_t *auth, const char *text)
{
    FILE *out = fopen(path_of_file(), "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    call_count = 0;
    return tw_auth_load(auth, path_of_file());
}

static void test_load__counts_with_the_keys_of_the_option(void **state)
{
    tw_auth_t auth;

    tw_auth_init(&auth, "option");
    assert_null(load(&auth, "\n one\r\ntwo, three ,\n\n four and more\t\n"));
    assert_true(check(&auth, "Bearer option", NULL));
    assert_true(check(&auth, "Bearer one", NULL));
    assert_true(check(&auth, "Bearer two", NULL));
    assert_true(check(&auth, "Bearer three", NULL));
    assert_true(check(&auth, "Bearer four and more", NULL));
    tw_auth_dispose(&auth);
    tw_auth_init(&auth, NULL);
    assert_null(load(&auth, "alone"));
    assert_true(check(&auth, "Bearer alone", NULL));
    tw_auth_dispose(&auth);
}

static void test_load__replaces_those_of_the_file_alone(void **state)
{
    tw_auth_t auth;
    size_t before, after;

    tw_auth_init(&auth, "option,both");
    assert_null(load(&auth, "old,stays,both"));
    assert_true(check(&auth, "Bearer stays", &before));
    assert_null(load(&auth, "new,stays"));
    assert_false(check(&auth, "Bearer old", NULL));
    assert_true(check(&auth, "Bearer new", NULL));
    assert_true(check(&auth, "Bearer stays", &after));
    assert_int_equal(before, after); /* its rate goes on where it was */
    assert_true(check(&auth, "Bearer option", NULL));
    assert_true(check(&auth, "Bearer both", NULL));
    for (int i = 0; i < 3000; ++i) { /* places are used again */
        char key[16];
        snprintf(key, sizeof(key), "key%d", i);
        assert_null(load(&auth, key));
    }
    assert_true(check(&auth, "Bearer key2999", NULL));
    assert_false(check(&auth, "Bearer key2998", NULL));
    tw_auth_dispose(&auth);
}

static void test_load__without_a_key_changes_nothing(void **state)
{
    char *many = malloc(8 * TW_KEYS_MAX + 100), *to = many;
    tw_auth_t auth;

    for (int i = 0; i <= TW_KEYS_MAX; ++i)
        to += sprintf(to, "%d,", i);
    tw_auth_init(&auth, NULL);
    assert_null(load(&auth, "good"));
    assert_non_null(load(&auth, ""));
    assert_non_null(load(&auth, " \n,\r\n , \t"));
    assert_non_null(load(&auth, many));
    assert_non_null(tw_auth_load(&auth, "/nonexistent"));
    assert_non_null(tw_auth_load(&auth, "/tmp"));
    assert_true(check(&auth, "Bearer good", NULL));
    tw_auth_dispose(&auth);
    free(many);
}

static void test_load__knows_short_keys(void **state)
{
    tw_auth_t auth;

    tw_auth_init(&auth, "123456789012345,1234567890123456");
    assert_int_equal(auth.short_of_option, 1);
    assert_null(load(&auth, "a\nb\n1234567890123456789"));
    assert_int_equal(auth.short_of_file, 2);
    assert_null(load(&auth, "1234567890123456789"));
    assert_int_equal(auth.short_of_file, 0);
    tw_auth_dispose(&auth);
    unlink(path_of_file());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__compares_with_every_key_whichever_matches),
        cmocka_unit_test(test_check__compares_digests_never_keys),
        cmocka_unit_test(test_check__takes_the_scheme_in_any_case_and_blanks_around),
        cmocka_unit_test(test_init__takes_each_key_once),
        cmocka_unit_test(test_load__counts_with_the_keys_of_the_option),
        cmocka_unit_test(test_load__replaces_those_of_the_file_alone),
        cmocka_unit_test(test_load__without_a_key_changes_nothing),
        cmocka_unit_test(test_load__knows_short_keys),
    };
    return cmocka_run_group_tests_name("auth", tests, NULL, NULL);
}
