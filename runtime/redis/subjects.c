/* Revoking the tokens of a subject. */
#include "base/clock.h"
#include "runtime/listing.h"
#include "runtime/redis/query.h"

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
