/*
 * The floor that lean.c is compared with: no HTTP, no loop library; it only copies the frames into
 * a buffer and writes them through OpenSSL to the same client.
 *
 *   floor CERTIFICATE KEY CONNECTIONS STREAMS SECONDS [PAYLOAD]
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>

#include "bench.h"

typedef struct conn_t {
    SSL *ssl;
    char *buf;
    size_t size, off; /* what is left of an event is between off and size */
    int is_blocked;
} conn_t;

static bench_t bench;

static void put_frames(char *p)
{
    for (unsigned i = 0; i < bench.streams; i++) {
        unsigned stream = i * 2 + 1;
        unsigned char header[9] = {0,
                                   (unsigned char)(bench.payload_len >> 8),
                                   (unsigned char)bench.payload_len,
                                   0,
                                   0,
                                   (unsigned char)(stream >> 24),
                                   (unsigned char)(stream >> 16),
                                   (unsigned char)(stream >> 8),
                                   (unsigned char)stream};
        memcpy(p, header, 9);
        memcpy(p + 9, bench.payload, bench.payload_len);
        p += 9 + bench.payload_len;
    }
}

static void flush_conn(conn_t *conn)
{
    while (conn->off != conn->size) {
        int len = SSL_write(conn->ssl, conn->buf + conn->off, (int)(conn->size - conn->off));
        if (len <= 0) {
            conn->is_blocked = 1;
            return;
        }
        conn->off += (size_t)len;
    }
    conn->is_blocked = 0;
}

static void discard_input(conn_t *conn)
{
    char input[4096];
    while (SSL_read(conn->ssl, input, sizeof(input)) > 0)
        ;
}

/* Accepts a connection of the client and its first bytes. Returns 0, or -1 without a handshake. */
static int accept_conn(conn_t *conn, int epoll)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = conn};
    int fd = accept(bench.listener, NULL, NULL);

    conn->ssl = SSL_new(bench.tls);
    SSL_set_fd(conn->ssl, fd);
    if (SSL_accept(conn->ssl) != 1) {
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    discard_input(conn);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return 0;
}

/* One event to every stream of the connection, unless it still has to write the last one. */
static void send_event(conn_t *conn, char *shared, size_t size)
{
    if (conn->is_blocked) {
        return;
    }
    conn->buf = shared; /* copied anew for every connection, but only kept if it blocks */
    put_frames(conn->buf);
    conn->size = size;
    conn->off = 0;
    flush_conn(conn);
    if (conn->is_blocked) {
        conn->buf = memcpy(malloc(size), shared, size);
    }
    bench.delivered += bench.streams;
}

static void serve_conn(conn_t *conn)
{
    discard_input(conn);
    if (conn->is_blocked) {
        flush_conn(conn);
        if (!conn->is_blocked) {
            free(conn->buf);
        }
    }
}

int main(int argc, char **argv)
{
    int epoll = epoll_create1(0);

    bench_parse(&bench, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    size_t size = (9 + bench.payload_len) * bench.streams;
    char *shared = malloc(size);
    conn_t *conns = calloc(bench.connections, sizeof(conns[0]));
    for (unsigned i = 0; i < bench.connections; i++) {
        if (accept_conn(&conns[i], epoll) != 0) {
            exit(1);
        }
    }
    sleep(1);
    bench_begin(&bench);
    double end = bench_wall() + bench.seconds;
    while (bench_wall() < end) {
        struct epoll_event events[64];
        unsigned long before = bench.delivered;
        for (unsigned i = 0; i < bench.connections; i++) {
            send_event(&conns[i], shared, size);
        }
        int count = epoll_wait(epoll, events, 64, bench.delivered != before ? 0 : 100);
        for (int i = 0; i < count; i++) {
            serve_conn(events[i].data.ptr);
        }
    }
    bench_report(&bench);
    free(conns);
    free(shared);
    return 0;
}
