#include "bench/load/subscriber_connection.h"

#include <stdlib.h>

#include "bench/load/clock.h"
#include "bench/load/delivery.h"
#include "bench/load/h2_frame.h"

/* ---- opening streams ---- */

/* Asks for one stream; `slot`: of a stream that resumes, or NULL. False when it is not possible
 * now.
 */
static bool open_stream(load_subscriber_t *self, uint32_t topic, const load_checker_slot_t *slot)
{
    load_subscriber_thread_t *thread = self->thread;
    const load_run_t *run = thread->run;
    load_stream_t *stream = &self->streams[(self->h2.next_id >> 1) & self->mask];
    if (stream->state != LOAD_STREAM_FREE)
        return false;
    size_t server = self->index % run->options->address_count;
    run->dialect->subscribe(&thread->request, &run->servers[server], topic,
                            run->options->topics_per_stream, run->options->topics);
    if (slot != NULL)
        run->dialect->resume(&thread->request, 0, slot->next - 1);
    uint32_t id =
        load_h2_request(&self->h2, thread->request.headers, thread->request.header_count, NULL, 0);
    if (id == 0)
        return false;
    *stream = (load_stream_t){
        .id = id, .topic = topic & 0xffffff, .state = LOAD_STREAM_OPENING, .resumed = slot != NULL};
    if (slot != NULL) {
        stream->slot = *slot;
        thread->counts.resumed++;
    }
    self->opening++;
    return true;
}

void load_subscriber_open_more(load_subscriber_t *self)
{
    const load_options_t *options = self->thread->run->options;
    while (self->opening < options->open_window) {
        if (self->started < options->streams) {
            uint32_t index = self->index * options->streams + self->started;
            if (!open_stream(self, load_run_topic(self->thread->run, index, 0), NULL))
                return;
            self->started++;
        } else if (self->waiting_count > 0) {
            const load_waiting_t *next = &self->waiting[self->waiting_count - 1];
            if (!open_stream(self, next->topic, next->resumes ? &next->slot : NULL))
                return;
            self->waiting_count--;
        } else {
            return;
        }
    }
}

void load_subscriber_free_stream(load_subscriber_t *self, load_stream_t *stream)
{
    if (stream->carry != NULL)
        load_bytes_dispose(stream->carry);
    free(stream->carry);
    stream->carry = NULL;
    if (stream->state == LOAD_STREAM_OPEN)
        load_bump(&self->thread->open, -1);
    else
        self->opening--;
    stream->state = LOAD_STREAM_FREE;
    stream->id = 0;
    load_h2_done(&self->h2);
}

/* The server ended a stream that should have stayed. */
static void on_stream_ended(load_subscriber_t *self, load_stream_t *stream)
{
    load_subscriber_thread_t *thread = self->thread;
    if (self->slow) {
        thread->counts.slow_closed++;
        load_bump(&thread->slow_closed, 1);
    } else {
        thread->counts.closed++;
        load_bump(&thread->failures, 1);
    }
    load_subscriber_free_stream(self, stream);
}

static void on_stream_open(load_subscriber_t *self, load_stream_t *stream)
{
    const load_run_t *run = self->thread->run;
    const load_options_t *options = run->options;
    load_checker_slot_t *slots = load_slots_of(self, stream);
    /* What the publisher sends from now on must come; what it has sent already may. */
    for (uint32_t i = 0; i < load_slots_per_stream(options) && !stream->resumed; i++) {
        size_t topic = (stream->topic + i / options->lanes) % options->topics;
        size_t sequence = topic * options->lanes + i % options->lanes;
        uint32_t sent = atomic_load_explicit(&run->sent[sequence], memory_order_acquire);
        load_checker_begin(&slots[i], sent + 1);
    }
    stream->state = LOAD_STREAM_OPEN;
    self->opening--;
    load_bump(&self->thread->open, 1);
}

/* With churn: a stream that has seen enough is closed here and opened again. */
void load_subscriber_churn_if_due(load_subscriber_t *self, load_stream_t *stream)
{
    const load_options_t *options = self->thread->run->options;
    if (!options->churn || stream->tally < options->churn_events ||
        load_run_phase(self->thread->run) < LOAD_PHASE_WARM_UP)
        return;
    self->waiting[self->waiting_count++] = (load_waiting_t){.topic = stream->topic};
    self->thread->counts.churned++;
    load_bump(&self->thread->churned, 1);
    load_h2_reset(&self->h2, stream->id, LOAD_H2_CANCEL);
    load_subscriber_free_stream(self, stream);
}

/* ---- HTTP/2 callbacks ---- */

/* NULL for a stream that has been closed here a moment ago. */
static load_stream_t *find_stream(load_subscriber_t *self, uint32_t stream_id)
{
    load_stream_t *stream = &self->streams[(stream_id >> 1) & self->mask];
    return stream->id == stream_id ? stream : NULL;
}

static void on_headers(load_h2_t *h2, uint32_t stream_id, int status, bool end)
{
    load_subscriber_t *self = (load_subscriber_t *)h2;
    load_stream_t *stream = find_stream(self, stream_id);
    if (stream == NULL || stream->state != LOAD_STREAM_OPENING)
        return;
    if (status != 200 || end) {
        self->thread->counts.refused++;
        self->thread->counts.refused_status = status;
        load_bump(&self->thread->failures, 1);
        if (!end)
            load_h2_reset(h2, stream_id, LOAD_H2_CANCEL);
        load_subscriber_free_stream(self, stream);
        return;
    }
    on_stream_open(self, stream);
    load_subscriber_churn_if_due(self, stream);
}

static void on_data(load_h2_t *h2, uint32_t stream_id, const char *data, size_t bytes, bool end)
{
    load_subscriber_t *self = (load_subscriber_t *)h2;
    load_stream_t *stream = find_stream(self, stream_id);
    if (stream == NULL || stream->state != LOAD_STREAM_OPEN)
        return;
    stream->window_used += (uint32_t)bytes;
    if (stream->window_used >= h2->stream_window / 2 && !end) {
        load_h2_give_window(h2, stream_id, stream->window_used);
        stream->window_used = 0;
    }
    if (!self->slow)
        load_delivery_take(self->thread, stream, load_slots_of(self, stream), data, bytes,
                           h2->now_ns);
    if (end)
        on_stream_ended(self, stream);
    else
        load_subscriber_churn_if_due(self, stream);
}

static void on_reset(load_h2_t *h2, uint32_t stream_id, uint32_t error)
{
    load_subscriber_t *self = (load_subscriber_t *)h2;
    load_stream_t *stream = find_stream(self, stream_id);
    if (stream == NULL)
        return;
    if (stream->state == LOAD_STREAM_OPEN) {
        on_stream_ended(self, stream);
        return;
    }
    self->thread->counts.refused++;
    load_bump(&self->thread->failures, 1);
    load_subscriber_free_stream(self, stream);
}

/* Shows the others how far this thread is, and wakes the publisher when it waits for that. */
static void publish_progress(load_subscriber_thread_t *self)
{
    load_run_t *run = self->run;
    const load_checker_counts_t *checks = &self->counts.checks;
    atomic_store_explicit(&self->delivered, checks->in_order + checks->out_of_order,
                          memory_order_release);
    atomic_store_explicit(&self->comments, self->counts.comments, memory_order_relaxed);
    uint64_t wake_at = atomic_load(&run->wake_at);
    if (wake_at != UINT64_MAX && load_run_delivered(run) >= wake_at &&
        atomic_compare_exchange_strong(&run->wake_at, &wake_at, UINT64_MAX))
        load_loop_wake(run->publisher_loop);
}

static void on_batch(load_h2_t *h2)
{
    load_subscriber_t *self = (load_subscriber_t *)h2;
    load_subscriber_open_more(self);
    publish_progress(self->thread);
}

static void on_ready(load_h2_t *h2)
{
    load_subscriber_t *self = (load_subscriber_t *)h2;
    load_subscriber_thread_t *thread = self->thread;
    self->ready = true;
    thread->connecting--;
    if (h2->active_max < thread->run->options->streams) {
        thread->counts.lost_why = "the server's MAX_CONCURRENT_STREAMS is below --streams";
        load_bump(&thread->failures, 1);
    }
    load_subscriber_open_more(self);
    load_subscriber_connect_more(thread);
}

static void on_close(load_h2_t *h2, const char *why)
{
    load_subscriber_t *self = (load_subscriber_t *)h2;
    load_subscriber_thread_t *thread = self->thread;
    if (thread->cut && self->index >= thread->run->options->live_connections)
        return;
    if (!self->ready)
        thread->connecting--;
    for (uint32_t i = 0; i <= self->mask; i++) {
        load_stream_t *stream = &self->streams[i];
        if (stream->state != LOAD_STREAM_FREE)
            on_stream_ended(self, stream);
    }
    if (self->slow)
        return;
    thread->counts.connections_lost++;
    thread->counts.lost_why = why;
    load_bump(&thread->failures, 1);
}

static const load_h2_callbacks_t callbacks = {on_ready, on_headers, on_data,
                                              on_reset, on_batch,   on_close};

/* ---- connecting ---- */

void load_subscriber_connect(load_subscriber_thread_t *self, load_subscriber_t *connection)
{
    const load_run_t *run = self->run;
    const load_options_t *options = run->options;
    const struct sockaddr_in *address =
        &options->addresses[connection->index % options->address_count];
    if (load_h2_connect(&connection->h2, &self->loop, address, run->tls, options->stream_window,
                        options->receive_window, &callbacks) != 0) {
        self->counts.connections_lost++;
        self->counts.lost_why = "cannot connect";
        load_bump(&self->failures, 1);
        return;
    }
    self->connecting++;
}

void load_subscriber_connect_more(load_subscriber_thread_t *self)
{
    while (self->connecting < self->run->options->connect_window &&
           self->connect_next < self->connection_count)
        load_subscriber_connect(self, &self->connections[self->connect_next++]);
}
