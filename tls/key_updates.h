/**
 * Bounds how often the peer of a TLS 1.3 connection may change its keys (RFC 8446 section 4.6.3).
 *
 * A KeyUpdate of 27 octets costs 9 us, carries nothing, and OpenSSL takes any number of them. An
 * honest peer sends one after millions of records, if ever. Renegotiation, which did the same
 * before TLS 1.3, is off.
 */
#ifndef TW_TLS_KEY_UPDATES_H
#define TW_TLS_KEY_UPDATES_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdint.h>

/** How often in a minute; then the gateway takes the connection for closed by its peer. */
#define TW_KEY_UPDATES_PER_MINUTE 32

/** Bounds the key updates of all connections of the context. It takes the info callback. */
void tw_key_updates_limit(SSL_CTX *context);

/** How many connections have been closed for it, since the start of the process. */
const _Atomic uint64_t *tw_key_updates_refused(void);

#endif
