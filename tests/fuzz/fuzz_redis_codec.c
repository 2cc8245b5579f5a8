/*
 * Events as they travel through Redis (runtime/redis/protocol/codec.h). The input is a body as any
 * other client of that Redis could publish it. Checked: what is read lies within the body, an event
 * that is made of it can be written and read again, and is the same then, and its frame ends as a
 * subscriber expects.
 */
#include <stdlib.h>

#include "runtime/redis/protocol/codec.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"
#include "tests/support/sse_reader.h"

static void check_within(const tw_redis_body_t *body, const char *bytes, size_t len)
{
    tw_check(body->topics > bytes && body->topics + body->topics_len == body->frame);
    tw_check(body->frame + body->frame_len == bytes + len);
    tw_check(body->id_len > 0 && body->id_len + body->type_len < body->frame_len);
}

/* A subscriber reads one event of it, with this id and type, and nothing is left over. */
static void check_frame(const tw_event_t *event)
{
    tw_sse_reader_t reader;

    tw_sse_reader_init(&reader);
    tw_sse_reader_feed(&reader, event->frame, event->frame_len);
    tw_check(reader.line.len == 0 && reader.data.len == 0);
    tw_check(tw_event_id(event) >= event->frame &&
             memchr(tw_event_id(event), '\n', event->id_len) == NULL);
    tw_sse_reader_dispose(&reader);
}

static void check_same(const tw_event_t *a, const tw_event_t *b)
{
    tw_check(a->topic_count == b->topic_count && a->id_len == b->id_len);
    tw_check(a->type_len == b->type_len && a->published_at_ms == b->published_at_ms);
    tw_check(a->frame_len == b->frame_len && memcmp(a->frame, b->frame, a->frame_len) == 0);
    tw_check(memcmp(tw_event_id(a), tw_event_id(b), a->id_len) == 0);
    for (uint32_t i = 0; i < a->topic_count; ++i)
        tw_check(tw_topic_name_equal(&a->topics[i], &b->topics[i]));
}

static void check_again(const tw_event_t *event, const tw_redis_body_t *body)
{
    char *item = malloc(tw_redis_item_room(event));
    const char *end = tw_redis_item_write(item, event, body->epoch, body->origin, body->token);
    const char *items = item, *text;
    size_t left = (size_t)(end - item), len;
    tw_redis_body_t second;

    tw_check(left <= tw_redis_item_room(event) && tw_redis_item_next(&items, &left, &text, &len));
    tw_check(left == 0 && tw_redis_body_read(&second, text, len) == 0);
    tw_check(second.epoch == body->epoch && second.origin == body->origin);
    tw_check(second.token == body->token && second.published_at_ms == body->published_at_ms);
    tw_event_t *again = tw_redis_body_event(&second);
    tw_check(again != NULL);
    check_same(event, again);
    tw_event_unref(again);
    free(item);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    tw_redis_body_t body;
    size_t digits;
    uint64_t number = tw_redis_number(bytes, size, &digits);

    const char *items = bytes, *item;
    size_t left = size, item_len;
    while (tw_redis_item_next(&items, &left, &item, &item_len))
        tw_check(item + item_len == items && items + left == bytes + size);
    tw_check(digits <= size && (digits > 0 || number == 0));
    if (tw_redis_body_read(&body, bytes, size) != 0)
        return 0;
    check_within(&body, bytes, size);
    tw_event_t *event = tw_redis_body_event(&body);
    if (event == NULL)
        return 0;
    check_frame(event);
    check_again(event, &body);
    tw_event_unref(event);
    return 0;
}
