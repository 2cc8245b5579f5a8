/**
 * The adapter contract: what the HTTP side asks of a runtime, whether its state lives in this
 * process or in Redis.
 *
 * A const table of functions over an opaque instance. memory/ and redis/ each embed tw_adapter_t as
 * the first member of a struct of their own.
 *
 * - Threads: a call is made on a worker's thread and names that worker's loop (`from`), unless its
 *   comment says otherwise.
 * - Callbacks: every callback comes exactly once, on that loop, unless its comment says that it may
 *   not come. It may come before the call returns where the comment is marked [now], and only
 * there. A caller that loses interest still gets its callback, and keeps its `data` alive until
 * then.
 * - Ownership: what a call is given (queries, names, ids) is borrowed until the call returns; what
 * a callback is given is borrowed until the callback returns.
 * - Order: the events of a topic reach every subscriber of every node in the same order, which is
 *   also the order in which their publishers are answered. A stream that is open gets every event
 *   that is accepted from then on.
 *
 * tests/conformance holds every adapter to this.
 *
 * Callers: handlers/ on the threads of requests, or server/ (start, drain, stop and destroy).
 */
#ifndef TW_RUNTIME_ADAPTER_H
#define TW_RUNTIME_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "runtime/model/close_reason.h"
#include "runtime/model/event.h"
#include "runtime/model/resume.h"
#include "runtime/model/status.h"
#include "runtime/model/topic_name.h"

typedef struct tw_adapter tw_adapter_t;
typedef struct tw_loop tw_loop_t;             /* base/loop.h */
typedef struct tw_subscriber tw_subscriber_t; /* runtime/subscriber.h */
typedef struct tw_stats tw_stats_t;           /* runtime/stats.h */

/* --- what is listed --- */

/** Which page of a listing is wanted. The caller has checked that page ≥ 1 and 1 ≤ page_size ≤ 500.
 */
typedef struct tw_page_query {
    uint64_t page;
    uint64_t page_size;
    uint64_t skip; /* more rows to pass over than the pages before it; used between nodes, else 0 */
    const char *prefix; /* only names (ids) that begin with this; prefix_len 0: all */
    size_t prefix_len;
    const tw_topic_name_t
        *topic;        /* of streams: only followers of this topic, and no prefix; or NULL */
    tw_text_t subject; /* of streams: only those of this subject, and neither prefix nor topic; len
                          0: all */
} tw_page_query_t;

typedef struct tw_node_share {
    const char *node_id;
    uint64_t stream_count;
} tw_node_share_t;

typedef struct tw_topic_row {
    const char *topic;
    size_t topic_len;
    uint64_t stream_count; /* streams in the whole cluster */
    const tw_node_share_t *nodes;
    size_t node_count;
} tw_topic_row_t;

typedef struct tw_stream_row {
    const char *stream_id;
    const char *client_id; /* NULL: none given */
    const char *subject;   /* of its token; NULL: none */
    const tw_topic_name_t *topics;
    size_t topic_count;
    const char *node_id;
    const char *remote_address;
    const char *protocol;
    int64_t opened_at_ms; /* wall clock */
    uint64_t delivered;   /* events */
    uint64_t queued_bytes;
} tw_stream_row_t;

typedef struct tw_node_row {
    const char *node_id;
    const char *hostname;
    const char *ip;
    int64_t started_at_ms;
    const char *version;
    uint64_t stream_count; /* streams */
    const char *state;     /* "up" or "draining" */
    /* What the node counted, at its own wall clock's `counted_at_ms`, at most a second or two ago
     * while it works; no latencies. NULL: it has not said. */
    const tw_stats_t *stats;
    int64_t counted_at_ms;
} tw_node_row_t;

/** `total` counts the rows of all pages. With a status other than TW_OK, rows is NULL and count 0.
 */
typedef void (*tw_topics_fn)(void *data, tw_status_t status, uint64_t total,
                             const tw_topic_row_t *rows, size_t count);
typedef void (*tw_streams_fn)(void *data, tw_status_t status, uint64_t total,
                              const tw_stream_row_t *rows, size_t count);
typedef void (*tw_nodes_fn)(void *data, tw_status_t status, const tw_node_row_t *rows,
                            size_t count);

/** Events come oldest first. */
typedef void (*tw_tail_fn)(void *data, tw_status_t status, tw_event_t *const *events, size_t count);

/** followed[i]: whether a publish to topics->items[i] would have a receiver now. */
typedef void (*tw_followed_fn)(void *data, tw_status_t status, const uint8_t *followed);

/** `result` is NULL unless the status is TW_OK; its `delivered` counts the whole cluster. When no
 * topic accepted the event, it was dropped. */
typedef void (*tw_published_fn)(void *data, tw_status_t status, const tw_dispatch_result_t *result);

typedef void (*tw_status_fn)(void *data, tw_status_t status);

/** `count` streams are closed; without TW_OK there may be more, of which nothing is known. */
typedef void (*tw_closed_fn)(void *data, tw_status_t status, uint64_t count);

/** One number that an adapter counts. The texts are constants; `type` is TW_COUNTER or TW_GAUGE of
 * runtime/counters.h. */
typedef void (*tw_stat_fn)(const char *metric, const char *type, const char *help, uint64_t value,
                           void *data);

/** This node, as the cluster sees it. The strings are borrowed and outlive the adapter. */
typedef struct tw_node_info {
    const char *node_id;
    const char *hostname;
    const char *ip;
    const char *version;
    int64_t started_at_ms;
} tw_node_info_t;

/* --- the table --- */

typedef struct tw_adapter_ops {
    const char *name; /* "memory", "redis": the value of TIDEWAY_RUNTIME */

    /** Begins to work, on the control loop's thread, before workers run. The loop is borrowed and
     * outlives the adapter. Returns 0, or a negative value after it has logged why. */
    int (*start)(tw_adapter_t *adapter, tw_loop_t *control);

    /** Leaves the cluster, on the control loop, once streams are closed. Only destroy is called
     * after it. on_stopped comes on the control loop. [now] */
    void (*stop)(tw_adapter_t *adapter, void (*on_stopped)(void *data), void *data);

    /** Frees the instance, after stop, once the loops have ended. */
    void (*destroy)(tw_adapter_t *adapter);

    /** Whether publishes and new streams can work; if not, *why_not is a constant text, else NULL.
     * Any thread. */
    bool (*ready)(tw_adapter_t *adapter, const char **why_not);

    /** Shows the numbers that only this adapter counts, for /metrics; NULL when it has none. Visits
     * before it returns. Any thread. */
    void (*visit_stats)(tw_adapter_t *adapter, tw_stat_fn visit, void *data);

    /** The node will go away soon, which the node listing shows from now on. Control loop. */
    void (*drain)(tw_adapter_t *adapter);

    /**
     * Opens the stream of a NEW subscriber; on_open says how it begins. With a status other than
     * TW_OK the subscriber is NEW as before, and the caller destroys it: TW_REVOKED when its token
     * is, also if that came while it was opened. [now] only with such a status.
     */
    void (*open_stream)(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                        const tw_resume_t *resume, tw_opened_fn on_open, void *data);

    /** Ends a stream that is open or being opened: frees the subscriber and counts the reason. An
     * on_open that is still due does not come. */
    void (*close_stream)(tw_adapter_t *adapter, tw_subscriber_t *subscriber,
                         tw_close_reason_t reason);

    /** Which topics have subscribers in the cluster: for the early drop, before a body is read.
     * [now] */
    void (*has_subscribers)(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_list_t *topics,
                            tw_followed_fn on_answer, void *data);

    /** Takes an event (and a reference of its own) and brings it to all subscribers. on_done comes
     * when every local worker has written or queued it. [now] */
    void (*publish)(tw_adapter_t *adapter, tw_loop_t *from, tw_event_t *event,
                    tw_published_fn on_done, void *data);

    /** [now] */
    void (*list_topics)(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *query,
                        tw_topics_fn on_page, void *data);
    /** Rows come sorted by id; with query->topic in no particular order. [now] */
    void (*list_streams)(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *query,
                         tw_streams_fn on_page, void *data);
    /** [now] */
    void (*list_nodes)(tw_adapter_t *adapter, tw_loop_t *from, tw_nodes_fn on_nodes, void *data);

    /**
     * The newest `limit` events that are kept of a topic. `after` may be NULL; else only newer
     * events are wanted, if it is a position of the current epoch. [now]
     */
    void (*tail_events)(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                        const tw_position_t *after, size_t limit, tw_tail_fn on_tail, void *data);

    /** Forgets the kept events of a topic in the whole cluster. Streams that resume behind them are
     * told of a gap. [now] */
    void (*forget_tail)(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                        tw_status_fn on_done, void *data);

    /** Closes a stream anywhere in the cluster, by its id. TW_NOT_FOUND when no stream has it.
     * [now] */
    void (*close_by_id)(tw_adapter_t *adapter, tw_loop_t *from, const char *stream_id,
                        tw_close_reason_t reason, tw_status_fn on_done, void *data);

    /** Closes all streams of a subject (1 to TW_SUBJECT_MAX bytes) in the cluster. TW_UNAVAILABLE
     * when not all nodes have said that they did. [now] */
    void (*close_subject)(tw_adapter_t *adapter, tw_loop_t *from, tw_text_t subject,
                          tw_close_reason_t reason, tw_closed_fn on_done, void *data);

    /**
     * Closes all streams of a subject with TW_CLOSE_REVOKED and refuses, until until_ms, its tokens
     * that were issued before now: on this node at once, on the others soon, and on nodes that
     * cannot be reached as soon as they can. on_done says TW_OK when no node will miss it; with
     * TW_UNAVAILABLE this one knows and will tell the others, unless it ends before. TW_FULL: there
     * are TW_REVOCATIONS_MAX already. [now]
     */
    void (*revoke)(tw_adapter_t *adapter, tw_loop_t *from, tw_text_t subject, int64_t until_ms,
                   tw_status_fn on_done, void *data);
} tw_adapter_ops_t;

struct tw_adapter {
    const tw_adapter_ops_t *ops;
};

#endif
