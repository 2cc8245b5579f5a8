#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/cmocka_test.h"
#include "tests/support/tls_files.h"
#include "tls/certificate.h"

static char *directory;
static const test_certificate_t plain = {0};

static int set_up(void **state)
{
    directory = test_directory_create();
    return 0;
}

static int tear_down(void **state)
{
    test_directory_remove(directory);
    return 0;
}

/* Loads what must not load: the status, and that the message names `path` and is one line. */
static void assert_refused(const char *chain, const char *key, int status, const char *path)
{
    tw_certificate_t *certificate = NULL;
    tw_tls_error_t error = {""};

    assert_int_equal(tw_certificate_load(&certificate, chain, key, &error), status);
    assert_null(certificate);
    assert_non_null(strstr(error.text, path));
    assert_null(strchr(error.text, '\n'));
}

static void test_certificate__pair_is_loaded_with_its_expiry(void **state)
{
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    tw_certificate_t *certificate;
    tw_tls_error_t error = {""};
    time_t left;

    test_write_pair(&plain, chain, key);
    assert_int_equal(tw_certificate_load(&certificate, chain, key, &error), 0);
    assert_int_equal(sk_X509_num(certificate->chain), 0);
    left = tw_certificate_not_after(certificate) - time(NULL);
    assert_in_range(left, 3500, 3600);
    tw_certificate_destroy(certificate);
}

static void append(const char *to, const char *from)
{
    char buffer[8192];
    FILE *in = fopen(from, "r"), *out = fopen(to, "a");
    size_t got = fread(buffer, 1, sizeof(buffer), in);

    assert_int_equal(fwrite(buffer, 1, got, out), got);
    fclose(in);
    fclose(out);
}

/* A chain of a real issuer in the same file: tests/integration/test_tls.py. */
static void test_certificate__chain_and_key_may_share_a_file(void **state)
{
    const char *all = test_path(directory, "all.pem"), *key = test_path(directory, "key.pem");
    tw_certificate_t *certificate;
    tw_tls_error_t error = {""};

    test_write_pair(&plain, all, key);
    append(all, key);
    assert_int_equal(tw_certificate_load(&certificate, all, all, &error), 0);
    assert_int_equal(sk_X509_num(certificate->chain), 0);
    tw_certificate_destroy(certificate);
}

static void test_certificate__second_certificate_or_key_is_refused(void **state)
{
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    const char *other = test_path(directory, "other.pem"), *keys = test_path(directory, "keys.pem");

    test_write_pair(&plain, chain, key);
    test_write_pair(&plain, other, keys);
    append(chain, other);
    assert_refused(chain, key, TW_TLS_SECOND_CERTIFICATE, chain);
    test_write_pair(&plain, chain, key);
    append(key, keys);
    assert_refused(chain, key, TW_TLS_SECOND_KEY, key);
}

static void test_certificate__missing_file_is_named(void **state)
{
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    const char *none = test_path(directory, "none.pem");

    test_write_pair(&plain, chain, key);
    assert_refused(none, key, TW_TLS_UNREADABLE, none);
    assert_refused(chain, none, TW_TLS_UNREADABLE, none);
    assert_refused(chain, directory, TW_TLS_UNREADABLE, directory);
}

static void test_certificate__file_without_pem_is_refused(void **state)
{
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    const char *text = test_path(directory, "text.pem");

    test_write_pair(&plain, chain, key);
    test_write_file(text, "not a certificate\n");
    assert_refused(text, key, TW_TLS_NO_CERTIFICATE, text);
    assert_refused(chain, text, TW_TLS_NO_KEY, text);
    assert_refused(key, chain, TW_TLS_NO_CERTIFICATE, key);
}

static void test_certificate__damaged_pem_is_refused(void **state)
{
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    const char *bad = test_path(directory, "bad.pem");

    test_write_pair(&plain, chain, key);
    test_write_file(bad, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert_refused(bad, key, TW_TLS_BAD_CERTIFICATE, bad);
    append(chain, bad);
    assert_refused(chain, key, TW_TLS_BAD_CERTIFICATE, chain);
}

static void test_certificate__huge_file_is_refused(void **state)
{
    const char *key = test_path(directory, "key.pem"), *huge = test_path(directory, "huge.pem");

    test_write_pair(&plain, NULL, key);
    test_write_file(huge, "x");
    assert_int_equal(truncate(huge, 2 * 1024 * 1024), 0);
    assert_refused(huge, key, TW_TLS_UNREADABLE, huge);
}

static void test_certificate__mismatching_pair_is_refused(void **state)
{
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");

    test_write_pair(&plain, chain, NULL);
    test_write_pair(&plain, NULL, key);
    assert_refused(chain, key, TW_TLS_MISMATCH, key);
    assert_refused(chain, key, TW_TLS_MISMATCH, chain);
}

static void test_certificate__expired_is_refused(void **state)
{
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    const test_certificate_t expired = {.from_s = -7200, .to_s = -60};

    test_write_pair(&expired, chain, key);
    assert_refused(chain, key, TW_TLS_EXPIRED, chain);
}

static void test_certificate__not_yet_valid_is_refused(void **state)
{
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    const test_certificate_t early = {.from_s = 3600, .to_s = 7200};

    test_write_pair(&early, chain, key);
    assert_refused(chain, key, TW_TLS_NOT_YET_VALID, chain);
}

static void test_certificate__encrypted_key_is_refused_without_asking(void **state)
{
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    BIO *out = BIO_new_file(key, "w");

    test_write_pair(&plain, chain, NULL);
    assert_true(PEM_write_bio_PKCS8PrivateKey(out, pkey, EVP_aes_128_cbc(), "pass", 4, NULL, NULL));
    BIO_free(out);
    EVP_PKEY_free(pkey);
    assert_refused(chain, key, TW_TLS_ENCRYPTED_KEY, key);
}

static void test_certificate__ephemeral_names_this_machine(void **state)
{
    tw_certificate_t *certificate;
    tw_tls_error_t error = {""};
    char host[256] = "";

    assert_int_equal(tw_certificate_create_ephemeral(&certificate, &error), 0);
    assert_int_equal(X509_check_host(certificate->leaf, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(certificate->leaf, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate->leaf, "::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate->leaf, "127.0.0.2", 0), 0);
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    assert_int_equal(X509_check_host(certificate->leaf, host, 0, 0, NULL), 1);
    assert_int_equal(X509_check_private_key(certificate->leaf, certificate->key), 1);
    assert_int_equal(X509_verify(certificate->leaf, certificate->key), 1);
    assert_int_equal(EVP_PKEY_get_bits(certificate->key), 256);
    assert_true(X509_cmp_current_time(X509_get0_notBefore(certificate->leaf)) < 0);
    assert_true(tw_certificate_not_after(certificate) > time(NULL) + 300L * 24 * 3600);
    tw_certificate_destroy(certificate);
}

static void test_certificate__ephemeral_ones_differ(void **state)
{
    tw_certificate_t *a, *b;

    assert_int_equal(tw_certificate_create_ephemeral(&a, NULL), 0);
    assert_int_equal(tw_certificate_create_ephemeral(&b, NULL), 0);
    assert_int_not_equal(X509_cmp(a->leaf, b->leaf), 0);
    assert_int_not_equal(EVP_PKEY_eq(a->key, b->key), 1);
    tw_certificate_destroy(a);
    tw_certificate_destroy(b);
    tw_certificate_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_certificate__pair_is_loaded_with_its_expiry, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__second_certificate_or_key_is_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__chain_and_key_may_share_a_file, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__missing_file_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__file_without_pem_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__damaged_pem_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__huge_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__mismatching_pair_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__expired_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__not_yet_valid_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_certificate__encrypted_key_is_refused_without_asking,
                                        set_up, tear_down),
        cmocka_unit_test(test_certificate__ephemeral_names_this_machine),
        cmocka_unit_test(test_certificate__ephemeral_ones_differ),
    };

    return cmocka_run_group_tests_name("certificate", tests, NULL, NULL);
}
