/*
 * The client's side of one HTTP/2 connection, cut down to what a load generator does: many small
 * requests out, many small DATA frames in. HPACK is nghttp2's; frames, windows and SETTINGS are
 * handled here, because a general session costs more for a frame than the server that is measured.
 *
 * Left out on purpose: CONTINUATION, push, request bodies above one frame.
 * Belongs to its loop's thread; the owner embeds the struct as its first member.
 */
#ifndef LOAD_H2_H
#define LOAD_H2_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/load/transport.h"

typedef struct load_h2 load_h2_t;

typedef struct load_h2_callbacks {
    /* The server's SETTINGS have come: requests may be sent. Once. */
    void (*on_ready)(load_h2_t *h2);
    /* A final response's headers (not 1xx). */
    void (*on_headers)(load_h2_t *h2, uint32_t stream_id, int status, bool end);
    void (*on_data)(load_h2_t *h2, uint32_t stream_id, const char *data, size_t bytes, bool end);
    void (*on_reset)(load_h2_t *h2, uint32_t stream_id, uint32_t error);
    /* All frames of this read have been shown: a good moment to send. */
    void (*on_batch)(load_h2_t *h2);
    /* The connection is gone and all its streams with it; `why` is static text. */
    void (*on_close)(load_h2_t *h2, const char *why);
} load_h2_callbacks_t;

struct load_h2 {
    load_transport_t transport;
    const load_h2_callbacks_t *callbacks;
    nghttp2_hd_deflater *deflater; /* owned */
    nghttp2_hd_inflater *inflater; /* owned */
    uint64_t now_ns;               /* when the bytes that are being shown were read */
    uint32_t next_id;
    uint32_t active;             /* requests not yet given back by load_h2_done() */
    uint32_t active_max;         /* the server's MAX_CONCURRENT_STREAMS */
    uint32_t peer_stream_window; /* what a request may send at once */
    int64_t send_window;         /* of the connection */
    uint32_t stream_window;      /* what we let the server send on a stream */
    uint32_t receive_window;     /* and on the connection */
    uint32_t received;           /* of receive_window, not yet given back */
    bool ready;
    bool goaway;
};

/*
 * Starts to connect; see load_transport_connect(). `stream_window` and `receive_window` in octets,
 * up to LOAD_H2_WINDOW_MAX.
 */
int load_h2_connect(load_h2_t *self, load_loop_t *loop, const struct sockaddr_in *address,
                    SSL_CTX *tls, uint32_t stream_window, uint32_t receive_window,
                    const load_h2_callbacks_t *callbacks);

/*
 * Sends a request; `body` NULL: none. Its stream id, or 0 when the server's limits or windows do
 * not allow it now. Each request counts as active until load_h2_done().
 */
uint32_t load_h2_request(load_h2_t *self, const nghttp2_nv *headers, size_t header_count,
                         const char *body, size_t body_bytes);

/* One request has ended, by whichever side. */
void load_h2_done(load_h2_t *self);

/* Lets the server send `bytes` more on a stream. */
void load_h2_give_window(load_h2_t *self, uint32_t stream_id, uint32_t bytes);

void load_h2_reset(load_h2_t *self, uint32_t stream_id, uint32_t error);

/* Frees what the struct owns; the loop has stopped. on_close is not called. */
void load_h2_dispose(load_h2_t *self);

#endif
