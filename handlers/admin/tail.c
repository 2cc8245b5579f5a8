/*
 * The kept events of a topic, as a page and as a stream. A watcher is not a subscriber: it keeps no
 * topic alive and does not change the answer to a publish. So the stream polls the tail for new
 * events, which works with every adapter and for every node. When more events come between two
 * polls than the tail keeps, some are missing, and the stream tells of a gap.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/container.h"
#include "handlers/gateway.h"
#include "handlers/handlers.h"
#include "handlers/pending.h"
#include "handlers/reply.h"
#include "handlers/request.h"
#include "handlers/stream.h"
#include "runtime/model/sse.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 500
#define NEWS_MAX (LIMIT_MAX + 1) /* the newest event that was sent, and those after it */
#define POLL_MS 250
#define HEARTBEAT_POLLS 40

/* Returns NULL when there is no memory. */
static json_t *event_json(const tw_event_t *event)
{
    char *payload = tw_try_alloc(event->frame_len), position[TW_POSITION_ID_SIZE];

    if (payload == NULL)
        return NULL;
    size_t len = tw_sse_payload(event->frame, event->frame_len, payload);

    tw_position_id(event->position, position);
    json_t *json = json_pack(
        "{s:o,s:o,s:o,s:I,s:s}", "id", tw_json_text(tw_event_id(event), event->id_len), "event",
        event->type_len > 0 ? tw_json_text(tw_event_type(event), event->type_len) : json_null(),
        "payload", tw_json_text(payload, len), "publishedAt", (json_int_t)event->published_at_ms,
        "position", position);
    free(payload);
    return json;
}

/* Reads the topic in the path. False: the request has been answered. */
static bool read_topic(h2o_req_t *req, tw_topic_name_t *topic)
{
    h2o_iovec_t sent = tw_routed(req)->parameter;
    h2o_iovec_t text = tw_request_decode(req, sent.base, sent.len, false);

    if (!tw_topic_name_valid(text.base, text.len)) {
        tw_reply_error_about(req, TW_ERROR_INVALID_TOPIC, text.base, text.len);
        return false;
    }
    *topic = tw_topic_name(text.base, text.len);
    return true;
}

/* --- a page --- */

typedef struct tw_tail_page {
    tw_pending_t *pending;
    size_t topic_len;
    char topic[TW_TOPIC_NAME_MAX];
} tw_tail_page_t;

/* Returns NULL when there is no memory. */
static json_t *list_json(tw_event_t *const *events, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; ++i) {
        if (json_array_append_new(list, event_json(events[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static void on_tail(void *data, tw_status_t status, tw_event_t *const *events, size_t count)
{
    tw_tail_page_t *page = data;
    h2o_req_t *req = tw_pending_take(page->pending);

    if (req != NULL && status != TW_OK) {
        tw_reply_status(req, status);
    } else if (req != NULL) {
        json_t *list = list_json(events, count);
        if (list == NULL)
            tw_reply_status(req, TW_NO_MEMORY);
        else
            tw_reply_json(req, 200,
                          json_pack("{s:o,s:o}", "topic",
                                    json_stringn(page->topic, page->topic_len), "events", list));
    }
    tw_pending_unref(page->pending);
    free(page);
}

void tw_handle_admin_tail(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    uint64_t limit = LIMIT_DEFAULT;
    tw_topic_name_t topic;

    if (!read_topic(req, &topic) ||
        !tw_request_number(req, "limit", TW_ERROR_INVALID_LIMIT, LIMIT_MAX, &limit))
        return;
    tw_tail_page_t *page = tw_alloc(sizeof(*page));
    page->pending = tw_pending_create(req);
    page->topic_len = topic.len;
    memcpy(page->topic, topic.base, topic.len);
    worker->gateway->adapter->ops->tail_events(worker->gateway->adapter, &worker->shard->loop,
                                               &topic, NULL, limit, on_tail, page);
}

/* --- a stream --- */

/** One watcher. Referenced by the request's pool, the timer and a poll in progress. */
typedef struct tw_tail_stream {
    h2o_generator_t generator;
    h2o_req_t *req; /* NULL: the client has gone */
    tw_worker_context_t *worker;
    uv_timer_t timer;
    unsigned refs;
    bool sending, asking;
    bool begun;    /* the first poll is done: events that are missing from now on are a gap */
    bool seen_any; /* `seen` is set */
    unsigned silent_polls;
    tw_position_t seen; /* of the newest event that was sent */
    tw_topic_name_t topic;
    char topic_text[TW_TOPIC_NAME_MAX];
    char *text; /* owned; what is being sent */
} tw_tail_stream_t;

static tw_tail_stream_t *self_of(h2o_generator_t *generator)
{
    return TW_CONTAINER_OF(generator, tw_tail_stream_t, generator);
}

static void unref(tw_tail_stream_t *self)
{
    if (--self->refs > 0)
        return;
    free(self->text);
    free(self);
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

static void end(tw_tail_stream_t *self)
{
    if (self->req == NULL)
        return;
    self->req = NULL;
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
}

static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
    end(self_of(generator));
}

static void on_request_gone(void *data)
{
    tw_tail_stream_t *self = *(tw_tail_stream_t **)data;
    end(self);
    unref(self);
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
    self_of(generator)->sending = false;
}

/* Takes over the text, which free() frees. */
static void send_text(tw_tail_stream_t *self, char *text)
{
    free(self->text);
    self->text = text;
    self->sending = true;
    self->silent_polls = 0;
    h2o_iovec_t buf = h2o_iovec_init(text, strlen(text));
    h2o_send(self->req, &buf, 1, H2O_SEND_STATE_IN_PROGRESS);
}

static void write_gap(FILE *out, const tw_tail_stream_t *self, bool other_epoch)
{
    json_t *json = json_pack("{s:s,s:[s%]}", "reason", other_epoch ? "other_epoch" : "too_fast",
                             "topics", self->topic.base, self->topic.len);
    char *data = json_dumps(json, JSON_COMPACT);

    fprintf(out, "event: tideway.gap\ndata: %s\n\n", data);
    free(data);
    json_decref(json);
}

/* False: there is no memory. */
static bool write_event(FILE *out, const tw_event_t *event)
{
    char id[TW_POSITION_ID_SIZE];
    json_t *json = event_json(event);
    char *data = json_dumps(json, JSON_COMPACT);
    bool written = data != NULL;

    tw_position_id(event->position, id);
    if (written)
        fprintf(out, "id: %s\nevent: tideway.event\ndata: %s\n\n", id, data);
    free(data);
    json_decref(json);
    return written;
}

/*
 * Whether events are missing between those that were sent and these. Each poll asks for the newest
 * event that was sent as well: when it comes before the new ones, none is missing between them.
 * When nothing was sent yet, new events that fill the tail may have pushed others out.
 */
static bool has_gap(const tw_tail_stream_t *self, tw_event_t *const *events, size_t count)
{
    uint32_t kept_max = self->worker->gateway->tail_events_max;

    if (self->seen_any)
        return events[0]->position.epoch != self->seen.epoch ||
               events[0]->position.seq != self->seen.seq;
    return self->begun && count >= (kept_max < NEWS_MAX ? kept_max : NEWS_MAX);
}

static void send_news(tw_tail_stream_t *self, tw_event_t *const *events, size_t count)
{
    bool gap = has_gap(self, events, count), complete = true;
    size_t first = self->seen_any && !gap ? 1 : 0, len = 0;
    char *text = NULL;

    if (first == count)
        return;
    FILE *out = open_memstream(&text, &len);
    if (gap)
        write_gap(out, self, self->seen_any && events[0]->position.epoch != self->seen.epoch);
    for (size_t i = first; i < count && complete; ++i)
        complete = write_event(out, events[i]);
    if (fclose(out) != 0 || !complete) { /* there is no memory: the next poll asks for them again */
        free(text);
        return;
    }
    self->seen = events[count - 1]->position;
    self->seen_any = true;
    send_text(self, text);
}

static void on_news(void *data, tw_status_t status, tw_event_t *const *events, size_t count)
{
    tw_tail_stream_t *self = data;

    self->asking = false;
    if (self->req != NULL && status == TW_OK) {
        if (count > 0)
            send_news(self, events, count);
        self->begun = true;
    }
    unref(self);
}

static void ask(tw_tail_stream_t *self)
{
    tw_gateway_t *gateway = self->worker->gateway;
    tw_position_t before_seen = {self->seen.epoch, self->seen.seq > 0 ? self->seen.seq - 1 : 0};

    self->asking = true;
    ++self->refs;
    gateway->adapter->ops->tail_events(gateway->adapter, &self->worker->shard->loop, &self->topic,
                                       self->seen_any ? &before_seen : NULL,
                                       self->begun || self->seen_any ? NEWS_MAX : LIMIT_DEFAULT,
                                       on_news, self);
}

static void on_poll(uv_timer_t *timer)
{
    tw_tail_stream_t *self = timer->data;

    if (self->sending || self->asking)
        return;
    if (atomic_load_explicit(&self->worker->gateway->draining, memory_order_relaxed)) {
        h2o_req_t *req = self->req;
        end(self);
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
        return;
    }
    if (++self->silent_polls >= HEARTBEAT_POLLS)
        send_text(self, strdup(": heartbeat\n\n"));
    else
        ask(self);
}

void tw_handle_admin_tail_stream(h2o_req_t *req)
{
    tw_topic_name_t topic;

    if (!read_topic(req, &topic))
        return;
    if (h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"))) {
        tw_stream_reply_head(req);
        return;
    }
    tw_tail_stream_t *self = tw_alloc(sizeof(*self));
    tw_tail_stream_t **from_pool =
        h2o_mem_alloc_shared(&req->pool, sizeof(*from_pool), on_request_gone);
    h2o_iovec_t last = tw_request_header(req, "last-event-id");

    *from_pool = self;
    self->generator = (h2o_generator_t){.proceed = on_proceed, .stop = on_stop};
    self->req = req;
    self->worker = tw_worker_of(req);
    self->topic = topic;
    self->topic.base = memcpy(self->topic_text, topic.base, topic.len);
    self->seen_any = last.base != NULL && tw_position_parse(last.base, last.len, &self->seen);
    self->refs = 2; /* the request's pool and the timer */
    uv_timer_init(self->worker->super.loop, &self->timer);
    self->timer.data = self;
    uv_timer_start(&self->timer, on_poll, 0, POLL_MS);

    tw_stream_add_head(req);
    h2o_start_response(req, &self->generator);
    send_text(self, strdup(": tail\n\n"));
}
