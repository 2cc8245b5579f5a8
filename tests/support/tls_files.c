#include "tests/support/tls_files.h"

#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A test's set-up that fails is no result: it ends the program. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

char *test_directory_create(void)
{
    const char *base = getenv("TMPDIR");
    char name[512];

    snprintf(name, sizeof(name), "%s/tideway-test-XXXXXX", base != NULL ? base : P_tmpdir);
    REQUIRE(mkdtemp(name) != NULL);
    return strdup(name);
}

static void remove_tree(const char *path)
{
    struct stat status;

    if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        DIR *directory = opendir(path);
        struct dirent *entry;
        REQUIRE(directory != NULL);
        while ((entry = readdir(directory)) != NULL) {
            char child[1024];
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
            remove_tree(child);
        }
        closedir(directory);
    }
    REQUIRE(remove(path) == 0);
}

void test_directory_remove(char *directory)
{
    remove_tree(directory);
    free(directory);
}

const char *test_path(const char *directory, const char *name)
{
    static char paths[8][1024];
    static unsigned next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

void test_write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    REQUIRE(file != NULL);
    REQUIRE(fputs(text, file) >= 0);
    REQUIRE(fclose(file) == 0);
}

static void add_alt_names(X509 *leaf, const char *names)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, leaf, leaf, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, names);
    REQUIRE(extension != NULL && X509_add_ext(leaf, extension, -1));
    X509_EXTENSION_free(extension);
}

static X509 *make_leaf(const test_certificate_t *certificate, EVP_PKEY *key)
{
    const char *cn = certificate->name != NULL ? certificate->name : "test";
    long from_s = certificate->from_s, to_s = certificate->to_s;
    X509 *leaf = X509_new();

    if (from_s == 0 && to_s == 0) {
        from_s = -3600;
        to_s = 3600;
    }
    REQUIRE(leaf != NULL && X509_set_version(leaf, X509_VERSION_3));
    REQUIRE(ASN1_INTEGER_set(X509_get_serialNumber(leaf), random()));
    REQUIRE(X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf), "CN", MBSTRING_ASC,
                                       (const unsigned char *)cn, -1, -1, 0));
    REQUIRE(X509_set_issuer_name(leaf, X509_get_subject_name(leaf)));
    REQUIRE(X509_gmtime_adj(X509_getm_notBefore(leaf), from_s) != NULL);
    REQUIRE(X509_gmtime_adj(X509_getm_notAfter(leaf), to_s) != NULL);
    REQUIRE(X509_set_pubkey(leaf, key));
    if (certificate->alt_names != NULL)
        add_alt_names(leaf, certificate->alt_names);
    REQUIRE(X509_sign(leaf, key, EVP_sha256()) > 0);
    return leaf;
}

void test_write_pair(const test_certificate_t *certificate, const char *chain_path,
                     const char *key_path)
{
    EVP_PKEY *key = certificate->rsa_bits != 0
                        ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)certificate->rsa_bits)
                        : EVP_EC_gen("P-256");
    X509 *leaf;
    BIO *out;

    REQUIRE(key != NULL);
    leaf = make_leaf(certificate, key);
    if (chain_path != NULL) {
        REQUIRE((out = BIO_new_file(chain_path, "w")) != NULL && PEM_write_bio_X509(out, leaf));
        BIO_free(out);
    }
    if (key_path != NULL) {
        REQUIRE((out = BIO_new_file(key_path, "w")) != NULL);
        REQUIRE(PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL));
        BIO_free(out);
    }
    X509_free(leaf);
    EVP_PKEY_free(key);
}

static void connect_in_memory(SSL *client, SSL *server)
{
    BIO *client_side, *server_side;

    REQUIRE(BIO_new_bio_pair(&client_side, 0, &server_side, 0));
    SSL_set_bio(client, client_side, client_side);
    SSL_set_bio(server, server_side, server_side);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
}

/* 1 done, 0 wants more, -1 failed */
static int step(SSL *ssl)
{
    int result = SSL_do_handshake(ssl);

    if (result == 1)
        return 1;
    return SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ ? 0 : -1;
}

int test_handshake(SSL *client, SSL *server)
{
    connect_in_memory(client, server);
    for (;;) {
        int client_step = step(client);
        int server_step = step(server);
        if (client_step < 0 || server_step < 0)
            return 0;
        if (client_step == 1 && server_step == 1)
            return 1;
    }
}

void test_exchange(SSL *client, SSL *server)
{
    char byte = 'x';

    REQUIRE(SSL_write(server, &byte, 1) == 1);
    REQUIRE(SSL_read(client, &byte, 1) == 1);
}
