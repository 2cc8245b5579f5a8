/*
 * The hot path of the load generator: from the bytes of a DATA frame to verified, timed deliveries.
 * Belongs to the subscriber's thread.
 */
#ifndef TW_BENCH_DELIVERY_H
#define TW_BENCH_DELIVERY_H

#include "bench/load/subscriber.h"

/* Takes what came on `stream`; `slots` are its topics_per_stream * lanes checker slots. */
void tw_delivery_take(tw_subscriber_thread_t *thread, tw_stream_t *stream, tw_checker_slot_t *slots,
                      const char *data, size_t bytes, uint64_t now_ns);

#endif
