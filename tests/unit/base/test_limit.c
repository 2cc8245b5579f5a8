/* A number of things that may exist at the same time. */
#include "base/limit.h"
#include "tests/support/cmocka_test.h"

static void test_limit__refuses_beyond_its_maximum_and_counts_that(void **state)
{
    tw_limit_t limit = {.max = 2};

    assert_true(tw_limit_take(&limit));
    assert_true(tw_limit_take(&limit));
    assert_false(tw_limit_take(&limit));
    assert_int_equal(tw_limit_count(&limit), 2);
    assert_int_equal(limit.refused, 1);
    tw_limit_give(&limit);
    assert_true(tw_limit_take(&limit));
}

static void test_limit__without_a_maximum_refuses_nothing(void **state)
{
    tw_limit_t limit = {.max = 0};

    for (int i = 0; i < 100; ++i)
        assert_true(tw_limit_take(&limit));
    assert_int_equal(tw_limit_count(&limit), 100);
    assert_int_equal(limit.refused, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit__refuses_beyond_its_maximum_and_counts_that),
        cmocka_unit_test(test_limit__without_a_maximum_refuses_nothing),
    };
    return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
