/* SipHash-1-3 under the process's key. */
#include <string.h>

#include "base/hash.h"
#include "tests/support/cmocka_test.h"

/* Before the seed the key is zero. The values are those of CPython 3.11, whose hash() of bytes is
 * SipHash-1-3 under a zero key with PYTHONHASHSEED=0. */
static void test_hash__is_siphash_1_3(void **state)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } cases[] = {{"a", UINT64_C(0x407448d2b89b1813)},
                 {"topic", UINT64_C(0xb957c2b0fcc9ce3c)},
                 {"12345678", UINT64_C(0x3489982430560a87)},
                 {"123456789", UINT64_C(0x0fbc0f0007965fcf)},
                 {"The quick brown fox jumps over", UINT64_C(0x7e6eea89dc186e06)}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i)
        assert_true(tw_hash(cases[i].text, strlen(cases[i].text)) == cases[i].hash);
}

static void test_hash__changes_with_the_key(void **state)
{
    uint64_t before = tw_hash("topic", 5);

    tw_hash_seed();
    uint64_t first = tw_hash("topic", 5);
    assert_true(tw_hash("topic", 5) == first);
    tw_hash_seed();
    assert_true(first != before && tw_hash("topic", 5) != first);
}

static void test_random__fills_any_length(void **state)
{
    unsigned char bytes[1000] = {0};
    size_t zeros = 0;

    tw_random(bytes, 0);
    assert_int_equal(bytes[0], 0);
    tw_random(bytes, sizeof(bytes) - 1);
    for (size_t i = 0; i < sizeof(bytes); ++i)
        zeros += bytes[i] == 0;
    assert_true(zeros < 100);
    assert_int_equal(bytes[sizeof(bytes) - 1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__is_siphash_1_3),
        cmocka_unit_test(test_hash__changes_with_the_key),
        cmocka_unit_test(test_random__fills_any_length),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
