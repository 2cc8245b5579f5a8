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

int main(int argc, char **argv)
{
    conn_t *conns;
    size_t size;
    char *shared;
    int epoll = epoll_create1(0);
    double end;

    bench_parse(&bench, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    size = (9 + bench.payload_len) * bench.streams;
    shared = malloc(size);
    conns = calloc(bench.connections, sizeof(conns[0]));
    for (unsigned i = 0; i < bench.connections; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &conns[i]};
        char input[4096];
        int fd = accept(bench.listener, NULL, NULL);
        conns[i].ssl = SSL_new(bench.tls);
        SSL_set_fd(conns[i].ssl, fd);
        if (SSL_accept(conns[i].ssl) != 1) {
            return 1;
        }
        fcntl(fd, F_SETFL, O_NONBLOCK);
        while (SSL_read(conns[i].ssl, input, sizeof(input)) > 0)
            ;
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    sleep(1);
    bench_begin(&bench);
    end = bench_wall() + bench.seconds;
    while (bench_wall() < end) {
        struct epoll_event events[64];
        unsigned sent = 0;
        int count;
        for (unsigned i = 0; i < bench.connections; i++) {
            conn_t *conn = &conns[i];
            if (conn->is_blocked) {
                continue;
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
            sent++;
        }
        count = epoll_wait(epoll, events, 64, sent != 0 ? 0 : 100);
        for (int i = 0; i < count; i++) {
            conn_t *conn = events[i].data.ptr;
            char input[4096];
            while (SSL_read(conn->ssl, input, sizeof(input)) > 0)
                ;
            if (conn->is_blocked) {
                flush_conn(conn);
                if (!conn->is_blocked) {
                    free(conn->buf);
                }
            }
        }
    }
    bench_report(&bench);
    return 0;
}
