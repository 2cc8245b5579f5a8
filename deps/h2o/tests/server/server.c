// A small libh2o server that the tests of the patch series talk to. It offers what Tideway asks of
// h2o (answers at the end of the headers, streams that stay open, large responses) without being
// Tideway, so that a failing test points at h2o or at a patch.
//
// usage: server CERTIFICATE KEY [OPTION=VALUE]...      options: see below
// Prints one line {"plain": PORT, "tls": PORT} to stdout when it listens. SIGUSR1 starts h2o's
// graceful shutdown, SIGTERM ends the process. GET /stats answers with counters.

#include "server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <openssl/ssl.h>
#include <uv.h>

#include "listener.h"

option_t options[OPT_COUNT] = {
    [OPT_DELAY_MS] = {"delay_ms", 300}, // of /delay and of the decisions about bodies on hold
    [OPT_ENTITY_MAX] = {"entity_max", 1048576}, // bytes
    [OPT_BIG_BYTES] = {"big_bytes", 1048576},   // size of the answer of /big
    [OPT_CONCURRENT] = {"concurrent", 100000},  // requests in process per connection
    [OPT_HTTP2_IDLE_MS] = {"http2_idle_ms", 10000},
    [OPT_HTTP1_REQUEST_MS] = {"http1_request_ms", 10000},
    [OPT_NO_ROOM_FOR_ALERTS] = {"no_room_for_alerts",
                                0}, // see writev(); TLS 1.2, which shows what an alert is
    [OPT_HELD_MAX] = {"held_max", UINT64_MAX}, // bytes that requests may hold
#define PATCHED(series, name, label, field, value) [OPT_##name] = {label, value},
#include "patched_options.h"
#undef PATCHED
};

static uv_loop_t loop;
static h2o_globalconf_t config;
static h2o_context_t context;
static listener_t plain, tls;

static void on_signal(uv_signal_t *handle, int number)
{
    (void)handle;
    if (number == SIGUSR1)
        h2o_context_request_shutdown(&context);
    else
        uv_stop(&loop);
}

#define TLS_ALERT 21

// A kernel whose buffer is full in the moment in which a TLS alert comes, and stays so.
static int has_room(const void *bytes, size_t len)
{
    if (options[OPT_NO_ROOM_FOR_ALERTS].value == 0 || len == 0 ||
        *(const uint8_t *)bytes != TLS_ALERT)
        return 1;
    errno = EAGAIN;
    return 0;
}

// These two are what libuv calls.
ssize_t write(int fd, const void *bytes, size_t len)
{
    return has_room(bytes, len) ? syscall(SYS_write, fd, bytes, len) : -1;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return has_room(parts[0].iov_base, parts[0].iov_len) ? syscall(SYS_writev, fd, parts, count)
                                                         : -1;
}

static void parse_options(char **argv)
{
    for (; *argv != NULL; ++argv) {
        size_t i, len = strcspn(*argv, "=");

        for (i = 0; i != OPT_COUNT; ++i)
            if (strlen(options[i].name) == len && strncmp(options[i].name, *argv, len) == 0)
                break;
        if (i == OPT_COUNT || (*argv)[len] == '\0') {
            fprintf(stderr, "server: unknown option %s\n", *argv);
            exit(2);
        }
        options[i].value = strtoull(*argv + len + 1, NULL, 10);
    }
}

static void configure(void)
{
    h2o_config_init(&config);
    config.max_request_entity_size = options[OPT_ENTITY_MAX].value;
    config.http2.max_concurrent_requests_per_connection = options[OPT_CONCURRENT].value;
    config.http2.idle_timeout = options[OPT_HTTP2_IDLE_MS].value;
    config.http1.req_timeout = options[OPT_HTTP1_REQUEST_MS].value;
#define PATCHED(series, name, label, field, value) series(name, field)
#include "patched_options.h"
#undef PATCHED
#if H2O_SERIES >= 31
    config.http2.response_stall_timeout = options[OPT_STALL_MS].value;
#endif
    handlers_register(&config);
}

int main(int argc, char **argv)
{
    SSL_CTX *ssl_ctx;
    uv_signal_t usr1, term;

    if (argc < 3) {
        fprintf(stderr, "usage: %s CERTIFICATE KEY [OPTION=VALUE]...\n", argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    parse_options(argv + 3);
    ssl_ctx = listener_create_ssl_ctx(argv[1], argv[2]);
    if (options[OPT_NO_ROOM_FOR_ALERTS].value != 0)
        SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION);

    uv_loop_init(&loop);
    configure();
    h2o_context_init(&context, &loop, &config);
    listener_open(&plain, &context, NULL);
    listener_open(&tls, &context, ssl_ctx);
    uv_signal_init(&loop, &usr1);
    uv_signal_start(&usr1, on_signal, SIGUSR1);
    uv_signal_init(&loop, &term);
    uv_signal_start(&term, on_signal, SIGTERM);

    listener_announce(&plain, &tls);
    uv_run(&loop, UV_RUN_DEFAULT);
    return 0;
}
