#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "runtime/redis/protocol/codec.h"
#include "runtime/redis/protocol/scripts.h"
#include "tests/support/fake_transport.h"

static tw_event_t *make_event(const char *topic_names, const char *id, const char *type,
                              const char *payload)
{
    tw_event_t *event = tw_test_typed_event(topic_names, id, type, payload);
    event->published_at_ms = 1234567890123;
    return event;
}

/* The event's body; free() it. */
static char *write_body(const tw_event_t *event, uint64_t epoch, uint64_t origin, uint64_t token,
                        size_t *len)
{
    char *item = malloc(tw_redis_item_room(event));
    const char *items = item, *body;
    size_t left = (size_t)(tw_redis_item_write(item, event, epoch, origin, token) - item);

    assert_true(left <= tw_redis_item_room(event));
    assert_true(tw_redis_item_next(&items, &left, &body, len));
    assert_int_equal(left, 0);
    memmove(item, body, *len);
    return item;
}

static void test_body__brings_an_event_over_unchanged(void **state)
{
    tw_event_t *event = make_event("b,a,c", "id 7", "type", "line\nline\n");
    tw_redis_body_t body;
    size_t len;
    char *bytes = write_body(event, 0xfeed, 0xbeef, 7, &len);

    assert_int_equal(tw_redis_body_read(&body, bytes, len), 0);
    assert_true(body.epoch == 0xfeed && body.origin == 0xbeef && body.token == 7);
    tw_event_t *copy = tw_redis_body_event(&body);
    assert_non_null(copy);
    assert_int_equal(copy->frame_len, event->frame_len);
    assert_memory_equal(copy->frame, event->frame, event->frame_len);
    assert_int_equal(copy->published_at_ms, 1234567890123);
    assert_int_equal(copy->id_hash, event->id_hash);
    assert_int_equal(copy->type_len, 4);
    assert_memory_equal(tw_event_type(copy), "type", 4);
    assert_int_equal(copy->topic_count, 3);
    assert_memory_equal(copy->topics[0].base, "b", 1);
    assert_memory_equal(copy->topics[2].base, "c", 1);
    tw_event_unref(copy);
    tw_event_unref(event);
    free(bytes);
}

/* What is not an item ends them, and nothing behind the end is read. */
static void test_items__are_taken_one_by_one(void **state)
{
    static const struct {
        const char *items, *bodies;
    } cases[] = {
        {"", ""},         {"1 a2 bc", "a|bc|"}, {"0 1 x", "|x|"},
        {"1 a5 b", "a|"}, {"1a", ""},           {"-1 a", ""},
        {" 1 a", ""},     {"1 ab", "a|"},       {"99999999999999999999 a", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); ++i) {
        const char *items = cases[i].items, *body;
        size_t len = strlen(items), body_len;
        char found[64] = "";
        while (tw_redis_item_next(&items, &len, &body, &body_len))
            sprintf(found + strlen(found), "%.*s|", (int)body_len, body);
        assert_string_equal(found, cases[i].bodies);
    }
}

/* Every shorter one is refused, or is an event of the bytes that there are. */
static void test_body__cut_short_is_never_read_beyond_its_end(void **state)
{
    tw_event_t *event = make_event("topic", "id", "t", "payload");
    size_t len;
    char *bytes = write_body(event, 1, 2, 3, &len);

    for (size_t cut = 0; cut < len; ++cut) {
        tw_redis_body_t body;
        char *exact = malloc(cut + 1); /* so that sanitizers see what is read too much */
        memcpy(exact, bytes, cut);
        if (tw_redis_body_read(&body, exact, cut) == 0) {
            assert_true(body.frame + body.frame_len == exact + cut);
            tw_event_unref(tw_redis_body_event(&body));
        }
        free(exact);
    }
    tw_event_unref(event);
    free(bytes);
}

static void test_body__refuses_what_is_none(void **state)
{
    static const char *const bodies[] = {
        "",
        "\n",
        "1 2 3\n",
        "1 2 3 4 5 6\n",
        "x 2 3 4 1 1 0\ntid: a\n",
        "1 2 3 4 0 1 0\nid: a\n",
        "1 2 3 4 1 0 0\ntid: \n",
        "1 2 3 4 1 99 0\ntid: a\n",
        "1 2 3 4 99999999999999999999 1 0\nt",
        "1 2 3 4 1 1 4294967295\ntid: a\n",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); ++i) {
        tw_redis_body_t body;
        assert_int_equal(tw_redis_body_read(&body, bodies[i], strlen(bodies[i])), -1);
    }
}

/* Whoever may publish in this Redis could write it; a subscriber would read other fields than the
 * gateway. */
static void test_body__refuses_a_frame_that_does_not_say_what_its_head_says(void **state)
{
    static const char *const bodies[] = {
        "1 2 3 4 1 1 0\ntdata: x\n\n",
        "1 2 3 4 1 1 0\ntid: ab\ndata: x\n\n",
        "1 2 3 4 1 9 0\ntid: a\ndata: x\n\n",
        "1 2 3 4 1 9 0\ntid: a\rdata: x\n\n",
        "1 2 3 4 1 1 2\ntid: a\ndata: xyz\n\n",
        "1 2 3 4 1 1 2\ntid: a\nevent: xyz\ndata: xyz\n\n",
        "1 2 3 4 1 1 0\ntid: a\ndata: x\n",
        "1 2 3 4 1 1 0\ntid: a\ndata: x",
        "1 2 3 4 1 1 0\ntid: a\n",
    };
    static const char good[] = "1 2 3 4 1 1 2\ntid: a\nevent: xy\ndata: x\n\n";
    tw_redis_body_t body;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); ++i)
        assert_int_equal(tw_redis_body_read(&body, bodies[i], strlen(bodies[i])), -1);
    assert_int_equal(tw_redis_body_read(&body, good, sizeof(good) - 1), 0);
}

static void test_body__with_broken_topics_is_no_event(void **state)
{
    static const char text[] = "1 2 3 4 3 1 0\na bid: x\ndata: \n\n";
    tw_redis_body_t body;
    assert_int_equal(tw_redis_body_read(&body, text, sizeof(text) - 1), 0);
    assert_null(tw_redis_body_event(&body));
}

static void test_number__ends_at_the_first_other_character(void **state)
{
    size_t digits;
    assert_int_equal(tw_redis_number("123-0", 5, &digits), 123);
    assert_int_equal(digits, 3);
    assert_int_equal(tw_redis_number("-1", 2, &digits), 0);
    assert_int_equal(digits, 0);
    assert_int_equal(tw_redis_number("12345", 2, &digits), 12);
    assert_true(tw_redis_number("9999999999999999999999", 22, &digits) == 9999999999999999999u);
}

static void test_script__sha_is_that_of_its_text(void **state)
{
    char sha[TW_REDIS_SHA_LEN + 1], other[TW_REDIS_SHA_LEN + 1];
    tw_redis_script_sha(TW_REDIS_SCRIPT_PUBLISH, sha);
    tw_redis_script_sha(TW_REDIS_SCRIPT_ACK, other);
    assert_int_equal(strlen(sha), TW_REDIS_SHA_LEN);
    assert_string_not_equal(sha, other);
    for (int i = 0; i < TW_REDIS_SCRIPT_COUNT; ++i)
        assert_non_null(tw_redis_script_text((tw_redis_script_t)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body__brings_an_event_over_unchanged),
        cmocka_unit_test(test_items__are_taken_one_by_one),
        cmocka_unit_test(test_body__cut_short_is_never_read_beyond_its_end),
        cmocka_unit_test(test_body__refuses_what_is_none),
        cmocka_unit_test(test_body__refuses_a_frame_that_does_not_say_what_its_head_says),
        cmocka_unit_test(test_body__with_broken_topics_is_no_event),
        cmocka_unit_test(test_number__ends_at_the_first_other_character),
        cmocka_unit_test(test_script__sha_is_that_of_its_text),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("redis_codec", tests, NULL, NULL);
}
