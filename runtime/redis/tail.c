/* The newest kept events of a topic, for admins: read in pieces, or forgotten. */
#include <stdlib.h>

#include "base/alloc.h"
#include "runtime/redis/lane/history.h"
#include "runtime/redis/query.h"

static void deliver_tail(tw_redis_query_t *query)
{
    tw_status_t status = query->events != NULL ? TW_OK : TW_UNAVAILABLE;
    query->on_answer.tail(query->data, status, query->events, query->event_count);
}

static void read_piece(tw_redis_query_t *query, uint64_t to);

/* They come newest first. */
static void reverse(tw_redis_query_t *query)
{
    for (size_t i = 0, j = query->event_count; i + 1 < j; ++i) {
        tw_event_t *event = query->events[i];
        query->events[i] = query->events[--j];
        query->events[j] = event;
    }
}

/* Takes an event that is newer than what is asked for; the number in *number. */
static void take_entry(tw_redis_query_t *query, const redisReply *id, const redisReply *body,
                       uint64_t *number)
{
    uint64_t before;
    tw_event_t *event = tw_redis_history_event(id, body, number, &before);

    if (event == NULL || *number <= query->after) {
        tw_event_unref(event);
        return;
    }
    event->position = (tw_position_t){.epoch = query->session->epoch_number, .seq = *number};
    query->events[query->event_count++] = event;
}

/* {more, newest number, floor, id, body, …} */
static void on_piece(const redisReply *reply, void *data)
{
    tw_redis_query_t *query = data;
    uint64_t number = 0;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY || reply->elements < 3) {
        tw_redis_session_refused(query->session, "a topic's history", reply);
        for (size_t i = 0; i < query->event_count; ++i)
            tw_event_unref(query->events[i]);
        free(query->events);
        query->events = NULL;
        query->event_count = 0;
        tw_redis_query_answer(query);
        return;
    }
    size_t entries = (reply->elements - 3) / 2;
    query->events =
        tw_realloc(query->events, (query->event_count + entries + 1) * sizeof(*query->events));
    for (size_t i = 0; i < entries; ++i)
        take_entry(query, reply->element[3 + 2 * i], reply->element[4 + 2 * i], &number);
    query->count -= entries < query->count ? entries : query->count;
    if (reply->element[0]->integer != 0 && query->count > 0 && number > query->after + 1) {
        read_piece(query, number - 1);
        return;
    }
    reverse(query);
    tw_redis_query_answer(query);
}

static void read_piece(tw_redis_query_t *query, uint64_t to)
{
    const tw_topic_name_t topic = {.base = query->text, .len = query->text_len};
    tw_redis_history_read(query->session, &topic, to, query->count, on_piece, query);
}

static void send_tail(tw_redis_query_t *query)
{
    uint64_t most = query->node->hub->config.tail_events;
    if (query->count > most)
        query->count = most > 0 ? most : 1;
    read_piece(query, UINT64_MAX);
}

void tw_redis_tail_events(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                          const tw_position_t *after, size_t limit, tw_tail_fn on_events,
                          void *data)
{
    tw_redis_query_t *query = tw_redis_query_begin(adapter, from, topic->base, topic->len, data);
    tw_hub_t *hub = query->node->hub;

    tw_redis_query_set_topic(query, topic);
    if (after != NULL && after->epoch == tw_hub_position(hub, tw_hub_lane_of(hub, topic)).epoch)
        query->after = after->seq;
    query->count = limit;
    query->send = send_tail;
    query->deliver = deliver_tail;
    query->on_answer.tail = on_events;
    tw_redis_query_post(query);
}

/* --- forgetting them --- */

/* The number of the newest event that is forgotten, as text. Nodes that follow the topic are told
 * by their inboxes; this one may follow it no more, and is told here, too. */
static void on_forgotten(const redisReply *reply, void *data)
{
    tw_redis_query_t *query = data;
    const tw_topic_name_t topic = tw_topic_name(query->text, query->text_len);

    if (reply != NULL && reply->type == REDIS_REPLY_STRING) {
        tw_hub_forget(query->node->hub, &topic, strtoull(reply->str, NULL, 10));
        query->status = TW_OK;
    } else {
        tw_redis_session_refused(query->session, "forgetting a topic's history", reply);
    }
    tw_redis_query_answer(query);
}

static void send_forget(tw_redis_query_t *query)
{
    tw_redis_args_t args;

    tw_redis_script_begin(query->session, &args, TW_REDIS_SCRIPT_FORGET);
    tw_redis_args_add(&args, query->text, query->text_len);
    tw_redis_session_send(query->session, &args, on_forgotten, query);
}

void tw_redis_forget_tail(tw_adapter_t *adapter, tw_loop_t *from, const tw_topic_name_t *topic,
                          tw_status_fn on_done, void *data)
{
    tw_redis_query_t *query = tw_redis_query_begin(adapter, from, topic->base, topic->len, data);

    tw_redis_query_set_topic(query, topic);
    query->send = send_forget;
    query->deliver = tw_redis_query_deliver_status;
    query->on_answer.done = on_done;
    tw_redis_query_post(query);
}
