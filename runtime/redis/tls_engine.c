#include "runtime/redis/tls_engine.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"

struct tw_redis_tls_engine {
    SSL *ssl;       /* owned; owns both BIOs */
    BIO *from_peer; /* borrowed from ssl */
    BIO *to_peer;   /* borrowed from ssl */
};

/* The reason of the oldest OpenSSL error, which names the cause best; empties the queue. */
static const char *openssl_reason(const char *otherwise)
{
    unsigned long code = ERR_get_error();
    const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason == NULL ? otherwise : reason;
}

SSL_CTX *tw_redis_tls_context_create(const char *ca_path, char *error, size_t error_size)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) {
        snprintf(error, error_size, "TLS cannot be set up: %s", openssl_reason("unknown"));
        return NULL;
    }
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    int loaded = ca_path == NULL ? SSL_CTX_set_default_verify_paths(context)
                                 : SSL_CTX_load_verify_locations(context, ca_path, NULL);
    if (loaded != 1) {
        snprintf(error, error_size, "the certificate authorities in %s cannot be read: %s",
                 ca_path == NULL ? "the system's store" : ca_path, openssl_reason("unknown"));
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

static bool is_address(const char *host)
{
    unsigned char address[16];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

tw_redis_tls_engine_t *tw_redis_tls_engine_create(SSL_CTX *context, const char *host)
{
    tw_redis_tls_engine_t *engine = tw_alloc(sizeof(*engine));
    engine->ssl = SSL_new(context);
    engine->from_peer = BIO_new(BIO_s_mem());
    engine->to_peer = BIO_new(BIO_s_mem());
    if (engine->ssl == NULL || engine->from_peer == NULL || engine->to_peer == NULL)
        abort();
    SSL_set_bio(engine->ssl, engine->from_peer, engine->to_peer);
    SSL_set_connect_state(engine->ssl);
    X509_VERIFY_PARAM *expected = SSL_get0_param(engine->ssl);
    if (is_address(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(expected, host);
    } else {
        X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        X509_VERIFY_PARAM_set1_host(expected, host, 0);
        SSL_set_tlsext_host_name(engine->ssl, host);
    }
    return engine;
}

void tw_redis_tls_engine_destroy(tw_redis_tls_engine_t *engine)
{
    if (engine == NULL)
        return;
    SSL_free(engine->ssl);
    free(engine);
}

void tw_redis_tls_engine_feed(tw_redis_tls_engine_t *engine, const char *bytes, size_t len)
{
    /* A memory BIO takes all or aborts the process inside OpenSSL's allocator. */
    BIO_write(engine->from_peer, bytes, (int)len);
}

int tw_redis_tls_engine_handshake(tw_redis_tls_engine_t *engine, char *error, size_t error_size)
{
    ERR_clear_error();
    int result = SSL_do_handshake(engine->ssl);
    if (result == 1)
        return 1;
    if (SSL_get_error(engine->ssl, result) == SSL_ERROR_WANT_READ)
        return 0;
    long verified = SSL_get_verify_result(engine->ssl);
    if (verified != X509_V_OK)
        snprintf(error, error_size, "its certificate is refused: %s",
                 X509_verify_cert_error_string(verified));
    else
        snprintf(error, error_size, "the TLS handshake failed: %s",
                 openssl_reason("the peer does not speak TLS"));
    ERR_clear_error();
    return -1;
}

int tw_redis_tls_engine_read(tw_redis_tls_engine_t *engine, char *bytes, size_t size)
{
    ERR_clear_error();
    int result = SSL_read(engine->ssl, bytes, (int)size);
    if (result > 0)
        return result;
    result = SSL_get_error(engine->ssl, result) == SSL_ERROR_WANT_READ ? 0 : -1;
    ERR_clear_error();
    return result;
}

int tw_redis_tls_engine_write(tw_redis_tls_engine_t *engine, const char *bytes, size_t len)
{
    size_t written = 0;
    ERR_clear_error();
    int result = SSL_write_ex(engine->ssl, bytes, len, &written);
    ERR_clear_error();
    return result == 1 && written == len ? 0 : -1;
}

const char *tw_redis_tls_engine_output(tw_redis_tls_engine_t *engine, size_t *len)
{
    char *bytes = NULL;
    long pending = BIO_get_mem_data(engine->to_peer, &bytes);
    *len = pending > 0 ? (size_t)pending : 0;
    return bytes;
}

void tw_redis_tls_engine_drop_output(tw_redis_tls_engine_t *engine)
{
    (void)BIO_reset(engine->to_peer);
}
