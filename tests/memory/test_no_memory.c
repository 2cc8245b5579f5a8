/*
 * Memory runs out where a peer chose the size: each such allocation of a request fails once. The
 * peer is told, and everybody else notices nothing; tw_fuzz_disconnect() looks after the latter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "tests/fuzz/gateway.h"
#include "tests/support/cmocka_test.h"

#define HOST "host: g\r\n"
#define KEY "authorization: Bearer k\r\n"
#define PUBLISH                                                                                    \
    "POST /v1/publish HTTP/1.1\r\n" HOST KEY                                                       \
    "x-sse-topic: a,b\r\nx-sse-id: 7\r\ncontent-length: 5\r\n\r\nhello"

static void expect(tw_fuzz_peer_t *peer, const char *text)
{
    if (memmem(peer->output, peer->output_len, text, strlen(text)) == NULL)
        fail_msg("\"%s\" is not in \"%.*s\"", text, (int)peer->output_len, peer->output);
}

static void ask(tw_fuzz_peer_t *peer, const char *request, size_t len)
{
    tw_fuzz_connect(peer);
    tw_fuzz_send(peer, request, len);
    tw_fuzz_settle(peer);
}

static void expect_answer(const char *request, size_t len, const char *text)
{
    tw_fuzz_peer_t peer;
    ask(&peer, request, len);
    expect(&peer, text);
    tw_fuzz_disconnect(&peer);
}

/* The request with its first, second, … allocation failing, until it has no more of them. */
static void expect_each_failure_answered(const char *request, size_t len, const char *success,
                                         unsigned least)
{
    static const char health[] = "GET /healthz HTTP/1.1\r\n" HOST "\r\n";
    unsigned n = 1;

    for (bool failed = true; failed; ++n) {
        tw_fuzz_peer_t peer;
        tw_alloc_fail_after(n);
        ask(&peer, request, len);
        failed = tw_alloc_fail_after(0) == 0;
        expect(&peer, failed ? "no_memory" : success);
        tw_fuzz_disconnect(&peer);
        expect_answer(health, sizeof(health) - 1, "200 OK");
    }
    assert_true(n - 2 >= least);
}

static void test_stream__is_refused(void **state)
{
    static const char http1[] = "GET /v1/stream?topic=a,q&id=me HTTP/1.1\r\n" HOST "\r\n";
    static const char http2[] =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
        "\0\0\x1b\1\5\0\0\0\1\x82\x86\x44\x14/v1/stream?topic=a,q\x41\1g";

    expect_each_failure_answered(http1, sizeof(http1) - 1, "retry: ", 2);
    expect_each_failure_answered(http2, sizeof(http2) - 1, "retry: ", 2);
}

static void test_publish__is_refused(void **state)
{
    expect_each_failure_answered(PUBLISH, sizeof(PUBLISH) - 1, "\"delivered\":1", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream__is_refused),
        cmocka_unit_test(test_publish__is_refused),
    };
    tw_hash_seed();
    tw_fuzz_gateway_start();
    return cmocka_run_group_tests_name("no_memory", tests, NULL, NULL);
}
