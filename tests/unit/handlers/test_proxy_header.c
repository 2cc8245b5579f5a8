/* PROXY headers: what they name, and that nothing else is taken for one. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/clients/proxy_header.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/random.h"

static const char begin_v2[] = "\r\n\r\n\0\r\nQUIT\n";

/* Bytes without a NUL behind them, so that a read beyond them is noticed. */
static tw_proxy_result_t read_exactly(const char *bytes, size_t len, tw_proxy_header_t *header)
{
    char *copy = malloc(len > 0 ? len : 1);

    memcpy(copy, bytes, len);
    tw_proxy_result_t result = tw_proxy_header_read(copy, len, header);
    free(copy);
    return result;
}

static const char *named(const tw_proxy_header_t *header)
{
    static char text[INET6_ADDRSTRLEN + 10];
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const void *)&header->client;
    const struct sockaddr_in6 *v6 = (const void *)&header->client;
    bool is_v4 = header->client.ss_family == AF_INET;

    if (!header->named)
        return "nobody";
    inet_ntop(header->client.ss_family,
              is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr, host,
              sizeof(host));
    snprintf(text, sizeof(text), "%s %d", host, ntohs(is_v4 ? v4->sin_port : v6->sin6_port));
    return text;
}

/* A version 2 header with `len` bytes behind its head, of which the first are `addresses`. */
static size_t make_v2(char *out, uint8_t command, uint8_t family, const void *addresses,
                      size_t addresses_len, size_t len)
{
    memcpy(out, begin_v2, 12);
    out[12] = (char)command;
    out[13] = (char)family;
    out[14] = (char)(len >> 8);
    out[15] = (char)len;
    memset(out + 16, 'x', len);
    for (size_t i = 0; i < addresses_len && i < len; ++i)
        out[16 + i] = ((const char *)addresses)[i];
    return 16 + len;
}

/* Every beginning of it is one, whatever follows is not read, and it names the client. */
static void expect_header(const char *bytes, size_t len, const char *client)
{
    char *longer = malloc(len + 100);
    tw_proxy_header_t header;

    for (size_t i = 0; i < len; ++i)
        assert_int_equal(read_exactly(bytes, i, &header), TW_PROXY_MORE);
    assert_int_equal(read_exactly(bytes, len, &header), TW_PROXY_DONE);
    assert_int_equal(header.len, len);
    assert_string_equal(named(&header), client);
    memcpy(longer, bytes, len);
    memcpy(longer + len, "PROXY GET / HTTP/1.1\r\n\r\n", 24);
    assert_int_equal(read_exactly(longer, len + 24, &header), TW_PROXY_DONE);
    assert_int_equal(header.len, len);
    assert_string_equal(named(&header), client);
    free(longer);
}

static void test_v1__names_the_client(void **state)
{
    static const char *const lines[][2] = {
        {"PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n", "192.0.2.1 50000"},
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255 65535"},
        {"PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n", "192.0.2.1 0"},
        {"PROXY TCP6 2001:db8::1 2001:db8::2 50000 443\r\n", "2001:db8::1 50000"},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"},
        {"PROXY UNKNOWN\r\n", "nobody"},
        {"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "nobody"},
    };

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); ++i)
        expect_header(lines[i][0], strlen(lines[i][0]), lines[i][1]);
}

static void test_v1__is_nothing_else(void **state)
{
    static const char *const lines[] = {
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY\r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY TCP4 example.com 192.0.2.2 1 2\r\n",
        "\x16\x03\x01\x02",
    };
    char line[200];
    tw_proxy_header_t header;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); ++i)
        assert_int_equal(read_exactly(lines[i], strlen(lines[i]), &header), TW_PROXY_BAD);
    /* A line ends within 107 bytes. */
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(read_exactly(line, 106, &header), TW_PROXY_MORE);
    assert_int_equal(read_exactly(line, 107, &header), TW_PROXY_BAD);
}

static void test_v2__names_the_client(void **state)
{
    static const char v4[12] = {(char)192, 0, 2,          1,    (char)192, 0,
                                2,         2, (char)0xc3, 0x50, 1,         (char)0xbb};
    char v6[36] = {0}, bytes[TW_PROXY_HEADER_MAX];

    inet_pton(AF_INET6, "2001:db8::1", v6);
    inet_pton(AF_INET6, "2001:db8::2", v6 + 16);
    memcpy(v6 + 32, v4 + 8, 4);
    expect_header(bytes, make_v2(bytes, 0x21, 0x11, v4, 12, 12), "192.0.2.1 50000");
    expect_header(bytes, make_v2(bytes, 0x21, 0x21, v6, 36, 36), "2001:db8::1 50000");
    expect_header(bytes, make_v2(bytes, 0x21, 0x11, v4, 12, 500), "192.0.2.1 50000");
    expect_header(bytes, make_v2(bytes, 0x21, 0x21, v6, 36, TW_PROXY_HEADER_MAX - 16),
                  "2001:db8::1 50000");
    expect_header(bytes, make_v2(bytes, 0x20, 0x00, NULL, 0, 0), "nobody"); /* LOCAL */
    expect_header(bytes, make_v2(bytes, 0x20, 0x11, v4, 12, 12), "nobody");
    expect_header(bytes, make_v2(bytes, 0x21, 0x00, NULL, 0, 0), "nobody");   /* UNSPEC */
    expect_header(bytes, make_v2(bytes, 0x21, 0x31, NULL, 0, 216), "nobody"); /* a Unix socket */
    expect_header(bytes, make_v2(bytes, 0x21, 0x12, v4, 12, 12), "nobody");   /* UDP */
}

static void test_v2__is_nothing_else(void **state)
{
    char bytes[70000];
    tw_proxy_header_t header;

    for (int command = 0; command < 256; ++command) {
        size_t len = make_v2(bytes, (uint8_t)command, 0x00, NULL, 0, 0);
        assert_int_equal(read_exactly(bytes, len, &header),
                         command == 0x20 || command == 0x21 ? TW_PROXY_DONE : TW_PROXY_BAD);
    }
    for (size_t len = 0; len < 12; ++len) /* too short for its addresses */
        assert_int_equal(read_exactly(bytes, make_v2(bytes, 0x21, 0x11, NULL, 0, len), &header),
                         TW_PROXY_BAD);
    for (size_t len = 0; len < 36; ++len)
        assert_int_equal(read_exactly(bytes, make_v2(bytes, 0x21, 0x21, NULL, 0, len), &header),
                         TW_PROXY_BAD);
    make_v2(bytes, 0x21, 0x11, NULL, 0, TW_PROXY_HEADER_MAX - 15);
    assert_int_equal(read_exactly(bytes, 16, &header), TW_PROXY_BAD); /* said to be too long */
}

/* Whatever comes: a header is never longer than what came and the bound, what comes later does not
 * change it, and only its beginnings are incomplete. */
static void test_any_bytes__are_read_consistently(void **state)
{
    static const char *const parts[] = {"PROXY ",  "TCP4 ", "TCP6 ", "UNKNOWN", " ",
                                        "1.2.3.4", "::1",   "65535", "0",       "\r\n",
                                        "\r",      "\n",    "x"};
    tw_test_random_t random;

    tw_test_random_init(&random, "proxy headers", 1);
    for (int round = 0; round < (int)tw_test_runs(200000); ++round) {
        char bytes[256];
        size_t len = 0;
        bool v2 = tw_test_random_below(&random, 2) == 0;
        if (v2) {
            len = make_v2(bytes, (uint8_t)(0x20 + tw_test_random_below(&random, 3)),
                          (uint8_t)(0x11 * tw_test_random_below(&random, 4)), NULL, 0,
                          tw_test_random_below(&random, 60));
            bytes[tw_test_random_below(&random, (uint32_t)len)] ^=
                (char)tw_test_random_below(&random, 4);
        } else {
            for (uint64_t n = tw_test_random_below(&random, 12); n > 0; --n) {
                const char *part =
                    parts[tw_test_random_below(&random, sizeof(parts) / sizeof(*parts))];
                memcpy(bytes + len, part, strlen(part));
                len += strlen(part);
            }
        }
        tw_proxy_header_t header, shorter;
        tw_proxy_result_t result = read_exactly(bytes, len, &header);
        if (result == TW_PROXY_DONE)
            assert_true(header.len > 0 && header.len <= len && header.len <= TW_PROXY_HEADER_MAX);
        for (size_t i = 0; i < len; ++i) {
            tw_proxy_result_t before = read_exactly(bytes, i, &shorter);
            if (before == TW_PROXY_BAD)
                assert_int_equal(result, TW_PROXY_BAD);
            else if (before == TW_PROXY_DONE)
                assert_true(result == TW_PROXY_DONE && shorter.len == header.len);
            else
                assert_true(result != TW_PROXY_DONE || i < header.len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v1__names_the_client),
        cmocka_unit_test(test_v1__is_nothing_else),
        cmocka_unit_test(test_v2__names_the_client),
        cmocka_unit_test(test_v2__is_nothing_else),
        cmocka_unit_test(test_any_bytes__are_read_consistently),
    };
    return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
