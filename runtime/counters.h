/**
 * What the gateway counts: one table, and a set of counters for each worker, so that counting
 * shares no cache line.
 *
 * Only the worker's own thread writes its set; any thread may read it. runtime/stats.h adds the
 * sets up.
 *
 * A set is part of its worker's shard. Callers: handlers/, runtime/ and server/ count, on the
 * thread of the worker whose set it is.
 */
#ifndef TW_RUNTIME_COUNTERS_H
#define TW_RUNTIME_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "runtime/model/close_reason.h"

#define TW_COUNTER "counter"
#define TW_GAUGE "gauge"

/* Columns: field, metric, labels, type, help. The rows of one metric stand together; only the help
 * of the first one is printed. */
#define TW_COUNTER_TABLE(X)                                                                        \
    X(connections, "tideway_connections", "", TW_GAUGE, "Open transport connections.")             \
    X(streams, "tideway_streams", "", TW_GAUGE, "Open SSE streams.")                               \
    X(queued_bytes, "tideway_queued_bytes", "", TW_GAUGE,                                          \
      "Bytes of events that wait for subscribers.")                                                \
    X(connections_opened, "tideway_connections_opened_total", "", TW_COUNTER,                      \
      "Transport connections accepted.")                                                           \
    X(streams_opened, "tideway_streams_opened_total", "", TW_COUNTER, "SSE streams opened.")       \
    X(streams_refused, "tideway_streams_refused_total", "", TW_COUNTER,                            \
      "SSE streams refused at a limit.")                                                           \
    X(published_accepted, "tideway_publishes_total", "result=\"accepted\"", TW_COUNTER,            \
      "Publish requests by result.")                                                               \
    X(published_dropped, "tideway_publishes_total", "result=\"dropped\"", TW_COUNTER, "")          \
    X(published_refused, "tideway_publishes_total", "result=\"refused\"", TW_COUNTER, "")          \
    X(published_failed, "tideway_publishes_total", "result=\"failed\"", TW_COUNTER, "")            \
    X(deliveries, "tideway_deliveries_total", "", TW_COUNTER,                                      \
      "Events given to subscribers, written or queued.")                                           \
    X(delivered_bytes, "tideway_delivered_bytes_total", "", TW_COUNTER,                            \
      "Bytes of events given to subscribers.")                                                     \
    X(queued_deliveries, "tideway_queued_deliveries_total", "", TW_COUNTER,                        \
      "Deliveries that had to wait for their subscriber.")                                         \
    X(heartbeats, "tideway_heartbeats_total", "", TW_COUNTER, "Heartbeat comments written.")       \
    X(replayed, "tideway_replayed_events_total", "", TW_COUNTER,                                   \
      "Events sent again to resuming streams.")                                                    \
    X(resumes_exact, "tideway_resumes_total", "result=\"exact\"", TW_COUNTER,                      \
      "Resumed streams by result.")                                                                \
    X(resumes_gap, "tideway_resumes_total", "result=\"gap\"", TW_COUNTER, "")                      \
    X(unauthorized, "tideway_unauthorized_total", "", TW_COUNTER,                                  \
      "Requests with no or a wrong key or token.")                                                 \
    X(tokens_cached, "tideway_tokens_total", "result=\"cached\"", TW_COUNTER,                      \
      "Tokens of streams and publishes by result.")                                                \
    X(tokens_verified, "tideway_tokens_total", "result=\"verified\"", TW_COUNTER, "")              \
    X(tokens_missing, "tideway_tokens_total", "result=\"missing\"", TW_COUNTER, "")                \
    X(tokens_invalid, "tideway_tokens_total", "result=\"invalid\"", TW_COUNTER, "")                \
    X(tokens_expired, "tideway_tokens_total", "result=\"expired\"", TW_COUNTER, "")                \
    X(tokens_revoked, "tideway_tokens_total", "result=\"revoked\"", TW_COUNTER, "")                \
    X(tokens_too_large, "tideway_tokens_total", "result=\"too_large\"", TW_COUNTER, "")            \
    X(tokens_forbidden, "tideway_tokens_total", "result=\"forbidden\"", TW_COUNTER, "")            \
    X(bad_requests, "tideway_bad_requests_total", "", TW_COUNTER, "Requests answered with a 4xx.")

/** Upper bounds of the publish-to-queued histogram, microseconds. */
#define TW_LATENCY_BOUNDS_US                                                                       \
    {                                                                                              \
        50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000          \
    }
#define TW_LATENCY_BOUND_COUNT 13

typedef struct tw_counters {
#define X(field, metric, labels, type, help) _Atomic uint64_t field;
    TW_COUNTER_TABLE(X)
#undef X
    _Atomic uint64_t closes[TW_CLOSE_REASON_COUNT];
    _Atomic uint64_t
        latency[TW_LATENCY_BOUND_COUNT + 1]; /* events in each bucket; the last is +Inf */
    _Atomic uint64_t latency_sum_us;
} tw_counters_t;

/** Adds n to a counter. Only its one writer calls this, so no locked instruction is needed. */
static inline void tw_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void tw_uncount(_Atomic uint64_t *counter, uint64_t n)
{
    tw_count(counter, (uint64_t)0 - n);
}

/** Counts one latency, in microseconds, in the histogram. */
void tw_count_latency(tw_counters_t *counters, uint64_t us);

/** Adds `from` to `to`, field by field. Nobody else uses `to`. */
void tw_counters_add(tw_counters_t *to, const tw_counters_t *from);

#endif
