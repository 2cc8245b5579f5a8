/* The gateway's own ids. */
#include <stdio.h>
#include <string.h>

#include "runtime/model/resume.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/random.h"

static void expect_round_trip(uint64_t epoch, uint64_t seq)
{
    const tw_position_t position = {.epoch = epoch, .seq = seq};
    char id[TW_POSITION_ID_SIZE];
    tw_position_t parsed;

    size_t written = tw_position_id(position, id);
    assert_int_equal(written, strlen(id));
    assert_true(tw_position_parse(id, strlen(id), &parsed));
    assert_true(parsed.epoch == epoch && parsed.seq == seq);
    for (size_t len = 0; len < strlen(id); ++len) {
        bool shorter_is_one = len > 18; /* a number without its last digits is a number */
        assert_int_equal(tw_position_parse(id, len, &parsed), shorter_is_one);
    }
}

static void test_position__is_read_as_it_was_written(void **state)
{
    tw_test_random_t random;
    char id[TW_POSITION_ID_SIZE];

    tw_position_id((tw_position_t){.epoch = 0x2a, .seq = 17}, id);
    assert_string_equal(id, "~000000000000002a-17");
    expect_round_trip(0, 0);
    expect_round_trip(UINT64_MAX, UINT64_MAX);
    expect_round_trip(1, UINT64_C(10000000000000000000));
    tw_test_random_init(&random, "position", 5);
    for (int i = 0; i < 1000; ++i)
        expect_round_trip(tw_test_random_next(&random),
                          tw_test_random_next(&random) >> tw_test_random_below(&random, 64));
}

static void test_position__is_nothing_else(void **state)
{
    static const char *const ids[] = {"",
                                      "~",
                                      "1",
                                      "000000000000002a-17",
                                      "~000000000000002A-17",
                                      "~00000000000002a-17",
                                      "~0000000000000002a-17",
                                      "~000000000000002a-017",
                                      "~000000000000002a-+17",
                                      "~000000000000002a- 17",
                                      "~000000000000002a--1",
                                      "~000000000000002a-17 ",
                                      "~000000000000002a-17x",
                                      "~000000000000002a-",
                                      "~ 00000000000002a-17",
                                      "~0x0000000000002a-17",
                                      "~-00000000000002a-17",
                                      "~000000000000002a-18446744073709551616",
                                      "~000000000000002a-99999999999999999999",
                                      "~000000000000002a-184467440737095516150"};
    tw_position_t parsed = {.epoch = 7, .seq = 8};
    char large[1 << 20];

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); ++i)
        assert_false(tw_position_parse(ids[i], strlen(ids[i]), &parsed));
    assert_false(tw_position_parse("~000000000000002a-17\0", 21, &parsed));
    assert_false(tw_position_parse("~000000000000002a-1\0007", 21, &parsed));
    memset(large, '~', sizeof(large));
    assert_false(tw_position_parse(large, sizeof(large), &parsed));
    assert_true(parsed.epoch == 7 && parsed.seq == 8);
}

static void test_positions__are_read_as_they_were_written(void **state)
{
    tw_position_t positions[TW_LANES_MAX], parsed[TW_LANES_MAX];
    char id[TW_POSITIONS_ID_SIZE], one[TW_POSITION_ID_SIZE];

    for (size_t i = 0; i < TW_LANES_MAX; ++i)
        positions[i] = (tw_position_t){.epoch = UINT64_MAX - i, .seq = UINT64_MAX - i};
    for (size_t count = 1; count <= TW_LANES_MAX; ++count) {
        size_t len = tw_positions_id(positions, count, id);
        assert_int_equal(len, strlen(id));
        assert_int_equal(tw_positions_parse(id, len, parsed), count);
        assert_memory_equal(parsed, positions, count * sizeof(*parsed));
    }
    tw_position_id(positions[0], one);
    tw_positions_id(positions, 1, id);
    assert_string_equal(id, one);
}

static void test_positions__are_nothing_else(void **state)
{
    static const char *const ids[] = {"",
                                      "~",
                                      "~,",
                                      "1",
                                      "~000000000000002a-17,",
                                      "~000000000000002a-17,,000000000000002b-1",
                                      "~000000000000002a-17,~000000000000002b-1",
                                      "~000000000000002a-17,000000000000002b-01",
                                      "~000000000000002a-17, 000000000000002b-1",
                                      ",000000000000002a-17"};
    tw_position_t parsed[TW_LANES_MAX];
    static char large[1 << 20];
    size_t len = 1;

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); ++i)
        assert_int_equal(tw_positions_parse(ids[i], strlen(ids[i]), parsed), 0);
    memset(large, ',', sizeof(large));
    large[0] = '~';
    assert_int_equal(tw_positions_parse(large, sizeof(large), parsed), 0);
    for (size_t i = 0; i <= TW_LANES_MAX; ++i)
        len += (size_t)sprintf(large + len, "%s000000000000002a-17", i > 0 ? "," : "");
    assert_int_equal(tw_positions_parse(large, len, parsed), 0); /* one too many */
    len -= sizeof(",000000000000002a-17") - 1;
    assert_int_equal(tw_positions_parse(large, len, parsed), TW_LANES_MAX);
}

static void test_gap__has_a_label(void **state)
{
    assert_string_equal(tw_gap_label(TW_GAP_NONE), "none");
    assert_string_equal(tw_gap_label(TW_GAP_UNKNOWN_ID), "unknown_id");
    assert_string_equal(tw_gap_label(TW_GAP_EVICTED), "evicted");
    assert_string_equal(tw_gap_label(TW_GAP_OTHER_EPOCH), "other_epoch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_position__is_read_as_it_was_written),
        cmocka_unit_test(test_position__is_nothing_else),
        cmocka_unit_test(test_positions__are_read_as_they_were_written),
        cmocka_unit_test(test_positions__are_nothing_else),
        cmocka_unit_test(test_gap__has_a_label),
    };
    return cmocka_run_group_tests_name("resume", tests, NULL, NULL);
}
