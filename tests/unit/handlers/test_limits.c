/* What a client may take, at a clock that the tests set. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "handlers/clients/limits.h"
#include "tests/support/cmocka_test.h"

static int64_t now_ms;

/* The monotonic clock is the tests'. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    if (id != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, id, now);
    now->tv_sec = now_ms / 1000;
    now->tv_nsec = now_ms % 1000 * 1000000;
    return 0;
}

static tw_client_key_t key_of(const char *address)
{
    tw_address_t parsed;
    assert_true(tw_address_parse(tw_text_of(address), &parsed));
    return tw_client_key(&parsed);
}

static bool same(const char *a, const char *b)
{
    tw_client_key_t x = key_of(a), y = key_of(b);
    return memcmp(&x, &y, sizeof(x)) == 0;
}

static void set_up(tw_limits_t *limits, tw_limits_config_t config)
{
    now_ms = 1000000;
    tw_limits_init(limits, &config, 2);
}

static size_t clients_of(const tw_limits_t *limits)
{
    size_t count = 0;
    for (size_t i = 0; i < TW_LIMITS_STRIPES; ++i)
        count += limits->stripes[i].clients.count;
    return count;
}

/* --- addresses --- */

static void test_client__is_an_ipv4_address_or_an_ipv6_network_of_64_bits(void **state)
{
    assert_true(same("192.0.2.1", "192.0.2.1"));
    assert_false(same("192.0.2.1", "192.0.2.2"));
    assert_true(same("192.0.2.1", "::ffff:192.0.2.1"));
    assert_true(same("2001:db8::1", "2001:db8::ffff:1:2:3"));
    assert_false(same("2001:db8:0:1::1", "2001:db8:0:2::1"));
    assert_false(same("::ffff:192.0.2.1", "::fffe:192.0.2.1"));
}

static void test_client__of_a_socket_is_that_of_its_text(void **state)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    tw_address_t address = tw_address_of((struct sockaddr *)&v4);
    tw_client_key_t from_socket = tw_client_key(&address), from_text = key_of("192.0.2.1");

    assert_memory_equal(&from_socket, &from_text, sizeof(from_text));
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::5", &v6.sin6_addr), 1);
    address = tw_address_of((struct sockaddr *)&v6);
    from_socket = tw_client_key(&address);
    from_text = key_of("2001:db8::");
    assert_memory_equal(&from_socket, &from_text, sizeof(from_text));
}

static void test_client__refuses_what_is_no_address(void **state)
{
    static const char *const texts[] = {
        "",          "1.2.3",     "1.2.3.4 ",
        "1.2.3.4:5", "[::1]",     "::1%lo",
        "host",      "1.2.3.256", "0001:0002:0003:0004:0005:0006:0007:0008:0009"};
    tw_address_t address;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); ++i)
        assert_false(tw_address_parse(tw_text_of(texts[i]), &address));
    assert_true(tw_address_parse(tw_text("1.2.3.45", 7), &address)); /* no NUL ends it */
    assert_int_equal(address.bytes[15], 4);
}

static bool is_proxy(const tw_limits_t *limits, const char *address)
{
    tw_address_t parsed;
    assert_true(tw_address_parse(tw_text_of(address), &parsed));
    return tw_limits_is_proxy(limits, &parsed);
}

static void test_proxies__are_those_of_the_networks(void **state)
{
    tw_network_t *networks;
    size_t count;
    tw_text_t bad;
    tw_limits_t limits;

    assert_true(
        tw_networks_parse("10.0.0.0/9, 192.0.2.7,2001:db8::/33, ,::1", &networks, &count, &bad));
    assert_int_equal(count, 4);
    set_up(&limits, (tw_limits_config_t){.proxies = networks, .proxy_count = count});
    assert_true(is_proxy(&limits, "10.127.255.255"));
    assert_false(is_proxy(&limits, "10.128.0.0"));
    assert_true(is_proxy(&limits, "::ffff:10.1.2.3"));
    assert_true(is_proxy(&limits, "192.0.2.7"));
    assert_false(is_proxy(&limits, "192.0.2.6"));
    assert_true(is_proxy(&limits, "2001:db8:7fff::1"));
    assert_false(is_proxy(&limits, "2001:db8:8000::1"));
    assert_true(is_proxy(&limits, "::1"));
    assert_false(is_proxy(&limits, "::2"));
    tw_limits_dispose(&limits);
    free(networks);
}

static void test_networks__names_the_item_that_is_none(void **state)
{
    static const char *const bad_items[] = {
        "10.0.0.0/33", "::/129",      "10.0.0.0/", "10.0.0.0/x",  "10.0.0.0/8/8", "10.0.0.0/0008",
        "x",           "10.0.0.0/-1", "/8",        "10.0.0.0/+8", "10.0.0.0/ 8"};
    char text[64];

    for (size_t i = 0; i < sizeof(bad_items) / sizeof(bad_items[0]); ++i) {
        tw_network_t *networks;
        size_t count;
        tw_text_t bad;
        snprintf(text, sizeof(text), "::1, %s ,::2", bad_items[i]);
        assert_false(tw_networks_parse(text, &networks, &count, &bad));
        assert_int_equal(bad.len, strlen(bad_items[i]));
        assert_memory_equal(bad.base, bad_items[i], bad.len);
        free(networks);
    }
}

/* --- connections and streams --- */

static void test_connections__of_one_client_end_at_its_limit(void **state)
{
    tw_client_key_t one = key_of("192.0.2.1"), other = key_of("192.0.2.2");
    tw_client_t *taken[3];
    tw_limits_t limits;

    set_up(&limits, (tw_limits_config_t){.connections_per_address = 3, .streams_per_address = 1});
    for (size_t i = 0; i < 3; ++i)
        assert_non_null(taken[i] = tw_limits_add_connection(&limits, &one));
    assert_null(tw_limits_add_connection(&limits, &one));
    assert_int_equal(limits.refused_connections, 1);
    tw_client_t *others = tw_limits_add_connection(&limits, &other);
    assert_non_null(others);
    tw_client_t *stream = tw_limits_add_stream(&limits, &one); /* counted apart */
    assert_non_null(stream);
    assert_null(tw_limits_add_stream(&limits, &one));
    assert_int_equal(limits.refused_streams, 1);
    tw_limits_remove_connection(&limits, taken[2]);
    assert_non_null(taken[2] = tw_limits_add_connection(&limits, &one));
    assert_int_equal(clients_of(&limits), 2);
    for (size_t i = 0; i < 3; ++i)
        tw_limits_remove_connection(&limits, taken[i]);
    assert_int_equal(clients_of(&limits), 2); /* the stream is still there */
    tw_limits_remove_stream(&limits, stream);
    tw_limits_remove_connection(&limits, others);
    assert_int_equal(clients_of(&limits), 0);
    tw_limits_dispose(&limits);
}

static void test_connections__without_a_limit_are_counted_all_the_same(void **state)
{
    tw_client_key_t one = key_of("192.0.2.1");
    tw_client_t *client = NULL;
    tw_limits_t limits;

    set_up(&limits, (tw_limits_config_t){0});
    for (size_t i = 0; i < 1000; ++i)
        assert_non_null(client = tw_limits_add_connection(&limits, &one));
    for (size_t i = 0; i < 1000; ++i)
        tw_limits_remove_connection(&limits, client);
    tw_limits_remove_stream(&limits, NULL);
    assert_int_equal(clients_of(&limits), 0);
    assert_int_equal(limits.refused_connections, 0);
    tw_limits_dispose(&limits);
}

/* --- wrong keys --- */

static void test_wrong_keys__make_their_client_wait_and_are_forgiven(void **state)
{
    tw_client_key_t one = key_of("2001:db8::1"), neighbour = key_of("2001:db8::2"),
                    other = key_of("192.0.2.1");
    tw_limits_t limits;

    set_up(&limits, (tw_limits_config_t){.failures_per_minute = 6});
    for (size_t i = 0; i < 6; ++i) {
        assert_int_equal(tw_limits_key_wait_s(&limits, &one), 0);
        tw_limits_key_failed(&limits, &one);
    }
    unsigned wait_s = tw_limits_key_wait_s(&limits, &one);
    assert_in_range(wait_s, 10, 11);
    assert_in_range(tw_limits_key_wait_s(&limits, &neighbour), 10, 11); /* of the same network */
    assert_int_equal(tw_limits_key_wait_s(&limits, &other), 0);
    assert_int_equal(limits.refused_failures, 2);
    now_ms += (int64_t)wait_s * 1000;
    assert_int_equal(tw_limits_key_wait_s(&limits, &one), 0);
    tw_limits_key_failed(&limits, &one);
    assert_true(tw_limits_key_wait_s(&limits, &one) > 0);
    tw_limits_dispose(&limits);
}

static void test_wrong_keys__are_forgotten_by_the_sweep(void **state)
{
    tw_client_key_t one = key_of("192.0.2.1"), other = key_of("192.0.2.2");
    tw_limits_t limits;

    set_up(&limits, (tw_limits_config_t){.failures_per_minute = 60});
    tw_limits_key_failed(&limits, &one);
    tw_limits_key_failed(&limits, &other);
    tw_client_t *client = tw_limits_add_connection(&limits, &other);
    tw_limits_sweep(&limits);
    assert_int_equal(clients_of(&limits), 2);
    now_ms += 1000;
    tw_limits_sweep(&limits);
    assert_int_equal(clients_of(&limits), 1); /* it has a connection */
    tw_limits_remove_connection(&limits, client);
    assert_int_equal(clients_of(&limits), 0);
    tw_limits_dispose(&limits);
}

static void test_wrong_keys__without_a_limit_cost_nothing(void **state)
{
    tw_client_key_t one = key_of("192.0.2.1");
    tw_limits_t limits;

    set_up(&limits, (tw_limits_config_t){0});
    for (size_t i = 0; i < 100; ++i)
        tw_limits_key_failed(&limits, &one);
    assert_int_equal(tw_limits_key_wait_s(&limits, &one), 0);
    assert_int_equal(clients_of(&limits), 0);
    tw_limits_dispose(&limits);
}

/* --- publishes --- */

static void test_publishes__of_a_key_follow_its_rate_and_its_burst(void **state)
{
    tw_limits_t limits;

    set_up(&limits, (tw_limits_config_t){.publishes_per_second = 10, .publish_burst = 3});
    for (size_t i = 0; i < 3; ++i)
        assert_int_equal(tw_limits_publish_wait_s(&limits, 0), 0);
    assert_int_equal(tw_limits_publish_wait_s(&limits, 0), 1);
    assert_int_equal(tw_limits_publish_wait_s(&limits, 1), 0); /* each key has its own */
    now_ms += 100;
    assert_int_equal(tw_limits_publish_wait_s(&limits, 0), 0);
    assert_int_equal(tw_limits_publish_wait_s(&limits, 0), 1);
    now_ms += 3600000; /* no more than the burst is saved up */
    for (size_t i = 0; i < 3; ++i)
        assert_int_equal(tw_limits_publish_wait_s(&limits, 0), 0);
    assert_int_equal(tw_limits_publish_wait_s(&limits, 0), 1);
    assert_int_equal(limits.refused_publishes, 3);
    tw_limits_dispose(&limits);
}

static void test_publishes__and_handshakes_under_way_end_at_their_limits(void **state)
{
    tw_limits_t limits;

    set_up(&limits, (tw_limits_config_t){.publishes_in_flight = 2, .handshakes = 1});
    assert_true(tw_limits_begin_publish(&limits));
    assert_true(tw_limits_begin_publish(&limits));
    assert_false(tw_limits_begin_publish(&limits));
    tw_limits_end_publish(&limits);
    assert_true(tw_limits_begin_publish(&limits));
    assert_false(tw_limits_begin_publish(&limits));
    assert_int_equal(limits.publishes_in_flight.refused, 2);
    assert_null(tw_limits_begin_handshake(&limits, NULL));
    assert_non_null(tw_limits_begin_handshake(&limits, NULL));
    tw_limits_end_handshake(&limits, NULL);
    assert_null(tw_limits_begin_handshake(&limits, NULL));
    assert_int_equal(limits.handshakes.refused, 1);
    tw_limits_dispose(&limits);
}

static void test_held_bytes__of_one_client_end_at_its_share(void **state)
{
    const tw_client_key_t key = key_of("192.0.2.1"), other = key_of("192.0.2.2");
    tw_limits_t limits;

    set_up(&limits,
           (tw_limits_config_t){.body_bytes_per_address = 100, .answer_bytes_per_address = 10});
    assert_true(tw_limits_hold(&limits, &key, false, 60));
    assert_false(tw_limits_hold(&limits, &key, false, 60));
    assert_true(tw_limits_hold(&limits, &key, true, 10)); /* each kind has its own */
    assert_false(tw_limits_hold(&limits, &key, true, 1));
    assert_true(tw_limits_hold(&limits, &other, true, 10));
    tw_limits_release(&limits, &key, true, 10);
    assert_true(tw_limits_hold(&limits, &key, true, 11)); /* whatever its size, one is held */
    assert_int_equal(limits.refused_request_bytes_of_address, 1);
    assert_int_equal(limits.refused_answer_bytes_of_address, 1);
    assert_int_equal(clients_of(&limits), 2);
    tw_limits_release(&limits, &key, true, 11);
    tw_limits_release(&limits, &key, false, 60);
    tw_limits_release(&limits, &other, true, 10);
    assert_int_equal(clients_of(&limits), 0);
    tw_limits_dispose(&limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client__is_an_ipv4_address_or_an_ipv6_network_of_64_bits),
        cmocka_unit_test(test_client__of_a_socket_is_that_of_its_text),
        cmocka_unit_test(test_client__refuses_what_is_no_address),
        cmocka_unit_test(test_proxies__are_those_of_the_networks),
        cmocka_unit_test(test_networks__names_the_item_that_is_none),
        cmocka_unit_test(test_connections__of_one_client_end_at_its_limit),
        cmocka_unit_test(test_connections__without_a_limit_are_counted_all_the_same),
        cmocka_unit_test(test_wrong_keys__make_their_client_wait_and_are_forgiven),
        cmocka_unit_test(test_wrong_keys__are_forgotten_by_the_sweep),
        cmocka_unit_test(test_wrong_keys__without_a_limit_cost_nothing),
        cmocka_unit_test(test_publishes__of_a_key_follow_its_rate_and_its_burst),
        cmocka_unit_test(test_publishes__and_handshakes_under_way_end_at_their_limits),
        cmocka_unit_test(test_held_bytes__of_one_client_end_at_its_share),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
