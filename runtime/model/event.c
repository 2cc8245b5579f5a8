#include "runtime/model/event.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "runtime/model/sse.h"

#define ID_AT (sizeof("id: ") - 1)
#define TYPE_AT (sizeof("\nevent: ") - 1)

/* A payload of line ends alone grows to `data: ` and a line end each. Beyond this size the length
 * of its frame might not fit into 32 bits. */
#define PAYLOAD_MAX ((size_t)512 << 20)

static _Atomic uint64_t live_bytes;

uint64_t tw_event_live_bytes(void)
{
    return atomic_load_explicit(&live_bytes, memory_order_relaxed);
}

static void count_live(const tw_event_t *event)
{
    atomic_fetch_add_explicit(&live_bytes, tw_event_bytes(event), memory_order_relaxed);
}

static size_t names_len(const tw_topic_list_t *topics)
{
    size_t len = 0;
    for (size_t i = 0; i < topics->count; ++i)
        len += topics->items[i].len;
    return len;
}

tw_event_t *tw_event_create(const tw_event_spec_t *spec)
{
    const tw_sse_fields_t fields = {.id = spec->id,
                                    .id_len = spec->id_len,
                                    .type = spec->type,
                                    .type_len = spec->type_len,
                                    .payload = spec->payload,
                                    .payload_len = spec->payload_len};

    assert(spec->topics->count > 0);
    if (spec->payload_len > PAYLOAD_MAX)
        return NULL;
    size_t frame_len = spec->frame != NULL ? spec->frame_len : tw_sse_size(&fields);
    if (frame_len > UINT32_MAX)
        return NULL;
    size_t head = sizeof(tw_event_t) + spec->topics->count * sizeof(tw_topic_name_t);
    tw_event_t *event = tw_try_alloc(head + names_len(spec->topics) + frame_len);
    if (event == NULL)
        return NULL;
    *event = (tw_event_t){.topic_count = (uint32_t)spec->topics->count,
                          .id_len = (uint32_t)spec->id_len,
                          .type_len = (uint32_t)spec->type_len,
                          .frame_len = (uint32_t)frame_len,
                          .is_part = spec->is_part,
                          .published_at_ms = spec->published_at_ms,
                          .id_hash = tw_hash(spec->id, spec->id_len)};
    atomic_init(&event->refs, 1);
    char *to = (char *)event + head;
    event->frame = to;
    if (spec->frame != NULL)
        to = (char *)memcpy(to, spec->frame, frame_len) + frame_len;
    else
        to = tw_sse_write(to, &fields);
    for (size_t i = 0; i < spec->topics->count; ++i) {
        const tw_topic_name_t *name = &spec->topics->items[i];
        memcpy(to, name->base, name->len);
        event->topics[i] = (tw_topic_name_t){.base = to, .len = name->len, .hash = name->hash};
        to += name->len;
    }
    count_live(event);
    return event;
}

tw_event_t *tw_event_create_text(const char *text, size_t len)
{
    tw_event_t *event = tw_alloc(sizeof(*event) + len);
    atomic_init(&event->refs, 1);
    event->frame_len = (uint32_t)len;
    event->frame = memcpy((char *)event + sizeof(*event), text, len);
    count_live(event);
    return event;
}

tw_event_t *tw_event_ref(tw_event_t *event)
{
    atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
    return event;
}

void tw_event_unref(tw_event_t *event)
{
    if (event == NULL || atomic_fetch_sub_explicit(&event->refs, 1, memory_order_acq_rel) != 1)
        return;
    atomic_fetch_sub_explicit(&live_bytes, tw_event_bytes(event), memory_order_relaxed);
    free(event);
}

const char *tw_event_id(const tw_event_t *event)
{
    return event->frame + ID_AT;
}

const char *tw_event_type(const tw_event_t *event)
{
    return event->frame + ID_AT + event->id_len + TYPE_AT;
}

size_t tw_event_bytes(const tw_event_t *event)
{
    size_t bytes = sizeof(*event) + event->frame_len;
    for (uint32_t i = 0; i < event->topic_count; ++i)
        bytes += sizeof(event->topics[i]) + event->topics[i].len;
    return bytes;
}

bool tw_event_has_id(const tw_event_t *event, const char *id, size_t id_len, uint64_t id_hash)
{
    return event->id_hash == id_hash && event->id_len == id_len &&
           memcmp(tw_event_id(event), id, id_len) == 0;
}
