/**
 * Errors of certificates, keys and TLS contexts: a table of them, and a buffer that carries the
 * message to the code that logs it.
 *
 * A message is one line that names the path that it is about, without a full stop. A tw_tls_error_t
 * belongs to its caller; any thread.
 */
#ifndef TW_TLS_ERROR_H
#define TW_TLS_ERROR_H

/* name, value, text */
#define TW_TLS_ERROR_TABLE(X)                                                                      \
    X(UNREADABLE, -1, "cannot be read")                                                            \
    X(NO_CERTIFICATE, -2, "contains no PEM certificate")                                           \
    X(BAD_CERTIFICATE, -3, "contains a certificate that cannot be parsed")                         \
    X(NO_KEY, -4, "contains no PEM private key")                                                   \
    X(ENCRYPTED_KEY, -5, "contains an encrypted private key, which cannot be used unattended")     \
    X(MISMATCH, -6, "contains a private key that does not belong to the certificate")              \
    X(EXPIRED, -7, "contains a certificate that has expired")                                      \
    X(NOT_YET_VALID, -8, "contains a certificate that is not valid yet")                           \
    X(REFUSED, -9, "was refused by OpenSSL")                                                       \
    X(INTERNAL, -10, "failed in OpenSSL")                                                          \
    X(SECOND_CERTIFICATE, -11, "contains a second server certificate, but one is served")          \
    X(SECOND_KEY, -12, "contains a second private key, but one is used")

typedef enum tw_tls_status {
    TW_TLS_OK = 0,
#define X(name, value, text) TW_TLS_##name = value,
    TW_TLS_ERROR_TABLE(X)
#undef X
} tw_tls_status_t;

#define TW_TLS_ERROR_BYTES 1024

typedef struct tw_tls_error {
    char text[TW_TLS_ERROR_BYTES]; /* NUL-terminated; "" before the first error */
} tw_tls_error_t;

/**
 * Writes "<subject> <the status's text>: <detail>" and returns `status`, so that a function can end
 * with it. `detail` may be NULL: then OpenSSL's oldest queued reason is appended, if it has one.
 * The thread's OpenSSL error queue is empty afterwards. `error` may be NULL.
 */
int tw_tls_fail(tw_tls_error_t *error, tw_tls_status_t status, const char *subject,
                const char *detail);

#endif
