#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/redis/client/dial.h"
#include "tests/support/loop.h"
#include "tests/support/ports.h"

#define DEADLINE_MS 30000
#define FILLERS 4

/* ---- a resolver of our own: the host is a list of addresses of 127.0.0.0/8 and ::1 ---- */

typedef struct lookup {
    uv_timer_t timer;
    uv_getaddrinfo_t *request;
    uv_getaddrinfo_cb callback;
    struct addrinfo *found;
} lookup_t;

static void on_lookup_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_lookup(uv_timer_t *timer)
{
    lookup_t *lookup = (lookup_t *)timer;
    lookup->callback(lookup->request, 0, lookup->found);
    uv_close((uv_handle_t *)timer, on_lookup_closed);
}

static struct addrinfo *make_address(const char *text, uint16_t port)
{
    struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6));
    info->ai_socktype = SOCK_STREAM;
    info->ai_addr = (struct sockaddr *)(info + 1);
    if (strchr(text, ':') != NULL) {
        struct sockaddr_in6 *address = (struct sockaddr_in6 *)info->ai_addr;
        *address = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        inet_pton(AF_INET6, text, &address->sin6_addr);
        info->ai_addrlen = sizeof(*address);
    } else {
        struct sockaddr_in *address = (struct sockaddr_in *)info->ai_addr;
        *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        inet_pton(AF_INET, text, &address->sin_addr);
        info->ai_addrlen = sizeof(*address);
    }
    info->ai_family = info->ai_addr->sa_family;
    return info;
}

/* Stands in for libuv's: this program's symbol comes first. */
int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb callback,
                   const char *node, const char *service, const struct addrinfo *hints)
{
    lookup_t *lookup = calloc(1, sizeof(*lookup));
    char *list = strdup(node), *rest = list, *text;
    struct addrinfo **end = &lookup->found;

    while ((text = strsep(&rest, ",")) != NULL) {
        *end = make_address(text, (uint16_t)atoi(service));
        end = &(*end)->ai_next;
    }
    free(list);
    lookup->request = request;
    lookup->callback = callback;
    uv_timer_init(loop, &lookup->timer);
    return uv_timer_start(&lookup->timer, on_lookup, 0, 0);
}

void uv_freeaddrinfo(struct addrinfo *info)
{
    while (info != NULL) {
        struct addrinfo *next = info->ai_next;
        free(info);
        info = next;
    }
}

/* ---- addresses that answer, and one that swallows what is sent to it ---- */

typedef struct fixture {
    uv_loop_t loop;
    int listeners[4], fillers[FILLERS];
    size_t listener_count;
    uint16_t port;
    bool done;
    char peer[INET6_ADDRSTRLEN], problem[TW_REDIS_ERROR_MAX];
    tw_redis_dial_t *dial;
} fixture_t;

static void listen_on(fixture_t *f, const char *text, int backlog)
{
    if (f->port == 0)
        f->port = tw_test_free_port(); /* nobody takes it on the other addresses */
    struct addrinfo *info = make_address(text, f->port);
    socklen_t len = info->ai_addrlen;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    /* Connections of an earlier test that still close do not matter. */
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
    assert_true(fd >= 0 && bind(fd, info->ai_addr, len) == 0 && listen(fd, backlog) == 0);
    f->listeners[f->listener_count++] = fd;
    uv_freeaddrinfo(info);
}

/* A listener whose queue is full: the kernel drops the SYNs of all who come. */
static void make_black_hole(fixture_t *f, const char *text)
{
    listen_on(f, text, 0);
    struct addrinfo *info = make_address(text, f->port);
    for (size_t i = 0; i < FILLERS; ++i) {
        f->fillers[i] = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(f->fillers[i], info->ai_addr, info->ai_addrlen);
    }
    uv_freeaddrinfo(info);
}

static void on_socket_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_done(tw_redis_socket_t *socket, const char *problem, void *data)
{
    fixture_t *f = data;
    struct sockaddr_storage peer;
    int len = sizeof(peer);

    assert_false(f->done);
    f->done = true;
    if (socket == NULL) {
        snprintf(f->problem, sizeof(f->problem), "%s", problem);
        return;
    }
    assert_int_equal(uv_tcp_getpeername(&socket->tcp, (struct sockaddr *)&peer, &len), 0);
    if (peer.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&peer)->sin_addr, f->peer, sizeof(f->peer));
    else
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&peer)->sin6_addr, f->peer, sizeof(f->peer));
    uv_close(&socket->handle, on_socket_closed);
}

/* How long it took, in milliseconds. */
static uint64_t dial(fixture_t *f, const char *addresses)
{
    tw_redis_endpoint_t endpoint = {.port = f->port};
    uint64_t begun_ns = uv_hrtime();
    snprintf(endpoint.host, sizeof(endpoint.host), "%s", addresses);
    f->dial = tw_redis_dial_open(&f->loop, &endpoint, on_done, f);
    tw_test_loop_until_set(&f->loop, &f->done, DEADLINE_MS);
    return (uv_hrtime() - begun_ns) / 1000000;
}

static int setup(void **state)
{
    fixture_t *f = calloc(1, sizeof(*f));
    memset(f->fillers, -1, sizeof(f->fillers));
    tw_test_loop_init(&f->loop);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    tw_redis_dial_close(f->dial);
    tw_test_loop_close(&f->loop, DEADLINE_MS);
    for (size_t i = 0; i < f->listener_count; ++i)
        close(f->listeners[i]);
    for (size_t i = 0; i < FILLERS; ++i)
        if (f->fillers[i] >= 0)
            close(f->fillers[i]);
    free(f);
    return 0;
}

static void test_dial__does_not_wait_for_an_address_that_swallows_packets(void **state)
{
    fixture_t *f = *state;
    make_black_hole(f, "127.0.0.2");
    listen_on(f, "127.0.0.1", 16);
    uint64_t took_ms = dial(f, "127.0.0.2,127.0.0.1");
    assert_string_equal(f->peer, "127.0.0.1");
    assert_true(took_ms >= 200 && took_ms < 2000);
}

static void test_dial__goes_on_at_once_when_an_address_refuses(void **state)
{
    fixture_t *f = *state;
    listen_on(f, "127.0.0.1", 16);
    uint64_t took_ms = dial(f, "127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.1");
    assert_string_equal(f->peer, "127.0.0.1");
    assert_true(took_ms < 250);
}

static void test_dial__alternates_families(void **state)
{
    fixture_t *f = *state;
    make_black_hole(f, "127.0.0.2");
    listen_on(f, "::1", 16);
    listen_on(f, "127.0.0.1", 16);
    dial(f, "127.0.0.2,127.0.0.1,::1");
    assert_string_equal(f->peer, "::1");
}

static void test_dial__says_why_when_all_fail(void **state)
{
    fixture_t *f = *state;
    listen_on(f, "127.0.0.1", 16); /* for a port that nobody else takes */
    dial(f, "127.0.0.2,127.0.0.3");
    assert_string_equal(f->problem, "cannot connect: connection refused");
}

static void test_dial__may_be_closed_at_any_time(void **state)
{
    fixture_t *f = *state;
    tw_redis_endpoint_t endpoint = {.host = "127.0.0.2,127.0.0.3"};
    make_black_hole(f, "127.0.0.2");
    endpoint.port = f->port;
    tw_redis_dial_close(tw_redis_dial_open(&f->loop, &endpoint, on_done, f));
    uv_run(&f->loop, UV_RUN_NOWAIT);
    f->dial = tw_redis_dial_open(&f->loop, &endpoint, on_done, f);
    for (int i = 0; i < 10; ++i)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_false(f->done);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_dial__does_not_wait_for_an_address_that_swallows_packets),
        TEST(test_dial__goes_on_at_once_when_an_address_refuses),
        TEST(test_dial__alternates_families),
        TEST(test_dial__says_why_when_all_fail),
        TEST(test_dial__may_be_closed_at_any_time),
    };
    return cmocka_run_group_tests_name("redis_dial", tests, NULL, NULL);
}
