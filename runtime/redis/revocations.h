/**
 * The cluster's list of revocations, and this node's part in it.
 *
 * The list is in Redis: what enters it goes to all nodes through their inboxes. A node reads it
 * when a session begins, and until it has read it once nobody knows whether a token is good. What
 * the node knows and the list does not, because the data set was emptied or is an older one, goes
 * back into it. A look at the list's number every few seconds finds what an inbox has lost.
 *
 * Control loop only, unless noted. The node owns it. Callers: runtime/redis/node.c (its life),
 * runtime/redis/subjects.c.
 */
#ifndef TW_REDIS_REVOCATIONS_H
#define TW_REDIS_REVOCATIONS_H

#include "runtime/adapter.h"
#include "runtime/hub.h"
#include "runtime/redis/lane/session.h"

typedef struct tw_redis_revocations {
    tw_redis_session_t *session; /* borrowed: lane 0's */
    tw_hub_t *hub;               /* borrowed */
    char number[24];             /* of the list as it was read last; "": not in this session */
    bool asking;
    unsigned leases; /* that were granted since it was asked for */
} tw_redis_revocations_t;

void tw_redis_revocations_init(tw_redis_revocations_t *revocations, tw_redis_session_t *session,
                               tw_hub_t *hub);

/** A session of lane 0 began. */
void tw_redis_revocations_up(tw_redis_revocations_t *revocations);

/** A lease was granted: about once a second. */
void tw_redis_revocations_granted(tw_redis_revocations_t *revocations);

/** "R<revoked at> <until> <subject>" came in the inbox. */
void tw_redis_revocations_message(tw_redis_revocations_t *revocations, const char *message,
                                  size_t len);

/** Puts one into the list. on_reply gets 1, or 0 when the list is full. */
void tw_redis_revocations_add(tw_redis_revocations_t *revocations,
                              const tw_revocation_t *revocation, tw_redis_reply_cb on_reply,
                              void *data);

#endif
