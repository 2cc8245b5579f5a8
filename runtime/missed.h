/**
 * What a stream that resumes has missed: looked for in the tails of its topics, step by step.
 *
 * Anyone may resume with an id that no tail has, and tails may be large. So a step looks at a
 * bounded number of events, and holds no lock but the stripe of one topic. What is left at the end,
 * events that came in the meantime, is taken under the hub's order lock while the stream begins to
 * follow.
 *
 * What was published after the search began has certainly been missed: it is not looked at when the
 * event is looked for that the client has seen last. Once that event is known, the steps go through
 * all topics in rounds, until a round takes few events or too many rounds were needed. The join
 * (runtime/join.c) embeds the search and runs its steps in slices. Belongs to the subscriber's
 * thread.
 *
 * Where the client is, and what comes after that, is found for each lane of the stream's topics. A
 * publisher's id tells of the event's own lane only; what is not known of a lane is a gap.
 *
 * A join owns its search. Callers: runtime/join.c.
 */
#ifndef TW_RUNTIME_MISSED_H
#define TW_RUNTIME_MISSED_H

#include "runtime/lane_set.h"
#include "runtime/model/resume.h"

/** An event that the tail of one topic has dropped while the tail of another kept it. */
typedef struct tw_dropped {
    uint64_t seq;
    uint16_t topic; /* index among the stream's topics */
} tw_dropped_t;

/** The search within one topic. */
typedef struct tw_missed_topic {
    uint64_t taken; /* every kept event up to this number is in `events` */
    bool lost;      /* an event that was missed is lost */
} tw_missed_topic_t;

/** What is known of one lane. */
typedef struct tw_missed_lane {
    tw_position_t begun; /* where the hub was when the search began */
    tw_position_t seen;  /* of the event that the client has seen last */
    tw_gap_t gap;        /* why that is not known; NONE: it is */
    size_t events_end;   /* its events end there in `events`, once they are in order */
} tw_missed_lane_t;

typedef struct tw_missed {
    tw_hub_t *hub;                /* borrowed */
    const tw_topic_name_t *names; /* borrowed: outlive this */
    uint16_t topic_count;
    char *id; /* owned; of the event that the client has seen last */
    size_t id_len;
    uint64_t id_hash;
    tw_lane_set_t *set; /* borrowed: the lanes of the topics */
    bool erased;        /* an operator had events of a topic forgotten: the id may be of one */

    /* how far the search is */
    bool found;      /* where the client is is known */
    bool ambiguous;  /* its id may be of another event, or have come by another lane */
    uint16_t topic;  /* the topic that it is at */
    uint64_t below;  /* until it is found: of that topic, events below this are to be looked at */
    unsigned rounds; /* afterwards: how often all topics were gone through */
    size_t round_events; /* taken in this round */

    /* what it has found */
    tw_gap_t gap;              /* of several reasons the one that says most */
    tw_missed_lane_t *lanes;   /* owned; at the places of the set */
    tw_missed_topic_t *topics; /* owned */
    tw_dropped_t *dropped;     /* owned; each is lost for its topic unless it is among `events` */
    size_t dropped_count;
    tw_event_t **events; /* owned, with references: the missed events, lane by lane in the end */
    size_t event_count, event_capacity;
} tw_missed_t;

/** Begins to search. The id is copied; the set is borrowed. */
void tw_missed_init(tw_missed_t *missed, tw_hub_t *hub, tw_lane_set_t *set,
                    const tw_topic_name_t *names, uint16_t topic_count, const tw_resume_t *resume);

/** Drops what it has found. All zeros is a no-op. */
void tw_missed_dispose(tw_missed_t *missed);

/** Drops what it has found and begins anew. */
void tw_missed_restart(tw_missed_t *missed);

/** Takes the next step; *ns is what it cost its loop, about. False: what is left is little, and is
 * to be taken under the order lock. */
bool tw_missed_step(tw_missed_t *missed, uint64_t *ns);

/** Under the order lock: whether the search is of the lanes' epochs. If not, it has to be begun
 * again. */
bool tw_missed_is_current(const tw_missed_t *missed);

/** Under the order lock and the topic's stripe: takes what is left of the topic. */
void tw_missed_take_rest(tw_missed_t *missed, uint16_t topic, const tw_tail_t *tail);

/**
 * Puts the events into order, once all is taken, and finds the gap: returns how many topics it
 * names, which are copied to `gap_topics`. The positions of the set become those of before the
 * first missed events; a stream that spans lanes has blocks with its positions among the events.
 */
size_t tw_missed_settle(tw_missed_t *missed, tw_topic_name_t *gap_topics);

#endif
