/**
 * One link to Redis: commands out, replies in, in order.
 *
 * Commands that are sent in one turn of the loop leave in one write. What waits is bounded:
 * commands beyond the bounds are refused. A command that stays unanswered for the timeout ends the
 * link, since nothing behind it can be trusted. RESP2, read by hiredis. Loop
 * thread only.
 *
 * Its opener owns it. Callers: runtime/redis/client/client.c, runtime/redis/client/locator.c,
 * runtime/redis/client/greeting.c (sending on the client's).
 */
#ifndef TW_REDIS_LINK_H
#define TW_REDIS_LINK_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "runtime/redis/client/url.h"
#include "runtime/redis/client/wire.h"

typedef struct tw_redis_link tw_redis_link_t;

typedef struct tw_redis_limits {
    uint32_t connect_timeout_ms; /* name look-up, TCP and TLS together */
    uint32_t command_timeout_ms; /* of silence while a reply is due */
    uint32_t pending_max;        /* commands without reply */
    size_t output_bytes_max;     /* bytes not yet taken by the socket */
    size_t reply_bytes_max;      /* one reply */
} tw_redis_limits_t;

/**
 * The reply to a command, valid for the call only; NULL when the link ended before it came
 * (the command may or may not have run). Comes once for each command, in the order of sending,
 * never before the send returns.
 */
typedef void (*tw_redis_reply_cb)(const redisReply *reply, void *data);

typedef struct tw_redis_link_callbacks {
    void (*on_open)(void *data);
    /*
     * An error came as the reply to a command. Returns NULL, and the command gets it as its reply;
     * or the reason (one line) for which the link ends, and the command and all behind it get NULL.
     * May be NULL: commands get all errors.
     */
    const char *(*on_error)(const char *error, void *data);
    /*
     * The link ended, for `reason` (one line); every command that waited has had its
     * callback. It must still be closed.
     */
    void (*on_fail)(const char *reason, void *data);
} tw_redis_link_callbacks_t;

/** Begins to connect; everything that is passed but `endpoint` is borrowed until the close. `tls`
 * NULL: cleartext. */
tw_redis_link_t *tw_redis_link_open(uv_loop_t *loop, const tw_redis_endpoint_t *endpoint,
                                    const tw_redis_tls_t *tls, const tw_redis_limits_t *limits,
                                    const tw_redis_link_callbacks_t *callbacks, void *data);

/**
 * Sends a command of `argc` arguments. `on_reply` NULL: the reply is ignored. 0, or -1 when a bound
 * is reached or the link is not open (then on_reply is never called).
 */
int tw_redis_link_send(tw_redis_link_t *link, int argc, const char *const *argv, const size_t *lens,
                       tw_redis_reply_cb on_reply, void *data);

/** Writes what this turn has sent so far; the loop does it by itself before it waits. */
void tw_redis_link_flush(tw_redis_link_t *link);

/** Ends the link as if the peer had, for `reason`: on_fail is called before it returns.
 * Nothing when it has failed already. */
void tw_redis_link_fail(tw_redis_link_t *link, const char *reason);

/** Ends the link; commands that wait get their callback with NULL before this returns. Whoever
 * opened it, a client or a locator, calls this once, also after on_fail, and may do so in any of
 * its callbacks but on_error. Its memory goes when the loop has closed its handles and none of its
 * callbacks runs any more. Without effect on NULL. */
void tw_redis_link_close(tw_redis_link_t *link);

#endif
