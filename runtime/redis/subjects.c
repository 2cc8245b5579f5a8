/*
 * The streams of a subject. Redis does not know whose streams are, so every node is asked: how many
 * it has, or to close them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/listing.h"
#include "runtime/redis/query.h"

/* A question to one node. */
typedef struct tw_redis_subject_part {
    tw_redis_query_t *query;
    size_t at; /* of the node in query->rows: {registration, node id, total, …} */
} tw_redis_subject_part_t;

/* All nodes have answered. */
static void conclude(tw_redis_query_t *query)
{
    json_t *nodes = query->rows;

    if (query->closes) {
        tw_redis_query_answer(query);
        return;
    }
    query->rows = NULL;
    query->total = 0;
    tw_redis_list_parts(query, "subject", nodes);
    json_decref(nodes);
}

static void on_total(void *data, tw_status_t status, const json_t *answer)
{
    tw_redis_subject_part_t part = *(tw_redis_subject_part_t *)data;
    tw_redis_query_t *query = part.query;
    json_int_t total = json_integer_value(json_object_get(answer, "total"));
    char text[24];

    free(data);
    snprintf(text, sizeof(text), "%lld", (long long)total);
    json_array_set_new(query->rows, part.at + 2, json_string(text));
    query->total += (uint64_t)total;
    if (status == TW_UNAVAILABLE) /* one that has gone since has no streams */
        query->status = TW_UNAVAILABLE;
    if (--query->pending == 0)
        conclude(query);
}

static void on_nodes(const redisReply *reply, void *data)
{
    tw_redis_query_t *query = data;
    const char *op = query->closes ? "closeSubject" : "list";

    tw_redis_session_refused(query->session, "the nodes", reply);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        tw_redis_query_answer(query);
        return;
    }
    query->rows = tw_redis_to_json(reply);
    query->status = TW_OK;
    query->pending = 1;
    for (size_t i = 0; i + 2 < json_array_size(query->rows); i += 3) {
        char instance[TW_REDIS_INSTANCE_LEN + 1];
        tw_redis_subject_part_t *part = tw_alloc(sizeof(*part));
        *part = (tw_redis_subject_part_t){.query = query, .at = i};
        snprintf(instance, sizeof(instance), "%s", tw_redis_text_at(query->rows, i));
        ++query->pending;
        tw_redis_peers_ask(&query->node->peers, instance,
                           json_pack("{s:s,s:s%,s:i,s:i}", "op", op, "subject", query->text,
                                     query->text_len, "count", 1, "reason", (int)query->reason),
                           on_total, part);
    }
    if (--query->pending == 0)
        conclude(query);
}

void tw_redis_send_subject(tw_redis_query_t *query)
{
    tw_redis_args_t args;
    tw_redis_script_begin(query->session, &args, TW_REDIS_SCRIPT_FOLLOWERS);
    tw_redis_args_text(&args, ""); /* all nodes */
    tw_redis_session_send(query->session, &args, on_nodes, query);
}

/* --- closing them --- */

static void deliver_count(tw_redis_query_t *query)
{
    query->on_answer.closed(query->data, query->status, query->total);
}

void tw_redis_close_subject(tw_adapter_t *adapter, tw_loop_t *from, tw_text_t subject,
                            tw_close_reason_t reason, tw_closed_fn on_done, void *data)
{
    tw_redis_query_t *query = tw_redis_query_begin(adapter, from, subject.base, subject.len, data);
    query->reason = reason;
    query->closes = true;
    query->send = tw_redis_send_subject;
    query->deliver = deliver_count;
    query->on_answer.closed = on_done;
    tw_redis_query_post(query);
}

/* --- revoking --- */

/* 1, or 0 when the list is full */
static void on_revoked(const redisReply *reply, void *data)
{
    tw_redis_query_t *query = data;

    tw_redis_session_refused(query->session, "a revocation", reply);
    if (reply != NULL && reply->type == REDIS_REPLY_INTEGER)
        query->status = reply->integer != 0 ? TW_OK : TW_FULL;
    tw_redis_query_answer(query);
}

static void send_revocation(tw_redis_query_t *query)
{
    query->revocation.subject = tw_text(query->text, query->text_len);
    tw_redis_revocations_add(&query->node->revocations, &query->revocation, on_revoked, query);
}

/* This node does what it can without Redis at once, and puts it into the list when Redis is back.
 */
void tw_redis_revoke(tw_adapter_t *adapter, tw_loop_t *from, tw_text_t subject, int64_t until_ms,
                     tw_status_fn on_done, void *data)
{
    const tw_revocation_t revocation = {subject, tw_clock_wall_ms(), until_ms};
    tw_status_t status =
        tw_listing_revoke(tw_redis_node_of(adapter)->hub, NULL, &revocation, true, NULL, NULL);

    if (status != TW_OK) {
        on_done(data, status);
        return;
    }
    tw_redis_query_t *query = tw_redis_query_begin(adapter, from, subject.base, subject.len, data);
    query->revocation = revocation;
    query->send = send_revocation;
    query->deliver = tw_redis_query_deliver_status;
    query->on_answer.done = on_done;
    tw_redis_query_post(query);
}
