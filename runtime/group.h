/**
 * Who follows a topic on one worker: topic → groups (one for each connection that has followers of
 * the topic) → streams. Fan-out walks it event by event and connection by connection.
 *
 * The fan-out owns these tables (runtime/fanout.h); a subscriber reads the names of its topics
 * here.
 *
 * On the thread of its worker, whose runtime/fanout.c alone changes them. Callers:
 * runtime/subscriber.c.
 */
#ifndef TW_RUNTIME_GROUP_H
#define TW_RUNTIME_GROUP_H

#include <stdint.h>

#include "base/table.h"
#include "runtime/connection.h"
#include "runtime/model/topic_name.h"

typedef struct tw_group tw_group_t;

/** A topic with followers on this worker. */
typedef struct tw_local_topic {
    tw_table_entry_t entry; /* by name */
    tw_group_t **groups;    /* &single, or owned */
    tw_group_t *single;
    uint32_t count, capacity;
    uint32_t stream_count;
    uint32_t name_len;
    char name[];
} tw_local_topic_t;

/** The streams of one connection that follow one topic. */
struct tw_group {
    tw_table_entry_t entry; /* by (topic, connection) */
    tw_local_topic_t *topic;
    tw_connection_t *connection;
    tw_stream_t **streams; /* &single, or owned */
    tw_stream_t *single;
    uint32_t count, capacity;
    uint32_t index; /* its place in topic->groups */
};

/** A group's topic; borrowed while a stream is in the group. */
static inline tw_topic_name_t tw_group_topic(const tw_group_t *group)
{
    return (tw_topic_name_t){.base = group->topic->name,
                             .len = group->topic->name_len,
                             .hash = group->topic->entry.hash};
}

#endif
