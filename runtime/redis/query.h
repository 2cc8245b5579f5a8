/** A read of the admin's: what its files share. See queries.c, streams.c. */
#ifndef TW_REDIS_QUERY_H
#define TW_REDIS_QUERY_H

#include "runtime/redis/node.h"

typedef struct tw_redis_query tw_redis_query_t;

/* A read on its way: worker → control → Redis → control → worker. */
struct tw_redis_query {
    tw_redis_node_t *node;
    tw_loop_t *from;
    void (*send)(tw_redis_query_t *query);
    void (*deliver)(
        tw_redis_query_t *query); /* worker's thread; reads `rows`, NULL when it failed */
    void *data;
    union {
        tw_topics_fn topics;
        tw_streams_fn connections;
        tw_nodes_fn nodes;
        tw_tail_fn tail;
    } on_answer;
    uint64_t skip, count;
    uint64_t after;
    char *text; /* owned: prefix or topic */
    size_t text_len;
    json_t *rows;        /* owned; NULL: Redis did not answer */
    tw_event_t **events; /* owned, with references */
    size_t event_count;
    unsigned pending; /* nodes that were asked and have not answered */
    json_t *stats;    /* owned; connection id → [delivered, queued bytes] */
    uint64_t total;
};

/** A new read; `text` (may be NULL) is copied. Worker's thread. */
tw_redis_query_t *tw_redis_query_begin(tw_adapter_t *adapter, tw_loop_t *from, const char *text,
                                       size_t len, void *data);

/** Page numbers into rows to pass over. */
void tw_redis_query_set_page(tw_redis_query_t *query, const tw_page_query_t *page);

/** To the control loop, which calls query->send, or answers if Redis is away. */
void tw_redis_query_post(tw_redis_query_t *query);

/** Asks a script that takes {from, count, text}. Control loop. */
void tw_redis_query_page(tw_redis_query_t *query, tw_redis_script_t script,
                         tw_redis_reply_cb on_reply);

/** Back to the worker, which calls query->deliver. Control loop. */
void tw_redis_query_answer(tw_redis_query_t *query);

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

#endif
