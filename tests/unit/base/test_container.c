/* From a member to its struct. */
#include "base/container.h"
#include "tests/support/cmocka_test.h"

typedef struct tw_outer {
    char first;
    long second;
    struct {
        int inner;
    } third;
} tw_outer_t;

static void test_container__is_found_from_any_member(void **state)
{
    tw_outer_t outer;

    assert_ptr_equal(TW_CONTAINER_OF(&outer.first, tw_outer_t, first), &outer);
    assert_ptr_equal(TW_CONTAINER_OF(&outer.second, tw_outer_t, second), &outer);
    assert_ptr_equal(TW_CONTAINER_OF(&outer.third.inner, tw_outer_t, third.inner), &outer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_container__is_found_from_any_member),
    };
    return cmocka_run_group_tests_name("container", tests, NULL, NULL);
}
