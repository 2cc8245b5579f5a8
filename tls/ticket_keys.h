/**
 * The keys that seal session tickets (RFC 5077, RFC 8446 section 4.6.1), shared by all workers and
 * by every server context of a process, so that a session resumes on any worker and after a reload.
 *
 * A new key is made when the newest is `rotation_s` old; a ticket opens under the newest key and
 * the one before it. Keys never leave memory, so that a ticket older than twice the rotation is
 * worthless to whoever recorded it. Reference-counted: contexts may outlive the store that made
 * them. Threads: any, also several at once.
 */
#ifndef TW_TLS_TICKET_KEYS_H
#define TW_TLS_TICKET_KEYS_H

#include <openssl/ssl.h>

typedef struct tw_ticket_keys tw_ticket_keys_t;

/** Makes the first key. `rotation_s` > 0, in seconds. The caller has one reference. */
tw_ticket_keys_t *tw_ticket_keys_create(long rotation_s);

tw_ticket_keys_t *tw_ticket_keys_ref(tw_ticket_keys_t *keys);

/** Gives a reference back; the last wipes the keys. NULL is nothing. */
void tw_ticket_keys_unref(tw_ticket_keys_t *keys);

/** Makes a new key now: the one before last stops working. */
void tw_ticket_keys_rotate(tw_ticket_keys_t *keys);

/** Makes `context` seal its tickets with these keys; it takes a reference of its own. */
void tw_ticket_keys_attach(tw_ticket_keys_t *keys, SSL_CTX *context);

#endif
