/* What lean.c and floor.c share: arguments, listening, clock. */
#ifndef BENCH_H
#define BENCH_H

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct bench_t {
    unsigned connections, streams, seconds, opened;
    size_t payload_len;
    char *payload;
    SSL_CTX *tls;
    int listener;
    unsigned long delivered, delivered_before;
    double cpu_before, wall_before;
} bench_t;

static inline double bench_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static inline double bench_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void bench_begin(bench_t *bench)
{
    bench->cpu_before = bench_cpu();
    bench->wall_before = bench_wall();
    bench->delivered_before = bench->delivered;
}

static inline void bench_report(const bench_t *bench)
{
    double cpu = bench_cpu() - bench->cpu_before, wall = bench_wall() - bench->wall_before;
    double count = (double)(bench->delivered - bench->delivered_before);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.0f deliveries, %.1f ns CPU each, %.2f M/s, peak %ld MB\n", count, cpu / count * 1e9,
           count / wall / 1e6, usage.ru_maxrss / 1024);
}

static inline void bench_parse(bench_t *bench, int argc, char **argv)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    struct rlimit files = {65536, 65536};

    if (argc < 6) {
        fprintf(stderr, "usage: %s CERTIFICATE KEY CONNECTIONS STREAMS SECONDS [PAYLOAD]\n",
                argv[0]);
        exit(1);
    }
    setrlimit(RLIMIT_NOFILE, &files);
    alarm(120);
    bench->connections = (unsigned)atoi(argv[3]);
    bench->streams = (unsigned)atoi(argv[4]);
    bench->seconds = (unsigned)atoi(argv[5]);
    bench->payload_len = argc > 6 ? (size_t)atoi(argv[6]) : 100;
    bench->payload = malloc(bench->payload_len);
    memset(bench->payload, 'x', bench->payload_len);
    bench->tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(bench->tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_certificate_file(bench->tls, argv[1], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(bench->tls, argv[2], SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "cannot read the certificate\n");
        exit(1);
    }
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bench->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(bench->listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(bench->listener, 1024) != 0) {
        perror("listen");
        exit(1);
    }
    getsockname(bench->listener, (struct sockaddr *)&addr, &len);
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
}

#endif
