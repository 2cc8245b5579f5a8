/* Patterns for topics: what they match, however they are listed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/tokens/patterns.h"
#include "tests/support/cmocka_test.h"

static bool matches(const char *list, const char *topic)
{
    tw_patterns_t set;
    tw_text_t bad;

    assert_true(tw_patterns_parse(list, &set, &bad));
    bool matched = tw_patterns_match(&set, topic, strlen(topic));
    tw_patterns_dispose(&set);
    return matched;
}

static void test_name__matches_itself_alone(void **state)
{
    assert_true(matches("orders.eu", "orders.eu"));
    assert_false(matches("orders.eu", "orders.eu1"));
    assert_false(matches("orders.eu", "orders.e"));
    assert_false(matches("orders.eu", "Orders.eu"));
    assert_true(matches("a*b", "a*b"));
    assert_false(matches("a*b", "axb"));
}

static void test_prefix__matches_what_begins_with_it(void **state)
{
    assert_true(matches("orders.*", "orders.eu"));
    assert_true(matches("orders.*", "orders."));
    assert_false(matches("orders.*", "orders"));
    assert_false(matches("orders.*", "order"));
    assert_true(matches("*", "x"));
    assert_true(matches("a,*,b", "anything"));
}

static void test_patterns__do_not_hide_each_other(void **state)
{
    const char *list = "b,a.b.*,a.b.c,a.b,a.bb,a.b.c.d,a.c*,a.c,zz*";

    assert_true(matches(list, "a.b"));
    assert_true(matches(list, "a.bb"));
    assert_true(matches(list, "a.b.z"));
    assert_true(matches(list, "a.b.c.d.e"));
    assert_true(matches(list, "a.c"));
    assert_true(matches(list, "a.cz"));
    assert_true(matches(list, "zz"));
    assert_false(matches(list, "z"));
    assert_false(matches(list, "a"));
    assert_false(matches(list, "a.a"));
    assert_false(matches(list, "b1"));
    assert_false(matches(list, "a.bbb"));
}

static void test_empty_set__matches_nothing(void **state)
{
    assert_false(matches(NULL, "a"));
    assert_false(matches("", "a"));
    assert_false(matches(" , ,", "a"));
}

static void test_exact_kind__reads_a_star_as_a_byte_of_a_name(void **state)
{
    tw_patterns_t set = {.items = NULL};

    assert_true(tw_patterns_add(&set, tw_text_of("books.*"), TW_PATTERN_EXACT));
    tw_patterns_seal(&set);
    assert_true(tw_patterns_match(&set, "books.*", 7));
    assert_false(tw_patterns_match(&set, "books.1", 7));
    assert_true(tw_patterns_add(&set, tw_text_of("*"), TW_PATTERN_EXACT));
    tw_patterns_seal(&set);
    assert_true(tw_patterns_match(&set, "books.1", 7));
    tw_patterns_dispose(&set);
}

static void test_list__with_what_no_topic_can_be_is_refused(void **state)
{
    static const char *const wrong[] = {"a b", "a\x7f*", "\xc3\xa9", "ok,a\tb,ok"};
    char longest[300];
    tw_patterns_t set;
    tw_text_t bad;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); ++i)
        assert_false(tw_patterns_parse(wrong[i], &set, &bad));
    assert_memory_equal(bad.base, "a\tb", 3);
    memset(longest, 'x', sizeof(longest));
    longest[256] = '\0';
    assert_false(tw_patterns_parse(longest, &set, &bad));
    longest[255] = '*';
    assert_true(tw_patterns_parse(longest, &set, &bad));
    tw_patterns_dispose(&set);
}

/* --- against a reader that tries each pattern --- */

static bool plainly_matches(char patterns[][8], size_t count, const char *topic)
{
    for (size_t i = 0; i < count; ++i) {
        size_t len = strlen(patterns[i]);
        if (patterns[i][len - 1] == '*' ? strncmp(patterns[i], topic, len - 1) == 0
                                        : strcmp(patterns[i], topic) == 0)
            return true;
    }
    return false;
}

/* The same numbers in each run (xorshift). */
static uint32_t next_number(void)
{
    static uint32_t state = 1;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void draw(char *text, size_t max)
{
    size_t len = 1 + next_number() % max;
    for (size_t i = 0; i < len; ++i)
        text[i] = (char)('a' + next_number() % 3);
    text[len] = '\0';
}

static void test_sets__match_as_if_each_pattern_were_tried(void **state)
{
    for (int round = 0; round < 2000; ++round) {
        char patterns[12][8], topic[8];
        size_t count = next_number() % 12;
        tw_patterns_t set = {.items = NULL};

        for (size_t i = 0; i < count; ++i) {
            draw(patterns[i], 5);
            if (next_number() % 2 == 0)
                strcat(patterns[i], "*");
            assert_true(tw_patterns_add(&set, tw_text_of(patterns[i]), TW_PATTERN_ANY_PREFIX));
        }
        tw_patterns_seal(&set);
        for (int i = 0; i < 50; ++i) {
            draw(topic, 6);
            assert_int_equal(tw_patterns_match(&set, topic, strlen(topic)),
                             plainly_matches(patterns, count, topic));
        }
        tw_patterns_dispose(&set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name__matches_itself_alone),
        cmocka_unit_test(test_prefix__matches_what_begins_with_it),
        cmocka_unit_test(test_patterns__do_not_hide_each_other),
        cmocka_unit_test(test_empty_set__matches_nothing),
        cmocka_unit_test(test_exact_kind__reads_a_star_as_a_byte_of_a_name),
        cmocka_unit_test(test_list__with_what_no_topic_can_be_is_refused),
        cmocka_unit_test(test_sets__match_as_if_each_pattern_were_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
