/**
 * Bounds what the requests of one client and of the node hold while they wait for their clients:
 * bodies that are being received, and answers that are not taken.
 *
 * libh2o bounds those of a connection, and resets its oldest answers when this refuses more.
 */
#ifndef TW_HANDLERS_HELD_BYTES_H
#define TW_HANDLERS_HELD_BYTES_H

#include <h2o.h>

/**
 * h2o_globalconf_t.on_held_bytes: requests of the connection are about to hold so many bytes more,
 * or hold less (bytes is negative). Returns 0 when its client or the node has reached its limit;
 * then nothing is counted but the refusal. Connections of trusted proxies count for the node alone.
 * On the connection's thread. Callers: libh2o, whose hook handlers/routes.c sets.
 */
int tw_held_bytes_change(h2o_conn_t *conn, int is_answer, ssize_t bytes);

#endif
