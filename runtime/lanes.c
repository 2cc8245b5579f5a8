/* Where the hub is in its lanes: hub.h; and which of them a stream has: lane_set.h. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/lane_set.h"

tw_position_t tw_hub_position(tw_hub_t *hub, uint32_t lane)
{
    pthread_mutex_lock(&hub->order);
    tw_position_t position = hub->lanes[lane].last;
    pthread_mutex_unlock(&hub->order);
    return position;
}

void tw_hub_advance(tw_hub_t *hub, uint32_t index, uint64_t seq)
{
    tw_hub_lane_t *lane = &hub->lanes[index];

    pthread_mutex_lock(&hub->order);
    if (lane->last.seq < seq)
        lane->last.seq = seq;
    lane->shown = lane->last;
    pthread_mutex_unlock(&hub->order);
}

tw_event_t *tw_hub_trail(const tw_position_t *positions, size_t count)
{
    char text[TW_POSITIONS_ID_SIZE + 8] = "id: ";
    size_t len = 4 + tw_positions_id(positions, count, text + 4);
    memcpy(text + len, "\n\n", 2);
    return tw_event_create_text(text, len + 2);
}

tw_event_t *tw_hub_trail_now(const tw_hub_t *hub)
{
    tw_position_t positions[TW_LANES_MAX];
    for (uint32_t i = 0; i < hub->config.lanes; ++i)
        positions[i] = hub->lanes[i].shown;
    return tw_hub_trail(positions, hub->config.lanes);
}

void tw_hub_announce_position(tw_hub_t *hub, const tw_topic_list_t *topics)
{
    tw_event_t *event = NULL;

    pthread_mutex_lock(&hub->order);
    tw_event_t *trail = tw_hub_trail_now(hub);
    pthread_mutex_unlock(&hub->order);
    event = tw_event_create(
        &(tw_event_spec_t){.topics = topics, .frame = trail->frame, .frame_len = trail->frame_len});
    tw_event_unref(trail);
    if (event != NULL)
        tw_hub_announce(hub, event);
    tw_event_unref(event);
}

void tw_lane_set_init(tw_lane_set_t *set, const tw_hub_t *hub, const tw_topic_name_t *topics,
                      size_t topic_count)
{
    size_t most = hub->config.lanes < topic_count ? hub->config.lanes : topic_count;

    set->count = 0;
    set->lanes = tw_alloc(most * sizeof(*set->lanes));
    set->positions = tw_alloc(most * sizeof(*set->positions));
    set->places = tw_alloc(topic_count * sizeof(*set->places));
    for (size_t i = 0; i < topic_count; ++i) {
        uint32_t lane = tw_hub_lane_of(hub, &topics[i]);
        size_t place = 0;
        while (place < set->count && set->lanes[place] != lane)
            ++place;
        set->places[i] = (uint8_t)place;
        if (place == set->count)
            set->lanes[set->count++] = lane;
    }
}

void tw_lane_set_dispose(tw_lane_set_t *set)
{
    free(set->lanes);
    free(set->positions);
    free(set->places);
}
