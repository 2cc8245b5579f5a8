#include "runtime/redis/codec.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/memory.h"

#define HEAD_MAX 160
#define TOPICS_MAX 4096
#define ID_PREFIX (sizeof("id: ") - 1)
#define TYPE_PREFIX "event: "
#define END_LEN 2 /* of the last field's line, and the empty one */

char *tw_redis_body_write(const tw_event_t *event, uint64_t epoch, uint64_t origin, uint64_t token,
                          size_t *len)
{
    size_t topics_len = event->topic_count - 1;
    for (uint32_t i = 0; i < event->topic_count; ++i)
        topics_len += event->topics[i].len;
    char *body = tw_realloc(NULL, HEAD_MAX + topics_len + event->frame_len);
    char *to = body + snprintf(body, HEAD_MAX,
                               "%" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRId64 " %zu %u %u\n", epoch,
                               origin, token, event->published_at_ms, topics_len, event->id_len,
                               event->type_len);
    for (uint32_t i = 0; i < event->topic_count; ++i) {
        if (i > 0)
            *to++ = ',';
        to = (char *)memcpy(to, event->topics[i].base, event->topics[i].len) + event->topics[i].len;
    }
    to = (char *)memcpy(to, event->frame, event->frame_len) + event->frame_len;
    *len = (size_t)(to - body);
    return body;
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
    char head[HEAD_MAX];
    const char *line_end = memchr(bytes, '\n', len < sizeof(head) ? len : sizeof(head) - 1);
    unsigned id_len, type_len;

    if (line_end == NULL)
        return -1;
    size_t head_len = (size_t)(line_end - bytes);
    memcpy(head, bytes, head_len);
    head[head_len] = '\0';
    *body = (tw_redis_body_t){.epoch = 0};
    if (sscanf(head, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNd64 " %zu %u %u", &body->epoch,
               &body->origin, &body->token, &body->published_at_ms, &body->topics_len, &id_len,
               &type_len) != 7)
        return -1;
    size_t left = len - head_len - 1;
    size_t least = ID_PREFIX + (size_t)id_len + END_LEN +
                   (type_len > 0 ? sizeof(TYPE_PREFIX) + (size_t)type_len : 0);
    if (body->topics_len == 0 || id_len == 0 || body->topics_len > left ||
        least > left - body->topics_len)
        return -1;
    body->topics = line_end + 1;
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
