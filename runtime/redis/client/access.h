/**
 * Access: where Redis is, who we are there, and how both sides prove it.
 *
 * What is given beside the URL is taken as it is, without percent-encoding, and wins over the URL.
 * No password is ever part of an error. Errors name the options of the program, since there is no
 * other way to configure any of this. Not thread-safe: it is written once at the start, on the main
 * thread, and only read after that, on the control loop.
 *
 * tw_redis_common_t owns it. Callers: runtime/redis/lane/common.c (reading, disposing),
 * runtime/redis/client/.
 */
#ifndef TW_REDIS_ACCESS_H
#define TW_REDIS_ACCESS_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "runtime/redis/client/url.h"

#define TW_REDIS_PASSWORD_MAX 4096

/* NULL: not given. Borrowed for the call. */
typedef struct tw_redis_access_config {
    const char *url;
    const char *username, *password, *password_file;
    const char *sentinel_username, *sentinel_password, *sentinel_password_file;
    const char *ca_path;              /* PEM: authorities to trust; NULL: the system's */
    const char *cert_path, *key_path; /* PEM: our certificate and its key */
    const char *server_name;          /* that the server's certificate must hold */
} tw_redis_access_config_t;

typedef struct tw_redis_credentials {
    char *user;          /* owned; NULL: the default user */
    char *password;      /* owned; NULL: none, or in the file */
    char *password_file; /* owned; NULL: none */
} tw_redis_credentials_t;

/* How links are encrypted. */
typedef struct tw_redis_tls {
    char *ca_path;              /* owned; NULL: the system's authorities */
    char *cert_path, *key_path; /* owned; NULL: we have no certificate */
    char *server_name;          /* owned; NULL: the name of the host that is connected to */
} tw_redis_tls_t;

typedef struct tw_redis_access {
    tw_redis_url_t url;
    tw_redis_credentials_t redis, sentinel;
    tw_redis_tls_t tls; /* unless the URL says cleartext */
} tw_redis_access_t;

/**
 * Reads the configuration, and whether the files with certificates can be used. 0, or -1 with one
 * line in `error`; `access` is set on success only.
 */
int tw_redis_access_init(tw_redis_access_t *access, const tw_redis_access_config_t *config,
                         char *error, size_t error_size);

/** Frees what it owns and wipes passwords; a zeroed one is fine. */
void tw_redis_access_dispose(tw_redis_access_t *access);

/** What links to Redis and to sentinels are to be encrypted with; NULL: cleartext. */
const tw_redis_tls_t *tw_redis_access_tls(const tw_redis_access_t *access);

/**
 * Reads the files with certificates, so that those that were replaced count at the next connect.
 * 0, and the caller frees `*context` with SSL_CTX_free(), or -1 with one line in `error`.
 */
int tw_redis_tls_context(const tw_redis_tls_t *tls, SSL_CTX **context, char *error,
                         size_t error_size);

/** Whether there is anything to authenticate with. */
bool tw_redis_credentials_given(const tw_redis_credentials_t *credentials);

/**
 * Writes the password into `password`, a buffer of TW_REDIS_PASSWORD_MAX bytes that the caller
 * wipes. A file is read at each call, without the line end after it. 0, or -1 with one line in
 * `error`.
 */
int tw_redis_credentials_password(const tw_redis_credentials_t *credentials, char *password,
                                  char *error, size_t error_size);

#endif
