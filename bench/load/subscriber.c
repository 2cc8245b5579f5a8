#include "bench/load/subscriber.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/clock.h"
#include "bench/load/delivery.h"
#include "bench/load/h2_frame.h"

/* A stream to open again. */
typedef struct st_waiting_t {
    uint32_t topic;
    bool resumes; /* from where its sequence has come to: */
    tw_checker_slot_t slot;
} waiting_t;

/* One connection and its streams. */
typedef struct st_tw_subscriber_t {
    tw_h2_t h2;
    tw_subscriber_thread_t *thread;
    uint32_t index;           /* over all threads */
    uint32_t mask;            /* of `streams` */
    tw_stream_t *streams;     /* owned; stream `id` is at (id >> 1) & mask */
    tw_checker_slot_t *slots; /* owned; NULL when a stream needs only one */
    waiting_t *waiting;       /* owned; with churn or resume: streams to open again */
    uint32_t waiting_count;
    uint32_t started; /* streams asked for, those opened again left out */
    uint32_t opening;
    bool ready; /* the server's SETTINGS have come */
    bool slow;
} tw_subscriber_t;

/* Only this thread writes these counters: a plain addition does. */
static void bump(_Atomic uint64_t *counter, int64_t by)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + (uint64_t)by, memory_order_relaxed);
}

static uint32_t slots_per_stream(const tw_load_options_t *options)
{
    return options->topics_per_stream * options->lanes;
}

static tw_checker_slot_t *slots_of(tw_subscriber_t *self, tw_stream_t *stream)
{
    if (self->slots == NULL)
        return &stream->slot;
    return self->slots +
           (size_t)(stream - self->streams) * slots_per_stream(self->thread->run->options);
}

/* ---- opening streams ---- */

/* Asks for one stream; `slot`: of a stream that resumes, or NULL. False when it is not possible
 * now.
 */
static bool open_stream(tw_subscriber_t *self, uint32_t topic, const tw_checker_slot_t *slot)
{
    tw_subscriber_thread_t *thread = self->thread;
    const tw_run_t *run = thread->run;
    tw_stream_t *stream = &self->streams[(self->h2.next_id >> 1) & self->mask];
    if (stream->state != TW_STREAM_FREE)
        return false;
    size_t server = self->index % run->options->address_count;
    run->dialect->subscribe(&thread->request, &run->servers[server], topic,
                            run->options->topics_per_stream, run->options->topics);
    if (slot != NULL)
        run->dialect->resume(&thread->request, 0, slot->next - 1);
    uint32_t id =
        tw_h2_request(&self->h2, thread->request.headers, thread->request.header_count, NULL, 0);
    if (id == 0)
        return false;
    *stream = (tw_stream_t){
        .id = id, .topic = topic & 0xffffff, .state = TW_STREAM_OPENING, .resumed = slot != NULL};
    if (slot != NULL) {
        stream->slot = *slot;
        thread->counts.resumed++;
    }
    self->opening++;
    return true;
}

static void open_more(tw_subscriber_t *self)
{
    const tw_load_options_t *options = self->thread->run->options;
    while (self->opening < options->open_window) {
        if (self->started < options->streams) {
            uint32_t index = self->index * options->streams + self->started;
            if (!open_stream(self, tw_run_topic(self->thread->run, index, 0), NULL))
                return;
            self->started++;
        } else if (self->waiting_count > 0) {
            const waiting_t *next = &self->waiting[self->waiting_count - 1];
            if (!open_stream(self, next->topic, next->resumes ? &next->slot : NULL))
                return;
            self->waiting_count--;
        } else {
            return;
        }
    }
}

static void free_stream(tw_subscriber_t *self, tw_stream_t *stream)
{
    if (stream->carry != NULL)
        tw_bytes_dispose(stream->carry);
    free(stream->carry);
    stream->carry = NULL;
    if (stream->state == TW_STREAM_OPEN)
        bump(&self->thread->open, -1);
    else
        self->opening--;
    stream->state = TW_STREAM_FREE;
    stream->id = 0;
    tw_h2_done(&self->h2);
}

/* The server ended a stream that should have stayed. */
static void on_stream_ended(tw_subscriber_t *self, tw_stream_t *stream)
{
    tw_subscriber_thread_t *thread = self->thread;
    if (self->slow) {
        thread->counts.slow_closed++;
        bump(&thread->slow_closed, 1);
    } else {
        thread->counts.closed++;
        bump(&thread->failures, 1);
    }
    free_stream(self, stream);
}

static void on_stream_open(tw_subscriber_t *self, tw_stream_t *stream)
{
    const tw_run_t *run = self->thread->run;
    const tw_load_options_t *options = run->options;
    tw_checker_slot_t *slots = slots_of(self, stream);
    /* What the publisher sends from now on must come; what it has sent already may. */
    for (uint32_t i = 0; i < slots_per_stream(options) && !stream->resumed; i++) {
        size_t topic = (stream->topic + i / options->lanes) % options->topics;
        size_t sequence = topic * options->lanes + i % options->lanes;
        uint32_t sent = atomic_load_explicit(&run->sent[sequence], memory_order_acquire);
        tw_checker_begin(&slots[i], sent + 1);
    }
    stream->state = TW_STREAM_OPEN;
    self->opening--;
    bump(&self->thread->open, 1);
}

/* With churn: a stream that has seen enough is closed here and opened again. */
static void churn_if_due(tw_subscriber_t *self, tw_stream_t *stream)
{
    const tw_load_options_t *options = self->thread->run->options;
    if (!options->churn || stream->tally < options->churn_events ||
        tw_run_phase(self->thread->run) < TW_PHASE_WARM_UP)
        return;
    self->waiting[self->waiting_count++] = (waiting_t){.topic = stream->topic};
    self->thread->counts.churned++;
    bump(&self->thread->churned, 1);
    tw_h2_reset(&self->h2, stream->id, TW_H2_CANCEL);
    free_stream(self, stream);
}

/* ---- HTTP/2 callbacks ---- */

/* NULL for a stream that has been closed here a moment ago. */
static tw_stream_t *find_stream(tw_subscriber_t *self, uint32_t stream_id)
{
    tw_stream_t *stream = &self->streams[(stream_id >> 1) & self->mask];
    return stream->id == stream_id ? stream : NULL;
}

static void on_headers(tw_h2_t *h2, uint32_t stream_id, int status, bool end)
{
    tw_subscriber_t *self = (tw_subscriber_t *)h2;
    tw_stream_t *stream = find_stream(self, stream_id);
    if (stream == NULL || stream->state != TW_STREAM_OPENING)
        return;
    if (status != 200 || end) {
        self->thread->counts.refused++;
        self->thread->counts.refused_status = status;
        bump(&self->thread->failures, 1);
        if (!end)
            tw_h2_reset(h2, stream_id, TW_H2_CANCEL);
        free_stream(self, stream);
        return;
    }
    on_stream_open(self, stream);
    churn_if_due(self, stream);
}

static void on_data(tw_h2_t *h2, uint32_t stream_id, const char *data, size_t bytes, bool end)
{
    tw_subscriber_t *self = (tw_subscriber_t *)h2;
    tw_stream_t *stream = find_stream(self, stream_id);
    if (stream == NULL || stream->state != TW_STREAM_OPEN)
        return;
    stream->window_used += (uint32_t)bytes;
    if (stream->window_used >= h2->stream_window / 2 && !end) {
        tw_h2_give_window(h2, stream_id, stream->window_used);
        stream->window_used = 0;
    }
    if (!self->slow)
        tw_delivery_take(self->thread, stream, slots_of(self, stream), data, bytes, h2->now_ns);
    if (end)
        on_stream_ended(self, stream);
    else
        churn_if_due(self, stream);
}

static void on_reset(tw_h2_t *h2, uint32_t stream_id, uint32_t error)
{
    tw_subscriber_t *self = (tw_subscriber_t *)h2;
    tw_stream_t *stream = find_stream(self, stream_id);
    if (stream == NULL)
        return;
    if (stream->state == TW_STREAM_OPEN) {
        on_stream_ended(self, stream);
        return;
    }
    self->thread->counts.refused++;
    bump(&self->thread->failures, 1);
    free_stream(self, stream);
}

/* Shows the others how far this thread is, and wakes the publisher when it waits for that. */
static void publish_progress(tw_subscriber_thread_t *self)
{
    tw_run_t *run = self->run;
    const tw_checker_counts_t *checks = &self->counts.checks;
    atomic_store_explicit(&self->delivered, checks->in_order + checks->out_of_order,
                          memory_order_release);
    atomic_store_explicit(&self->comments, self->counts.comments, memory_order_relaxed);
    uint64_t wake_at = atomic_load(&run->wake_at);
    if (wake_at != UINT64_MAX && tw_run_delivered(run) >= wake_at &&
        atomic_compare_exchange_strong(&run->wake_at, &wake_at, UINT64_MAX))
        tw_loop_wake(run->publisher_loop);
}

static void on_batch(tw_h2_t *h2)
{
    tw_subscriber_t *self = (tw_subscriber_t *)h2;
    open_more(self);
    publish_progress(self->thread);
}

static void connect_more(tw_subscriber_thread_t *self);

static void on_ready(tw_h2_t *h2)
{
    tw_subscriber_t *self = (tw_subscriber_t *)h2;
    tw_subscriber_thread_t *thread = self->thread;
    self->ready = true;
    thread->connecting--;
    if (h2->active_max < thread->run->options->streams) {
        thread->counts.lost_why = "the server's MAX_CONCURRENT_STREAMS is below --streams";
        bump(&thread->failures, 1);
    }
    open_more(self);
    connect_more(thread);
}

static void on_close(tw_h2_t *h2, const char *why)
{
    tw_subscriber_t *self = (tw_subscriber_t *)h2;
    tw_subscriber_thread_t *thread = self->thread;
    if (thread->cut && self->index >= thread->run->options->live_connections)
        return;
    if (!self->ready)
        thread->connecting--;
    for (uint32_t i = 0; i <= self->mask; i++) {
        tw_stream_t *stream = &self->streams[i];
        if (stream->state != TW_STREAM_FREE)
            on_stream_ended(self, stream);
    }
    if (self->slow)
        return;
    thread->counts.connections_lost++;
    thread->counts.lost_why = why;
    bump(&thread->failures, 1);
}

static const tw_h2_callbacks_t callbacks = {on_ready, on_headers, on_data,
                                            on_reset, on_batch,   on_close};

/* ---- the thread ---- */

static void connect_one(tw_subscriber_thread_t *self, tw_subscriber_t *connection)
{
    const tw_run_t *run = self->run;
    const tw_load_options_t *options = run->options;
    const struct sockaddr_in *address =
        &options->addresses[connection->index % options->address_count];
    if (tw_h2_connect(&connection->h2, &self->loop, address, run->tls, options->stream_window,
                      options->receive_window, &callbacks) != 0) {
        self->counts.connections_lost++;
        self->counts.lost_why = "cannot connect";
        bump(&self->failures, 1);
        return;
    }
    self->connecting++;
}

static void connect_more(tw_subscriber_thread_t *self)
{
    while (self->connecting < self->run->options->connect_window &&
           self->connect_next < self->connection_count)
        connect_one(self, &self->connections[self->connect_next++]);
}

/* ---- cut and resume ---- */

/* Topics have their turns one after the other: the last one is the last to have seen a number. */
static uint32_t sequence_of_last_topic(const tw_subscriber_thread_t *self)
{
    const tw_run_t *run = self->run;
    return atomic_load_explicit(&run->sent[run->options->topics - 1], memory_order_acquire);
}

static void cut_connection(tw_subscriber_t *connection)
{
    for (uint32_t i = 0; i <= connection->mask; i++) {
        tw_stream_t *stream = &connection->streams[i];
        if (stream->state != TW_STREAM_OPEN)
            continue;
        connection->waiting[connection->waiting_count++] =
            (waiting_t){.topic = stream->topic, .resumes = true, .slot = stream->slot};
        free_stream(connection, stream);
    }
    connection->ready = false;
    tw_transport_close(&connection->h2.transport, "cut");
}

/* As a network does it: without a word, and in the middle of what is being sent. */
static void cut_connections(tw_subscriber_thread_t *self)
{
    const tw_load_options_t *options = self->run->options;
    self->cut = true;
    self->resume_at = sequence_of_last_topic(self) + options->resume_events;
    for (uint32_t i = 0; i < self->connection_count; i++)
        if (self->connections[i].index >= options->live_connections)
            cut_connection(&self->connections[i]);
}

static void resume_if_due(tw_subscriber_thread_t *self)
{
    uint32_t sequence = sequence_of_last_topic(self);
    if (!self->cut || sequence < self->resume_at)
        return;
    self->cut = false;
    self->resume_sequence = sequence;
    self->resume_ns = tw_now_ns();
    for (uint32_t i = 0; i < self->connection_count; i++) {
        tw_subscriber_t *connection = &self->connections[i];
        if (connection->index < self->run->options->live_connections)
            continue;
        tw_h2_dispose(&connection->h2);
        connect_one(self, connection);
    }
}

static void enter_phase(tw_subscriber_thread_t *self, tw_phase_t phase)
{
    const tw_load_options_t *options = self->run->options;
    self->phase_seen = phase;
    if (options->resume_events > 0 && phase == TW_PHASE_MEASURE)
        cut_connections(self);
    for (uint32_t i = 0; i < self->connect_next; i++) {
        tw_subscriber_t *connection = &self->connections[i];
        if (connection->slow)
            tw_transport_set_paused(&connection->h2.transport,
                                    phase == TW_PHASE_WARM_UP || phase == TW_PHASE_MEASURE);
        /* Streams that opened before churn began have their first chance now. */
        for (uint32_t j = 0; options->churn && j <= connection->mask; j++)
            if (connection->streams[j].state == TW_STREAM_OPEN)
                churn_if_due(connection, &connection->streams[j]);
        if (options->churn)
            open_more(connection);
    }
}

static void *run_thread(void *data)
{
    tw_subscriber_thread_t *self = data;
    tw_phase_t phase;
    connect_more(self);
    while ((phase = tw_run_phase(self->run)) != TW_PHASE_STOP) {
        if (phase != self->phase_seen)
            enter_phase(self, phase);
        resume_if_due(self);
        tw_loop_turn(&self->loop, 10 * TW_NS_PER_MS);
    }
    self->cpu_ns = tw_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static void init_connection(tw_subscriber_thread_t *self, tw_subscriber_t *connection,
                            uint32_t index)
{
    const tw_load_options_t *options = self->run->options;
    /* Streams that are opened again take new ids: room for old ones that live longer. */
    uint32_t wanted = options->streams * (options->churn ? 4 : 1), size = 1;
    while (size < wanted)
        size *= 2;
    connection->thread = self;
    connection->index = index;
    connection->mask = size - 1;
    connection->streams = calloc(size, sizeof(*connection->streams));
    if (slots_per_stream(options) > 1)
        connection->slots =
            calloc((size_t)size * slots_per_stream(options), sizeof(*connection->slots));
    bool reopens = options->churn || options->resume_events > 0;
    if (reopens)
        connection->waiting = calloc(options->streams, sizeof(*connection->waiting));
    connection->slow = index < options->slow_connections;
    connection->h2.transport.fd = -1;
    if (connection->streams == NULL || (slots_per_stream(options) > 1 && !connection->slots) ||
        (reopens && !connection->waiting))
        abort();
}

int tw_subscriber_thread_start(tw_subscriber_thread_t *self, tw_run_t *run, uint32_t index)
{
    const tw_load_options_t *options = run->options;
    uint32_t share = options->connections / options->threads;
    uint32_t more = options->connections % options->threads;
    memset(self, 0, sizeof(*self));
    self->run = run;
    self->connection_count = share + (index < more ? 1 : 0);
    self->connection_first = index * share + (index < more ? index : more);
    tw_histogram_init(&self->latency);
    tw_histogram_init(&self->catch_up);
    tw_loop_init(&self->loop);
    self->connections = calloc(self->connection_count + 1, sizeof(*self->connections));
    if (self->connections == NULL)
        abort();
    for (uint32_t i = 0; i < self->connection_count; i++)
        init_connection(self, &self->connections[i], self->connection_first + i);
    if (pthread_create(&self->thread, NULL, run_thread, self) != 0) {
        fputs("tw-load: cannot start a thread\n", stderr);
        return -1;
    }
    return 0;
}

void tw_subscriber_thread_join(tw_subscriber_thread_t *self)
{
    pthread_join(self->thread, NULL);
}

static bool saw_another_order(const tw_run_t *run, const tw_stream_t *stream, uint32_t *digests)
{
    if (run->options->lanes * run->options->topics_per_stream == 1 || run->options->churn)
        return false; /* one sequence: the checker has proven its order */
    uint32_t *digest = &digests[stream->topic];
    if (*digest == 0)
        *digest = stream->tally;
    return *digest != stream->tally;
}

uint64_t tw_subscriber_thread_finish(tw_subscriber_thread_t *self, uint32_t *digests)
{
    const tw_run_t *run = self->run;
    const tw_load_options_t *options = run->options;
    uint64_t disagreeing = 0;
    for (uint32_t i = 0; i < self->connection_count; i++) {
        tw_subscriber_t *connection = &self->connections[i];
        for (uint32_t j = 0; j <= connection->mask && !connection->slow; j++) {
            tw_stream_t *stream = &connection->streams[j];
            if (stream->state != TW_STREAM_OPEN)
                continue;
            tw_checker_slot_t *slots = slots_of(connection, stream);
            for (uint32_t k = 0; k < slots_per_stream(options); k++) {
                size_t topic = (stream->topic + k / options->lanes) % options->topics;
                tw_checker_end(&slots[k], run->sent[topic * options->lanes + k % options->lanes],
                               &self->counts.checks);
            }
            disagreeing += saw_another_order(run, stream, digests) ? 1 : 0;
        }
    }
    return disagreeing;
}

void tw_subscriber_thread_dispose(tw_subscriber_thread_t *self)
{
    for (uint32_t i = 0; i < self->connection_count; i++) {
        tw_subscriber_t *connection = &self->connections[i];
        for (uint32_t j = 0; j <= connection->mask; j++) {
            if (connection->streams[j].carry != NULL)
                tw_bytes_dispose(connection->streams[j].carry);
            free(connection->streams[j].carry);
        }
        free(connection->streams);
        free(connection->slots);
        free(connection->waiting);
        tw_h2_dispose(&connection->h2);
    }
    free(self->connections);
    tw_loop_dispose(&self->loop);
}
