/*
 * Load for bench: opens CONNECTIONS TLS connections with STREAMS requests each and throws away
 * whatever comes, until the server closes. It refills the connections' windows by the bytes read.
 *
 *   client PORT CONNECTIONS STREAMS
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define REFILL_BYTES (1u << 28)

typedef struct peer_t {
    SSL *ssl;
    size_t bytes; /* read since the last refill */
} peer_t;

static size_t put_header(unsigned char *dst, size_t len, int type, int flags, unsigned stream)
{
    unsigned char header[9] = {
        (unsigned char)(len >> 16),    (unsigned char)(len >> 8),    (unsigned char)len,
        (unsigned char)type,           (unsigned char)flags,         (unsigned char)(stream >> 24),
        (unsigned char)(stream >> 16), (unsigned char)(stream >> 8), (unsigned char)stream};
    memcpy(dst, header, 9);
    return 9;
}

static size_t put_window_update(unsigned char *dst, unsigned increment)
{
    size_t len = put_header(dst, 4, 8, 0, 0);
    for (int i = 0; i < 4; i++) {
        dst[len++] = (unsigned char)(increment >> (24 - 8 * i));
    }
    return len;
}

/* Preface, SETTINGS with the largest window, and the requests: GET https /stream, authority "x". */
static size_t put_opening(unsigned char *dst, unsigned streams)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const unsigned char settings[] = {0, 4, 0x7f, 0xff, 0xff, 0xff};
    static const unsigned char block[] = "\x82\x87\x04\x07/stream\x01\x01x";
    size_t len = sizeof(preface) - 1;

    memcpy(dst, preface, len);
    len += put_header(dst + len, sizeof(settings), 4, 0, 0);
    memcpy(dst + len, settings, sizeof(settings));
    len += sizeof(settings);
    len += put_window_update(dst + len, 0x7fffffff - 65535);
    for (unsigned i = 0; i < streams; i++) {
        len += put_header(dst + len, sizeof(block) - 1, 1, 5, i * 2 + 1);
        memcpy(dst + len, block, sizeof(block) - 1);
        len += sizeof(block) - 1;
    }
    return len;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static SSL *open_connection(SSL_CTX *tls, int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    SSL *ssl = SSL_new(tls);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
        die("connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1) {
        die("handshake");
    }
    return ssl;
}

static void drain(peer_t *peer)
{
    static char buf[1 << 16];
    unsigned char update[16];
    int len;

    while ((len = SSL_read(peer->ssl, buf, sizeof(buf))) > 0) {
        if ((peer->bytes += (size_t)len) >= REFILL_BYTES) {
            SSL_write(peer->ssl, update, (int)put_window_update(update, REFILL_BYTES / 2));
            peer->bytes -= REFILL_BYTES / 2;
        }
    }
    if (SSL_get_error(peer->ssl, len) != SSL_ERROR_WANT_READ) {
        exit(0);
    }
}

int main(int argc, char **argv)
{
    int port, connections, epoll = epoll_create1(0);
    unsigned streams;
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    peer_t *peers;
    unsigned char *opening;
    size_t len;
    struct rlimit files = {65536, 65536};

    if (argc != 4) {
        fprintf(stderr, "usage: %s PORT CONNECTIONS STREAMS\n", argv[0]);
        return 1;
    }
    port = atoi(argv[1]);
    connections = atoi(argv[2]);
    streams = (unsigned)atoi(argv[3]);
    peers = calloc((size_t)connections, sizeof(*peers));
    opening = malloc(256 + streams * 32);
    len = put_opening(opening, streams);
    signal(SIGPIPE, SIG_IGN);
    alarm(120);
    setrlimit(RLIMIT_NOFILE, &files);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_protos(tls, (const unsigned char *)"\x02h2", 3);
    for (int i = 0; i < connections; i++) {
        SSL *ssl = peers[i].ssl = open_connection(tls, port);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &peers[i]};
        if (SSL_write(ssl, opening, (int)len) != (int)len) {
            die("write");
        }
        fcntl(SSL_get_fd(ssl), F_SETFL, O_NONBLOCK);
        epoll_ctl(epoll, EPOLL_CTL_ADD, SSL_get_fd(ssl), &event);
        drain(&peers[i]);
    }
    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            drain(events[i].data.ptr);
        }
    }
}
