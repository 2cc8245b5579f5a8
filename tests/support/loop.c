#include "tests/support/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void on_wake(uv_timer_t *timer)
{
}

void tw_test_loop_init(uv_loop_t *loop)
{
    assert_int_equal(uv_loop_init(loop), 0);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void tw_test_loop_until(uv_loop_t *loop, bool (*holds)(void *data), void *data,
                        unsigned deadline_ms)
{
    uint64_t deadline_ns = uv_hrtime() + (uint64_t)deadline_ms * 1000000;
    uv_timer_t *wake = malloc(sizeof(*wake));

    assert_non_null(wake);
    uv_timer_init(loop, wake);
    uv_timer_start(wake, on_wake, 5, 5);
    while (!holds(data)) {
        if (uv_hrtime() > deadline_ns)
            fail_msg("what the test waits for did not happen within %u ms", deadline_ms);
        uv_run(loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)wake, on_closed);
}

static bool is_set(void *data)
{
    return *(const bool *)data;
}

void tw_test_loop_until_set(uv_loop_t *loop, const bool *flag, unsigned deadline_ms)
{
    tw_test_loop_until(loop, is_set, (void *)(uintptr_t)flag, deadline_ms);
}

void tw_test_loop_close(uv_loop_t *loop, unsigned deadline_ms)
{
    uint64_t deadline_ns = uv_hrtime() + (uint64_t)deadline_ms * 1000000;
    while (uv_run(loop, UV_RUN_NOWAIT) != 0)
        if (uv_hrtime() > deadline_ns)
            fail_msg("the loop still has open handles after %u ms", deadline_ms);
    assert_int_equal(uv_loop_close(loop), 0);
}
