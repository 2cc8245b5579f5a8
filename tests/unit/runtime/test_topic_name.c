/* Topic names and lists of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/topic_name.h"
#include "tests/support/cmocka_test.h"

static tw_topic_list_result_t add(tw_topic_list_t *list, const char *text)
{
    return tw_topic_list_add(list, text, strlen(text));
}

/* The list's names, each with a bar behind it. */
static char *joined(const tw_topic_list_t *list)
{
    static char text[4096];
    size_t len = 0;

    for (size_t i = 0; i < list->count; ++i)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s|", (int)list->items[i].len,
                                list->items[i].base);
    text[len] = '\0';
    return text;
}

static void expect_list(const char *text, const char *names)
{
    tw_topic_list_t list;

    tw_topic_list_init(&list, 64);
    assert_int_equal(add(&list, text), TW_TOPIC_LIST_OK);
    assert_string_equal(joined(&list), names);
    tw_topic_list_dispose(&list);
}

static void test_topic_list__trims_skips_and_keeps_the_order(void **state)
{
    expect_list("", "");
    expect_list(" \t ", "");
    expect_list(",,, ,\t,", "");
    expect_list("a", "a|");
    expect_list("news, sports,,weather", "news|sports|weather|");
    expect_list(" \tb\t ,a ,", "b|a|");
    expect_list(",z,y,x", "z|y|x|");
}

static void test_topic_list__takes_an_empty_text_without_an_address(void **state)
{
    tw_topic_list_t list;

    tw_topic_list_init(&list, 1);
    assert_int_equal(tw_topic_list_add(&list, NULL, 0), TW_TOPIC_LIST_OK);
    assert_int_equal(list.count, 0);
    tw_topic_list_dispose(&list);
}

static void test_topic_list__drops_repeated_names_over_several_texts(void **state)
{
    tw_topic_list_t list;

    tw_topic_list_init(&list, 8);
    assert_int_equal(add(&list, "a,b,a"), TW_TOPIC_LIST_OK);
    assert_int_equal(add(&list, "b,c,a,b,c"), TW_TOPIC_LIST_OK);
    assert_string_equal(joined(&list), "a|b|c|");
    tw_topic_list_dispose(&list);
}

static void test_topic_list__distinguishes_case_and_prefixes(void **state)
{
    expect_list("a,A,aa,Aa", "a|A|aa|Aa|");
}

/* A name is checked, hashed and looked for however often it comes, so each time counts. */
static void test_topic_list__refuses_more_names_than_its_maximum(void **state)
{
    tw_topic_list_t list;

    tw_topic_list_init(&list, 4);
    assert_int_equal(add(&list, "a,b,b,,a"), TW_TOPIC_LIST_OK);
    assert_int_equal(add(&list, "a"), TW_TOPIC_LIST_TOO_MANY);
    assert_int_equal(list.count, 2);
    tw_topic_list_dispose(&list);
    tw_topic_list_init(&list, 1);
    assert_int_equal(add(&list, "a,b"), TW_TOPIC_LIST_TOO_MANY);
    tw_topic_list_dispose(&list);
}

static void test_topic_list__holds_its_maximum(void **state)
{
    tw_topic_list_t list;
    char text[64 * 4 + 1] = "";

    for (unsigned i = 0; i < 64; ++i)
        snprintf(text + i * 4, 5, "t%02u,", i % 100U);
    tw_topic_list_init(&list, 64);
    assert_int_equal(add(&list, text), TW_TOPIC_LIST_OK);
    assert_int_equal(list.count, 64);
    assert_memory_equal(list.items[63].base, "t63", 3);
    assert_int_equal(add(&list, "more"), TW_TOPIC_LIST_TOO_MANY);
    tw_topic_list_dispose(&list);
}

static void test_topic_list__names_the_bad_item(void **state)
{
    static const struct {
        const char *text, *bad;
    } cases[] = {{"a,b c,d", "b c"},         {" in\tside ", "in\tside"}, {"\x7f", "\x7f"},
                 {"a,\xc3\xa9", "\xc3\xa9"}, {"ok, \x1f ,ok", "\x1f"},   {"a\nb", "a\nb"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        tw_topic_list_t list;
        tw_topic_list_init(&list, 64);
        assert_int_equal(add(&list, cases[i].text), TW_TOPIC_LIST_INVALID);
        assert_int_equal(list.bad.len, strlen(cases[i].bad));
        assert_memory_equal(list.bad.base, cases[i].bad, list.bad.len);
        tw_topic_list_dispose(&list);
    }
}

static void test_topic_name__is_1_to_255_bytes_of_printable_ascii_without_comma(void **state)
{
    char name[TW_TOPIC_NAME_MAX + 1];

    for (int c = 0; c < 256; ++c) {
        const char byte = (char)c;
        assert_int_equal(tw_topic_name_valid(&byte, 1),
                         c > 0x20 && c < 0x7f && c != ',' && c != '.');
    }
    assert_false(tw_topic_name_valid("..", 2));
    assert_true(tw_topic_name_valid("...", 3));
    assert_true(tw_topic_name_valid(".a", 2));
    assert_true(tw_topic_name_valid("a.", 2));
    memset(name, 'n', sizeof(name));
    assert_false(tw_topic_name_valid(name, 0));
    assert_true(tw_topic_name_valid(name, TW_TOPIC_NAME_MAX));
    assert_false(tw_topic_name_valid(name, TW_TOPIC_NAME_MAX + 1));
    name[TW_TOPIC_NAME_MAX - 1] = ' ';
    assert_false(tw_topic_name_valid(name, TW_TOPIC_NAME_MAX));
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void test_topic_name__compares_in_byte_order_a_prefix_first(void **state)
{
    static const char *const sorted[] = {"", "!", "A", "B", "a", "aa", "ab", "b", "~", "~~"};
    const size_t count = sizeof(sorted) / sizeof(sorted[0]);

    for (size_t i = 0; i < count; ++i)
        for (size_t j = 0; j < count; ++j)
            assert_int_equal(sign(tw_topic_name_compare(sorted[i], strlen(sorted[i]), sorted[j],
                                                        strlen(sorted[j]))),
                             sign((int)i - (int)j));
    assert_true(tw_topic_name_compare(NULL, 0, "a", 1) < 0);
    assert_true(tw_topic_name_compare("a", 1, NULL, 0) > 0);
    assert_int_equal(tw_topic_name_compare(NULL, 0, NULL, 0), 0);
}

static void test_topic_name__is_equal_by_its_bytes(void **state)
{
    char copy[] = "topic";
    tw_topic_name_t a = tw_topic_name("topic", 5), b = tw_topic_name(copy, 5),
                    c = tw_topic_name("topik", 5), d = tw_topic_name("topic1", 6);

    assert_true(tw_topic_name_equal(&a, &b));
    assert_false(tw_topic_name_equal(&a, &c));
    assert_false(tw_topic_name_equal(&a, &d));
    c.hash = a.hash; /* a collision is not equality */
    assert_false(tw_topic_name_equal(&a, &c));
}

static void test_topic_names__are_copied_with_their_bytes_behind_them(void **state)
{
    char text[] = "news,a,sports";
    tw_topic_list_t list;

    tw_topic_list_init(&list, 8);
    assert_int_equal(add(&list, text), TW_TOPIC_LIST_OK);
    size_t size = tw_topic_names_size(list.items, list.count);
    assert_int_equal(size, 3 * sizeof(tw_topic_name_t) + strlen("newsasports"));
    tw_topic_name_t *names = malloc(size);
    assert_ptr_equal(tw_topic_names_copy(names, list.items, list.count), (char *)names + size);
    tw_topic_list_dispose(&list);
    memset(text, 0, sizeof(text));
    const char *expected[] = {"news", "a", "sports"};
    for (size_t i = 0; i < 3; ++i) {
        tw_topic_name_t name = tw_topic_name(expected[i], strlen(expected[i]));
        assert_true(tw_topic_name_equal(&names[i], &name));
    }
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topic_list__trims_skips_and_keeps_the_order),
        cmocka_unit_test(test_topic_list__takes_an_empty_text_without_an_address),
        cmocka_unit_test(test_topic_names__are_copied_with_their_bytes_behind_them),
        cmocka_unit_test(test_topic_list__drops_repeated_names_over_several_texts),
        cmocka_unit_test(test_topic_list__distinguishes_case_and_prefixes),
        cmocka_unit_test(test_topic_list__refuses_more_names_than_its_maximum),
        cmocka_unit_test(test_topic_list__holds_its_maximum),
        cmocka_unit_test(test_topic_list__names_the_bad_item),
        cmocka_unit_test(test_topic_name__is_1_to_255_bytes_of_printable_ascii_without_comma),
        cmocka_unit_test(test_topic_name__compares_in_byte_order_a_prefix_first),
        cmocka_unit_test(test_topic_name__is_equal_by_its_bytes),
    };
    return cmocka_run_group_tests_name("topic_name", tests, NULL, NULL);
}
