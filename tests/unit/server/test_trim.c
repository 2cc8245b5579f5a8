/* When memory is given back. */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "server/trim.h"
#include "tests/support/cmocka_test.h"

#define MB ((size_t)1 << 20)

static void test_trim__comes_when_a_crowd_has_left(void **state)
{
    tw_trim_t trim = {.trimmed_bytes = SIZE_MAX / 2};
    tw_load_t load = {.connections = 10000};

    assert_false(tw_trim_look(&trim, &load));
    load.connections = 6000;
    assert_false(tw_trim_look(&trim, &load));
    load.connections = 4000;
    assert_true(tw_trim_look(&trim, &load));
    assert_false(tw_trim_look(&trim, &load)); /* trims */
    assert_false(tw_trim_look(&trim, &load)); /* what is left is the new measure */
    load.connections = 1000;
    assert_true(tw_trim_look(&trim, &load));
}

static void test_trim__does_not_come_for_a_few(void **state)
{
    tw_trim_t trim = {.trimmed_bytes = SIZE_MAX / 2};
    tw_load_t load = {.connections = 100};

    assert_false(tw_trim_look(&trim, &load));
    load.connections = 0;
    assert_false(tw_trim_look(&trim, &load));
}

static void test_trim__counts_streams_and_events(void **state)
{
    tw_trim_t trim = {.trimmed_bytes = SIZE_MAX / 2};
    tw_load_t load = {.streams = 100000, .event_bytes = 100 * MB};

    assert_false(tw_trim_look(&trim, &load));
    load.event_bytes = 0;
    load.streams = 50000;
    assert_true(tw_trim_look(&trim, &load));
    assert_false(tw_trim_look(&trim, &load));
    load.streams = 20000;
    assert_true(tw_trim_look(&trim, &load));
}

static void test_trim__comes_once_when_an_idle_gateway_is_fat(void **state)
{
    tw_trim_t trim = {.trimmed_bytes = 10 * MB};
    tw_load_t load = {.resident_bytes = 20 * MB};

    assert_false(tw_trim_look(&trim, &load)); /* it may still grow */
    assert_true(tw_trim_look(&trim, &load));
    assert_int_equal(trim.trimmed_bytes, 10 * MB); /* threads give back what they keep */
    assert_false(tw_trim_look(&trim, &load));
    assert_int_not_equal(trim.trimmed_bytes, 10 * MB);
}

static void test_trim__that_gave_much_back_is_followed_by_another(void **state)
{
    tw_trim_t trim = {.trimmed_bytes = 1};
    tw_load_t load = {.resident_bytes = 1024 * MB}; /* much more than this process has */

    assert_false(tw_trim_look(&trim, &load));
    assert_true(tw_trim_look(&trim, &load));
    assert_false(tw_trim_look(&trim, &load));
    load.resident_bytes = trim.trimmed_bytes; /* nothing is to be gained any more */
    assert_true(tw_trim_look(&trim, &load));
    for (int i = 0; i < 10; ++i)
        assert_false(tw_trim_look(&trim, &load));
}

static void test_trim__while_busy_is_no_measure_for_idle_times(void **state)
{
    tw_trim_t trim = {.trimmed_bytes = 1}; /* less than any process has */
    tw_load_t load = {.connections = 10000, .resident_bytes = 20 * MB};

    assert_false(tw_trim_look(&trim, &load));
    load.connections = 0;
    ++load.deliveries;
    assert_true(tw_trim_look(&trim, &load));
    ++load.deliveries;
    assert_false(tw_trim_look(&trim, &load));
    assert_int_equal(trim.trimmed_bytes, 1);
    assert_true(tw_trim_look(&trim, &load)); /* idle now, and fat */
    assert_false(tw_trim_look(&trim, &load));
    assert_true(trim.trimmed_bytes > 1);
}

static void test_trim__leaves_a_busy_gateway_its_buffers(void **state)
{
    tw_trim_t trim = {.trimmed_bytes = 10 * MB};
    tw_load_t load = {.resident_bytes = 20 * MB};

    for (int i = 0; i < 10; ++i) {
        ++load.deliveries;
        assert_false(tw_trim_look(&trim, &load));
    }
}

static void test_trim__comes_when_most_of_what_is_resident_is_free(void **state)
{
    tw_trim_t trim = {.trimmed_bytes = 10 * MB};
    tw_load_t load = {.resident_bytes = 200 * MB, .malloc_bytes = 120 * MB};

    assert_false(tw_trim_look(&trim, &load));
    ++load.deliveries;
    load.malloc_bytes = 0; /* not known */
    assert_false(tw_trim_look(&trim, &load));
    ++load.deliveries;
    load.malloc_bytes = 90 * MB;
    assert_true(tw_trim_look(&trim, &load));
}

/* Many small pieces, of which one in a thousand stays: malloc gives nothing back by itself. */
static void test_trim__gives_back_what_requests_have_held_under_load(void **state)
{
    enum { PIECES = 200000, PIECE = 1024 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    print_message("left out: a sanitizer's allocator is not the one that is trimmed\n");
    skip();
#endif
    tw_trim_t trim = {.trimmed_bytes = SIZE_MAX / 2};
    tw_load_t load = {.connections = 1};
    char **pieces = malloc(PIECES * sizeof(*pieces));
    size_t before;
    bool trimmed = false;

    tw_trim_init();
    for (size_t i = 0; i < PIECES; ++i)
        pieces[i] = memset(malloc(PIECE), 1, PIECE);
    for (size_t i = 0; i < PIECES; ++i)
        if (i % 1000 != 999)
            free(pieces[i]);
    assert_int_equal(uv_resident_set_memory(&before), 0);
    for (int seconds = 0; seconds < 30; ++seconds, ++load.deliveries) {
        assert_int_equal(uv_resident_set_memory(&load.resident_bytes), 0);
        load.malloc_bytes = tw_trim_malloc_bytes(&trim, load.resident_bytes);
        trimmed = tw_trim_look(&trim, &load) || trimmed;
    }
    assert_true(trimmed);
    assert_true(load.resident_bytes < before / 2);
    for (size_t i = 999; i < PIECES; i += 1000)
        free(pieces[i]);
    free(pieces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trim__comes_when_a_crowd_has_left),
        cmocka_unit_test(test_trim__does_not_come_for_a_few),
        cmocka_unit_test(test_trim__counts_streams_and_events),
        cmocka_unit_test(test_trim__comes_once_when_an_idle_gateway_is_fat),
        cmocka_unit_test(test_trim__that_gave_much_back_is_followed_by_another),
        cmocka_unit_test(test_trim__while_busy_is_no_measure_for_idle_times),
        cmocka_unit_test(test_trim__leaves_a_busy_gateway_its_buffers),
        cmocka_unit_test(test_trim__comes_when_most_of_what_is_resident_is_free),
        cmocka_unit_test(test_trim__gives_back_what_requests_have_held_under_load),
    };
    return cmocka_run_group_tests_name("trim", tests, NULL, NULL);
}
