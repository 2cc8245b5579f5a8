/* Trimming, and comma-separated lists. */
#include "base/text.h"
#include "tests/support/cmocka_test.h"

static void assert_text(tw_text_t text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.base, expected, text.len);
}

static void test_trim__removes_spaces_and_tabs_at_both_ends(void **state)
{
    assert_text(tw_text_trim(tw_text_of(" \t a b\t ")), "a b");
    assert_text(tw_text_trim(tw_text_of("a")), "a");
    assert_text(tw_text_trim(tw_text_of(" \t ")), "");
    assert_text(tw_text_trim(tw_text_of("\na\n")), "\na\n");
    assert_text(tw_text_strip(tw_text_of(" \r\na\nb\t\v\f\n")), "a\nb");
    assert_text(tw_text_strip(tw_text_of("\n \n")), "");
}

static void test_trim__takes_the_empty_text(void **state)
{
    assert_int_equal(tw_text_trim(tw_text_of(NULL)).len, 0);
    assert_int_equal(tw_text_trim(tw_text_of("")).len, 0);
}

static void test_items__come_trimmed_and_in_order_without_empty_ones(void **state)
{
    tw_text_t list = tw_text_of(", a ,,\tb c,  ,d"), item;

    assert_true(tw_text_next_item(&list, &item));
    assert_text(item, "a");
    assert_true(tw_text_next_item(&list, &item));
    assert_text(item, "b c");
    assert_true(tw_text_next_item(&list, &item));
    assert_text(item, "d");
    assert_false(tw_text_next_item(&list, &item));
    assert_text(item, "d");
    assert_false(tw_text_next_item(&list, &item));
}

static void test_items__none_are_in_a_list_of_commas_and_blanks(void **state)
{
    const char *lists[] = {NULL, "", ",", " , ,\t"};
    tw_text_t item;

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); ++i) {
        tw_text_t list = tw_text_of(lists[i]);
        assert_false(tw_text_next_item(&list, &item));
    }
}

static void test_items__end_with_the_text_and_not_with_a_nul(void **state)
{
    tw_text_t list = tw_text("a,bcd", 3), item;

    assert_true(tw_text_next_item(&list, &item));
    assert_true(tw_text_next_item(&list, &item));
    assert_text(item, "b");
    assert_false(tw_text_next_item(&list, &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trim__removes_spaces_and_tabs_at_both_ends),
        cmocka_unit_test(test_trim__takes_the_empty_text),
        cmocka_unit_test(test_items__come_trimmed_and_in_order_without_empty_ones),
        cmocka_unit_test(test_items__none_are_in_a_list_of_commas_and_blanks),
        cmocka_unit_test(test_items__end_with_the_text_and_not_with_a_nul),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
