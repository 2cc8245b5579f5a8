#include "tls/client_context.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tls/certificate.h"

int tw_tls_client_context_create(SSL_CTX **context, const char *ca_path, tw_tls_error_t *error)
{
    SSL_CTX *made = SSL_CTX_new(TLS_client_method());
    int trusted;

    if (made == NULL || !SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION))
        abort();
    SSL_CTX_set_options(made, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                               SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
    ERR_clear_error();
    if (ca_path != NULL && access(ca_path, R_OK) != 0) {
        SSL_CTX_free(made);
        return tw_tls_fail(error, TW_TLS_UNREADABLE, ca_path, strerror(errno));
    }
    trusted = ca_path != NULL ? SSL_CTX_load_verify_file(made, ca_path)
                              : SSL_CTX_set_default_verify_paths(made);
    if (!trusted) {
        SSL_CTX_free(made);
        return ca_path != NULL ? tw_tls_fail(error, TW_TLS_NO_CERTIFICATE, ca_path, NULL)
                               : tw_tls_fail(error, TW_TLS_INTERNAL, "the system's trust", NULL);
    }
    *context = made;
    return TW_TLS_OK;
}

int tw_tls_client_context_identify(SSL_CTX *context, const char *chain_path, const char *key_path,
                                   tw_tls_error_t *error)
{
    tw_certificate_t *certificate;
    int status = tw_certificate_load(&certificate, chain_path, key_path, error);

    if (status != TW_TLS_OK)
        return status;
    if (SSL_CTX_use_cert_and_key(context, certificate->leaf, certificate->key, certificate->chain,
                                 1) != 1)
        status = tw_tls_fail(error, TW_TLS_REFUSED, chain_path, NULL);
    tw_certificate_destroy(certificate);
    return status;
}

static int is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static int expect_name(SSL *ssl, const char *host)
{
    char name[256];
    size_t length = strlen(host);

    /* "redis.example." is the same name; certificates and SNI write it without the dot. */
    if (length > 1 && host[length - 1] == '.')
        --length;
    if (length == 0 || length >= sizeof(name))
        return 0;
    memcpy(name, host, length);
    name[length] = '\0';
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name) == 1;
}

int tw_tls_client_create(SSL **ssl, SSL_CTX *context, const char *host, tw_tls_error_t *error)
{
    SSL *made = SSL_new(context);
    int expected;

    if (made == NULL)
        abort();
    if (is_address(host))
        expected = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(made), host);
    else
        expected = expect_name(made, host);
    if (!expected) {
        SSL_free(made);
        return tw_tls_fail(error, TW_TLS_REFUSED, host, "it is not a host name");
    }
    SSL_set_connect_state(made);
    *ssl = made;
    return TW_TLS_OK;
}

const char *tw_tls_client_failure(const SSL *ssl)
{
    long verified = SSL_get_verify_result(ssl);
    unsigned long code = ERR_peek_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    if (verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    return reason != NULL ? reason : "the peer closed the connection";
}
