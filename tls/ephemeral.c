/* The ephemeral certificate of a gateway that was not given one (tls/certificate.h). */
#include <ctype.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tls/certificate.h"

#define SECONDS_A_DAY (24L * 60 * 60)
#define VALID_DAYS 365

/* Whether the name may be a DNS name in a subjectAltName (RFC 1123 section 2.1). */
static int is_dns_name(const char *name)
{
    size_t length = strlen(name);
    size_t i;

    for (i = 0; i < length; ++i) {
        unsigned char c = (unsigned char)name[i];
        if (!isalnum(c) && c != '-' && c != '.')
            return 0;
    }
    return length > 0 && length <= 253 && isalnum((unsigned char)name[0]);
}

static int add_extension(X509 *leaf, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    int added;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, leaf, leaf, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL)
        return 0;
    added = X509_add_ext(leaf, extension, -1);
    X509_EXTENSION_free(extension);
    return added;
}

static int add_names(X509 *leaf)
{
    char host[256] = "";
    char names[sizeof(host) + 64];

    if (gethostname(host, sizeof(host) - 1) != 0 || !is_dns_name(host) ||
        strcmp(host, "localhost") == 0)
        host[0] = '\0';
    snprintf(names, sizeof(names), "DNS:localhost,IP:127.0.0.1,IP:::1%s%s", host[0] ? ",DNS:" : "",
             host);
    return add_extension(leaf, NID_subject_alt_name, names);
}

/* A serial number of 127 random bits is unique and positive, as RFC 5280 section 4.1.2.2 wants. */
static int set_serial(X509 *leaf)
{
    unsigned char bytes[16];
    BIGNUM *number;
    int set;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return 0;
    bytes[0] &= 0x7f;
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(leaf)) != NULL;
    BN_free(number);
    return set;
}

static int fill(X509 *leaf, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(leaf);

    return X509_set_version(leaf, X509_VERSION_3) && set_serial(leaf) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost",
                                      -1, -1, 0) &&
           X509_set_issuer_name(leaf, name) &&
           X509_gmtime_adj(X509_getm_notBefore(leaf), -SECONDS_A_DAY) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(leaf), VALID_DAYS * SECONDS_A_DAY) != NULL &&
           X509_set_pubkey(leaf, key) &&
           add_extension(leaf, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(leaf, NID_key_usage, "critical,digitalSignature") &&
           add_extension(leaf, NID_ext_key_usage, "serverAuth") &&
           add_extension(leaf, NID_subject_key_identifier, "hash") && add_names(leaf) &&
           X509_sign(leaf, key, EVP_sha256()) > 0;
}

int tw_certificate_create_ephemeral(tw_certificate_t **certificate, tw_tls_error_t *error)
{
    tw_certificate_t *made = tw_alloc(sizeof(*made));

    if ((made->chain = sk_X509_new_null()) == NULL || (made->leaf = X509_new()) == NULL)
        abort();
    made->key = EVP_EC_gen("P-256");
    if (made->key == NULL || !fill(made->leaf, made->key)) {
        tw_certificate_destroy(made);
        return tw_tls_fail(error, TW_TLS_INTERNAL, "making a certificate", NULL);
    }
    *certificate = made;
    return TW_TLS_OK;
}
