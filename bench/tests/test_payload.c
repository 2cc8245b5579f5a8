#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/load/payload.h"

static const load_payload_t example = {
    .time_ns = UINT64_C(0x0123456789abcdef), .sequence = 0xfedcba98, .topic = 0x00c0de, .lane = 7};

static bool equal(const load_payload_t *a, const load_payload_t *b)
{
    return a->time_ns == b->time_ns && a->sequence == b->sequence && a->topic == b->topic &&
           a->lane == b->lane;
}

static void test_payload__text_is_what_the_header_says(void **state)
{
    char text[LOAD_PAYLOAD_BYTES_MIN];
    load_payload_write(text, sizeof(text), &example);
    assert_memory_equal(text, "tw1-0123456789abcdeffedcba9800c0de07", sizeof(text));
}

static void test_payload__reads_back_at_every_length(void **state)
{
    static char text[LOAD_PAYLOAD_BYTES_MAX];
    for (size_t bytes = LOAD_PAYLOAD_BYTES_MIN; bytes <= LOAD_PAYLOAD_BYTES_MAX; bytes += 997) {
        load_payload_t seen;
        load_payload_write(text, bytes, &example);
        assert_int_equal(load_payload_read(text, bytes, &seen), 0);
        assert_true(equal(&seen, &example));
    }
}

static void test_payload__reads_back_every_bit(void **state)
{
    char text[LOAD_PAYLOAD_BYTES_MIN];
    for (int bit = 0; bit < 64; bit++) {
        load_payload_t seen, payload = {.time_ns = UINT64_C(1) << bit,
                                        .sequence = UINT32_C(1) << bit % 32,
                                        .topic = UINT32_C(1) << bit % 24,
                                        .lane = UINT32_C(1) << bit % 8};
        load_payload_write(text, sizeof(text), &payload);
        assert_int_equal(load_payload_read(text, sizeof(text), &seen), 0);
        assert_true(equal(&seen, &payload));
    }
}

static void test_payload__one_wrong_byte_is_never_the_same_event(void **state)
{
    char text[100];
    load_payload_write(text, sizeof(text), &example);
    for (size_t i = 0; i < sizeof(text); i++) {
        load_payload_t seen;
        text[i] ^= 1;
        int result = load_payload_read(text, sizeof(text), &seen);
        assert_true(result == -1 || !equal(&seen, &example));
        text[i] ^= 1;
    }
}

static void test_payload__too_short_is_refused(void **state)
{
    char text[LOAD_PAYLOAD_BYTES_MIN];
    load_payload_t seen;
    load_payload_write(text, sizeof(text), &example);
    assert_int_equal(load_payload_read(text, sizeof(text) - 1, &seen), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payload__text_is_what_the_header_says),
        cmocka_unit_test(test_payload__reads_back_at_every_length),
        cmocka_unit_test(test_payload__reads_back_every_bit),
        cmocka_unit_test(test_payload__one_wrong_byte_is_never_the_same_event),
        cmocka_unit_test(test_payload__too_short_is_refused),
    };
    return cmocka_run_group_tests_name("bench payload", tests, NULL, NULL);
}
