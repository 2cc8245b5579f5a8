/**
 * What has happened, as those outside of the cluster know it: what was published and answered, and
 * what each client has got. The checker (checker.h) judges it.
 */
#ifndef TW_SIM_HISTORY_H
#define TW_SIM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/model/event.h"

#define TW_SIM_EVENT_TOPICS 8

typedef enum tw_sim_outcome {
    TW_SIM_PENDING,
    TW_SIM_ANSWERED, /* accepted for the topics of its mask, dropped for the others */
    TW_SIM_UNKNOWN   /* the answer was an error: it may have been published */
} tw_sim_outcome_t;

typedef struct tw_sim_event {
    uint32_t topics[TW_SIM_EVENT_TOPICS];
    uint8_t topic_count;
    uint8_t accepted; /* a bit for each of its topics */
    tw_sim_outcome_t outcome;
    int64_t begun_us, ended_us;
    int lane;            /* -1: its topics are in several, and it has a position in each */
    uint64_t epoch, seq; /* its position, once it is accepted, if it is of one lane */
    tw_position_t floor; /* the newest one of its lane that was answered before it began */
    bool is_left_behind; /* it was published to a master that others have no more */
    bool *excused;       /* owned, by client: those who had to get it no more; NULL: nobody */
} tw_sim_event_t;

/** What a client has got: an event, or word of a gap of one topic. */
typedef struct tw_sim_item {
    int64_t at_us;
    uint32_t event;   /* TW_SIM_GAP: a gap */
    uint32_t topic;   /* the gap's */
    bool begins_anew; /* the gap's: kept events follow, also those that came before */
} tw_sim_item_t;

#define TW_SIM_GAP UINT32_MAX

/** A publish to `topic` was dropped while the client's stream on it was open, but its gateway was
 * cut off: a gap has to say so. */
typedef struct tw_sim_owed {
    uint32_t event, topic;
} tw_sim_owed_t;

typedef struct tw_sim_record {
    uint32_t client;
    uint32_t first_topic, topic_count; /* a range, modulo the world's topics */
    int64_t since_us;                  /* its first stream was open; -1: none was */
    bool is_open;                      /* at the end: everything must have come */
    tw_sim_item_t *items;              /* owned */
    size_t item_count, item_capacity;
    tw_sim_owed_t *owed; /* owned */
    size_t owed_count, owed_capacity;
} tw_sim_record_t;

typedef struct tw_sim_history {
    tw_sim_event_t *events; /* owned; an event's id is "e" and its index */
    size_t event_count, event_capacity;
    uint32_t topics;
} tw_sim_history_t;

uint32_t tw_sim_history_add(tw_sim_history_t *history, const tw_sim_event_t *event);
void tw_sim_history_dispose(tw_sim_history_t *history);

void tw_sim_record_add(tw_sim_record_t *record, tw_sim_item_t item);
void tw_sim_record_owe(tw_sim_record_t *record, tw_sim_owed_t owed);
void tw_sim_record_dispose(tw_sim_record_t *record);

/** Whether the client follows the topic. */
bool tw_sim_record_follows(const tw_sim_record_t *record, uint32_t topics, uint32_t topic);

/** The bit of a topic in event->accepted; -1: the event is not for it. */
int tw_sim_event_topic(const tw_sim_event_t *event, uint32_t topic);

#endif
