/**
 * A whole gateway in the fuzzer's thread: one worker's loop with h2o, the real routes, the memory
 * adapter, and connections over socket pairs. Nothing happens but in tw_fuzz_settle(), so that an
 * input always takes the same way.
 *
 * Its key is `k`. A client of its own follows the topics a and b all the time, so that publishes to
 * them are delivered.
 */
#ifndef TW_FUZZ_GATEWAY_H
#define TW_FUZZ_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tw_fuzz_peer {
    int fd;       /* the client's end */
    bool reads;   /* what comes is taken at once; else it stays in the socket */
    bool closed;  /* by the gateway */
    char *output; /* owned; what the gateway has sent */
    size_t output_len, output_capacity;
} tw_fuzz_peer_t;

/** Once, before the first connection. */
void tw_fuzz_gateway_start(void);

/** Bytes received that were kept for a connection are forgotten with the next one. */
void tw_fuzz_connect(tw_fuzz_peer_t *peer);

/** The same over TLS: handshakes come as far as the certificate, which the gateway does not have.
 */
void tw_fuzz_connect_tls(tw_fuzz_peer_t *peer);

/** Sends all of it; what a gateway that does not read leaves over is dropped. */
void tw_fuzz_send(tw_fuzz_peer_t *peer, const void *bytes, size_t len);

/** Runs the gateway until nothing moves any more. */
void tw_fuzz_settle(tw_fuzz_peer_t *peer);

/** The client goes. */
void tw_fuzz_leave(tw_fuzz_peer_t *peer);

/** The last client goes; then the gateway has forgotten it within a minute of its own time, or that
 * is a finding. The follower must still be served. */
void tw_fuzz_disconnect(tw_fuzz_peer_t *peer);

#endif
