/* Whether anyone follows, asked before a publish's body is read: the questions of a turn in one. */
#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "runtime/redis/node.h"

#define ASK_TOPICS_MAX 1000

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

/* The asks of one turn, in one question. */
typedef struct tw_redis_question {
    tw_redis_ask_t *asks;
    size_t topic_count;
    bool windows; /* the script was asked: flags; else PUBSUB NUMSUB: channels and numbers */
} tw_redis_question_t;

/* The answers to an ask's open questions, in order; the next one is at *at. */
static void read_followed(tw_redis_ask_t *ask, const redisReply *reply, size_t *at, size_t stride)
{
    for (size_t i = 0; i < ask->topic_count; ++i) {
        if (ask->followed[i] != 0)
            continue;
        ask->followed[i] = reply->element[*at]->integer > 0;
        *at += stride;
    }
}

static void on_followed(const redisReply *reply, void *data)
{
    tw_redis_question_t question = *(tw_redis_question_t *)data;
    size_t stride = question.windows ? 1 : 2, at = question.windows ? 0 : 1;
    tw_redis_ask_t *next;

    free(data);
    if (reply != NULL &&
        (reply->type != REDIS_REPLY_ARRAY || reply->elements != question.topic_count * stride))
        reply = NULL;
    for (tw_redis_ask_t *ask = question.asks; ask != NULL; ask = next) {
        next = ask->next;
        if (reply != NULL)
            read_followed(ask, reply, &at, stride);
        answer(ask, reply != NULL ? TW_OK : TW_UNAVAILABLE);
    }
}

static void put_question(tw_redis_node_t *node, tw_redis_ask_t *asks, size_t topic_count)
{
    char(*keys)[TW_REDIS_KEY_MAX] = tw_alloc(topic_count * sizeof(*keys));
    tw_redis_question_t *question = tw_alloc(sizeof(*question));
    tw_redis_args_t args;
    size_t n = 0;

    *question = (tw_redis_question_t){asks, topic_count, node->hub->config.resume_window_ms > 0};
    if (question->windows) {
        tw_redis_args_script(&args, node, TW_REDIS_SCRIPT_FOLLOWED);
    } else {
        tw_redis_args_init(&args);
        tw_redis_args_add(&args, "PUBSUB", 6);
        tw_redis_args_add(&args, "NUMSUB", 6);
    }
    for (const tw_redis_ask_t *ask = asks; ask != NULL; ask = ask->next) {
        for (size_t i = 0; i < ask->topic_count; ++i) {
            if (ask->followed[i] != 0)
                continue;
            if (question->windows)
                tw_redis_args_add(&args, ask->topics[i].base, ask->topics[i].len);
            else
                tw_redis_args_add(&args, keys[n], tw_redis_topic_key(&ask->topics[i], keys[n]));
            ++n;
        }
    }
    assert(n == topic_count);
    if (tw_redis_args_send(&args, node->commands, on_followed, question) != 0)
        on_followed(NULL, question);
    free(keys);
}

static bool is_leaving(tw_redis_node_t *node, const tw_topic_name_t *topic)
{
    const tw_redis_route_t *route = tw_redis_route_find(node, topic);
    return route != NULL && route->leaving;
}

void tw_redis_on_ask_request(void *owner, void *data)
{
    tw_redis_ask_t *ask = data;
    tw_redis_node_t *node = ask->node;

    if (!tw_redis_node_up(node)) {
        answer(ask, TW_UNAVAILABLE);
        return;
    }
    tw_redis_ask_t **list = &node->asks;
    for (size_t i = 0; i < ask->topic_count; ++i)
        if (ask->followed[i] == 0 && is_leaving(node, &ask->topics[i]))
            list = &node->parked_asks;
    ask->next = *list;
    *list = ask;
}

void tw_redis_asks_turn(tw_redis_node_t *node)
{
    while (node->asks != NULL) {
        tw_redis_ask_t *asks = node->asks, *last = NULL;
        size_t topics = 0;
        while (node->asks != NULL && topics < ASK_TOPICS_MAX) {
            last = node->asks;
            for (size_t i = 0; i < last->topic_count; ++i)
                topics += last->followed[i] == 0;
            node->asks = last->next;
        }
        last->next = NULL;
        put_question(node, asks, topics);
    }
}
