#include "runtime/redis/client/tls_engine.h"

#include <openssl/err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "tls/client_context.h"

struct tw_redis_tls_engine {
    SSL *ssl;       /* owned; owns both BIOs */
    BIO *from_peer; /* borrowed from ssl */
    BIO *to_peer;   /* borrowed from ssl */
};

tw_redis_tls_engine_t *tw_redis_tls_engine_create(SSL_CTX *context, const char *host,
                                                  tw_tls_error_t *error)
{
    SSL *ssl;
    if (tw_tls_client_create(&ssl, context, host, error) != TW_TLS_OK)
        return NULL;
    tw_redis_tls_engine_t *engine = tw_alloc(sizeof(*engine));
    engine->ssl = ssl;
    engine->from_peer = BIO_new(BIO_s_mem());
    engine->to_peer = BIO_new(BIO_s_mem());
    if (engine->from_peer == NULL || engine->to_peer == NULL)
        abort();
    SSL_set_bio(ssl, engine->from_peer, engine->to_peer);
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
    bool refused = SSL_get_verify_result(engine->ssl) != X509_V_OK;
    snprintf(error, error_size, "%s: %s",
             refused ? "its certificate is refused" : "the TLS handshake failed",
             tw_tls_client_failure(engine->ssl));
    return -1;
}

int tw_redis_tls_engine_read(tw_redis_tls_engine_t *engine, char *bytes, size_t size,
                             const char **problem)
{
    ERR_clear_error();
    int result = SSL_read(engine->ssl, bytes, (int)size);
    if (result > 0)
        return result;
    int kind = SSL_get_error(engine->ssl, result);
    *problem = kind == SSL_ERROR_ZERO_RETURN ? "it ended the TLS session"
                                             : tw_tls_client_failure(engine->ssl);
    return kind == SSL_ERROR_WANT_READ ? 0 : -1;
}

int tw_redis_tls_engine_write(tw_redis_tls_engine_t *engine, const char *bytes, size_t len)
{
    size_t written = 0;
    int result = 1;
    ERR_clear_error();
    for (; len > 0 && result == 1; bytes += written, len -= written) /* a record at a time */
        result = SSL_write_ex(engine->ssl, bytes, len, &written);
    ERR_clear_error();
    return len == 0 ? 0 : -1;
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
