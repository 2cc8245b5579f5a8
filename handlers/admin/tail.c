/*
 * The kept events of a topic, as a page and as a stream. A watcher is not a subscriber: it keeps no
 * topic alive and does not change the answer to a publish. So the stream polls the tail for new
 * events, which works with every adapter and for every node. When more events come between two
 * polls than the tail keeps, some are missing, and the stream tells of a gap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "handlers/admin/tail_text.h"
#include "handlers/audit.h"
#include "handlers/gateway.h"
#include "handlers/handlers.h"
#include "handlers/pending.h"
#include "handlers/pieces.h"
#include "handlers/reply.h"
#include "handlers/request.h"
#include "handlers/stream/head.h"
#include "runtime/model/resume.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX 500
#define NEWS_MAX (LIMIT_MAX + 1) /* the newest event that was sent, and those after it */
#define POLL_MS 250
#define HEARTBEAT_POLLS 40
#define TEXT_BYTE_NS 3 /* what it costs to make the text of a piece, for each byte */

/* Reads the topic in the path, or in the query of a route without one in its path. False: the
 * request has been answered. */
static bool read_topic(h2o_req_t *req, tw_topic_name_t *topic)
{
    h2o_iovec_t sent = tw_routed(req)->parameter;
    size_t at = 0;
    h2o_iovec_t text = sent.base != NULL ? tw_request_decode(req, sent.base, sent.len, false)
                                         : tw_request_query(req, "topic", &at);

    if (text.base == NULL) {
        tw_reply_error_text(req, TW_ERROR_MISSING_TOPIC, "name the topic in the query: ?topic=");
        return false;
    }
    if (!tw_topic_name_valid(text.base, text.len)) {
        tw_reply_error_about(req, TW_ERROR_INVALID_TOPIC, text.base, text.len);
        return false;
    }
    *topic = tw_topic_name(text.base, text.len);
    return true;
}

/* --- a page --- */

/** A request for a page, until the runtime answers. */
typedef struct tw_tail_question {
    tw_pending_t *pending;
    size_t topic_len;
    char topic[TW_TOPIC_NAME_MAX];
} tw_tail_question_t;

/** A page that is being written; in the request's pool. */
typedef struct tw_tail_page {
    tw_pieces_t super;
    tw_tail_text_t text;
    size_t head_len; /* of what is in `buffer` before the first event; then 0 */
    char buffer[TW_PIECE_BYTES];
} tw_tail_page_t;

static void on_page_gone(void *data)
{
    tw_tail_page_t *page = data;
    tw_pieces_dispose(&page->super);
    tw_tail_text_dispose(&page->text);
}

static h2o_iovec_t next_of_page(tw_pieces_t *pieces)
{
    tw_tail_page_t *page = (tw_tail_page_t *)pieces;
    size_t len = page->head_len, room = sizeof(page->buffer) - 2;

    page->head_len = 0;
    len += tw_tail_text_write(&page->text, page->buffer + len, room - len);
    pieces->last = tw_tail_text_is_done(&page->text);
    if (pieces->last) {
        page->buffer[len++] = ']';
        page->buffer[len++] = '}';
    }
    return h2o_iovec_init(page->buffer, len);
}

static void send_page(h2o_req_t *req, const tw_tail_question_t *question, tw_event_t *const *events,
                      size_t count)
{
    tw_tail_page_t *page = h2o_mem_alloc_shared(&req->pool, sizeof(*page), on_page_gone);
    char *to = page->buffer;

    page->super = (tw_pieces_t){.ns_per_byte = TEXT_BYTE_NS};
    page->text = (tw_tail_text_t){0};
    tw_tail_text_set(&page->text, TW_TAIL_JSON, events, count);
    to = stpcpy(to, "{\"topic\":");
    to = tw_json_write_string(to, question->topic, question->topic_len);
    to = stpcpy(to, ",\"events\":[");
    page->head_len = (size_t)(to - page->buffer);
    tw_reply_pieces(req, 200, "application/json", &page->super, next_of_page);
}

static void on_tail(void *data, tw_status_t status, tw_event_t *const *events, size_t count)
{
    tw_tail_question_t *question = data;
    h2o_req_t *req = tw_pending_take(question->pending);

    if (req != NULL && status != TW_OK)
        tw_reply_status(req, status);
    else if (req != NULL)
        send_page(req, question, events, count);
    tw_pending_unref(question->pending);
    free(question);
}

void tw_handle_admin_tail(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    uint64_t limit = LIMIT_DEFAULT;
    tw_topic_name_t topic;

    if (!read_topic(req, &topic) ||
        !tw_request_number(req, "limit", TW_ERROR_INVALID_LIMIT, LIMIT_MAX, &limit))
        return;
    tw_tail_question_t *question = tw_alloc(sizeof(*question));
    question->pending = tw_pending_create(req);
    question->topic_len = topic.len;
    memcpy(question->topic, topic.base, topic.len);
    worker->gateway->adapter->ops->tail_events(worker->gateway->adapter, &worker->shard->loop,
                                               &topic, NULL, limit, on_tail, question);
}

/* --- forgetting --- */

void tw_handle_admin_forget(h2o_req_t *req)
{
    tw_worker_context_t *worker = tw_worker_of(req);
    tw_topic_name_t topic;

    if (!read_topic(req, &topic))
        return;
    tw_audit_action(req, "operator has a topic's events forgotten",
                    tw_log_bytes("topic", topic.base, topic.len));
    worker->gateway->adapter->ops->forget_tail(worker->gateway->adapter, &worker->shard->loop,
                                               &topic, tw_pending_done, tw_pending_create(req));
}

/* --- a stream --- */

/** One watcher. Referenced by the request's pool, the timer and a poll in progress. */
typedef struct tw_tail_stream {
    tw_pieces_t super;
    tw_worker_context_t *worker;
    uv_timer_t timer;
    unsigned refs;
    bool asking;
    bool begun;    /* the first poll is done: events that are missing from now on are a gap */
    bool seen_any; /* `seen` is set */
    unsigned silent_polls;
    tw_position_t seen; /* of the newest event that was sent */
    tw_topic_name_t topic;
    char topic_text[TW_TOPIC_NAME_MAX];
    tw_tail_text_t text; /* events that are being sent */
    char *buffer;        /* owned; the piece that is being sent; NULL while nothing is */
    size_t note_len;     /* of what is in `buffer` before the events; then 0 */
} tw_tail_stream_t;

static void unref(tw_tail_stream_t *self)
{
    if (--self->refs > 0)
        return;
    tw_tail_text_dispose(&self->text);
    free(self->buffer);
    free(self);
}

static void on_timer_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

static void on_request_gone(void *data)
{
    tw_tail_stream_t *self = *(tw_tail_stream_t **)data;

    tw_pieces_dispose(&self->super);
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
    unref(self);
}

static h2o_iovec_t next_of_stream(tw_pieces_t *pieces)
{
    tw_tail_stream_t *self = (tw_tail_stream_t *)pieces;
    size_t len = self->note_len;

    if (len == 0 && tw_tail_text_is_done(&self->text)) { /* an idle stream needs no buffer */
        free(self->buffer);
        self->buffer = NULL;
        return h2o_iovec_init(NULL, 0);
    }
    if (self->buffer == NULL)
        self->buffer = tw_alloc(TW_PIECE_BYTES);
    self->note_len = 0;
    self->silent_polls = 0;
    len += tw_tail_text_write(&self->text, self->buffer + len, TW_PIECE_BYTES - len);
    return h2o_iovec_init(self->buffer, len);
}

/* Puts a line of the gateway's own in front of the events. Nothing is being sent. */
static void set_note(tw_tail_stream_t *self, const char *note)
{
    if (self->buffer == NULL)
        self->buffer = tw_alloc(TW_PIECE_BYTES);
    self->note_len = strlen(note);
    memcpy(self->buffer, note, self->note_len);
}

static void set_gap(tw_tail_stream_t *self, bool other_epoch)
{
    char note[128 + TW_JSON_STRING_MAX(TW_TOPIC_NAME_MAX)], *to = note;

    to += sprintf(to, "event: tideway.gap\ndata: {\"reason\":\"%s\",\"topics\":[",
                  other_epoch ? "other_epoch" : "too_fast");
    to = tw_json_write_string(to, self->topic.base, self->topic.len);
    stpcpy(to, "]}\n\n");
    set_note(self, note);
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
    bool gap = has_gap(self, events, count);
    size_t first = self->seen_any && !gap ? 1 : 0;

    if (first == count)
        return;
    if (gap)
        set_gap(self, self->seen_any && events[0]->position.epoch != self->seen.epoch);
    tw_tail_text_set(&self->text, TW_TAIL_SSE, events + first, count - first);
    self->seen = events[count - 1]->position;
    self->seen_any = true;
    tw_pieces_pump(&self->super);
}

static void on_news(void *data, tw_status_t status, tw_event_t *const *events, size_t count)
{
    tw_tail_stream_t *self = data;

    self->asking = false;
    if (self->super.req != NULL && status == TW_OK) {
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

static h2o_iovec_t next_at_end(tw_pieces_t *pieces)
{
    pieces->last = true;
    return h2o_iovec_init(NULL, 0);
}

static void on_poll(uv_timer_t *timer)
{
    tw_tail_stream_t *self = timer->data;

    if (self->super.req == NULL || self->asking || self->super.sending ||
        !tw_tail_text_is_done(&self->text))
        return;
    if (atomic_load_explicit(&self->worker->gateway->draining, memory_order_relaxed)) {
        self->super.next = next_at_end;
        tw_pieces_pump(&self->super);
    } else if (++self->silent_polls >= HEARTBEAT_POLLS) {
        set_note(self, ": heartbeat\n\n");
        tw_pieces_pump(&self->super);
    } else {
        ask(self);
    }
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
    self->super.ns_per_byte = TEXT_BYTE_NS;
    self->worker = tw_worker_of(req);
    self->topic = topic;
    self->topic.base = memcpy(self->topic_text, topic.base, topic.len);
    self->seen_any = last.base != NULL && tw_position_parse(last.base, last.len, &self->seen);
    self->refs = 2; /* the request's pool and the timer */
    uv_timer_init(self->worker->super.loop, &self->timer);
    self->timer.data = self;
    uv_timer_start(&self->timer, on_poll, 0, POLL_MS);

    tw_stream_add_head(req);
    set_note(self, ": tail\n\n");
    tw_pieces_start(&self->super, req, next_of_stream);
}
