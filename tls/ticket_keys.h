/**
 * The keys that encrypt session tickets (RFC 5077, RFC 8446 section 4.6.1). All workers and all
 * server contexts of a process share them, so that a session resumes on any worker and after a
 * reload.
 *
 * A new key is made when the newest is `rotation_s` seconds old; tickets of the newest key and of
 * the one before it are accepted. Keys never leave memory, so a recorded ticket that is older than
 * twice the rotation cannot be decrypted any more. Reference-counted, because contexts may outlive
 * the store that made them. Any thread, several at once.
 */
#ifndef TW_TLS_TICKET_KEYS_H
#define TW_TLS_TICKET_KEYS_H

#include <openssl/ssl.h>

typedef struct tw_ticket_keys tw_ticket_keys_t;

/** Makes the first key. `rotation_s` > 0, in seconds. The caller gets one reference. */
tw_ticket_keys_t *tw_ticket_keys_create(long rotation_s);

/** Takes another reference. */
tw_ticket_keys_t *tw_ticket_keys_ref(tw_ticket_keys_t *keys);

/** Drops a reference; the last one erases the keys. NULL is a no-op. */
void tw_ticket_keys_unref(tw_ticket_keys_t *keys);

/** Makes a new key now; the one before the last stops working. */
void tw_ticket_keys_rotate(tw_ticket_keys_t *keys);

/** Makes `context` encrypt its tickets with these keys; it takes a reference of its own. */
void tw_ticket_keys_attach(tw_ticket_keys_t *keys, SSL_CTX *context);

#endif
