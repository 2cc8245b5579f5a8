/* Whether anyone follows, asked before a publish's body is read: the questions of a turn in one. */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "runtime/redis/lane/publishing.h"

#define ASK_TOPICS_MAX 1000

/* A question on its way. */
struct tw_redis_ask {
    tw_redis_publishing_t *publishing;
    tw_redis_ask_t *next;
    tw_loop_t *worker;
    tw_followed_fn on_answer;
    void *data;
    tw_status_t status;
    uint8_t *followed; /* owned */
    size_t topic_count;
    tw_topic_name_t topics[]; /* bytes behind */
};

/* The asks of one turn, in one call. */
typedef struct tw_redis_question {
    tw_redis_session_t *session; /* borrowed */
    tw_redis_ask_t *asks;
    size_t topic_count;
} tw_redis_question_t;

/* Worker's thread. */
static void on_answered(void *owner, void *data)
{
    tw_redis_ask_t *ask = data;
    ask->on_answer(ask->data, ask->status, ask->followed);
    free(ask->followed);
    free(ask);
}

static void answer(tw_redis_ask_t *ask, tw_status_t status)
{
    ask->status = status;
    tw_loop_post(ask->worker, on_answered, ask);
}

static void on_followed(const redisReply *reply, void *data)
{
    tw_redis_question_t question = *(tw_redis_question_t *)data;
    tw_redis_ask_t *next;
    size_t at = 0;

    free(data);
    tw_redis_session_refused(question.session, "whether somebody follows", reply);
    if (reply != NULL &&
        (reply->type != REDIS_REPLY_ARRAY || reply->elements != question.topic_count))
        reply = NULL;
    for (tw_redis_ask_t *ask = question.asks; ask != NULL; ask = next) {
        next = ask->next;
        for (size_t i = 0; reply != NULL && i < ask->topic_count; ++i)
            if (ask->followed[i] == 0)
                ask->followed[i] = reply->element[at++]->integer > 0;
        answer(ask, reply != NULL ? TW_OK : TW_UNAVAILABLE);
    }
}

static void put_question(tw_redis_publishing_t *publishing, tw_redis_ask_t *asks)
{
    tw_redis_question_t *question = tw_alloc(sizeof(*question));
    tw_redis_args_t args;

    question->session = publishing->session;
    question->asks = asks;
    tw_redis_script_begin(publishing->session, &args, TW_REDIS_SCRIPT_FOLLOWED);
    for (const tw_redis_ask_t *ask = asks; ask != NULL; ask = ask->next) {
        for (size_t i = 0; i < ask->topic_count; ++i) {
            if (ask->followed[i] != 0)
                continue;
            tw_redis_args_add(&args, ask->topics[i].base, ask->topics[i].len);
            ++question->topic_count;
        }
    }
    tw_redis_session_send(publishing->session, &args, on_followed, question);
}

static void on_request(void *owner, void *data)
{
    tw_redis_ask_t *ask = data;
    tw_redis_publishing_t *publishing = ask->publishing;

    if (!tw_redis_session_up(publishing->session)) {
        answer(ask, TW_UNAVAILABLE);
        return;
    }
    ask->next = publishing->asks;
    publishing->asks = ask;
}

void tw_redis_publishing_ask(tw_redis_publishing_t *publishing, tw_loop_t *from,
                             const tw_topic_list_t *topics, tw_followed_fn on_answer, void *data)
{
    uint8_t *followed = tw_alloc(topics->count);
    size_t known = 0;

    for (size_t i = 0; i < topics->count; ++i)
        known += followed[i] = tw_hub_accepts(publishing->hub, &topics->items[i]);
    if (known == topics->count) {
        on_answer(data, TW_OK, followed);
        free(followed);
        return;
    }
    tw_redis_ask_t *ask =
        tw_alloc(sizeof(*ask) + tw_topic_names_size(topics->items, topics->count));
    ask->publishing = publishing;
    ask->worker = from;
    ask->on_answer = on_answer;
    ask->data = data;
    ask->followed = followed;
    ask->topic_count = topics->count;
    tw_topic_names_copy(ask->topics, topics->items, topics->count);
    tw_loop_post(publishing->loop, on_request, ask);
}

void tw_redis_publishing_turn_asks(tw_redis_publishing_t *publishing)
{
    while (publishing->asks != NULL) {
        tw_redis_ask_t *asks = publishing->asks, *last = NULL;
        size_t topics = 0;
        while (publishing->asks != NULL && topics < ASK_TOPICS_MAX) {
            last = publishing->asks;
            topics += last->topic_count;
            publishing->asks = last->next;
        }
        last->next = NULL;
        put_question(publishing, asks);
    }
}
