#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/load/h2_frame.h"

static void test_h2_frame__reads_what_it_writes(void **state)
{
    char data[64] = {0};
    load_h2_frame_t frame = {0};
    char *p = load_h2_frame_head(data, 5, LOAD_H2_DATA, LOAD_H2_FLAG_END_STREAM, 0x01020305);
    memcpy(p, "hello", 5);
    assert_int_equal(load_h2_frame_next(data, sizeof(data), &frame), 14);
    assert_int_equal(frame.bytes, 5);
    assert_int_equal(frame.type, LOAD_H2_DATA);
    assert_int_equal(frame.flags, LOAD_H2_FLAG_END_STREAM);
    assert_int_equal(frame.stream_id, 0x01020305);
    assert_memory_equal(frame.payload, "hello", 5);
}

static void test_h2_frame__half_a_frame_waits_for_more(void **state)
{
    char data[16] = {0};
    load_h2_frame_t frame = {0};
    load_h2_frame_head(data, 5, LOAD_H2_DATA, 0, 1);
    for (size_t bytes = 0; bytes < 14; bytes++)
        assert_int_equal(load_h2_frame_next(data, bytes, &frame), 0);
    assert_int_equal(load_h2_frame_next(data, 14, &frame), 14);
}

static void test_h2_frame__longer_than_allowed_is_an_error(void **state)
{
    char data[16] = {0};
    load_h2_frame_t frame = {0};
    load_h2_frame_head(data, LOAD_H2_FRAME_BYTES_MAX + 1, LOAD_H2_DATA, 0, 1);
    assert_int_equal(load_h2_frame_next(data, sizeof(data), &frame), -1);
}

static void test_h2_frame__reserved_bit_is_no_part_of_the_stream_id(void **state)
{
    char data[9];
    load_h2_frame_t frame = {0};
    load_h2_frame_head(data, 0, LOAD_H2_RST_STREAM, 0, 0x80000007);
    assert_int_equal(load_h2_frame_next(data, sizeof(data), &frame), 9);
    assert_int_equal(frame.stream_id, 7);
}

static void test_h2_frame__padding_and_priority_are_cut_off(void **state)
{
    static const char payload[] =
        "\x03"
        "\0\0\0\0\x10"
        "block"
        "\0\0\0";
    char data[9 + sizeof(payload) - 1];
    load_h2_frame_t frame = {0};
    char *p = load_h2_frame_head(data, sizeof(payload) - 1, LOAD_H2_HEADERS,
                                 LOAD_H2_FLAG_PADDED | LOAD_H2_FLAG_PRIORITY, 1);
    memcpy(p, payload, sizeof(payload) - 1);
    assert_int_equal(load_h2_frame_next(data, sizeof(data), &frame), sizeof(data));
    assert_int_equal(frame.bytes, 5);
    assert_memory_equal(frame.payload, "block", 5);
}

static void test_h2_frame__padding_longer_than_the_frame_is_an_error(void **state)
{
    char data[12] = {0};
    load_h2_frame_t frame = {0};
    *load_h2_frame_head(data, 3, LOAD_H2_DATA, LOAD_H2_FLAG_PADDED, 1) = 9;
    assert_int_equal(load_h2_frame_next(data, sizeof(data), &frame), -1);
    load_h2_frame_head(data, 0, LOAD_H2_DATA, LOAD_H2_FLAG_PADDED, 1);
    assert_int_equal(load_h2_frame_next(data, 9, &frame), -1);
}

static void test_h2_frame__flags_of_other_frames_do_not_cut(void **state)
{
    char data[17] = {0};
    load_h2_frame_t frame = {0};
    /* In a DATA frame 32 means nothing. */
    load_h2_frame_head(data, 8, LOAD_H2_DATA, LOAD_H2_FLAG_PRIORITY, 1);
    assert_int_equal(load_h2_frame_next(data, sizeof(data), &frame), 17);
    assert_int_equal(frame.bytes, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h2_frame__reads_what_it_writes),
        cmocka_unit_test(test_h2_frame__half_a_frame_waits_for_more),
        cmocka_unit_test(test_h2_frame__longer_than_allowed_is_an_error),
        cmocka_unit_test(test_h2_frame__reserved_bit_is_no_part_of_the_stream_id),
        cmocka_unit_test(test_h2_frame__padding_and_priority_are_cut_off),
        cmocka_unit_test(test_h2_frame__padding_longer_than_the_frame_is_an_error),
        cmocka_unit_test(test_h2_frame__flags_of_other_frames_do_not_cut),
    };
    return cmocka_run_group_tests_name("bench h2 frame", tests, NULL, NULL);
}
