/**
 * What admins ask: each question goes to Redis or to other nodes, on the control loop, and is
 * answered on the worker that asked. What the files queries.c (nodes), topics.c, connections.c,
 * subjects.c and tail.c share; above all rooms of the node, which know nothing of them.
 *
 * A query belongs to the worker that asks until it is posted, then to the control loop, and to the
 * worker again with its answer, where it is freed. Callers: runtime/redis/ (adapter.c what is in
 * tw_adapter_ops_t, the other files all the rest).
 */
#ifndef TW_REDIS_QUERY_H
#define TW_REDIS_QUERY_H

#include "runtime/redis/node.h"

typedef struct tw_redis_query tw_redis_query_t;

/* A read on its way: worker → control → Redis → control → worker. */
struct tw_redis_query {
    tw_redis_node_t *node;       /* borrowed */
    tw_redis_session_t *session; /* borrowed: lane 0's, or that of the topic's lane */
    tw_loop_t *from;
    void (*send)(tw_redis_query_t *query);
    void (*deliver)(
        tw_redis_query_t *query); /* worker's thread; reads `rows`, NULL when it failed */
    void *data;
    union {
        tw_topics_fn topics;
        tw_streams_fn streams;
        tw_nodes_fn nodes;
        tw_tail_fn tail;
        tw_status_fn done;
        tw_closed_fn closed;
    } on_answer;
    uint64_t skip, count;
    uint64_t after;
    char *text; /* owned: prefix or topic */
    size_t text_len;
    json_t *rows;        /* owned; NULL: Redis did not answer */
    tw_event_t **events; /* owned, with references */
    size_t event_count;
    const char *op, *filter; /* what nodes are asked to do, and what `text` is */
    unsigned pending;        /* nodes that were asked and have not answered */
    uint64_t total;
    tw_close_reason_t reason; /* of streams that are to be closed */
    tw_revocation_t revocation;
    tw_status_t status; /* what a question without rows is answered with */
};

/** A new read from lane 0; `text` (may be NULL) is copied. Worker's thread. */
tw_redis_query_t *tw_redis_query_begin(tw_adapter_t *adapter, tw_loop_t *from, const char *text,
                                       size_t len, void *data);

/** It is about a topic, whose lane is asked. */
void tw_redis_query_set_topic(tw_redis_query_t *query, const tw_topic_name_t *topic);

/** Page numbers into rows to pass over. */
void tw_redis_query_set_page(tw_redis_query_t *query, const tw_page_query_t *page);

/** To the control loop, which calls query->send, or answers without rows if Redis is away. Any
 * thread. */
void tw_redis_query_post(tw_redis_query_t *query);

/** Asks for all nodes: {{registration, node id, field, value, …}, …} in the order of the
 * registrations. Control loop. */
void tw_redis_query_ask_nodes(tw_redis_query_t *query, tw_redis_reply_cb on_reply);

/** Back to the worker, which calls query->deliver. Control loop. */
void tw_redis_query_answer(tw_redis_query_t *query);

/** A query->deliver that answers with query->status alone. */
void tw_redis_query_deliver_status(tw_redis_query_t *query);

/** A reply as JSON; texts that are not UTF-8 are null. */
json_t *tw_redis_to_json(const redisReply *reply);

static inline const char *tw_redis_text_at(const json_t *array, size_t i)
{
    const char *text = json_string_value(json_array_get(array, i));
    return text != NULL ? text : "";
}

static inline uint64_t tw_redis_total_of(const json_t *rows)
{
    return (uint64_t)json_integer_value(json_array_get(rows, 0));
}

/** See tw_adapter_ops_t. Worker's thread. */
void tw_redis_list_topics(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *page,
                          tw_topics_fn on_page, void *data);
void tw_redis_list_streams(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *page,
                           tw_streams_fn on_page, void *data);
void tw_redis_list_nodes(tw_adapter_t *adapter, tw_loop_t *from, tw_nodes_fn on_nodes, void *data);
void tw_redis_tail_events(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                          const tw_position_t *after, size_t limit, tw_tail_fn on_tail, void *data);
void tw_redis_forget_tail(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                          tw_status_fn on_done, void *data);
void tw_redis_close_by_id(tw_adapter_t *adapter, tw_loop_t *from, const char *stream_id,
                          tw_close_reason_t reason, tw_status_fn on_done, void *data);
void tw_redis_close_subject(tw_adapter_t *adapter, tw_loop_t *from, tw_text_t subject,
                            tw_close_reason_t reason, tw_closed_fn on_done, void *data);
void tw_redis_revoke(tw_adapter_t *adapter, tw_loop_t *from, tw_text_t subject, int64_t until_ms,
                     tw_status_fn on_done, void *data);

#endif
