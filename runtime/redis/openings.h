/**
 * Streams on their way to being open, and the routes that they use until they are closed.
 *
 *     STEPPING     its next step is scheduled
 *     AWAY         waits for a session
 *     FOLLOWING    waits until a topic of it is FOLLOWED
 *     CATCHING_UP  resumes: waits until all that was published before it has been dispatched here
 *     PRIMING      resumes: waits until a topic's history was read
 *     JOINING      its worker has it: joins the hub, or says why not
 *
 * A resume merges one topic's history with another one's live events. Only when everything up to
 * where the cluster was has been dispatched here is the merged order that of the cluster: hence
 * CATCHING_UP, in one lane after the other. A fresh stream needs nothing but its routes. Control
 * loop only, unless noted.
 *
 * An opening belongs to its worker, then to the control loop, then to its worker again, and ends on
 * the control loop. What its stream uses outlives it, until the stream is closed, or was never
 * open. Callers: runtime/redis/adapter.c (on workers), runtime/redis/node.c.
 */
#ifndef TW_REDIS_OPENINGS_H
#define TW_REDIS_OPENINGS_H

#include "runtime/adapter.h"
#include "runtime/redis/lane/lane.h"

typedef enum tw_redis_opening_state {
    TW_REDIS_OPENING_STEPPING,
    TW_REDIS_OPENING_AWAY,
    TW_REDIS_OPENING_FOLLOWING,
    TW_REDIS_OPENING_CATCHING_UP,
    TW_REDIS_OPENING_PRIMING,
    TW_REDIS_OPENING_JOINING,
} tw_redis_opening_state_t;

typedef struct tw_redis_openings tw_redis_openings_t;

/* The routes of a stream, from the beginning of its opening to its end: small, since each stream
 * has it. */
typedef struct tw_redis_uses {
    tw_slice_t slice; /* first member */
    tw_redis_openings_t *openings;
    bool is_open, is_over; /* what its worker has said */
    bool is_counted;       /* the routes count it as an open stream */
    uint32_t count;
    tw_redis_route_t *routes[]; /* borrowed; NULL before the opening has begun */
} tw_redis_uses_t;

/* The worker owns `subscriber`, on_open and data, Control the rest. */
typedef struct tw_redis_opening {
    tw_slice_t slice; /* first member */
    tw_redis_wait_t wait;
    tw_redis_openings_t *openings;
    TAILQ_ENTRY(tw_redis_opening) all; /* until its worker has it */
    tw_loop_t *worker;
    tw_subscriber_t *subscriber; /* NULL: the stream was closed meanwhile */
    tw_opened_fn on_open;
    void *data;
    char *last_event_id; /* owned; NULL: a fresh stream */
    size_t last_event_id_len;
    uint64_t deadline_ms;
    uint32_t *caught_up; /* owned; for each lane, the generation of the registration in which it has
                            caught up; 0: none */
    uint8_t state;       /* tw_redis_opening_state_t */
    tw_status_t status;
    tw_redis_uses_t *uses;
    tw_topic_name_t topics[]; /* uses->count of them; bytes behind */
} tw_redis_opening_t;

struct tw_redis_openings {
    tw_redis_lanes_t *lanes;                                 /* borrowed */
    tw_hub_t *hub;                                           /* borrowed */
    tw_loop_t *loop;                                         /* borrowed */
    bool stopping;                                           /* nothing opens any more */
    bool stopped;                                            /* the routes are gone, too */
    TAILQ_HEAD(tw_redis_opening_list, tw_redis_opening) all; /* oldest first */
    tw_redis_waits_t away;                                   /* until there is a session */
    tw_redis_waits_t to_catch_up[TW_LANES_MAX]; /* each asked for at the end of the turn */
    _Atomic uint64_t count; /* those of which something is on its way through the loops */
};

void tw_redis_openings_init(tw_redis_openings_t *openings, tw_redis_lanes_t *lanes, tw_hub_t *hub);

/** A stream wants to open. Worker's thread. See tw_adapter_ops_t.open_stream. */
void tw_redis_openings_begin(tw_redis_openings_t *openings, tw_subscriber_t *subscriber,
                             const tw_resume_t *resume, tw_opened_fn on_open, void *data);

/** A stream was closed: takes it out of the hub and lets it go. Worker's thread. */
void tw_redis_openings_close(tw_redis_openings_t *openings, tw_subscriber_t *subscriber);

/** There is a session of a lane. */
void tw_redis_openings_up(tw_redis_openings_t *openings);

/** The end of a turn. */
void tw_redis_openings_turn(tw_redis_openings_t *openings);

/** Gives up those that waited too long; all of them with `all`. */
void tw_redis_openings_expire(tw_redis_openings_t *openings, uint64_t now_ms, bool all);

#endif
