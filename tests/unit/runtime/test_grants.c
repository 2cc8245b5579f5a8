/* Streams with tokens: they expire, turn by turn, and are closed by their subject. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "runtime/join.h"
#include "runtime/listing.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"
#include "tests/support/workers.h"

#define WORKERS 2

typedef struct tw_setup {
    tw_hub_t *hub;
    tw_test_workers_t workers;
    tw_fake_connection_t connections[WORKERS];
    tw_fake_stream_t *streams; /* i is on worker i % WORKERS */
    size_t count;
    tw_status_t status; /* of the last on_open */
    size_t opened;
    size_t answers; /* of closings */
    uint64_t closed;
} tw_setup_t;

static void let_go(void *owner, tw_subscriber_t *subscriber, tw_close_reason_t reason)
{
    tw_hub_leave(owner, subscriber);
}

static void setup(tw_setup_t *s, size_t count)
{
    tw_hub_config_t config = tw_test_config();

    config.worker_count = WORKERS;
    *s = (tw_setup_t){.count = count, .hub = tw_hub_create(&config)};
    tw_test_workers_init(&s->workers, s->hub);
    for (size_t i = 0; i < WORKERS; ++i)
        tw_fake_connection_init(&s->connections[i], &s->workers.items[i].fanout.shard, let_go,
                                s->hub);
    s->streams = tw_alloc(count * sizeof(*s->streams));
}

static void teardown(tw_setup_t *s)
{
    for (size_t i = 0; i < s->count; ++i) {
        if (!s->streams[i].closed)
            tw_fake_stream_close(&s->streams[i], TW_CLOSE_CLIENT_CLOSED);
        tw_fake_stream_dispose(&s->streams[i]);
    }
    free(s->streams);
    for (size_t i = 0; i < WORKERS; ++i)
        tw_fake_connection_dispose(&s->connections[i]);
    tw_test_workers_stop(&s->workers);
    tw_hub_destroy(s->hub);
}

typedef struct tw_open_call {
    tw_setup_t *s;
    tw_fake_stream_t *stream;
} tw_open_call_t;

static void on_open(void *data, tw_status_t status, const tw_opening_t *opening)
{
    tw_open_call_t call = *(tw_open_call_t *)data;

    free(data);
    call.s->status = status;
    if (status == TW_OK) {
        ++call.s->opened;
        tw_fake_stream_begin(call.stream);
        return;
    }
    assert_int_equal(call.stream->subscriber->state, TW_SUBSCRIBER_NEW);
    tw_subscriber_destroy(call.stream->subscriber);
    call.stream->subscriber = NULL;
    call.stream->closed = true;
}

/* Without claims when both times are 0 and there is no subject. */
static void begin(tw_setup_t *s, size_t i, const char *subject, int64_t issued_at_ms,
                  int64_t expires_at_ms)
{
    tw_open_call_t *call = tw_alloc(sizeof(*call));
    const tw_claims_t claims = {.subject = subject,
                                .subject_len = subject != NULL ? strlen(subject) : 0,
                                .issued_at_ms = issued_at_ms,
                                .expires_at_ms = expires_at_ms};

    *call = (tw_open_call_t){.s = s, .stream = &s->streams[i]};
    tw_fake_stream_init(call->stream, &s->connections[i % WORKERS], "t", NULL);
    if (subject != NULL || expires_at_ms != 0)
        tw_subscriber_set_claims(call->stream->subscriber, &claims);
    assert_int_equal(tw_hub_join(s->hub, call->stream->subscriber, NULL, on_open, call), TW_OK);
}

static void run_loops(tw_setup_t *s)
{
    for (size_t i = 0; i < WORKERS; ++i)
        uv_run(&s->workers.items[i].thread.uv, UV_RUN_NOWAIT);
}

static size_t count_closed(const tw_setup_t *s)
{
    size_t closed = 0;
    for (size_t i = 0; i < s->count; ++i)
        closed += s->streams[i].closed;
    return closed;
}

static size_t count_grants(const tw_setup_t *s)
{
    size_t count = 0;
    for (size_t i = 0; i < WORKERS; ++i)
        count += tw_ranked_count(&s->workers.items[i].fanout.grants.by_expiry);
    return count;
}

/* --- expiry --- */

static void test_grants__a_stream_ends_when_its_token_expires(void **state)
{
    tw_setup_t s;
    int64_t now_ms = tw_clock_wall_ms();

    setup(&s, 4);
    begin(&s, 0, "ann", now_ms, now_ms + 30);
    begin(&s, 1, NULL, 0, now_ms - 5); /* its token expired while it was opened */
    begin(&s, 2, "ann", now_ms, now_ms + 3600000);
    begin(&s, 3, NULL, 0, 0);
    assert_null(s.streams[3].subscriber->grant);
    tw_test_workers_pump(&s.workers);
    while (count_closed(&s) < 2) {
        assert_true(tw_clock_wall_ms() < now_ms + TW_TEST_DEADLINE_MS);
        assert_true(!s.streams[0].closed || tw_clock_wall_ms() >= now_ms + 30);
        run_loops(&s);
    }
    run_loops(&s);
    assert_int_equal(s.streams[0].close_reason, TW_CLOSE_TOKEN_EXPIRED);
    assert_int_equal(s.streams[1].close_reason, TW_CLOSE_TOKEN_EXPIRED);
    assert_false(s.streams[2].closed);
    assert_false(s.streams[3].closed);
    assert_true(uv_is_active((uv_handle_t *)&s.workers.items[0].fanout.grants.timer));
    tw_fake_stream_close(&s.streams[2], TW_CLOSE_CLIENT_CLOSED);
    assert_false(uv_is_active((uv_handle_t *)&s.workers.items[0].fanout.grants.timer));
    teardown(&s);
}

/* The longest turn is shown and not judged: how long one takes is the machine's affair, and how
 * much is done in one is ours. */
static void test_grants__many_that_expire_together_are_closed_turn_by_turn(void **state)
{
    enum { COUNT = 100000, A_TURN_MAX = TW_TURN_NS / 6000 + 1 };
    tw_setup_t s;
    int64_t longest_us = 0, end_ms;

    setup(&s, COUNT);
    end_ms = tw_clock_wall_ms() + 1000;
    for (size_t i = 0; i < COUNT; ++i) {
        begin(&s, i, "everybody", 0, end_ms - (int64_t)(i * 7919 % 1000));
        if (i % 1000 == 0)
            tw_test_workers_pump(&s.workers);
    }
    tw_test_workers_pump(&s.workers);
    for (size_t left = count_grants(&s); left > 0;) {
        int64_t before_us = tw_clock_us();
        run_loops(&s);
        int64_t took_us = tw_clock_us() - before_us;
        size_t now = count_grants(&s);
        assert_true(left - now <= (size_t)WORKERS * A_TURN_MAX);
        longest_us = took_us > longest_us ? took_us : longest_us;
        left = now;
        assert_true(tw_clock_wall_ms() < end_ms + TW_TEST_DEADLINE_MS);
    }
    print_message("longest turns of all workers: %.1f ms\n", (double)longest_us / 1000);
    assert_int_equal(count_closed(&s), COUNT);
    teardown(&s);
}

/* --- subjects --- */

static void on_closed(void *data, tw_status_t status, uint64_t count)
{
    assert_int_equal(status, TW_OK);
    tw_setup_t *s = data;
    ++s->answers;
    s->closed = count;
}

static uint64_t close_subject(tw_setup_t *s, const char *subject, int64_t issued_until_ms)
{
    const tw_ending_query_t query = {.subject = tw_text_of(subject),
                                     .issued_until_ms = issued_until_ms,
                                     .reason = TW_CLOSE_ADMIN};

    tw_listing_close_subject(s->hub, &s->workers.items[1].fanout.shard.loop, &query, on_closed, s);
    tw_test_workers_pump(&s->workers);
    return s->closed;
}

static void test_grants__the_streams_of_a_subject_are_closed_on_all_workers(void **state)
{
    tw_setup_t s;

    setup(&s, 3000);
    for (size_t i = 0; i < s.count; ++i)
        begin(&s, i, i % 3 == 0 ? "ann" : i % 3 == 1 ? "an" : NULL, (int64_t)i, 0);
    tw_test_workers_pump(&s.workers);
    assert_int_equal(close_subject(&s, "nobody", INT64_MAX), 0);
    assert_int_equal(close_subject(&s, "ann", 299), 100);
    for (size_t i = 0; i < s.count; ++i)
        assert_true(s.streams[i].closed == (i % 3 == 0 && i <= 299));
    assert_int_equal(close_subject(&s, "ann", INT64_MAX), 900);
    assert_int_equal(close_subject(&s, "ann", INT64_MAX), 0);
    assert_int_equal(count_closed(&s), 1000);
    assert_int_equal(s.answers, 4);
    teardown(&s);
}

/* --- revocations --- */

static tw_revocation_t revocation(const char *subject, int64_t revoked_at_ms, int64_t until_ms)
{
    return (tw_revocation_t){tw_text_of(subject), revoked_at_ms, until_ms};
}

/* Each time with the same end, so that what is known already changes nothing. */
static tw_status_t apply_one(tw_setup_t *s, const char *subject, int64_t at_ms, bool all)
{
    const tw_revocation_t one = revocation(subject, at_ms, INT64_MAX);
    return tw_listing_revoke(s->hub, NULL, &one, all, NULL, NULL);
}

static void test_revocations__close_what_is_open_and_refuse_what_opens(void **state)
{
    tw_setup_t s;

    setup(&s, 7);
    begin(&s, 0, "ann", 1000, 0);
    begin(&s, 1, "ann", 1001, 0);
    begin(&s, 2, "bob", 1000, 0);
    tw_test_workers_pump(&s.workers);
    begin(&s, 3, "ann", 1000, 0); /* its join is posted before the revocation */
    assert_int_equal(apply_one(&s, "ann", 1000, false), TW_OK);
    begin(&s, 4, "ann", 1000, 0);
    tw_test_workers_pump(&s.workers);
    assert_true(s.streams[0].closed && s.streams[3].closed && s.streams[4].closed);
    assert_int_equal(s.streams[0].close_reason, TW_CLOSE_REVOKED);
    assert_int_equal(s.status, TW_REVOKED);
    assert_int_equal(s.opened, 3);
    assert_false(s.streams[1].closed || s.streams[2].closed);
    begin(&s, 5, "ann", 1001, 0); /* a token that was issued since */
    begin(&s, 6, NULL, 0, 0);
    tw_test_workers_pump(&s.workers);
    assert_int_equal(s.opened, 5);
    assert_int_equal(apply_one(&s, "ann", 1000, true), TW_OK); /* known: nothing happens */
    tw_test_workers_pump(&s.workers);
    assert_false(s.streams[5].closed);
    assert_int_equal(apply_one(&s, "ann", 1000, false), TW_OK);
    assert_int_equal(count_closed(&s), 3);
    teardown(&s);
}

static void test_revocations__nobody_is_let_in_while_the_list_is_incomplete(void **state)
{
    tw_setup_t s;

    setup(&s, 2);
    s.hub->revocations.is_incomplete = true;
    begin(&s, 0, "ann", 1000, 0);
    tw_test_workers_pump(&s.workers);
    assert_int_equal(s.status, TW_UNAVAILABLE);
    begin(&s, 1, NULL, 0, tw_clock_wall_ms() + 60000);
    tw_test_workers_pump(&s.workers);
    assert_int_equal(s.status, TW_OK);
    teardown(&s);
}

static void test_revocations__are_merged_bounded_and_forgotten(void **state)
{
    tw_revocations_t list;
    int64_t now_ms = tw_clock_wall_ms();
    bool changed;
    char name[16];

    tw_revocations_init(&list);
    tw_revocation_t one = revocation("ann", 500, now_ms + 50);
    assert_int_equal(tw_revocations_add(&list, &one, &changed), TW_OK);
    assert_true(changed);
    one = revocation("ann", 400, now_ms + 40);
    assert_int_equal(tw_revocations_add(&list, &one, &changed), TW_OK);
    assert_false(changed);
    assert_int_equal(tw_revocations_check(&list, tw_text_of("ann"), 500), TW_REVOKED);
    assert_int_equal(tw_revocations_check(&list, tw_text_of("ann"), 501), TW_OK);
    assert_int_equal(tw_revocations_check(&list, tw_text_of("anna"), 0), TW_OK);
    one = revocation("late", 1, now_ms);
    assert_int_equal(tw_revocations_add(&list, &one, &changed), TW_OK);
    assert_false(changed);
    for (int i = 1; i < TW_REVOCATIONS_MAX; ++i) {
        snprintf(name, sizeof(name), "%d", i);
        one = revocation(name, 1, now_ms + 3600000);
        assert_int_equal(tw_revocations_add(&list, &one, &changed), TW_OK);
    }
    /* Full, if the first one has not ended by now; afterwards there is room for one. */
    one = revocation("more", 1, now_ms + 3600000);
    tw_status_t status = tw_revocations_add(&list, &one, &changed);
    assert_true(status == TW_FULL || tw_clock_wall_ms() >= now_ms + 50);
    while (tw_clock_wall_ms() < now_ms + 50)
        continue;
    tw_revocations_sweep(&list);
    assert_int_equal(tw_revocations_check(&list, tw_text_of("ann"), 500), TW_OK);
    assert_int_equal(tw_revocations_add(&list, &one, &changed), TW_OK);
    one = revocation("yet more", 1, now_ms + 3600000);
    assert_int_equal(tw_revocations_add(&list, &one, &changed), TW_FULL);
    assert_int_equal(tw_revocations_count(&list), TW_REVOCATIONS_MAX);
    tw_revocations_dispose(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grants__a_stream_ends_when_its_token_expires),
        cmocka_unit_test(test_grants__many_that_expire_together_are_closed_turn_by_turn),
        cmocka_unit_test(test_grants__the_streams_of_a_subject_are_closed_on_all_workers),
        cmocka_unit_test(test_revocations__close_what_is_open_and_refuse_what_opens),
        cmocka_unit_test(test_revocations__nobody_is_let_in_while_the_list_is_incomplete),
        cmocka_unit_test(test_revocations__are_merged_bounded_and_forgotten),
    };
    tw_hash_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
