#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/load/delivery.h"

enum { PAYLOAD_BYTES = 60, NOW_NS = 5000 };

typedef struct fixture {
    load_options_t options;
    load_run_t run;
    load_subscriber_thread_t thread;
    load_stream_t stream;
    char frame[512];
} fixture_t;

static int setup(void **state)
{
    fixture_t *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->options.payload_bytes = PAYLOAD_BYTES;
    f->options.topics = 10;
    f->options.topics_per_stream = 1;
    f->options.lanes = 1;
    f->run.options = &f->options;
    f->thread.run = &f->run;
    f->stream.topic = 3;
    load_checker_begin(&f->stream.slot, 1);
    load_histogram_init(&f->thread.latency);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    if (f->stream.carry != NULL)
        load_bytes_dispose(f->stream.carry);
    free(f->stream.carry);
    free(f);
    return 0;
}

/* Makes an event as the gateway sends it; its length. */
static size_t make_event(fixture_t *f, uint32_t sequence, uint32_t topic)
{
    char payload[PAYLOAD_BYTES + 1] = {0};
    load_payload_t values = {.time_ns = 1000, .sequence = sequence, .topic = topic};
    load_payload_write(payload, PAYLOAD_BYTES, &values);
    return (size_t)snprintf(f->frame, sizeof(f->frame), "id: 00-%08x\ndata: %s\n\n", sequence,
                            payload);
}

static void take(fixture_t *f, const char *data, size_t bytes)
{
    load_delivery_take(&f->thread, &f->stream, &f->stream.slot, data, bytes, NOW_NS);
}

static void test_delivery__whole_frames_are_counted_and_timed(void **state)
{
    fixture_t *f = *state;
    for (uint32_t sequence = 1; sequence <= 3; sequence++)
        take(f, f->frame, make_event(f, sequence, 3));
    assert_int_equal(f->thread.counts.checks.in_order, 3);
    assert_int_equal(f->thread.counts.measured, 3);
    assert_int_equal(f->thread.latency.max, NOW_NS - 1000);
    assert_null(f->stream.carry);
}

static void test_delivery__same_frame_again_is_a_duplicate(void **state)
{
    fixture_t *f = *state;
    size_t bytes = make_event(f, 1, 3);
    take(f, f->frame, bytes);
    take(f, f->frame, bytes);
    assert_int_equal(f->thread.counts.checks.duplicates, 1);
}

static void test_delivery__event_cut_anywhere_is_the_same_event(void **state)
{
    fixture_t *f = *state;
    size_t bytes = make_event(f, 1, 3);
    uint32_t sequence = 1;
    for (size_t cut = 1; cut < bytes; cut++, sequence++) {
        make_event(f, sequence, 3);
        take(f, f->frame, cut);
        assert_non_null(f->stream.carry);
        take(f, f->frame + cut, bytes - cut);
        assert_null(f->stream.carry);
    }
    assert_int_equal(f->thread.counts.checks.in_order, bytes - 1);
    assert_int_equal(f->thread.counts.corrupt, 0);
}

static void test_delivery__topic_that_was_not_asked_for_is_foreign(void **state)
{
    fixture_t *f = *state;
    take(f, f->frame, make_event(f, 1, 4));
    take(f, f->frame, make_event(f, 1, 2));
    assert_int_equal(f->thread.counts.foreign, 2);
    assert_int_equal(f->thread.counts.checks.in_order, 0);
}

static void test_delivery__altered_payload_is_corrupt(void **state)
{
    fixture_t *f = *state;
    size_t bytes = make_event(f, 1, 3);
    f->frame[bytes - 4] ^= 1;
    take(f, f->frame, bytes);
    assert_int_equal(f->thread.counts.corrupt, 1);
}

static void test_delivery__payload_inside_json_is_found(void **state)
{
    fixture_t *f = *state;
    char payload[PAYLOAD_BYTES + 1] = {0};
    load_payload_t values = {.sequence = 1, .topic = 3};
    load_payload_write(payload, PAYLOAD_BYTES, &values);
    int bytes =
        snprintf(f->frame, sizeof(f->frame), "data: {\"pub\":{\"data\":\"%s\"}}\n\n", payload);
    take(f, f->frame, (size_t)bytes);
    assert_int_equal(f->thread.counts.checks.in_order, 1);
}

static void test_delivery__greeting_and_heartbeats_are_no_deliveries(void **state)
{
    fixture_t *f = *state;
    static const char greeting[] = "retry: 3000\n: tideway\n\nid: ~1-0\n\n:\n\n";
    take(f, greeting, sizeof(greeting) - 1);
    assert_int_equal(f->thread.counts.comments, 2);
    assert_int_equal(f->thread.counts.checks.in_order, 0);
    assert_int_equal(f->thread.counts.corrupt, 0);
    assert_null(f->stream.carry);
}

static void test_delivery__warm_up_is_checked_but_not_timed(void **state)
{
    fixture_t *f = *state;
    atomic_store(&f->run.measure_from_ns, 1001);
    take(f, f->frame, make_event(f, 1, 3));
    assert_int_equal(f->thread.counts.checks.in_order, 1);
    assert_int_equal(f->thread.counts.measured, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_delivery__whole_frames_are_counted_and_timed),
        TEST(test_delivery__same_frame_again_is_a_duplicate),
        TEST(test_delivery__event_cut_anywhere_is_the_same_event),
        TEST(test_delivery__topic_that_was_not_asked_for_is_foreign),
        TEST(test_delivery__altered_payload_is_corrupt),
        TEST(test_delivery__payload_inside_json_is_found),
        TEST(test_delivery__greeting_and_heartbeats_are_no_deliveries),
        TEST(test_delivery__warm_up_is_checked_but_not_timed),
    };
    return cmocka_run_group_tests_name("bench delivery", tests, NULL, NULL);
}
