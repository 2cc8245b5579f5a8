/**
 * The PROXY protocol, versions 1 and 2: what a balancer writes before everything else to tell whose
 * connection it forwards. https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt
 *
 * Any thread.
 *
 * The caller owns what is filled in. Callers: server/proxied.c.
 */
#ifndef TW_HANDLERS_PROXY_HEADER_H
#define TW_HANDLERS_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/** The longest header that is taken: version 2 may carry more (certificates, for example), which is
 * skipped. */
#define TW_PROXY_HEADER_MAX 4096

typedef enum tw_proxy_result {
    TW_PROXY_DONE,
    TW_PROXY_MORE, /* it is the beginning of a header */
    TW_PROXY_BAD,  /* it is not a header */
} tw_proxy_result_t;

typedef struct tw_proxy_header {
    size_t len; /* the bytes that it takes */
    bool named; /* it names the client; if not, the balancer speaks for itself (a health check), or
                   the client has no address */
    struct sockaddr_storage client;
    socklen_t client_len;
} tw_proxy_header_t;

/** Reads a header from the first `len` bytes of a connection. *header is set on TW_PROXY_DONE. */
tw_proxy_result_t tw_proxy_header_read(const char *bytes, size_t len, tw_proxy_header_t *header);

#endif
