/**
 * Streams join the hub, with what they have missed, and leave it.
 *
 * A join is exact. A stream that resumes first searches the tails step by step for what it has
 * missed (runtime/missed.h), whenever its loop has time, because many clients may resume at once.
 * Then the join takes the order lock, follows the topics, takes what came since the search, and
 * posts itself to its worker's loop. What came before it is in the tails, what comes after it is
 * posted behind it: no event is lost or delivered twice.
 *
 * All calls are made on the subscriber's thread.
 *
 * A join belongs to the subscriber until it arrives or is cancelled. Callers: runtime/memory/ and
 * runtime/redis/, the adapters.
 */
#ifndef TW_RUNTIME_JOIN_H
#define TW_RUNTIME_JOIN_H

#include "runtime/hub.h"
#include "runtime/model/resume.h"
#include "runtime/model/status.h"
#include "runtime/subscriber.h"

/**
 * NEW → LIVE. on_open comes once, later, on the subscriber's loop. By then the subscriber is in all
 * tables, what it missed (`resume`) waits in its queue, and it gets every later event. If its token
 * is revoked by then, on_open says TW_REVOKED (see tw_revocations_check()): the subscriber is NEW
 * as before, and the caller destroys it. TW_OVER_CAPACITY: the node's streams or its memory are
 * used up; the subscriber is as before and on_open never comes.
 */
tw_status_t tw_hub_join(tw_hub_t *hub, tw_subscriber_t *subscriber, const tw_resume_t *resume,
                        tw_opened_fn on_open, void *data);

/** Whether the token of the subscriber is revoked: see tw_revocations_check(). A join looks at the
 * end; who looks before it spares what a client costs that comes again and again. */
tw_status_t tw_hub_check_token(tw_hub_t *hub, const tw_subscriber_t *subscriber);

/** Frees a LIVE or JOINING subscriber, now or soon. It no longer belongs to the caller, and its
 * on_open does not come. */
void tw_hub_leave(tw_hub_t *hub, tw_subscriber_t *subscriber);

#endif
