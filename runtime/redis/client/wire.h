/**
 * A wire: the bytes to and from one host, over TCP or a Unix socket and, when asked for, TLS.
 *
 * It is open when a connection is there (see dial.h) and, with TLS, the peer's certificate is
 * signed by a known authority and names the host that was asked for; there is no way to leave that
 * out. All of that has one time limit. Control loop only.
 *
 * A link owns its wire. Callers: runtime/redis/client/link.c.
 */
#ifndef TW_REDIS_WIRE_H
#define TW_REDIS_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "runtime/redis/client/access.h"
#include "runtime/redis/client/dial.h"

typedef struct tw_redis_wire tw_redis_wire_t;

/* None is called before tw_redis_wire_open() returns, none after tw_redis_wire_close() or on_fail.
 */
typedef struct tw_redis_wire_callbacks {
    void (*on_open)(void *data);
    /* `bytes` are borrowed for the call. The callback may close the wire. */
    void (*on_read)(const char *bytes, size_t len, void *data);
    /* The wire ended; `reason` is one line that names the host. The wire must still be closed. */
    void (*on_fail)(const char *reason, void *data);
} tw_redis_wire_callbacks_t;

/**
 * Begins to connect. `tls` is NULL for cleartext, else borrowed until the close.
 * `endpoint` is copied; `callbacks` and `data` are borrowed until the close.
 */
tw_redis_wire_t *tw_redis_wire_open(uv_loop_t *loop, const tw_redis_endpoint_t *endpoint,
                                    const tw_redis_tls_t *tls, uint32_t connect_timeout_ms,
                                    const tw_redis_wire_callbacks_t *callbacks, void *data);

/** Sends len bytes, which are copied where the socket does not take them at once. Only between
 * on_open and on_fail. */
void tw_redis_wire_write(tw_redis_wire_t *wire, const char *bytes, size_t len);

/** Bytes that were written and that the socket has not taken yet. */
size_t tw_redis_wire_unsent(const tw_redis_wire_t *wire);

/** Ends the wire; its memory goes when the loop has closed its handles. */
void tw_redis_wire_close(tw_redis_wire_t *wire);

#endif
