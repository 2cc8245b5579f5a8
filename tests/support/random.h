/**
 * Random choices that can be repeated: every test that makes some prints its seed, and
 * TIDEWAY_TEST_SEED sets it.
 */
#ifndef TW_TEST_RANDOM_H
#define TW_TEST_RANDOM_H

#include <stdint.h>

typedef struct tw_test_random {
    uint64_t state;
} tw_test_random_t;

/** Seeded from TIDEWAY_TEST_SEED, or with `usual`; prints which, under the test's name. Returns the
 * seed. */
uint64_t tw_test_random_init(tw_test_random_t *random, const char *test, uint64_t usual);

/** The next 64 bits (SplitMix64). */
uint64_t tw_test_random_next(tw_test_random_t *random);

/** A number below n (n > 0). */
uint32_t tw_test_random_below(tw_test_random_t *random, uint32_t n);

/** How often a repeated test repeats: `usual` times, a tenth of it under a sanitizer, and
 * TIDEWAY_TEST_RUNS times if that is set. */
uint32_t tw_test_runs(uint32_t usual);

#endif
