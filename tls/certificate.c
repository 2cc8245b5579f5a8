#include "tls/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

/* No chain is as large; a larger file is something else. */
#define FILE_BYTES_MAX (1024 * 1024)

static const char *read_whole(int fd, BIO *bio)
{
    char buffer[4096];
    size_t total = 0;
    ssize_t got;

    while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
        total += (size_t)got;
        if (total > FILE_BYTES_MAX)
            break;
        if (BIO_write(bio, buffer, (int)got) != got)
            abort();
    }
    OPENSSL_cleanse(buffer, sizeof(buffer));
    if (got < 0)
        return strerror(errno);
    return total > FILE_BYTES_MAX ? "it is larger than 1 MiB" : NULL;
}

/* Reads a whole file, so that errors of the file system get their own message. NULL: `error` says
 * why not. */
static BIO *open_file(const char *path, tw_tls_error_t *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    const char *problem;
    BIO *bio;

    if (fd < 0) {
        tw_tls_fail(error, TW_TLS_UNREADABLE, path, strerror(errno));
        return NULL;
    }
    bio = BIO_new(BIO_s_secmem());
    if (bio == NULL)
        abort();
    problem = read_whole(fd, bio);
    close(fd);
    if (problem != NULL) {
        BIO_free(bio);
        tw_tls_fail(error, TW_TLS_UNREADABLE, path, problem);
        return NULL;
    }
    return bio;
}

/* Whether the last PEM function ended because there was no further block. */
static int at_end_of_pem(void)
{
    unsigned long code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static int read_chain(tw_certificate_t *certificate, const char *path, tw_tls_error_t *error)
{
    BIO *bio = open_file(path, error);
    X509 *next;
    int status;

    if (bio == NULL)
        return TW_TLS_UNREADABLE;
    ERR_clear_error();
    certificate->leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (certificate->leaf == NULL) {
        status = tw_tls_fail(
            error, at_end_of_pem() ? TW_TLS_NO_CERTIFICATE : TW_TLS_BAD_CERTIFICATE, path, NULL);
        goto done;
    }
    while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        if (!sk_X509_push(certificate->chain, next))
            abort();
    }
    if (at_end_of_pem()) {
        ERR_clear_error();
        status = TW_TLS_OK;
    } else {
        status = tw_tls_fail(error, TW_TLS_BAD_CERTIFICATE, path, NULL);
    }
done:
    BIO_free(bio);
    return status;
}

/* A certificate behind the leaf belongs to its chain. One of a server, or any behind a leaf that is
 * its own issuer, is a second leaf, which would never be served. */
static int check_chain(const tw_certificate_t *certificate, const char *path, tw_tls_error_t *error)
{
    bool is_self_signed = (X509_get_extension_flags(certificate->leaf) & EXFLAG_SS) != 0;

    for (int i = 0; i < sk_X509_num(certificate->chain); ++i) {
        X509 *next = sk_X509_value(certificate->chain, i);
        if (X509_cmp(next, certificate->leaf) != 0 && (is_self_signed || X509_check_ca(next) == 0))
            return tw_tls_fail(error, TW_TLS_SECOND_CERTIFICATE, path,
                               "give the chain of one certificate");
    }
    return TW_TLS_OK;
}

/* OpenSSL asks for a pass phrase, but there is nobody who could enter one. */
static int on_pass_phrase(char *buffer, int size, int for_writing, void *data)
{
    int *asked = data;
    *asked = 1;
    return -1;
}

/* Whether another key follows in the file. */
static bool has_second_key(BIO *bio, const EVP_PKEY *key)
{
    int asked = 0;
    EVP_PKEY *next = PEM_read_bio_PrivateKey(bio, NULL, on_pass_phrase, &asked);
    bool differs = asked != 0 || (next != NULL && EVP_PKEY_eq(next, key) != 1);

    EVP_PKEY_free(next);
    ERR_clear_error();
    return differs;
}

static int read_key(tw_certificate_t *certificate, const char *path, tw_tls_error_t *error)
{
    BIO *bio = open_file(path, error);
    int asked = 0;
    int status = TW_TLS_OK;

    if (bio == NULL)
        return TW_TLS_UNREADABLE;
    ERR_clear_error();
    certificate->key = PEM_read_bio_PrivateKey(bio, NULL, on_pass_phrase, &asked);
    if (asked)
        status = tw_tls_fail(error, TW_TLS_ENCRYPTED_KEY, path, "decrypt it first");
    else if (certificate->key == NULL)
        status = tw_tls_fail(error, TW_TLS_NO_KEY, path, NULL);
    else if (has_second_key(bio, certificate->key))
        status =
            tw_tls_fail(error, TW_TLS_SECOND_KEY, path, "give the key of the certificate alone");
    BIO_free(bio);
    return status;
}

/* "2026-01-31 12:00:00 UTC" */
static void format_time(char *text, size_t size, const ASN1_TIME *when)
{
    struct tm parts;

    if (!ASN1_TIME_to_tm(when, &parts) || strftime(text, size, "%F %T UTC", &parts) == 0)
        text[0] = '\0';
}

static int check_validity(const tw_certificate_t *certificate, const char *path,
                          tw_tls_error_t *error)
{
    const ASN1_TIME *not_before = X509_get0_notBefore(certificate->leaf);
    const ASN1_TIME *not_after = X509_get0_notAfter(certificate->leaf);
    char text[64];

    /* A time that cannot be parsed compares as 0, so such a certificate is refused, too. */
    if (X509_cmp_current_time(not_after) <= 0) {
        format_time(text, sizeof(text), not_after);
        return tw_tls_fail(error, TW_TLS_EXPIRED, path, text);
    }
    if (X509_cmp_current_time(not_before) >= 0) {
        format_time(text, sizeof(text), not_before);
        return tw_tls_fail(error, TW_TLS_NOT_YET_VALID, path, text);
    }
    return TW_TLS_OK;
}

int tw_certificate_load(tw_certificate_t **certificate, const char *chain_path,
                        const char *key_path, tw_tls_error_t *error)
{
    tw_certificate_t *loaded = tw_alloc(sizeof(*loaded));
    int status;

    if ((loaded->chain = sk_X509_new_null()) == NULL)
        abort();
    if ((status = read_chain(loaded, chain_path, error)) != 0)
        goto fail;
    if ((status = read_key(loaded, key_path, error)) != 0)
        goto fail;
    if (!X509_check_private_key(loaded->leaf, loaded->key)) {
        ERR_clear_error();
        status = tw_tls_fail(error, TW_TLS_MISMATCH, key_path, chain_path);
        goto fail;
    }
    if ((status = check_chain(loaded, chain_path, error)) != 0)
        goto fail;
    if ((status = check_validity(loaded, chain_path, error)) != 0)
        goto fail;
    *certificate = loaded;
    return TW_TLS_OK;
fail:
    tw_certificate_destroy(loaded);
    return status;
}

time_t tw_certificate_not_after(const tw_certificate_t *certificate)
{
    struct tm parts;

    if (!ASN1_TIME_to_tm(X509_get0_notAfter(certificate->leaf), &parts))
        return 0;
    return timegm(&parts);
}

void tw_certificate_destroy(tw_certificate_t *certificate)
{
    if (certificate == NULL)
        return;
    X509_free(certificate->leaf);
    sk_X509_pop_free(certificate->chain, X509_free);
    EVP_PKEY_free(certificate->key);
    free(certificate);
}
