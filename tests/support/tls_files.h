/** Certificates on disk as tests need them, and handshakes without a network. */
#ifndef TW_TEST_TLS_FILES_H
#define TW_TEST_TLS_FILES_H

#include <openssl/ssl.h>

typedef struct test_certificate {
    const char *name;      /* subject CN; NULL: "test" */
    const char *alt_names; /* subjectAltName as in openssl.cnf; NULL: none */
    long from_s, to_s;     /* validity, from now; both 0: an hour ago to an hour from now */
    int rsa_bits;          /* 0: ECDSA P-256 */
} test_certificate_t;

/** Makes an empty directory of the test's own. The caller gives it to test_directory_remove(). */
char *test_directory_create(void);

/** Removes it with what is in it, and frees the name. */
void test_directory_remove(char *directory);

/** "directory/name", in one of a few static buffers that later calls use again. */
const char *test_path(const char *directory, const char *name);

/** Writes a file (truncating one that is there). */
void test_write_file(const char *path, const char *text);

/** Makes a self-signed certificate and its key, as PEM files. Either path may be NULL. */
void test_write_pair(const test_certificate_t *certificate, const char *chain_path,
                     const char *key_path);

/**
 * Runs the handshake of two connections in memory, both made by SSL_new() or
 * tw_tls_client_create(). 1 when both are done, 0 when one failed.
 */
int test_handshake(SSL *client, SSL *server);

/** Lets the client read what the server sent after its handshake (TLS 1.3 tickets). */
void test_exchange(SSL *client, SSL *server);

#endif
