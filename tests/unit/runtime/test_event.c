/* Events: one block, immutable, counted. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "runtime/model/event.h"
#include "runtime/model/sse.h"
#include "tests/support/check.h"
#include "tests/support/cmocka_test.h"

typedef struct tw_spec {
    tw_event_spec_t spec;
    tw_topic_list_t topics;
} tw_spec_t;

static tw_event_spec_t *make_spec(tw_spec_t *made, const char *topics, const char *payload)
{
    tw_topic_list_init(&made->topics, 64);
    assert_int_equal(tw_topic_list_add(&made->topics, topics, strlen(topics)), TW_TOPIC_LIST_OK);
    made->spec = (tw_event_spec_t){.topics = &made->topics,
                                   .id = "order-7",
                                   .id_len = 7,
                                   .type = "price",
                                   .type_len = 5,
                                   .payload = payload,
                                   .payload_len = strlen(payload),
                                   .published_at_ms = 1717171717171};
    return &made->spec;
}

static void test_event__holds_what_was_published(void **state)
{
    static const char frame[] = "id: order-7\nevent: price\ndata: a\ndata: b\n\n";
    tw_spec_t made;
    tw_event_t *event = tw_event_create(make_spec(&made, "news,b", "a\nb"));

    assert_non_null(event);
    assert_int_equal(event->frame_len, sizeof(frame) - 1);
    assert_memory_equal(event->frame, frame, event->frame_len);
    assert_int_equal(event->id_len, 7);
    assert_memory_equal(tw_event_id(event), "order-7", 7);
    assert_int_equal(event->type_len, 5);
    assert_memory_equal(tw_event_type(event), "price", 5);
    assert_int_equal(event->published_at_ms, 1717171717171);
    assert_int_equal(event->topic_count, 2);
    for (size_t i = 0; i < 2; ++i) {
        const tw_topic_name_t *name = &made.topics.items[i];
        assert_true(tw_topic_name_equal(&event->topics[i], name));
        assert_ptr_not_equal(event->topics[i].base, name->base);
    }
    tw_topic_list_dispose(&made.topics);
    tw_event_unref(event);
}

static void test_event__may_have_no_type(void **state)
{
    tw_spec_t made;
    tw_event_spec_t *spec = make_spec(&made, "t", "");

    spec->type_len = 0;
    tw_event_t *event = tw_event_create(spec);
    assert_int_equal(event->type_len, 0);
    assert_memory_equal(event->frame, "id: order-7\ndata: \n\n", event->frame_len);
    tw_topic_list_dispose(&made.topics);
    tw_event_unref(event);
}

static void test_event__is_known_by_its_id(void **state)
{
    tw_spec_t made;
    tw_event_t *event = tw_event_create(make_spec(&made, "t", "x"));
    uint64_t hash = tw_hash("order-7", 7);

    assert_true(tw_event_has_id(event, "order-7", 7, hash));
    assert_false(tw_event_has_id(event, "order-8", 7, tw_hash("order-8", 7)));
    assert_false(tw_event_has_id(event, "order-8", 7, hash));
    assert_false(tw_event_has_id(event, "order-", 6, hash));
    assert_false(tw_event_has_id(event, "order-7\n", 8, hash));
    tw_topic_list_dispose(&made.topics);
    tw_event_unref(event);
}

static void test_event__counts_the_bytes_of_its_block(void **state)
{
    tw_spec_t made;
    tw_event_t *event = tw_event_create(make_spec(&made, "news,b", "a\nb"));

    assert_int_equal(tw_event_bytes(event),
                     sizeof(tw_event_t) + 2 * sizeof(tw_topic_name_t) + 5 + event->frame_len);
    tw_topic_list_dispose(&made.topics);
    tw_event_unref(event);
    tw_event_unref(NULL);
}

static void test_event__without_memory_is_none(void **state)
{
    tw_spec_t made;
    tw_event_spec_t *spec = make_spec(&made, "t", "x");

    tw_alloc_fail_after(1);
    assert_null(tw_event_create(spec));
    tw_event_t *event = tw_event_create(spec);
    assert_non_null(event);
    tw_topic_list_dispose(&made.topics);
    tw_event_unref(event);
}

/* Each line end of a payload may grow to a data line of its own: a frame has 32 bits for its
 * length. The payload is not even read. */
static void test_event__with_a_frame_beyond_4_gib_is_none(void **state)
{
    tw_spec_t made;
    tw_event_spec_t *spec = make_spec(&made, "t", "x");

    spec->payload_len = UINT32_MAX / 7 + 1;
    assert_null(tw_event_create(spec));
    spec->payload_len = SIZE_MAX;
    assert_null(tw_event_create(spec));
    tw_topic_list_dispose(&made.topics);
}

static void *ref_and_unref(void *data)
{
    tw_event_t *event = data;
    for (int i = 0; i < 20000; ++i) {
        tw_check(tw_event_ref(event) == event);
        tw_check(event->frame[0] == 'i');
        tw_event_unref(event);
    }
    tw_event_unref(event);
    return NULL;
}

static void test_event__lives_until_the_last_thread_lets_go(void **state)
{
    tw_spec_t made;
    tw_event_t *event = tw_event_create(make_spec(&made, "t", "x"));
    pthread_t threads[4];

    for (int i = 0; i < 4; ++i)
        assert_int_equal(pthread_create(&threads[i], NULL, ref_and_unref, tw_event_ref(event)), 0);
    tw_event_unref(event);
    for (int i = 0; i < 4; ++i)
        pthread_join(threads[i], NULL);
    tw_topic_list_dispose(&made.topics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event__holds_what_was_published),
        cmocka_unit_test(test_event__may_have_no_type),
        cmocka_unit_test(test_event__is_known_by_its_id),
        cmocka_unit_test(test_event__counts_the_bytes_of_its_block),
        cmocka_unit_test(test_event__without_memory_is_none),
        cmocka_unit_test(test_event__with_a_frame_beyond_4_gib_is_none),
        cmocka_unit_test(test_event__lives_until_the_last_thread_lets_go),
    };
    tw_hash_seed();
    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
