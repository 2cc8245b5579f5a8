#include "runtime/redis/client/access.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/secret_file.h"
#include "base/text.h"
#include "tls/client_context.h"

static int fail(char *error, size_t size, const char *message)
{
    snprintf(error, size, "%s", message);
    return -1;
}

static void wipe(char *password)
{
    if (password != NULL)
        OPENSSL_cleanse(password, strlen(password));
    free(password);
}

static char *copy(const char *text)
{
    return text != NULL ? tw_strndup(text, strlen(text)) : NULL;
}

/* A secret often comes with a line end behind it. */
static char *copy_secret(const char *text)
{
    tw_text_t secret = tw_text_strip(tw_text_of(text));
    return text != NULL ? tw_strndup(secret.base, secret.len) : NULL;
}

/* An empty variable is one that is not given. */
static const char *given(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static const char *problem_of(const tw_redis_access_config_t *config, const tw_redis_url_t *url)
{
    bool for_sentinel = given(config->sentinel_username) || given(config->sentinel_password) ||
                        given(config->sentinel_password_file);

    if (given(config->password) && given(config->password_file))
        return "TIDEWAY_REDIS_PASSWORD and TIDEWAY_REDIS_PASSWORD_FILE are both given: give one of "
               "them";
    if (given(config->sentinel_password) && given(config->sentinel_password_file))
        return "TIDEWAY_REDIS_SENTINEL_PASSWORD and TIDEWAY_REDIS_SENTINEL_PASSWORD_FILE are both "
               "given: give one of them";
    if (for_sentinel && url->kind != TW_REDIS_URL_SENTINEL)
        return "TIDEWAY_REDIS_SENTINEL_… is given, but TIDEWAY_REDIS_URL names no sentinels";
    if (!given(config->cert_path) != !given(config->key_path))
        return "TIDEWAY_REDIS_CERT and TIDEWAY_REDIS_KEY go together: give both or neither";
    if (!url->tls && (given(config->cert_path) || given(config->server_name)))
        return "TIDEWAY_REDIS_CERT or TIDEWAY_REDIS_SERVER_NAME is given, but TIDEWAY_REDIS_URL "
               "does "
               "not begin with rediss";
    return NULL;
}

int tw_redis_tls_context(const tw_redis_tls_t *tls, SSL_CTX **context, char *error,
                         size_t error_size)
{
    const char *variable = "TIDEWAY_REDIS_CA";
    tw_tls_error_t problem = {""};
    SSL_CTX *made = NULL;

    int status = tw_tls_client_context_create(&made, tls->ca_path, &problem);
    if (status == TW_TLS_OK && tls->cert_path != NULL) {
        variable = "TIDEWAY_REDIS_CERT or TIDEWAY_REDIS_KEY";
        status = tw_tls_client_context_identify(made, tls->cert_path, tls->key_path, &problem);
    }
    if (status == TW_TLS_OK) {
        *context = made;
        return 0;
    }
    SSL_CTX_free(made);
    snprintf(error, error_size, "%s: %s", variable, problem.text);
    return -1;
}

static int init_tls(tw_redis_access_t *access, const tw_redis_access_config_t *config, char *error,
                    size_t size)
{
    tw_redis_tls_t *tls = &access->tls;
    SSL_CTX *context = NULL;

    if (!access->url.tls)
        return 0;
    tls->ca_path = copy(given(config->ca_path));
    tls->cert_path = copy(given(config->cert_path));
    tls->key_path = copy(given(config->key_path));
    tls->server_name = copy(given(config->server_name));
    int result = tw_redis_tls_context(tls, &context, error, size);
    SSL_CTX_free(context);
    return result;
}

int tw_redis_access_init(tw_redis_access_t *access, const tw_redis_access_config_t *config,
                         char *error, size_t error_size)
{
    tw_redis_access_t made = {.tls = {.ca_path = NULL}};
    char reason[256];

    if (tw_redis_url_parse(&made.url, config->url, reason, sizeof(reason)) != 0) {
        snprintf(error, error_size, "TIDEWAY_REDIS_URL %s", reason);
        return -1;
    }
    const char *problem = problem_of(config, &made.url);
    if (problem != NULL)
        fail(error, error_size, problem);
    if (problem != NULL || init_tls(&made, config, error, error_size) != 0) {
        tw_redis_access_dispose(&made);
        return -1;
    }
    made.redis.user = copy(given(config->username) ? config->username : made.url.user);
    made.redis.password_file = copy(given(config->password_file));
    if (made.redis.password_file == NULL)
        made.redis.password =
            given(config->password) ? copy_secret(config->password) : copy(made.url.password);
    made.sentinel.user = copy(given(config->sentinel_username));
    made.sentinel.password = copy_secret(given(config->sentinel_password));
    made.sentinel.password_file = copy(given(config->sentinel_password_file));
    *access = made;
    return 0;
}

static void dispose_credentials(tw_redis_credentials_t *credentials)
{
    wipe(credentials->password);
    free(credentials->user);
    free(credentials->password_file);
}

void tw_redis_access_dispose(tw_redis_access_t *access)
{
    tw_redis_url_dispose(&access->url);
    dispose_credentials(&access->redis);
    dispose_credentials(&access->sentinel);
    free(access->tls.ca_path);
    free(access->tls.cert_path);
    free(access->tls.key_path);
    free(access->tls.server_name);
    *access = (tw_redis_access_t){.tls = {.ca_path = NULL}};
}

const tw_redis_tls_t *tw_redis_access_tls(const tw_redis_access_t *access)
{
    return access->url.tls ? &access->tls : NULL;
}

bool tw_redis_credentials_given(const tw_redis_credentials_t *credentials)
{
    return credentials->user != NULL || credentials->password != NULL ||
           credentials->password_file != NULL;
}

/* Reads the password in the file into the buffer; the reason when it cannot. */
static const char *read_password(const char *path, char *password)
{
    tw_text_t read;
    const char *problem = tw_secret_file_read(path, password, TW_REDIS_PASSWORD_MAX, &read);

    if (problem == NULL)
        memmove(password, read.base, read.len + 1);
    return problem;
}

int tw_redis_credentials_password(const tw_redis_credentials_t *credentials, char *password,
                                  char *error, size_t error_size)
{
    const char *given_password = credentials->password != NULL ? credentials->password : "";
    const char *problem = NULL;

    if (credentials->password_file != NULL)
        problem = read_password(credentials->password_file, password);
    else if (strlen(given_password) < TW_REDIS_PASSWORD_MAX)
        memcpy(password, given_password, strlen(given_password) + 1);
    else
        problem = "it is too long";
    if (problem == NULL)
        return 0;
    snprintf(error, error_size, "the password%s%s cannot be read: %s",
             credentials->password_file != NULL ? " in " : "",
             credentials->password_file != NULL ? credentials->password_file : "", problem);
    return -1;
}
