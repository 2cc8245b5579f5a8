/* JSON strings written by hand. */
#include <string.h>

#include "base/json.h"
#include "tests/support/cmocka_test.h"

static void assert_written(const char *text, const char *expected)
{
    char buffer[64];
    size_t len = strlen(text);

    memset(buffer, '#', sizeof(buffer));
    char *end = tw_json_write_string(buffer, text, len);
    assert_int_equal(end - buffer, strlen(expected));
    assert_memory_equal(buffer, expected, strlen(expected));
    assert_true((size_t)(end - buffer) <= TW_JSON_STRING_MAX(len));
    assert_int_equal(*end, '#');
}

static void test_string__is_quoted(void **state)
{
    assert_written("", "\"\"");
    assert_written("orders.eu", "\"orders.eu\"");
    assert_written(
        "gr\xc3\xbc\xc3\x9f"
        "e",
        "\"gr\xc3\xbc\xc3\x9f"
        "e\"");
}

static void test_string__escapes_quotes_and_backslashes(void **state)
{
    assert_written("a\"b\\c/", "\"a\\\"b\\\\c/\"");
    assert_written("\"\"\\\\", "\"\\\"\\\"\\\\\\\\\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string__is_quoted),
        cmocka_unit_test(test_string__escapes_quotes_and_backslashes),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
