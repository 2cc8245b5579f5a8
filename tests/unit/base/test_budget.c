/* Bytes that wait, and how many may. */
#include "base/budget.h"
#include "tests/support/cmocka_test.h"

static void test_budget__takes_up_to_its_maximum(void **state)
{
    tw_budget_t budget = {.max = 100};

    tw_budget_take(&budget, 60);
    assert_true(tw_budget_fits(&budget, 40));
    assert_false(tw_budget_fits(&budget, 41));
    tw_budget_give(&budget, 1);
    assert_true(tw_budget_fits(&budget, 41));
}

static void test_budget__lets_what_is_too_large_wait_alone(void **state)
{
    tw_budget_t budget = {.max = 100};

    assert_true(tw_budget_fits(&budget, 1000));
    tw_budget_take(&budget, 1000);
    assert_false(tw_budget_fits(&budget, 0));
}

static void test_budget__without_a_maximum_takes_all(void **state)
{
    tw_budget_t budget = {.used = UINT32_MAX};

    assert_true(tw_budget_fits(&budget, UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget__takes_up_to_its_maximum),
        cmocka_unit_test(test_budget__lets_what_is_too_large_wait_alone),
        cmocka_unit_test(test_budget__without_a_maximum_takes_all),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
