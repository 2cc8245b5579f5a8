/* What comes back to the publisher: answers, resets, and the ends of connections. */
#include "bench/load/clock.h"
#include "bench/load/publisher_connection.h"

static load_pending_t *find_pending(load_publisher_connection_t *self, uint32_t stream_id)
{
    load_pending_t *pending = &self->pending[(stream_id >> 1) & self->mask];
    return pending->id == stream_id ? pending : NULL;
}

static void count_answer(load_publisher_t *self, const load_pending_t *pending)
{
    const load_answer_t *answer = &pending->answer;
    if (answer->kind == LOAD_ANSWER_FAILED) {
        self->counts.failed++;
        self->counts.failed_status = pending->status;
        return;
    }
    if (answer->kind == LOAD_ANSWER_DROPPED)
        self->counts.dropped++;
    else
        self->counts.accepted++;
    /* Streams that come and go, or are closed for slowness, leave no exact number to compare. */
    if (self->run->options->churn || self->run->options->slow_connections > 0 ||
        self->run->options->resume_events > 0)
        return;
    if (answer->delivered >= 0 && (uint64_t)answer->delivered != pending->followers)
        self->counts.miscounted++;
    if (answer->delivered >= 0 &&
        (answer->kind == LOAD_ANSWER_DROPPED) != (pending->followers == 0))
        self->counts.dropped_wrongly++;
}

static void on_answered(load_publisher_connection_t *connection, load_pending_t *pending)
{
    load_publisher_t *self = connection->publisher;
    uint64_t now_ns = connection->h2.now_ns;
    count_answer(self, pending);
    if (self->phase_seen == LOAD_PHASE_MEASURE && pending->time_ns >= self->start_ns) {
        load_histogram_record(&self->answer_latency,
                              now_ns > pending->time_ns ? now_ns - pending->time_ns : 0);
        self->measure_answered_ns = now_ns;
    }
    pending->id = 0;
    self->in_flight--;
    atomic_fetch_add_explicit(&self->run->published, 1, memory_order_relaxed);
    load_h2_done(&connection->h2);
}

static void judge(load_publisher_connection_t *self, load_pending_t *pending, const char *body,
                  size_t bytes)
{
    if (pending->judged && bytes == 0)
        return;
    pending->answer = self->publisher->run->dialect->answer(pending->status, body, bytes);
    pending->judged = true;
}

static void on_headers(load_h2_t *h2, uint32_t stream_id, int status, bool end)
{
    load_publisher_connection_t *self = (load_publisher_connection_t *)h2;
    load_pending_t *pending = find_pending(self, stream_id);
    if (pending == NULL)
        return;
    pending->status = status;
    if (end) {
        judge(self, pending, "", 0);
        on_answered(self, pending);
    }
}

static void on_data(load_h2_t *h2, uint32_t stream_id, const char *data, size_t bytes, bool end)
{
    load_publisher_connection_t *self = (load_publisher_connection_t *)h2;
    load_pending_t *pending = find_pending(self, stream_id);
    if (pending == NULL)
        return;
    if (bytes > 0 || end)
        judge(self, pending, data, bytes);
    if (end)
        on_answered(self, pending);
}

static void on_reset(load_h2_t *h2, uint32_t stream_id, uint32_t error)
{
    load_publisher_connection_t *self = (load_publisher_connection_t *)h2;
    load_pending_t *pending = find_pending(self, stream_id);
    if (pending == NULL)
        return;
    if (!pending->judged || error != 0)
        pending->answer = (load_answer_t){LOAD_ANSWER_FAILED, -1};
    on_answered(self, pending);
}

static void on_ready(load_h2_t *h2)
{
    load_publisher_t *self = ((load_publisher_connection_t *)h2)->publisher;
    if (h2->peer_stream_window < self->run->options->payload_bytes) {
        self->counts.lost_why = "the server's first window is below --payload-bytes";
        atomic_store(&self->connected, -1);
        return;
    }
    ((load_publisher_connection_t *)h2)->ready = true;
    if (++self->ready == self->run->options->publishers)
        atomic_store(&self->connected, 1);
}

static void on_batch(load_h2_t *h2)
{
    /* the thread publishes after every turn of the loop */
}

static void on_close(load_h2_t *h2, const char *why)
{
    load_publisher_connection_t *self = (load_publisher_connection_t *)h2;
    load_publisher_t *publisher = self->publisher;
    bool was_ready = self->ready;
    self->ready = false;
    if (was_ready)
        publisher->ready--;
    /* A server may close what is idle for long: the next phase connects again. */
    if (was_ready && !publisher->publishing && h2->active == 0)
        return;
    for (uint32_t i = 0; i <= self->mask; i++) {
        load_pending_t *pending = &self->pending[i];
        if (pending->id == 0)
            continue;
        pending->answer = (load_answer_t){LOAD_ANSWER_FAILED, -1};
        on_answered(self, pending);
    }
    publisher->counts.lost_why = why;
    atomic_store(&publisher->connected, -1);
}

const load_h2_callbacks_t load_publisher_callbacks = {on_ready, on_headers, on_data,
                                                      on_reset, on_batch,   on_close};
