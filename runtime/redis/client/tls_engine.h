/**
 * The client side of TLS over bytes that somebody else carries: OpenSSL between two memory BIOs.
 *
 * The peer's certificate must be signed by a known authority and name the host that was asked for;
 * there is no way to leave that out. One loop's thread per engine; a context may be shared by many
 * engines.
 *
 * A wire owns its engine. Callers: runtime/redis/client/wire.c.
 */
#ifndef TW_REDIS_TLS_ENGINE_H
#define TW_REDIS_TLS_ENGINE_H

#include <openssl/ssl.h>
#include <stddef.h>

#include "tls/error.h"

typedef struct tw_redis_tls_engine tw_redis_tls_engine_t;

/**
 * An engine for a connection to `host` (a name, sent as SNI, or an address), about to say hello;
 * `context` is one of tw_tls_client_context_create(). NULL with a message when `host` cannot be a
 * name.
 */
tw_redis_tls_engine_t *tw_redis_tls_engine_create(SSL_CTX *context, const char *host,
                                                  tw_tls_error_t *error);

/** Without effect on NULL. */
void tw_redis_tls_engine_destroy(tw_redis_tls_engine_t *engine);

/** Gives the engine bytes that came from the peer. */
void tw_redis_tls_engine_feed(tw_redis_tls_engine_t *engine, const char *bytes, size_t len);

/** Goes on with the handshake: 1 done, 0 needs bytes from the peer, -1 failed with one line in
 * `error`. */
int tw_redis_tls_engine_handshake(tw_redis_tls_engine_t *engine, char *error, size_t error_size);

/** Reads up to `size` decrypted bytes: > 0 how many, 0 needs bytes from the peer, -1 the peer ended
 * or broke TLS, and *problem (a constant) says how. */
int tw_redis_tls_engine_read(tw_redis_tls_engine_t *engine, char *bytes, size_t size,
                             const char **problem);

/** Encrypts len bytes (after the handshake); 0, or -1 when the session is broken. */
int tw_redis_tls_engine_write(tw_redis_tls_engine_t *engine, const char *bytes, size_t len);

/** What is to be sent to the peer: borrowed until the next call on the engine; *len 0 when there is
 * nothing. */
const char *tw_redis_tls_engine_output(tw_redis_tls_engine_t *engine, size_t *len);

/** Says that what tw_redis_tls_engine_output() showed has been sent or copied. */
void tw_redis_tls_engine_drop_output(tw_redis_tls_engine_t *engine);

#endif
