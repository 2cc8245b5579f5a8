/**
 * The topics that this node gets from Redis.
 *
 *     FOLLOWING     it is to be asked for, or was; nothing of it is dispatched here
 *     ANSWERED      every event after `since` will come; its streams are to be told of a gap first
 *     FOLLOWED      every event after `since` is dispatched here, and the hub keeps it
 *     UNFOLLOWING   it is to be left, or was; somebody may need it again before that is done
 *
 * A route is FOLLOWED once Redis has said from which number on events come and the inbox was read
 * to where it was then; while what came without a session is being read, which may take long, at
 * once: streams begin where the inbox is, and resumes wait for it by themselves.
 *
 * When the registration is lost, all routes are FOLLOWING again, and their streams have missed
 * something; when the inbox has a hole, those of some have. The inbox is not read on before all of
 * them were told: no event may take a client's position past a gap that it has not heard of. Gap
 * events have no id, and an id-only block with the position comes behind the last of them. So a
 * client that is cut off in between is told again. Control loop only.
 *
 * A lane owns them, and they own each route until its last user has left, and each batch of
 * commands until it is answered. Callers: runtime/redis/node.c and runtime/redis/adapter.c (their
 * life), runtime/redis/openings.c (users of a route), the rooms of
 * runtime/redis/lane/ above them.
 */
#ifndef TW_REDIS_ROUTES_H
#define TW_REDIS_ROUTES_H

#include "base/table.h"
#include "runtime/hub.h"
#include "runtime/model/resume.h"
#include "runtime/redis/lane/inbox.h"

typedef enum tw_redis_route_state {
    TW_REDIS_ROUTE_FOLLOWING,
    TW_REDIS_ROUTE_ANSWERED,
    TW_REDIS_ROUTE_FOLLOWED,
    TW_REDIS_ROUTE_UNFOLLOWING,
} tw_redis_route_state_t;

typedef struct tw_redis_route tw_redis_route_t;
typedef struct tw_redis_routes tw_redis_routes_t;
typedef TAILQ_HEAD(tw_redis_route_queue, tw_redis_route) tw_redis_route_queue_t;

/** Read by other rooms: state, since, primed, name. */
struct tw_redis_route {
    tw_table_entry_t by_name;
    tw_redis_routes_t *routes; /* borrowed: those of its lane */
    LIST_ENTRY(tw_redis_route) all;
    TAILQ_ENTRY(tw_redis_route) link; /* in *queue */
    tw_redis_route_queue_t *queue;    /* something is to be sent about it; NULL: nothing */
    uint64_t since;                   /* ANSWERED, FOLLOWED: every later event comes */
    uint32_t users;                   /* openings and streams that need it */
    uint32_t streams;                 /* of them open: what Redis is told */
    uint32_t flights;                 /* commands under way that name it */
    uint32_t asked;                   /* counts the FOLLOWs that it has begun with */
    uint8_t state;                    /* tw_redis_route_state_t */
    uint8_t gap;                      /* tw_gap_t: what its streams are to be told of */
    bool primed;                      /* the hub has what Redis keeps of before `since` */
    tw_redis_waits_t waits;           /* until it is FOLLOWED */
    void *priming;                    /* history's */
    tw_topic_name_t name;             /* bytes below */
    char bytes[];
};

struct tw_redis_routes {
    tw_redis_session_t *session; /* borrowed */
    tw_redis_inbox_t *inbox;     /* borrowed */
    tw_hub_t *hub;               /* borrowed */
    tw_table_t by_name;
    LIST_HEAD(tw_redis_route_list, tw_redis_route) all;
    tw_redis_route_queue_t to_follow; /* goes at the end of a turn */
    tw_redis_route_queue_t to_tell;   /* counts, and UNFOLLOWING: goes every few milliseconds */
    size_t told;                      /* how many in to_tell */
    unsigned flights;                 /* batches under way */
    uint64_t refused_ms;              /* when Redis refused one last; a full one does */
    bool holds_inbox;                 /* until streams were told of what they have missed */
    size_t unanswered;                /* routes with a gap that are FOLLOWING */
    struct tw_redis_hole *hole;       /* owned; what is found out about a hole of the inbox */
    struct tw_redis_telling *telling; /* owned; how far streams were told */
};

void tw_redis_routes_init(tw_redis_routes_t *routes, tw_redis_session_t *session,
                          tw_redis_inbox_t *inbox, tw_hub_t *hub);

/** A session began, and when not kept, with another registration: everything is followed again. */
void tw_redis_routes_up(tw_redis_routes_t *routes, tw_redis_membership_t membership);

/** NULL: this node does not follow it. */
tw_redis_route_t *tw_redis_route_find(const tw_redis_routes_t *routes,
                                      const tw_topic_name_t *topic);

/** One user more of a route that is made if it is not there. */
tw_redis_route_t *tw_redis_route_use(tw_redis_routes_t *routes, const tw_topic_name_t *topic);

/** One user less: the last one leaves the topic. */
void tw_redis_route_unuse(tw_redis_route_t *route);

/** So many streams of the topic more or fewer are open. */
void tw_redis_route_count(tw_redis_route_t *route, int change);

/**
 * The event as it may be dispatched here: without topics that are not followed yet or have had it.
 * *part is a reference for the caller; NULL when nothing is left of it. False: no memory.
 */
bool tw_redis_routes_admit(const tw_redis_routes_t *routes, tw_event_t *event, uint64_t seq,
                           tw_event_t **part);

/** What came in (after, upto] was missed: tells the streams of the topics that had events there,
 * then lets the inbox go on. */
void tw_redis_routes_find_missed(tw_redis_routes_t *routes, uint64_t after, uint64_t upto);

/** The end of a turn: asks for what is to be followed, and tells of gaps when all are known. */
void tw_redis_routes_turn(tw_redis_routes_t *routes);

/** Every few milliseconds: tells what has changed. */
void tw_redis_routes_flush(tw_redis_routes_t *routes);

void tw_redis_routes_dispose(tw_redis_routes_t *routes);

/** The adapter stops: streams are told of nothing more. */
void tw_redis_routes_stop(tw_redis_routes_t *routes);

/* A part of the files of this header: */

/** Begins to tell the streams of all routes that are ANSWERED, when nothing more is to be found
 * out. */
void tw_redis_routes_tell(tw_redis_routes_t *routes);

/** What is found out about a hole is of no use any more. */
void tw_redis_routes_drop_hole(tw_redis_routes_t *routes);

#endif
