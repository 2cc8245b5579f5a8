/**
 * The lanes of a stream's topics, and where it begins in each of them.
 *
 * A part of a join (runtime/join.h). Belongs to the subscriber's thread.
 *
 * A join owns its set. Callers: runtime/join.c.
 */
#ifndef TW_RUNTIME_LANE_SET_H
#define TW_RUNTIME_LANE_SET_H

#include "runtime/hub.h"

typedef struct tw_lane_set {
    size_t count;
    uint32_t *lanes;          /* owned */
    tw_position_t *positions; /* owned; in each of them */
    uint8_t *places;          /* owned; for each topic, the place of its lane among these */
} tw_lane_set_t;

void tw_lane_set_init(tw_lane_set_t *set, const tw_hub_t *hub, const tw_topic_name_t *topics,
                      size_t topic_count);
void tw_lane_set_dispose(tw_lane_set_t *set);

#endif
