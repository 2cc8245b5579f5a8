#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/load/options.h"

static load_options_t options;

#define PARSE(...)                                                                                 \
    load_options_parse(&options,                                                                   \
                       (int)(sizeof((const char *[]){"tw-load", __VA_ARGS__}) / sizeof(char *)),   \
                       (char **)(const char *[]){"tw-load", __VA_ARGS__, NULL})

static void test_options__defaults_come_from_the_table(void **state)
{
    assert_int_equal(PARSE("--connect=127.0.0.1:80"), 0);
    assert_int_equal(options.connections, 1);
    assert_int_equal(options.payload_bytes, 100);
    assert_string_equal(options.dialect, "tideway");
    assert_int_equal(options.address_count, 1);
}

static void test_options__values_replace_defaults(void **state)
{
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--connect", "127.9.9.9:81", "--streams=7",
                           "--pid=1", "--cleartext"),
                     0);
    assert_int_equal(options.streams, 7);
    assert_int_equal(options.address_count, 2);
    assert_int_equal(options.pid_count, 1);
    assert_true(options.cleartext);
}

static void test_options__only_loopback_may_be_loaded(void **state)
{
    assert_int_equal(PARSE("--connect=192.0.2.1:80"), -1);
    assert_int_equal(PARSE("--connect=8.8.8.8:443"), -1);
    assert_int_equal(PARSE("--connect=localhost:80"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:0"), -1);
}

static void test_options__numbers_keep_to_their_range(void **state)
{
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--payload-bytes=35"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--payload-bytes=16001"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--streams=-1"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--streams=5x"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--streams=99999999999"), -1);
}

static void test_options__what_does_not_go_together_is_refused(void **state)
{
    assert_int_equal(PARSE("--streams=1"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--lanes=2"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--topics-per-stream=2"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--connections=60000", "--streams=1000"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--resume-events=5"), -1);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "--connections=2", "--resume-events=5"), 0);
    assert_int_equal(PARSE("--connect=127.0.0.1:80", "stray"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options__defaults_come_from_the_table),
        cmocka_unit_test(test_options__values_replace_defaults),
        cmocka_unit_test(test_options__only_loopback_may_be_loaded),
        cmocka_unit_test(test_options__numbers_keep_to_their_range),
        cmocka_unit_test(test_options__what_does_not_go_together_is_refused),
    };
    return cmocka_run_group_tests_name("bench options", tests, NULL, NULL);
}
