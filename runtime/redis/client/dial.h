/**
 * Dialling: a connected socket to a host, whichever of its addresses answers first.
 *
 * The name is looked up without blocking the loop. Its addresses are tried in turn, families
 * alternating, the next one after 250 ms or when one fails, and those before go on meanwhile
 * (RFC 8305, "happy eyeballs"): an address that swallows packets costs 250 ms and not the whole
 * time. A host that begins with a slash is the path of a Unix socket. Control loop only.
 *
 * A wire owns its dial. Callers: runtime/redis/client/wire.c.
 */
#ifndef TW_REDIS_DIAL_H
#define TW_REDIS_DIAL_H

#include <stdbool.h>
#include <uv.h>

#include "runtime/redis/client/url.h"

#define TW_REDIS_ERROR_MAX 512

typedef union tw_redis_socket {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
} tw_redis_socket_t;

typedef struct tw_redis_dial tw_redis_dial_t;

/**
 * The answer: a connected `socket`, now owned by the callback (closed with uv_close(), then freed
 * with free()), or NULL and one line that says why. Comes once, never before tw_redis_dial_open()
 * returns, and not after tw_redis_dial_close(), which is still to be called.
 */
typedef void (*tw_redis_dial_cb)(tw_redis_socket_t *socket, const char *problem, void *data);

/** Begins; `endpoint` is borrowed for the call. */
tw_redis_dial_t *tw_redis_dial_open(uv_loop_t *loop, const tw_redis_endpoint_t *endpoint,
                                    tw_redis_dial_cb callback, void *data);

/** Whether the name is still being looked up. */
bool tw_redis_dial_looks_up(const tw_redis_dial_t *dial);

/** Ends what is under way; its memory goes when the loop has closed its handles. NULL is a no-op.
 */
void tw_redis_dial_close(tw_redis_dial_t *dial);

#endif
