#include "tests/simulation/world/history.h"

#include <stdlib.h>

#include "base/alloc.h"

uint32_t tw_sim_history_add(tw_sim_history_t *history, const tw_sim_event_t *event)
{
    if (history->event_count == history->event_capacity) {
        history->event_capacity = history->event_capacity * 2 + 1024;
        history->events =
            tw_realloc(history->events, history->event_capacity * sizeof(*history->events));
    }
    history->events[history->event_count] = *event;
    return (uint32_t)history->event_count++;
}

void tw_sim_history_dispose(tw_sim_history_t *history)
{
    for (size_t i = 0; i < history->event_count; ++i)
        free(history->events[i].excused);
    free(history->events);
    *history = (tw_sim_history_t){0};
}

void tw_sim_record_add(tw_sim_record_t *record, tw_sim_item_t item)
{
    if (record->item_count == record->item_capacity) {
        record->item_capacity = record->item_capacity * 2 + 64;
        record->items = tw_realloc(record->items, record->item_capacity * sizeof(*record->items));
    }
    record->items[record->item_count++] = item;
}

void tw_sim_record_owe(tw_sim_record_t *record, tw_sim_owed_t owed)
{
    /* One of a topic says it all until a gap has come. */
    if (record->owed_count > 0 && record->owed[record->owed_count - 1].topic == owed.topic)
        return;
    if (record->owed_count == record->owed_capacity) {
        record->owed_capacity = record->owed_capacity * 2 + 16;
        record->owed = tw_realloc(record->owed, record->owed_capacity * sizeof(*record->owed));
    }
    record->owed[record->owed_count++] = owed;
}

void tw_sim_record_dispose(tw_sim_record_t *record)
{
    free(record->items);
    free(record->owed);
}

bool tw_sim_record_follows(const tw_sim_record_t *record, uint32_t topics, uint32_t topic)
{
    return (topic + topics - record->first_topic) % topics < record->topic_count;
}

int tw_sim_event_topic(const tw_sim_event_t *event, uint32_t topic)
{
    for (int i = 0; i < event->topic_count; ++i)
        if (event->topics[i] == topic)
            return i;
    return -1;
}
