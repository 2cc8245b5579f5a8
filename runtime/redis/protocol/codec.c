#include "runtime/redis/protocol/codec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define HEAD_MAX 192 /* eight numbers, each with a delimiter */
#define TOPICS_MAX 4096
#define ID_PREFIX (sizeof("id: ") - 1)
#define TYPE_PREFIX "event: "
#define END_LEN 2 /* of the last field's line, and the empty one */

/* The head's numbers by hand: they are written and read for every event on every node. */

/* Appends a number and a delimiter. */
static char *put_number(char *to, uint64_t number, unsigned base, char delimiter)
{
    char digits[20];
    size_t count = 0;

    do
        digits[count++] = "0123456789abcdef"[number % base];
    while ((number /= base) > 0);
    while (count > 0)
        *to++ = digits[--count];
    *to++ = delimiter;
    return to;
}

/* The digit's value; 16 when it is not a digit. */
static unsigned digit_of(char c)
{
    return c >= '0' && c <= '9'   ? (unsigned)(c - '0')
           : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                  : 16;
}

/* Takes a number and its delimiter off the front; false when they are not there. */
static bool take_number(const char **from, const char *end, unsigned base, char delimiter,
                        uint64_t *number)
{
    const char *at = *from;

    *number = 0;
    for (; at < end && digit_of(*at) < base; ++at)
        if (__builtin_mul_overflow(*number, base, number) ||
            __builtin_add_overflow(*number, digit_of(*at), number))
            return false;
    if (at == *from || at == end || *at != delimiter)
        return false;
    *from = at + 1;
    return true;
}

static size_t topics_len_of(const tw_event_t *event)
{
    size_t len = event->topic_count - 1 + event->is_part; /* the commas */
    for (uint32_t i = 0; i < event->topic_count; ++i)
        len += event->topics[i].len;
    return len;
}

size_t tw_redis_item_room(const tw_event_t *event)
{
    return HEAD_MAX + topics_len_of(event) + event->frame_len;
}

static char *put_bytes(char *to, const char *bytes, size_t len)
{
    return (char *)memcpy(to, bytes, len) + len;
}

char *tw_redis_item_write(char *to, const tw_event_t *event, uint64_t epoch, uint64_t origin,
                          uint64_t token)
{
    char head[HEAD_MAX], *at = head;
    size_t topics_len = topics_len_of(event);

    at = put_number(at, epoch, 16, ' ');
    at = put_number(at, origin, 16, ' ');
    at = put_number(at, token, 16, ' ');
    at = put_number(at, (uint64_t)event->published_at_ms, 10, ' ');
    at = put_number(at, topics_len, 10, ' ');
    at = put_number(at, event->id_len, 10, ' ');
    at = put_number(at, event->type_len, 10, '\n');
    size_t head_len = (size_t)(at - head);
    to = put_number(to, head_len + topics_len + event->frame_len, 10, ' ');
    to = put_bytes(to, head, head_len);
    for (uint32_t i = 0; i < event->topic_count; ++i) {
        if (i > 0)
            *to++ = ',';
        to = put_bytes(to, event->topics[i].base, event->topics[i].len);
    }
    if (event->is_part)
        *to++ = ',';
    return put_bytes(to, event->frame, event->frame_len);
}

bool tw_redis_item_next(const char **items, size_t *len, const char **body, size_t *body_len)
{
    const char *at = *items, *end = *items + *len;
    uint64_t bytes;

    if (!take_number(&at, end, 10, ' ', &bytes) || bytes > (size_t)(end - at))
        return false;
    *body = at;
    *body_len = bytes;
    *items = at + bytes;
    *len = (size_t)(end - *items);
    return true;
}

/* Whether `bytes` begin with the prefix, then len bytes without a line's end, then one. */
static bool is_field(const char *bytes, const char *prefix, size_t prefix_len, size_t len)
{
    const char *value = bytes + prefix_len;
    return memcmp(bytes, prefix, prefix_len) == 0 && value[len] == '\n' &&
           memchr(value, '\n', len) == NULL && memchr(value, '\r', len) == NULL;
}

/* Whether the frame is one, as far as others can tell: its fields where the head says, and an end.
 */
static bool is_frame(const tw_redis_body_t *body)
{
    const char *type = body->frame + ID_PREFIX + body->id_len + 1;
    return is_field(body->frame, "id: ", ID_PREFIX, body->id_len) &&
           (body->type_len == 0 ||
            is_field(type, TYPE_PREFIX, sizeof(TYPE_PREFIX) - 1, body->type_len)) &&
           memcmp(body->frame + body->frame_len - 2, "\n\n", 2) == 0;
}

int tw_redis_body_read(tw_redis_body_t *body, const char *bytes, size_t len)
{
    const char *at = bytes, *end = bytes + len;
    uint64_t published_at_ms, topics_len, id_len, type_len;

    *body = (tw_redis_body_t){.epoch = 0};
    if (!take_number(&at, end, 16, ' ', &body->epoch) ||
        !take_number(&at, end, 16, ' ', &body->origin) ||
        !take_number(&at, end, 16, ' ', &body->token) ||
        !take_number(&at, end, 10, ' ', &published_at_ms) ||
        !take_number(&at, end, 10, ' ', &topics_len) || !take_number(&at, end, 10, ' ', &id_len) ||
        !take_number(&at, end, 10, '\n', &type_len))
        return -1;
    size_t left = (size_t)(end - at);
    if (topics_len > left || id_len > left || type_len > left || published_at_ms > INT64_MAX)
        return -1;
    body->published_at_ms = (int64_t)published_at_ms;
    body->topics_len = topics_len;
    size_t least =
        ID_PREFIX + id_len + END_LEN + (type_len > 0 ? sizeof(TYPE_PREFIX) + type_len : 0);
    if (body->topics_len == 0 || id_len == 0 || body->topics_len > left ||
        least > left - body->topics_len)
        return -1;
    body->topics = at;
    body->frame = body->topics + body->topics_len;
    body->frame_len = left - body->topics_len;
    body->id_len = id_len;
    body->type_len = type_len;
    return is_frame(body) ? 0 : -1;
}

tw_event_t *tw_redis_body_event(const tw_redis_body_t *body)
{
    tw_topic_list_t topics;
    tw_event_t *event = NULL;

    tw_topic_list_init(&topics, TOPICS_MAX);
    if (tw_topic_list_add(&topics, body->topics, body->topics_len) == TW_TOPIC_LIST_OK &&
        topics.count > 0) {
        const char *id = body->frame + ID_PREFIX;
        event = tw_event_create(&(tw_event_spec_t){
            .topics = &topics,
            .id = id,
            .id_len = body->id_len,
            .type = body->type_len > 0 ? id + body->id_len + sizeof(TYPE_PREFIX) : NULL,
            .type_len = body->type_len,
            .is_part = body->topics[body->topics_len - 1] == ',',
            .published_at_ms = body->published_at_ms,
            .frame = body->frame,
            .frame_len = body->frame_len,
        });
    }
    tw_topic_list_dispose(&topics);
    return event;
}

uint64_t tw_redis_number(const char *bytes, size_t len, size_t *digits)
{
    uint64_t number = 0;
    size_t i = 0;
    for (; i < len && i < 19 && bytes[i] >= '0' && bytes[i] <= '9'; ++i)
        number = number * 10 + (uint64_t)(bytes[i] - '0');
    *digits = i;
    return number;
}
