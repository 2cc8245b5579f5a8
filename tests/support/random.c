#include "tests/support/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t tw_test_random_init(tw_test_random_t *random, const char *test, uint64_t usual)
{
    const char *given = getenv("TIDEWAY_TEST_SEED");
    random->state = given != NULL ? strtoull(given, NULL, 0) : usual;
    fprintf(stderr, "%s: TIDEWAY_TEST_SEED=%" PRIu64 "\n", test, random->state);
    return random->state;
}

uint64_t tw_test_random_next(tw_test_random_t *random)
{
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t tw_test_random_below(tw_test_random_t *random, uint32_t n)
{
    return (uint32_t)(((tw_test_random_next(random) >> 32) * n) >> 32);
}

uint32_t tw_test_runs(uint32_t usual)
{
    const char *given = getenv("TIDEWAY_TEST_RUNS");
    if (given != NULL)
        return (uint32_t)strtoul(given, NULL, 0);
#ifdef TIDEWAY_SANITIZED
    return usual / 10 + 1;
#else
    return usual;
#endif
}
