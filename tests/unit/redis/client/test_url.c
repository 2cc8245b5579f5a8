#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/redis/client/url.h"

static void parse(tw_redis_url_t *url, const char *text)
{
    char error[256] = "";
    if (tw_redis_url_parse(url, text, error, sizeof(error)) != 0)
        fail_msg("%s: %s", text, error);
}

static void test_url__has_defaults(void **state)
{
    tw_redis_url_t url;
    parse(&url, "redis://localhost");
    assert_false(url.tls);
    assert_null(url.user);
    assert_null(url.password);
    assert_null(url.master_name);
    assert_int_equal(url.db, 0);
    assert_int_equal(url.endpoint_count, 1);
    assert_string_equal(url.endpoints[0].host, "localhost");
    assert_int_equal(url.endpoints[0].port, 6379);
    tw_redis_url_dispose(&url);
}

static void test_url__takes_every_part(void **state)
{
    tw_redis_url_t url;
    parse(&url, "rediss://us%65r:p%40ss:w%2Ford@[::1]:7000/12");
    assert_true(url.tls);
    assert_string_equal(url.user, "user");
    assert_string_equal(url.password, "p@ss:w/ord");
    assert_string_equal(url.endpoints[0].host, "::1");
    assert_int_equal(url.endpoints[0].port, 7000);
    assert_int_equal(url.db, 12);
    tw_redis_url_dispose(&url);

    parse(&url, "redis://:only@h/");
    assert_null(url.user);
    assert_string_equal(url.password, "only");
    assert_int_equal(url.db, 0);
    tw_redis_url_dispose(&url);

    parse(&url, "redis://:with@sign@h");
    assert_string_equal(url.password, "with@sign");
    assert_string_equal(url.endpoints[0].host, "h");
    tw_redis_url_dispose(&url);
}

static void test_url__leaves_out_the_space_around_it(void **state)
{
    tw_redis_url_t url;
    parse(&url, " \t redis://:secret@h:7000/1\r\n\n");
    assert_string_equal(url.password, "secret");
    assert_string_equal(url.endpoints[0].host, "h");
    assert_int_equal(url.db, 1);
    tw_redis_url_dispose(&url);
}

static void test_url__takes_sentinels(void **state)
{
    tw_redis_url_t url;
    parse(&url, "redis+sentinel://:pw@a:1,b,[::2]:3/main/4");
    assert_string_equal(url.master_name, "main");
    assert_string_equal(url.password, "pw");
    assert_int_equal(url.db, 4);
    assert_int_equal(url.endpoint_count, 3);
    assert_int_equal(url.endpoints[0].port, 1);
    assert_string_equal(url.endpoints[1].host, "b");
    assert_int_equal(url.endpoints[1].port, 26379);
    assert_string_equal(url.endpoints[2].host, "::2");
    tw_redis_url_dispose(&url);
}

static void test_url__takes_nodes_of_a_cluster(void **state)
{
    tw_redis_url_t url;
    parse(&url, "rediss+cluster://u:pw@a:7000,b");
    assert_int_equal(url.kind, TW_REDIS_URL_CLUSTER);
    assert_true(url.tls);
    assert_int_equal(url.endpoint_count, 2);
    assert_int_equal(url.endpoints[0].port, 7000);
    assert_int_equal(url.endpoints[1].port, 6379);
    assert_null(url.master_name);
    tw_redis_url_dispose(&url);
}

static void test_url__takes_a_unix_socket(void **state)
{
    tw_redis_url_t url;
    char text[TW_REDIS_ENDPOINT_TEXT_MAX];
    parse(&url, "redis+unix://u:p%40@/run/a%20b/redis.sock?db=3");
    assert_int_equal(url.kind, TW_REDIS_URL_UNIX);
    assert_string_equal(url.password, "p@");
    assert_true(tw_redis_endpoint_is_path(&url.endpoints[0]));
    assert_int_equal(url.db, 3);
    assert_string_equal(tw_redis_endpoint_text(&url.endpoints[0], text, sizeof(text)),
                        "/run/a b/redis.sock");
    tw_redis_url_dispose(&url);
    parse(&url, "unix:///x@y");
    assert_null(url.password);
    assert_string_equal(url.endpoints[0].host, "/x@y");
    tw_redis_url_dispose(&url);
}

/* Texts that are no URL of Redis, and what the error says of them. */
static const struct {
    const char *text, *error;
} refused[] = {
    {"", "does not begin with"},
    {"http://h", "does not begin with"},
    {"redis:/h", "does not begin with"},
    {"redis://", "no valid host:port"},
    {"redis://:6379", "no valid host:port"},
    {"redis://h:", "no valid host:port"},
    {"redis://h:0", "no valid host:port"},
    {"redis://h:65536", "no valid host:port"},
    {"redis://h:1x", "no valid host:port"},
    {"redis://[::1", "no valid host:port"},
    {"redis://[::1]x", "no valid host:port"},
    {"redis://a b", "no valid host:port"},
    {"redis://secret@h", "broken credentials"},
    {"redis://u:secret%0@h", "broken credentials"},
    {"redis://u:secret%zz@h", "broken credentials"},
    {"redis://u:secret%00@h", "broken credentials"},
    {"redis://a,b", "several hosts"},
    {"redis://h/x", "database"},
    {"redis://h/-1", "database"},
    {"redis://h/65536", "database"},
    {"redis://h/1/2", "database"},
    {"redis://h/0?ssl=1", "query"},
    {"redis://h?ssl=1", "query"},
    {"redis+sentinel://h", "no master name"},
    {"redis+sentinel://h/", "no master name"},
    {"redis+sentinel://h,,i/m", "no valid host:port"},
    {"redis+sentinel://h/m/x", "database"},
    {"redis+cluster://h/1", "names a database"},
    {"redis+cluster://h,/", "no valid host:port"},
    {"redis+unix://h", "no path of a socket"},
    {"redis+unix://", "no path of a socket"},
    {"unix:///a?x=1", "?db=number"},
    {"unix:///a?db=x", "database"},
    {"unix://secret@/a", "broken credentials"},
    {"unix:///0123456789012345678901234567890123456789012345678901234567890123456789012345678"
     "901234567890123456789012345678",
     "up to 107 bytes"},
};

static void test_url__refuses_what_it_cannot_mean(void **state)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); ++i) {
        tw_redis_url_t url;
        char error[256] = "";
        if (tw_redis_url_parse(&url, refused[i].text, error, sizeof(error)) == 0)
            fail_msg("%s was taken", refused[i].text);
        if (strstr(error, refused[i].error) == NULL)
            fail_msg("%s: '%s' lacks '%s'", refused[i].text, error, refused[i].error);
        assert_null(strstr(error, "secret"));
    }
}

static void test_endpoint_text__brackets_an_ipv6_address(void **state)
{
    char text[TW_REDIS_ENDPOINT_TEXT_MAX];
    tw_redis_endpoint_t endpoint = {.host = "::1", .port = 1};
    assert_string_equal(tw_redis_endpoint_text(&endpoint, text, sizeof(text)), "[::1]:1");
    strcpy(endpoint.host, "h");
    assert_string_equal(tw_redis_endpoint_text(&endpoint, text, sizeof(text)), "h:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url__has_defaults),
        cmocka_unit_test(test_url__takes_every_part),
        cmocka_unit_test(test_url__leaves_out_the_space_around_it),
        cmocka_unit_test(test_url__takes_sentinels),
        cmocka_unit_test(test_url__takes_nodes_of_a_cluster),
        cmocka_unit_test(test_url__takes_a_unix_socket),
        cmocka_unit_test(test_url__refuses_what_it_cannot_mean),
        cmocka_unit_test(test_endpoint_text__brackets_an_ipv6_address),
    };
    return cmocka_run_group_tests_name("redis_url", tests, NULL, NULL);
}
