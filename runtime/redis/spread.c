#include "runtime/redis/spread.h"

#include <stdlib.h>

#include "base/alloc.h"

/* A publish or a question on its way. */
typedef struct tw_redis_spread {
    tw_redis_lanes_t *lanes;
    tw_loop_t *from;
    tw_event_t *event; /* owned reference; NULL: it asks */
    tw_published_fn on_published;
    tw_followed_fn on_answer;
    void *data;
    tw_status_t status; /* the first that is not TW_OK */
    tw_position_t position;
    uint64_t delivered;
    size_t accepted_count;
    unsigned pending;  /* lanes that have not answered; and one while they are being asked */
    uint8_t results[]; /* for each topic: accepted, or followed */
} tw_redis_spread_t;

/* What goes to one lane. */
typedef struct tw_redis_part {
    tw_redis_spread_t *spread;
    tw_topic_list_t topics; /* owned items */
    size_t places[];        /* of its topics among all */
} tw_redis_part_t;

static void finish(tw_redis_spread_t *spread)
{
    if (--spread->pending > 0)
        return;
    const tw_dispatch_result_t result = {.position = spread->position,
                                         .delivered = spread->delivered,
                                         .accepted = spread->results,
                                         .accepted_count = spread->accepted_count};
    bool ok = spread->status == TW_OK;
    if (spread->event != NULL)
        spread->on_published(spread->data, spread->status, ok ? &result : NULL);
    else
        spread->on_answer(spread->data, spread->status, ok ? spread->results : NULL);
    tw_event_unref(spread->event);
    free(spread);
}

static void take_part(tw_redis_part_t *part, tw_status_t status, const uint8_t *results)
{
    tw_redis_spread_t *spread = part->spread;

    if (spread->status == TW_OK)
        spread->status = status;
    for (size_t i = 0; status == TW_OK && i < part->topics.count; ++i)
        spread->accepted_count += spread->results[part->places[i]] = results[i];
    free(part->topics.items);
    free(part);
    finish(spread);
}

static void on_part_published(void *data, tw_status_t status, const tw_dispatch_result_t *result)
{
    tw_redis_part_t *part = data;

    if (status == TW_OK) {
        part->spread->delivered += result->delivered;
        if (result->accepted_count > 0)
            part->spread->position = result->position;
    }
    take_part(part, status, status == TW_OK ? result->accepted : NULL);
}

static void on_part_answered(void *data, tw_status_t status, const uint8_t *followed)
{
    take_part(data, status, followed);
}

static void publish_part(tw_redis_lane_t *lane, tw_redis_part_t *part)
{
    tw_redis_spread_t *spread = part->spread;
    const tw_event_t *event = spread->event;
    tw_event_spec_t spec = {.topics = &part->topics,
                            .id = tw_event_id(event),
                            .id_len = event->id_len,
                            .type = event->type_len > 0 ? tw_event_type(event) : NULL,
                            .type_len = event->type_len,
                            .is_part = true,
                            .published_at_ms = event->published_at_ms,
                            .frame = event->frame,
                            .frame_len = event->frame_len};
    tw_event_t *own = tw_event_create(&spec);
    if (own == NULL) {
        take_part(part, TW_NO_MEMORY, NULL);
        return;
    }
    tw_redis_publishing_begin(&lane->publishing, spread->from, own, on_part_published, part);
    tw_event_unref(own);
}

/* The topics of a lane go to it, if there are any. */
static void send_part(tw_redis_spread_t *spread, tw_redis_lane_t *lane,
                      const tw_topic_name_t *topics, size_t count)
{
    tw_redis_part_t *part = NULL;

    for (size_t i = 0; i < count; ++i) {
        if (tw_redis_lane_of(spread->lanes, &topics[i]) != lane)
            continue;
        if (part == NULL) {
            part = tw_alloc(sizeof(*part) + count * sizeof(part->places[0]));
            part->spread = spread;
            part->topics.items = tw_alloc(count * sizeof(*topics));
        }
        part->places[part->topics.count] = i;
        part->topics.items[part->topics.count++] = topics[i];
    }
    if (part == NULL)
        return;
    ++spread->pending;
    if (spread->event != NULL)
        publish_part(lane, part);
    else
        tw_redis_publishing_ask(&lane->publishing, spread->from, &part->topics, on_part_answered,
                                part);
}

/* Whether all can be reached; the lane of all topics, or NULL when there are several. */
static bool find_lanes(const tw_redis_lanes_t *lanes, const tw_topic_name_t *topics, size_t count,
                       tw_redis_lane_t **only)
{
    *only = tw_redis_lane_of(lanes, &topics[0]);
    for (size_t i = 0; i < count; ++i) {
        tw_redis_lane_t *lane = tw_redis_lane_of(lanes, &topics[i]);
        if (!tw_redis_session_up(&lane->session))
            return false;
        if (lane != *only)
            *only = NULL;
    }
    return true;
}

static void send_parts(const tw_redis_spread_t *request, const tw_topic_name_t *topics,
                       size_t count)
{
    tw_redis_spread_t *spread = tw_alloc(sizeof(*spread) + count);

    *spread = *request;
    spread->pending = 1;
    for (uint32_t i = 0; i < spread->lanes->count; ++i)
        send_part(spread, &spread->lanes->items[i], topics, count);
    finish(spread);
}

void tw_redis_publish(tw_adapter_t *adapter, tw_loop_t *from, tw_event_t *event,
                      tw_published_fn on_done, void *data)
{
    tw_redis_lanes_t *lanes = &tw_redis_node_of(adapter)->lanes;
    tw_redis_lane_t *only;

    if (!find_lanes(lanes, event->topics, event->topic_count, &only)) {
        on_done(data, TW_UNAVAILABLE, NULL);
    } else if (only != NULL) {
        tw_redis_publishing_begin(&only->publishing, from, event, on_done, data);
    } else {
        const tw_redis_spread_t request = {.lanes = lanes,
                                           .from = from,
                                           .event = tw_event_ref(event),
                                           .on_published = on_done,
                                           .data = data};
        send_parts(&request, event->topics, event->topic_count);
    }
}

void tw_redis_has_subscribers(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_list_t *topics,
                              tw_followed_fn on_answer, void *data)
{
    tw_redis_lanes_t *lanes = &tw_redis_node_of(adapter)->lanes;
    tw_redis_lane_t *only;

    if (!find_lanes(lanes, topics->items, topics->count, &only)) {
        on_answer(data, TW_UNAVAILABLE, NULL);
    } else if (only != NULL) {
        tw_redis_publishing_ask(&only->publishing, from, topics, on_answer, data);
    } else {
        const tw_redis_spread_t request = {
            .lanes = lanes, .from = from, .on_answer = on_answer, .data = data};
        send_parts(&request, topics->items, topics->count);
    }
}
