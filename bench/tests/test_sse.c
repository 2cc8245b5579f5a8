#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/load/sse.h"

static void assert_item(const char *text, size_t used, load_sse_kind_t kind, const char *data)
{
    load_sse_item_t item;
    assert_int_equal(load_sse_next(text, strlen(text), &item), used);
    if (used == 0)
        return;
    assert_int_equal(item.kind, kind);
    if (data != NULL) {
        assert_int_equal(item.data_bytes, strlen(data));
        assert_memory_equal(item.data, data, item.data_bytes);
    }
}

static void test_sse__event_ends_with_its_blank_line(void **state)
{
    assert_item("id: 7\ndata: hello\n\nid: 8\n", 19, LOAD_SSE_EVENT, "hello");
}

static void test_sse__fields_may_come_in_any_order(void **state)
{
    assert_item("data: hello\nid: 7\nevent: x\n\n", 28, LOAD_SSE_EVENT, "hello");
}

static void test_sse__space_after_the_colon_is_optional_and_one(void **state)
{
    assert_item("data:a\n\n", 8, LOAD_SSE_EVENT, "a");
    assert_item("data:  a\n\n", 10, LOAD_SSE_EVENT, " a");
    assert_item("data:\n\n", 7, LOAD_SSE_EVENT, "");
}

static void test_sse__crlf_ends_a_line_too(void **state)
{
    assert_item("id: 1\r\ndata: x\r\n\r\n", 18, LOAD_SSE_EVENT, "x");
}

static void test_sse__comment_is_an_item_of_its_own(void **state)
{
    assert_item(": hi\n\ndata: x\n\n", 5, LOAD_SSE_COMMENT, NULL);
    assert_item(":\n", 2, LOAD_SSE_COMMENT, NULL);
}

static void test_sse__retry_and_blank_lines_are_skipped_one_by_one(void **state)
{
    assert_item("retry: 3000\n: x\n", 12, LOAD_SSE_OTHER, NULL);
    assert_item("\ndata: x\n\n", 1, LOAD_SSE_OTHER, NULL);
}

static void test_sse__event_without_data_is_none(void **state)
{
    assert_item("id: ~1-2\n\n", 10, LOAD_SSE_OTHER, NULL);
}

static void test_sse__unfinished_item_waits_for_more_at_every_cut(void **state)
{
    const char *text = "id: 7\nevent: x\ndata: hello\n\n";
    load_sse_item_t item;
    for (size_t bytes = 0; bytes < strlen(text); bytes++)
        assert_int_equal(load_sse_next(text, bytes, &item), 0);
    assert_int_equal(load_sse_next(text, strlen(text), &item), strlen(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sse__event_ends_with_its_blank_line),
        cmocka_unit_test(test_sse__fields_may_come_in_any_order),
        cmocka_unit_test(test_sse__space_after_the_colon_is_optional_and_one),
        cmocka_unit_test(test_sse__crlf_ends_a_line_too),
        cmocka_unit_test(test_sse__comment_is_an_item_of_its_own),
        cmocka_unit_test(test_sse__retry_and_blank_lines_are_skipped_one_by_one),
        cmocka_unit_test(test_sse__event_without_data_is_none),
        cmocka_unit_test(test_sse__unfinished_item_waits_for_more_at_every_cut),
    };
    return cmocka_run_group_tests_name("bench sse", tests, NULL, NULL);
}
