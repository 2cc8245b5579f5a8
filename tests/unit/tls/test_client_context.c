#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/cmocka_test.h"
#include "tests/support/tls_files.h"
#include "tls/client_context.h"

static char *directory;
static SSL_CTX *server_context;
static char server_name[256]; /* the last SNI that the server saw, "" without */

static int on_server_name(SSL *ssl, int *alert, void *data)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    snprintf(server_name, sizeof(server_name), "%s", name != NULL ? name : "");
    return SSL_TLSEXT_ERR_OK;
}

/* A server with the certificate, which is also written as the CA file "ca.pem". */
static void start_server(const test_certificate_t *certificate)
{
    const char *ca = test_path(directory, "ca.pem"), *key = test_path(directory, "key.pem");

    test_write_pair(certificate, ca, key);
    SSL_CTX_free(server_context);
    server_context = SSL_CTX_new(TLS_server_method());
    assert_true(SSL_CTX_use_certificate_chain_file(server_context, ca));
    assert_true(SSL_CTX_use_PrivateKey_file(server_context, key, SSL_FILETYPE_PEM));
    SSL_CTX_set_tlsext_servername_callback(server_context, on_server_name);
    server_name[0] = '\0';
}

static int set_up(void **state)
{
    static const test_certificate_t both = {.alt_names = "DNS:redis.example,IP:127.0.0.1,IP:::1"};

    directory = test_directory_create();
    start_server(&both);
    return 0;
}

static int tear_down(void **state)
{
    SSL_CTX_free(server_context);
    server_context = NULL;
    test_directory_remove(directory);
    return 0;
}

/* NULL when the connection to `host` succeeds, else why not. */
static const char *connect_to(const char *host, const char *ca_path)
{
    SSL_CTX *context;
    SSL *client, *server;
    const char *failure = NULL;

    assert_int_equal(tw_tls_client_context_create(&context, ca_path, NULL), 0);
    assert_int_equal(tw_tls_client_create(&client, context, host, NULL), 0);
    server = SSL_new(server_context);
    if (!test_handshake(client, server))
        failure = tw_tls_client_failure(client);
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(context);
    ERR_clear_error();
    return failure;
}

static void test_client__named_host_is_accepted_and_sent_as_sni(void **state)
{
    assert_null(connect_to("redis.example", test_path(directory, "ca.pem")));
    assert_string_equal(server_name, "redis.example");
    assert_null(connect_to("redis.example.", test_path(directory, "ca.pem")));
    assert_string_equal(server_name, "redis.example");
}

static void test_client__addresses_are_verified_without_sni(void **state)
{
    assert_null(connect_to("127.0.0.1", test_path(directory, "ca.pem")));
    assert_string_equal(server_name, "");
    assert_null(connect_to("::1", test_path(directory, "ca.pem")));
    assert_string_equal(server_name, "");
}

static void test_client__other_names_are_refused(void **state)
{
    const char *ca = test_path(directory, "ca.pem");

    assert_string_equal(connect_to("other.example", ca), "hostname mismatch");
    assert_string_equal(connect_to("sub.redis.example", ca), "hostname mismatch");
    assert_string_equal(connect_to("127.0.0.2", ca), "IP address mismatch");
}

static void test_client__unknown_issuer_is_refused(void **state)
{
    assert_non_null(strstr(connect_to("redis.example", NULL), "self-signed"));
}

static void test_client__expired_server_is_refused(void **state)
{
    const test_certificate_t expired = {
        .alt_names = "DNS:redis.example", .from_s = -7200, .to_s = -60};

    start_server(&expired);
    assert_string_equal(connect_to("redis.example", test_path(directory, "ca.pem")),
                        "certificate has expired");
}

static void test_client__tls_1_1_is_refused(void **state)
{
    SSL_CTX_set_security_level(server_context, 0);
    SSL_CTX_set_max_proto_version(server_context, TLS1_1_VERSION);
    assert_non_null(connect_to("redis.example", test_path(directory, "ca.pem")));
}

static void assert_ca_refused(const char *path, int status)
{
    SSL_CTX *context = NULL;
    tw_tls_error_t error = {""};

    assert_int_equal(tw_tls_client_context_create(&context, path, &error), status);
    assert_null(context);
    assert_non_null(strstr(error.text, path));
}

static void test_client__bad_ca_files_are_named(void **state)
{
    test_write_file(test_path(directory, "text.pem"), "nothing\n");
    assert_ca_refused(test_path(directory, "none.pem"), TW_TLS_UNREADABLE);
    assert_ca_refused(test_path(directory, "text.pem"), TW_TLS_NO_CERTIFICATE);
}

static void test_client__impossible_names_are_refused(void **state)
{
    SSL_CTX *context;
    SSL *ssl = NULL;
    tw_tls_error_t error = {""};
    char longest[300];

    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(tw_tls_client_context_create(&context, NULL, NULL), 0);
    assert_int_equal(tw_tls_client_create(&ssl, context, "", &error), TW_TLS_REFUSED);
    assert_int_equal(tw_tls_client_create(&ssl, context, longest, &error), TW_TLS_REFUSED);
    assert_null(ssl);
    SSL_CTX_free(context);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_client__named_host_is_accepted_and_sent_as_sni),
        TEST(test_client__addresses_are_verified_without_sni),
        TEST(test_client__other_names_are_refused),
        TEST(test_client__unknown_issuer_is_refused),
        TEST(test_client__expired_server_is_refused),
        TEST(test_client__tls_1_1_is_refused),
        TEST(test_client__bad_ca_files_are_named),
        TEST(test_client__impossible_names_are_refused),
    };

    return cmocka_run_group_tests_name("client_context", tests, NULL, NULL);
}
