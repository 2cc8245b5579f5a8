/**
 * The node's inbox: a stream in Redis into which every script call puts what concerns this node,
 * and which is read here in its order. It is the only way by which events come, live or late.
 *
 *     IDLE      no session
 *     READING   the next entries are asked for, or on their way
 *     HOLE      entries are missing, or it is the first one of a registration; waits until
 * everybody was told what was missed
 *
 * Each entry names the one before it, so a part that is gone (the inbox was cut because this node
 * was too far behind, or keys were evicted) is seen from what comes after it. Control loop only.
 *
 * A lane owns it. Callers: runtime/redis/node.c (its life), runtime/redis/openings.c and the rooms
 * of runtime/redis/lane/ above it.
 */
#ifndef TW_REDIS_INBOX_H
#define TW_REDIS_INBOX_H

#include "runtime/redis/lane/session.h"
#include "runtime/redis/protocol/wait.h"

/** Bytes that may wait in an inbox. Beyond that the publishing script cuts it: it deletes what
 * waits, and nothing is put into the inbox until the node acknowledges. */
#define TW_REDIS_INBOX_BYTES ((uint64_t)64 << 20)

typedef enum tw_redis_inbox_state {
    TW_REDIS_INBOX_IDLE,
    TW_REDIS_INBOX_READING,
    TW_REDIS_INBOX_HOLE,
} tw_redis_inbox_state_t;

/* What is given is borrowed for the call. */
typedef struct tw_redis_inbox_callbacks {
    /* False: no memory for it, or it cannot be read. Its topics are then told of a gap. */
    bool (*on_event)(void *data, uint64_t seq, const char *body, size_t len);
    /* From another node. */
    void (*on_message)(void *data, const char *message, size_t len);
    /* What came in (after, upto] is gone. Nothing comes until tw_redis_inbox_hole_passed(). */
    void (*on_hole)(void *data, uint64_t after, uint64_t upto);
} tw_redis_inbox_callbacks_t;

typedef struct tw_redis_inbox {
    tw_redis_session_t *session; /* borrowed */
    const tw_redis_inbox_callbacks_t *callbacks;
    void *data;
    tw_redis_inbox_state_t state;
    uint64_t read;      /* the newest entry that was processed */
    uint64_t end;       /* the newest one that is known of */
    uint64_t end_asked; /* `end` when the read under way was sent */
    uint64_t hole_upto; /* in state HOLE */
    uint64_t late_upto; /* what came while there was no session */
    uint64_t read_max;  /* entries that the next read asks for */
    uint64_t bytes;     /* processed since the last acknowledgement */
    uint64_t acked_ms;  /* when that was */
    uint64_t acking;    /* bytes of the acknowledgement under way */
    bool is_acking;     /* an acknowledgement is under way */
    bool cut;           /* Redis has cut the inbox, and fills it again after an acknowledgement */
    tw_redis_waits_t waits;
} tw_redis_inbox_t;

void tw_redis_inbox_init(tw_redis_inbox_t *inbox, tw_redis_session_t *session,
                         const tw_redis_inbox_callbacks_t *callbacks, void *data);

/** A session began: reads on, or (not kept) from `end` when the registration is a new one, which is
 * a hole up to there. `waits`: not before tw_redis_inbox_hole_passed(). */
void tw_redis_inbox_up(tw_redis_inbox_t *inbox, bool kept, uint64_t end, bool waits);

/** The session ended. Those that wait go on waiting, because the next session may keep the
 * inbox. */
void tw_redis_inbox_down(tw_redis_inbox_t *inbox);

/** The adapter stops, and no other session begins. Calls all that wait; they see from the
 * registration that the inbox has ended. */
void tw_redis_inbox_end(tw_redis_inbox_t *inbox);

/** Whether what came while there was no session is still being read, which may take long. */
static inline bool tw_redis_inbox_is_late(const tw_redis_inbox_t *inbox)
{
    return inbox->read < inbox->late_upto;
}

/** Calls wait->run once everything up to `upto` was processed, or is known to be missing; [now] if
 * that is so. */
void tw_redis_inbox_when_read(tw_redis_inbox_t *inbox, tw_redis_wait_t *wait, uint64_t upto);

/** Takes what a renewed lease says about the inbox: its newest entry (`end`), and whether Redis has
 * cut it. If it has, acknowledges at once, so that Redis fills the inbox again. */
void tw_redis_inbox_learn(tw_redis_inbox_t *inbox, uint64_t end, bool cut);

/** All that a hole was about has been told: reads on behind it. */
void tw_redis_inbox_hole_passed(tw_redis_inbox_t *inbox);

/** Acknowledges what was processed, when it is time. */
void tw_redis_inbox_pulse(tw_redis_inbox_t *inbox, uint64_t now_ms);

#endif
