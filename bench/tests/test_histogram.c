#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/load/histogram.h"

static void test_histogram__empty_has_zero_percentiles(void **state)
{
    static load_histogram_t h;
    load_histogram_init(&h);
    assert_int_equal(load_histogram_percentile(&h, 50), 0);
    assert_true(load_histogram_mean(&h) == 0);
}

static void test_histogram__small_values_are_exact(void **state)
{
    static load_histogram_t h;
    load_histogram_init(&h);
    for (uint64_t value = 1; value <= 100; value++)
        load_histogram_record(&h, value);
    assert_int_equal(load_histogram_percentile(&h, 1), 1);
    assert_int_equal(load_histogram_percentile(&h, 50), 50);
    assert_int_equal(load_histogram_percentile(&h, 99), 99);
    assert_int_equal(load_histogram_percentile(&h, 100), 100);
    assert_int_equal(h.min, 1);
    assert_int_equal(h.max, 100);
}

static void test_histogram__buckets_follow_each_other_without_gaps(void **state)
{
    size_t last = load_histogram_index(0);
    for (uint64_t value = 1; value < 1 << 20; value++) {
        size_t index = load_histogram_index(value);
        assert_true(index == last || index == last + 1);
        last = index;
    }
    assert_int_equal(load_histogram_index(UINT64_MAX), LOAD_HISTOGRAM_BUCKETS - 1);
    assert_int_equal(load_histogram_index(LOAD_HISTOGRAM_VALUE_MAX), LOAD_HISTOGRAM_BUCKETS - 1);
}

static void test_histogram__error_stays_below_one_percent(void **state)
{
    static load_histogram_t h;
    for (uint64_t value = 1; value < LOAD_HISTOGRAM_VALUE_MAX / 3; value = value * 3 + 1) {
        load_histogram_init(&h);
        load_histogram_record(&h, value);
        load_histogram_record(&h, LOAD_HISTOGRAM_VALUE_MAX);
        uint64_t seen = load_histogram_percentile(&h, 50);
        assert_true(seen >= value && seen - value <= value / 100);
    }
}

static void test_histogram__merge_equals_recording_in_one(void **state)
{
    static load_histogram_t a, b, both;
    load_histogram_init(&a);
    load_histogram_init(&b);
    load_histogram_init(&both);
    for (uint64_t value = 0; value < 5000; value++) {
        load_histogram_record(value % 3 == 0 ? &a : &b, value * 977);
        load_histogram_record(&both, value * 977);
    }
    load_histogram_merge(&a, &b);
    assert_memory_equal(&a, &both, sizeof(a));
}

static void test_histogram__rare_outlier_shows_only_above_its_rank(void **state)
{
    static load_histogram_t h;
    load_histogram_init(&h);
    load_histogram_record_n(&h, 10, 9990);
    load_histogram_record_n(&h, 1000000, 10);
    assert_int_equal(load_histogram_percentile(&h, 99.9), 10);
    assert_int_equal(load_histogram_percentile(&h, 99.91), 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_histogram__empty_has_zero_percentiles),
        cmocka_unit_test(test_histogram__small_values_are_exact),
        cmocka_unit_test(test_histogram__buckets_follow_each_other_without_gaps),
        cmocka_unit_test(test_histogram__error_stays_below_one_percent),
        cmocka_unit_test(test_histogram__merge_equals_recording_in_one),
        cmocka_unit_test(test_histogram__rare_outlier_shows_only_above_its_rank),
    };
    return cmocka_run_group_tests_name("bench histogram", tests, NULL, NULL);
}
