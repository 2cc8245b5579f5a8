/**
 * Every publish and every question on its way to its lanes. With topics of one lane it goes
 * straight there; with several, to each of them, and is answered when all have answered. Nothing
 * holds across lanes: some may have an event that others have not. For adapter.c. Worker's thread.
 *
 * What is spread over several lanes belongs to the worker, which frees it with the answer.
 * Callers: runtime/redis/adapter.c.
 */
#ifndef TW_REDIS_SPREAD_H
#define TW_REDIS_SPREAD_H

#include "runtime/redis/node.h"

/** See tw_adapter_ops_t. */
void tw_redis_publish(tw_adapter_t *adapter, tw_loop_t *from, tw_event_t *event,
                      tw_published_fn on_done, void *data);
void tw_redis_has_subscribers(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_list_t *topics,
                              tw_followed_fn on_answer, void *data);

#endif
