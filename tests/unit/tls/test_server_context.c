#include <openssl/err.h>
#include <stdbool.h>
#include <string.h>

#include "tests/support/cmocka_test.h"
#include "tests/support/tls_files.h"
#include "tls/key_updates.h"
#include "tls/server_context.h"

static tw_tls_store_t *store;
static SSL_CTX *client_context;

static int set_up(void **state)
{
    tw_tls_error_t error = {""};

    client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(client_context, SSL_SESS_CACHE_CLIENT);
    return tw_tls_store_create(&store, NULL, NULL, &error);
}

static int tear_down(void **state)
{
    tw_tls_store_destroy(store);
    SSL_CTX_free(client_context);
    ERR_clear_error();
    return 0;
}

/* One connection between the client context as it is set up and the server context given. */
typedef struct link {
    SSL *client, *server;
    int connected;
} link_t;

static link_t connect_to(SSL_CTX *server_context, SSL_SESSION *session)
{
    link_t made = {SSL_new(client_context), SSL_new(server_context), 0};

    if (session != NULL)
        SSL_set_session(made.client, session);
    made.connected = test_handshake(made.client, made.server);
    return made;
}

static void disconnect(link_t *gone)
{
    if (gone->connected)
        SSL_shutdown(gone->client); /* OpenSSL never resumes a session that was cut off */
    SSL_free(gone->client);
    SSL_free(gone->server);
}

static void assert_alpn(const char *offer, const char *expected)
{
    link_t it;
    const unsigned char *selected;
    unsigned length;

    SSL_CTX_set_alpn_protos(client_context, (const unsigned char *)offer, (unsigned)strlen(offer));
    it = connect_to(tw_tls_store_context(store), NULL);
    assert_true(it.connected);
    SSL_get0_alpn_selected(it.client, &selected, &length);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(selected, expected, length);
    disconnect(&it);
}

static void test_server_context__alpn_prefers_h2(void **state)
{
    assert_alpn("\x08http/1.1\x02h2", "h2");
    assert_alpn("\x08http/1.1", "http/1.1");
    assert_alpn("\x02h3\x02h2", "h2");
}

static void test_server_context__no_alpn_is_accepted(void **state)
{
    link_t it = connect_to(tw_tls_store_context(store), NULL);
    const unsigned char *selected;
    unsigned length;

    assert_true(it.connected);
    SSL_get0_alpn_selected(it.server, &selected, &length);
    assert_int_equal(length, 0);
    disconnect(&it);
}

static void test_server_context__unknown_protocols_are_refused(void **state)
{
    link_t it;

    SSL_CTX_set_alpn_protos(client_context, (const unsigned char *)"\x06spdy/1", 7);
    it = connect_to(tw_tls_store_context(store), NULL);
    assert_false(it.connected);
    disconnect(&it);
}

static int handshake_with(int version, const char *ciphers)
{
    link_t it;
    int connected;

    SSL_CTX_set_security_level(client_context, 0);
    SSL_CTX_set_min_proto_version(client_context, version);
    SSL_CTX_set_max_proto_version(client_context, version);
    assert_true(SSL_CTX_set_cipher_list(client_context, ciphers));
    it = connect_to(tw_tls_store_context(store), NULL);
    connected = it.connected;
    if (connected)
        assert_int_equal(SSL_version(it.server), version);
    disconnect(&it);
    return connected;
}

static void test_server_context__tls_1_2_and_1_3_are_spoken(void **state)
{
    assert_true(handshake_with(TLS1_2_VERSION, "DEFAULT"));
    assert_true(handshake_with(TLS1_3_VERSION, "DEFAULT"));
}

static void test_server_context__older_versions_are_refused(void **state)
{
    assert_false(handshake_with(TLS1_1_VERSION, "ALL:@SECLEVEL=0"));
    assert_false(handshake_with(TLS1_VERSION, "ALL:@SECLEVEL=0"));
}

static void test_server_context__ciphers_that_http2_prohibits_are_refused(void **state)
{
    assert_false(handshake_with(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256"));
    assert_false(handshake_with(TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA"));
    assert_true(handshake_with(TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"));
}

static void test_server_context__renegotiation_is_refused(void **state)
{
    link_t it;
    char byte;

    SSL_CTX_set_max_proto_version(client_context, TLS1_2_VERSION);
    it = connect_to(tw_tls_store_context(store), NULL);
    assert_true(it.connected);
    assert_true(SSL_renegotiate(it.client));
    SSL_do_handshake(it.client);
    assert_true(SSL_read(it.server, &byte, 1) <= 0);
    assert_true(SSL_do_handshake(it.client) <= 0); /* the no_renegotiation alert */
    assert_int_equal(SSL_get_error(it.client, -1), SSL_ERROR_SSL);
    disconnect(&it);
}

/* The client changes its keys so often. Returns whether the server still reads what comes then. */
static bool reads_after_updates(link_t *it, int count)
{
    char byte;

    for (int i = 0; i < count; ++i) {
        assert_true(SSL_key_update(it->client, SSL_KEY_UPDATE_NOT_REQUESTED));
        assert_int_equal(SSL_do_handshake(it->client), 1);
    }
    assert_int_equal(SSL_write(it->client, "x", 1), 1);
    return SSL_read(it->server, &byte, 1) == 1;
}

static void test_server_context__key_updates_are_bounded(void **state)
{
    link_t it = connect_to(tw_tls_store_context(store), NULL);
    uint64_t before = *tw_key_updates_refused();

    assert_true(it.connected);
    assert_true(reads_after_updates(&it, 1));
    assert_int_equal(*tw_key_updates_refused() - before, 0);
    assert_false(reads_after_updates(&it, 2 * TW_KEY_UPDATES_PER_MINUTE));
    assert_int_equal(SSL_get_error(it.server, 0), SSL_ERROR_ZERO_RETURN);
    assert_int_equal(*tw_key_updates_refused() - before, 1);
    disconnect(&it);
}

/* A session that the server at `context` has just given out. */
static SSL_SESSION *get_session(SSL_CTX *context)
{
    link_t it = connect_to(context, NULL);
    SSL_SESSION *session;

    assert_true(it.connected);
    test_exchange(it.client, it.server);
    session = SSL_get1_session(it.client);
    assert_true(SSL_SESSION_is_resumable(session));
    disconnect(&it);
    return session;
}

static int resumes(SSL_CTX *context, SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session); /* the client uses a TLS 1.3 ticket only once */
    link_t it = connect_to(context, copy);
    int reused;

    assert_true(it.connected);
    reused = SSL_session_reused(it.client);
    disconnect(&it);
    SSL_SESSION_free(copy);
    return reused;
}

static void assert_resumption_after_replacement(int version)
{
    char *directory = test_directory_create();
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    const test_certificate_t plain = {0};
    SSL_CTX *fresh;
    SSL_SESSION *session;
    time_t not_after;

    tw_tls_store_destroy(store);
    test_write_pair(&plain, chain, key);
    assert_int_equal(tw_tls_store_create(&store, chain, key, NULL), 0);
    SSL_CTX_set_max_proto_version(client_context, version);
    session = get_session(tw_tls_store_context(store));
    assert_true(resumes(tw_tls_store_context(store), session));
    assert_int_equal(tw_tls_store_load(store, &fresh, &not_after, NULL), 0);
    tw_tls_store_replace(store, fresh, not_after);
    assert_ptr_equal(tw_tls_store_context(store), fresh);
    assert_true(resumes(tw_tls_store_context(store), session));
    SSL_SESSION_free(session);
    test_directory_remove(directory);
}

static void test_server_context__sessions_resume_after_a_reload(void **state)
{
    assert_resumption_after_replacement(TLS1_3_VERSION);
    assert_resumption_after_replacement(TLS1_2_VERSION);
}

static void test_ticket_keys__ticket_outlives_one_rotation_only(void **state)
{
    tw_ticket_keys_t *keys = tw_ticket_keys_create(3600);
    tw_certificate_t *certificate;
    SSL_SESSION *session;
    SSL_CTX *context;

    assert_int_equal(tw_certificate_create_ephemeral(&certificate, NULL), 0);
    context = tw_tls_server_context_create(certificate, keys, "it", NULL);
    assert_non_null(context);
    session = get_session(context);
    assert_true(resumes(context, session));
    tw_ticket_keys_rotate(keys);
    assert_true(resumes(context, session));
    tw_ticket_keys_rotate(keys);
    assert_false(resumes(context, session));
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
    tw_certificate_destroy(certificate);
    tw_ticket_keys_unref(keys);
}

static void test_ticket_keys__stores_do_not_share_them(void **state)
{
    SSL_SESSION *session = get_session(tw_tls_store_context(store));
    tw_tls_store_t *other;

    assert_int_equal(tw_tls_store_create(&other, NULL, NULL, NULL), 0);
    assert_false(resumes(tw_tls_store_context(other), session));
    SSL_SESSION_free(session);
    tw_tls_store_destroy(other);
}

static void test_server_context__weak_key_is_refused(void **state)
{
    char *directory = test_directory_create();
    const char *chain = test_path(directory, "chain.pem"), *key = test_path(directory, "key.pem");
    const test_certificate_t weak = {.rsa_bits = 1024};
    tw_tls_store_t *none = NULL;
    tw_tls_error_t error = {""};

    test_write_pair(&weak, chain, key);
    assert_int_equal(tw_tls_store_create(&none, chain, key, &error), TW_TLS_REFUSED);
    assert_null(none);
    assert_non_null(strstr(error.text, chain));
    assert_non_null(strstr(error.text, "key too small"));
    test_directory_remove(directory);
}

static void test_store__connection_in_handshake_survives_a_replacement(void **state)
{
    SSL_CTX *old = tw_tls_store_context(store);
    tw_ticket_keys_t *keys = tw_ticket_keys_create(3600);
    tw_certificate_t *certificate;
    link_t it;

    assert_int_equal(tw_certificate_create_ephemeral(&certificate, NULL), 0);
    tw_tls_store_replace(store, tw_tls_server_context_create(certificate, keys, "it", NULL), 1);
    tw_tls_store_replace(store, tw_tls_server_context_create(certificate, keys, "it", NULL), 2);
    assert_int_equal(tw_tls_store_not_after(store), 2);
    it = connect_to(old, NULL);
    assert_true(it.connected);
    disconnect(&it);
    tw_certificate_destroy(certificate);
    tw_ticket_keys_unref(keys);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_server_context__alpn_prefers_h2),
        TEST(test_server_context__no_alpn_is_accepted),
        TEST(test_server_context__unknown_protocols_are_refused),
        TEST(test_server_context__tls_1_2_and_1_3_are_spoken),
        TEST(test_server_context__older_versions_are_refused),
        TEST(test_server_context__ciphers_that_http2_prohibits_are_refused),
        TEST(test_server_context__renegotiation_is_refused),
        TEST(test_server_context__key_updates_are_bounded),
        TEST(test_server_context__sessions_resume_after_a_reload),
        TEST(test_ticket_keys__ticket_outlives_one_rotation_only),
        TEST(test_ticket_keys__stores_do_not_share_them),
        TEST(test_server_context__weak_key_is_refused),
        TEST(test_store__connection_in_handshake_survives_a_replacement),
    };

    return cmocka_run_group_tests_name("server_context", tests, NULL, NULL);
}
