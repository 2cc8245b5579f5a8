/* What the session sends: see session.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/redis/lane/session.h"

void tw_redis_session_inbox_key(const tw_redis_session_t *session,
                                char key[TW_REDIS_INBOX_KEY_SIZE])
{
    snprintf(key, TW_REDIS_INBOX_KEY_SIZE, "%si:%s", session->lane, session->registration);
}

void tw_redis_script_begin(const tw_redis_session_t *session, tw_redis_args_t *args,
                           tw_redis_script_t script)
{
    tw_redis_args_init(args);
    tw_redis_args_add(args, "EVALSHA", 7);
    tw_redis_args_add(args, session->common->sha[script], TW_REDIS_SHA_LEN);
    tw_redis_args_add(args, "1", 1);
    tw_redis_args_text(args, session->lane);
    tw_redis_args_text(args, session->epoch);
}

void tw_redis_script_begin_own(const tw_redis_session_t *session, tw_redis_args_t *args,
                               tw_redis_script_t script)
{
    tw_redis_script_begin(session, args, script);
    tw_redis_args_text(args, session->own);
}

/* A command whose answer is looked at before its sender's callback ends. */
typedef struct tw_redis_sent {
    tw_redis_session_t *session;
    tw_redis_reply_cb on_reply;
    void *data;
} tw_redis_sent_t;

/* What our scripts say when epoch, registration or session are over. Errors of a server that cannot
 * be used any more end the link before they come here. */
static bool ends_session(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ERROR &&
           (strncmp(reply->str, "EPOCH", 5) == 0 || strncmp(reply->str, "BURIED", 6) == 0);
}

static void on_sent_reply(const redisReply *reply, void *data)
{
    tw_redis_sent_t sent = *(tw_redis_sent_t *)data;

    free(data);
    sent.on_reply(reply, sent.data);
    if (ends_session(reply))
        tw_redis_session_reset(sent.session, reply->str);
}

static void send_by(tw_redis_session_t *session, tw_redis_client_t *client, tw_redis_args_t *args,
                    tw_redis_reply_cb on_reply, void *data)
{
    tw_redis_sent_t *sent = tw_alloc(sizeof(*sent));
    *sent = (tw_redis_sent_t){session, on_reply, data};
    int result =
        tw_redis_client_send(client, args->count, args->argv, args->lens, on_sent_reply, sent);
    tw_redis_args_dispose(args);
    if (result == 0)
        return;
    free(sent);
    tw_redis_session_reset(session, "too many commands wait for Redis");
    on_reply(NULL, data);
}

void tw_redis_session_send(tw_redis_session_t *session, tw_redis_args_t *args,
                           tw_redis_reply_cb on_reply, void *data)
{
    send_by(session, session->commands.client, args, on_reply, data);
}

void tw_redis_session_send_inbox(tw_redis_session_t *session, tw_redis_args_t *args,
                                 tw_redis_reply_cb on_reply, void *data)
{
    send_by(session, session->inbox.client, args, on_reply, data);
}

void tw_redis_session_flush(tw_redis_session_t *session)
{
    tw_redis_client_flush(session->commands.client);
    tw_redis_client_flush(session->inbox.client);
}

void tw_redis_session_refused(tw_redis_session_t *session, const char *what,
                              const redisReply *reply)
{
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR || ends_session(reply))
        return;
    uint64_t count = tw_log_limit_count(&session->refusals, tw_clock_ms());
    if (count > 0)
        tw_log(TW_LOG_ERROR, "Redis returned an error", tw_log_text("command", what),
               tw_log_text("reason", reply->str), tw_log_number("count", (int64_t)count));
}
