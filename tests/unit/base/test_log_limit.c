/* One line a second, with a count. */
#include "base/log_limit.h"
#include "tests/support/cmocka_test.h"

static void test_limit__lets_the_first_occurrence_through(void **state)
{
    tw_log_limit_t limit = {0};

    assert_int_equal(tw_log_limit_count(&limit, 1), 1);
}

static void test_limit__counts_what_it_held_back(void **state)
{
    tw_log_limit_t limit = {0};

    assert_int_equal(tw_log_limit_count(&limit, 5000), 1);
    assert_int_equal(tw_log_limit_count(&limit, 5000), 0);
    assert_int_equal(tw_log_limit_count(&limit, 5999), 0);
    assert_int_equal(tw_log_limit_count(&limit, 6000), 3);
    assert_int_equal(tw_log_limit_count(&limit, 6999), 0);
    assert_int_equal(tw_log_limit_count(&limit, 60000), 2);
    assert_int_equal(tw_log_limit_count(&limit, 90000), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit__lets_the_first_occurrence_through),
        cmocka_unit_test(test_limit__counts_what_it_held_back),
    };
    return cmocka_run_group_tests_name("log limit", tests, NULL, NULL);
}
