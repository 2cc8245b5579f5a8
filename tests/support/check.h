/**
 * A check that may fail on any thread. cmocka's own assertions leave by longjmp() and so belong to
 * the test's thread alone; this one says what failed and aborts, which the runner reports as a
 * failed test.
 */
#ifndef TW_TEST_CHECK_H
#define TW_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define tw_check(condition)                                                                        \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/** How long a test waits for what must happen before it fails. Generous: sanitizers on a busy
 * machine are slow, and only a failing test ever waits so long. */
#define TW_TEST_DEADLINE_MS 30000

#endif
