#include "bench/floor/certificate.h"

#include <openssl/ec.h>
#include <openssl/x509.h>

enum { VALID_SECONDS = 24 * 3600 };

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                   const unsigned char *in, unsigned in_bytes, void *data)
{
    static const unsigned char protocols[] = "\x02h2";
    unsigned char *selected;
    if (SSL_select_next_proto(&selected, out_bytes, protocols, sizeof(protocols) - 1, in,
                              in_bytes) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

static X509 *self_sign(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    if (certificate == NULL)
        return NULL;
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_SECONDS);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    if (X509_sign(certificate, key, EVP_sha256()) == 0) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

SSL_CTX *load_floor_tls_create(void)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key == NULL ? NULL : self_sign(key);
    if (tls == NULL || certificate == NULL || SSL_CTX_use_certificate(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey(tls, key) != 1 ||
        SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1) {
        SSL_CTX_free(tls);
        tls = NULL;
    } else {
        SSL_CTX_set_alpn_select_cb(tls, on_alpn, NULL);
        SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_num_tickets(tls, 0);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return tls;
}
