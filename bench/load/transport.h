/*
 * A non-blocking connection to the server, TLS 1.3 or cleartext, with an output buffer.
 *
 * Invariants: after on_close no callback comes; the owner frees the struct only when its loop has
 * stopped (queues of the loop may still name it). Belongs to its loop's thread.
 */
#ifndef LOAD_TRANSPORT_H
#define LOAD_TRANSPORT_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/load/bytes.h"
#include "bench/load/loop.h"

typedef struct load_transport load_transport_t;

typedef struct load_transport_callbacks {
    /* Connected, and the TLS handshake is done. */
    void (*on_open)(load_transport_t *transport);
    /*
     * Input. Returns how much of it was used: the rest is shown again in front of what comes next.
     * `now_ns` is when these bytes were read.
     */
    size_t (*on_read)(load_transport_t *transport, const char *data, size_t bytes, uint64_t now_ns);
    /* The end, whoever wanted it; `why` is static text. */
    void (*on_close)(load_transport_t *transport, const char *why);
} load_transport_callbacks_t;

struct load_transport {
    load_loop_source_t source;
    const load_transport_callbacks_t *callbacks;
    load_loop_t *loop; /* borrowed: outlives the transport */
    int fd;            /* -1 before connect and after close */
    SSL *ssl;          /* owned; NULL for cleartext */
    bool connected;
    bool opened;
    bool gathers;      /* see load_transport_gather_writes() */
    bool unflushed;    /* encrypted output waits in the TLS output buffer */
    bool paused;       /* reads nothing: a consumer that has stopped */
    bool is_reader;    /* is on loop->readers */
    bool is_writer;    /* is on loop->writers */
    load_bytes_t out;  /* not yet written */
    load_bytes_t kept; /* read, not yet used by on_read */
    load_transport_t *next_reader;
    load_transport_t *next_writer;
};

/*
 * A client context for TLS 1.3 with ALPN h2 and big read buffers. It verifies no certificate: this
 * tool speaks to loopback addresses only. NULL when OpenSSL fails.
 */
SSL_CTX *load_transport_tls_create(void);

/*
 * Starts to connect. `tls` NULL: cleartext. 0, or -1 with errno; callbacks come only from the loop.
 * `callbacks` must outlive the transport.
 */
int load_transport_connect(load_transport_t *self, load_loop_t *loop,
                           const struct sockaddr_in *address, SSL_CTX *tls,
                           const load_transport_callbacks_t *callbacks);

/*
 * The same for the server's side of a connection that was accepted as `fd` (non-blocking; owned
 * from now on, even after -1). `tls` is a server context that selects ALPN h2, or NULL.
 */
int load_transport_accept(load_transport_t *self, load_loop_t *loop, int fd, SSL_CTX *tls,
                          const load_transport_callbacks_t *callbacks);

/* Room for `bytes` of output; call load_transport_commit() with what was filled. */
char *load_transport_reserve(load_transport_t *self, size_t bytes);

/* Makes `bytes` of what was reserved output of this turn. */
void load_transport_commit(load_transport_t *self, size_t bytes);

/*
 * Gathers TLS records into writes of up to `bytes`, for a side that sends much: a system call for
 * each record of 16 KiB costs more than the encryption. Before the handshake; 0, or -1 when out of
 * memory.
 */
int load_transport_gather_writes(load_transport_t *self, int bytes);

/* Stops or goes on reading. */
void load_transport_set_paused(load_transport_t *self, bool paused);

/* Closes now; on_close runs before this returns, unless it has run before. */
void load_transport_close(load_transport_t *self, const char *why);

/* Frees what the struct owns; the loop has stopped. on_close is not called. */
void load_transport_dispose(load_transport_t *self);

/* For the loop only. */
void load_transport_read(load_transport_t *self);
void load_transport_write(load_transport_t *self);

#endif
