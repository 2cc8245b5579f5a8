#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/load/checker.h"

/* Shows `sequences` to a checker that begins at `first`, then ends it at `last`. */
static load_checker_counts_t check(uint32_t first, const uint32_t *sequences, size_t count,
                                   uint32_t last)
{
    load_checker_slot_t slot;
    load_checker_counts_t counts = {0, 0, 0, 0};
    load_checker_begin(&slot, first);
    for (size_t i = 0; i < count; i++)
        load_checker_observe(&slot, sequences[i], &counts);
    load_checker_end(&slot, last, &counts);
    return counts;
}

#define CHECK(first, last, ...)                                                                    \
    check(first, (const uint32_t[]){__VA_ARGS__},                                                  \
          sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), last)

static void assert_counts(load_checker_counts_t counts, uint64_t in_order, uint64_t lost,
                          uint64_t duplicates, uint64_t out_of_order)
{
    assert_int_equal(counts.in_order, in_order);
    assert_int_equal(counts.lost, lost);
    assert_int_equal(counts.duplicates, duplicates);
    assert_int_equal(counts.out_of_order, out_of_order);
}

static void test_checker__complete_sequence_is_clean(void **state)
{
    assert_counts(CHECK(1, 5, 1, 2, 3, 4, 5), 5, 0, 0, 0);
}

static void test_checker__gap_is_lost(void **state)
{
    assert_counts(CHECK(1, 6, 1, 2, 5, 6), 4, 2, 0, 0);
}

static void test_checker__missing_start_is_lost(void **state)
{
    assert_counts(CHECK(1, 3, 3), 1, 2, 0, 0);
}

static void test_checker__missing_end_is_lost(void **state)
{
    assert_counts(CHECK(1, 5, 1, 2), 2, 3, 0, 0);
}

static void test_checker__nothing_at_all_is_all_lost(void **state)
{
    load_checker_counts_t counts = check(1, NULL, 0, 4);
    assert_counts(counts, 0, 4, 0, 0);
}

static void test_checker__repeated_is_a_duplicate(void **state)
{
    assert_counts(CHECK(1, 3, 1, 2, 2, 1, 3), 3, 0, 2, 0);
}

static void test_checker__late_is_out_of_order_and_not_lost(void **state)
{
    assert_counts(CHECK(1, 4, 1, 3, 2, 4), 3, 0, 0, 1);
}

static void test_checker__late_twice_is_also_a_duplicate(void **state)
{
    assert_counts(CHECK(1, 4, 1, 3, 2, 2, 4), 3, 0, 1, 1);
}

static void test_checker__late_beyond_the_history_stays_lost(void **state)
{
    load_checker_slot_t slot;
    load_checker_counts_t counts = {0, 0, 0, 0};
    load_checker_begin(&slot, 1);
    load_checker_observe(&slot, 1, &counts);
    for (uint32_t sequence = 3; sequence < 50; sequence++)
        load_checker_observe(&slot, sequence, &counts);
    load_checker_observe(&slot, 2, &counts);
    assert_counts(counts, 48, 1, 1, 0);
}

static void test_checker__wide_gap_does_not_confuse_the_history(void **state)
{
    assert_counts(CHECK(1, 1000, 1, 1000), 2, 998, 0, 0);
    assert_counts(CHECK(1, 33, 1, 33, 32, 2), 2, 29, 0, 2);
}

static void test_checker__subscriber_that_joins_late_is_owed_what_follows(void **state)
{
    /* 10 must come; 8 and 9 were under way and may. */
    assert_counts(CHECK(10, 12, 10, 11, 12), 3, 0, 0, 0);
    assert_counts(CHECK(10, 12, 8, 9, 10, 11, 12), 5, 0, 0, 0);
    assert_counts(CHECK(10, 12, 9, 11, 12), 3, 1, 0, 0);
    assert_counts(CHECK(10, 12, 11, 12), 2, 1, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checker__complete_sequence_is_clean),
        cmocka_unit_test(test_checker__gap_is_lost),
        cmocka_unit_test(test_checker__missing_start_is_lost),
        cmocka_unit_test(test_checker__missing_end_is_lost),
        cmocka_unit_test(test_checker__nothing_at_all_is_all_lost),
        cmocka_unit_test(test_checker__repeated_is_a_duplicate),
        cmocka_unit_test(test_checker__late_is_out_of_order_and_not_lost),
        cmocka_unit_test(test_checker__late_twice_is_also_a_duplicate),
        cmocka_unit_test(test_checker__late_beyond_the_history_stays_lost),
        cmocka_unit_test(test_checker__wide_gap_does_not_confuse_the_history),
        cmocka_unit_test(test_checker__subscriber_that_joins_late_is_owed_what_follows),
    };
    return cmocka_run_group_tests_name("bench checker", tests, NULL, NULL);
}
