/* Kept events as text: the same whatever room there is for a piece. */
#include <stdlib.h>
#include <string.h>

#include "handlers/admin/tail_text.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/fake_transport.h"

#define LARGE 100000

static tw_event_t *event_of(const char *id, const char *type, const char *payload, uint64_t seq)
{
    tw_event_t *event = tw_test_typed_event("news", id, type, payload);
    event->published_at_ms = 7;
    event->position = (tw_position_t){.epoch = 1, .seq = seq};
    return event;
}

/* Writes all of it in pieces of this size; the caller frees it. */
static char *write_all(tw_tail_form_t form, tw_event_t **events, size_t count, size_t room)
{
    tw_tail_text_t text = {0};
    char *out = malloc(20 * LARGE), *to = out;
    size_t len;

    tw_tail_text_set(&text, form, events, count);
    assert_int_equal(tw_tail_text_is_done(&text), count == 0);
    while ((len = tw_tail_text_write(&text, to, room)) > 0) {
        assert_true(len <= room);
        to += len;
        assert_true(to < out + 19 * LARGE);
    }
    assert_true(tw_tail_text_is_done(&text));
    tw_tail_text_dispose(&text);
    *to = '\0';
    return out;
}

static void assert_text(tw_tail_form_t form, tw_event_t **events, size_t count,
                        const char *expected)
{
    for (size_t room = TW_TAIL_TEXT_ROOM_MIN; room < TW_TAIL_TEXT_ROOM_MIN + 8; ++room) {
        char *text = write_all(form, events, count, room);
        assert_string_equal(text, expected);
        free(text);
    }
}

static void test_tail_text__of_nothing_is_empty(void **state)
{
    assert_text(TW_TAIL_JSON, NULL, 0, "");
}

static void test_tail_text__is_json_with_commas_between_the_events(void **state)
{
    tw_event_t *events[] = {event_of("1", "", "one", 1),
                            event_of("2", "t\"", "a\n\nb\\\t\xc3\xa4\n", 2)};

    assert_text(TW_TAIL_JSON, events, 2,
                "{\"id\":\"1\",\"event\":null,\"payload\":\"one\",\"publishedAt\":7,\"position\":"
                "\"~0000000000000001-1\"},{\"id\":\"2\",\"event\":\"t\\\"\",\"payload\":"
                "\"a\\n\\nb\\\\\\u0009\xc3\xa4\\n\",\"publishedAt\":7,\"position\":"
                "\"~0000000000000001-2\"}");
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(events[i]->refs, 1);
        tw_event_unref(events[i]);
    }
}

static void test_tail_text__is_an_event_stream(void **state)
{
    tw_event_t *event = event_of("1", "", "", 1);

    assert_text(TW_TAIL_SSE, &event, 1,
                "id: ~0000000000000001-1\nevent: tideway.event\ndata: {\"id\":\"1\",\"event\":null,"
                "\"payload\":\"\",\"publishedAt\":7,\"position\":\"~0000000000000001-1\"}\n\n");
    tw_event_unref(event);
}

static void test_tail_text__is_the_same_in_pieces_of_any_size(void **state)
{
    char *payload = malloc(LARGE + 1);
    static const char some[] = "\x01\"\n\\x\xe2\x82\xac";

    for (size_t i = 0; i < LARGE; ++i)
        payload[i] = some[i % (sizeof(some) - 1)];
    payload[LARGE / 8 * 8] = '\0';
    tw_event_t *events[] = {event_of("1", "a", payload, 1), event_of("2", "b", payload, 2)};
    char *whole = write_all(TW_TAIL_JSON, events, 2, (size_t)10 * LARGE);
    for (size_t room = TW_TAIL_TEXT_ROOM_MIN; room < 20000; room += 997) {
        char *text = write_all(TW_TAIL_JSON, events, 2, room);
        assert_string_equal(text, whole);
        free(text);
    }
    free(whole);
    free(payload);
    for (int i = 0; i < 2; ++i)
        tw_event_unref(events[i]);
}

static void test_tail_text__drops_what_is_left(void **state)
{
    tw_event_t *events[] = {event_of("1", "", "one", 1), event_of("2", "", "two", 2)};
    tw_tail_text_t text = {0};

    tw_tail_text_set(&text, TW_TAIL_JSON, events, 2);
    tw_tail_text_dispose(&text);
    tw_tail_text_set(&text, TW_TAIL_JSON, events, 1);
    tw_tail_text_set(&text, TW_TAIL_JSON, events, 2);
    tw_tail_text_dispose(&text);
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(events[i]->refs, 1);
        tw_event_unref(events[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail_text__of_nothing_is_empty),
        cmocka_unit_test(test_tail_text__is_json_with_commas_between_the_events),
        cmocka_unit_test(test_tail_text__is_an_event_stream),
        cmocka_unit_test(test_tail_text__is_the_same_in_pieces_of_any_size),
        cmocka_unit_test(test_tail_text__drops_what_is_left),
    };
    return cmocka_run_group_tests_name("tail_text", tests, NULL, NULL);
}
