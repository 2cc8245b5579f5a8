#include "bench/load/subscriber.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/clock.h"
#include "bench/load/delivery.h"
#include "bench/load/h2_frame.h"

/* A stream to open again. */
typedef struct waiting {
    uint32_t topic;
    bool resumes; /* from where its sequence has come to: */
    load_checker_slot_t slot;
} waiting_t;

/* One connection and its streams. */
typedef struct load_subscriber {
    load_h2_t h2;
    load_subscriber_thread_t *thread;
    uint32_t index;             /* over all threads */
    uint32_t mask;              /* of `streams` */
    load_stream_t *streams;     /* owned; stream `id` is at (id >> 1) & mask */
    load_checker_slot_t *slots; /* owned; NULL when a stream needs only one */
    waiting_t *waiting;         /* owned; with churn or resume: streams to open again */
    uint32_t waiting_count;
    uint32_t started; /* streams asked for, those opened again left out */
    uint32_t opening;
    bool ready; /* the server's SETTINGS have come */
    bool slow;
} load_subscriber_t;

/* Only this thread writes these counters: a plain addition does. */
static void bump(_Atomic uint64_t *counter, int64_t by)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + (uint64_t)by, memory_order_relaxed);
}

static uint32_t slots_per_stream(const load_options_t *options)
{
    return options->topics_per_stream * options->lanes;
}

static load_checker_slot_t *slots_of(load_subscriber_t *self, load_stream_t *stream)
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

static void open_more(load_subscriber_t *self)
{
    const load_options_t *options = self->thread->run->options;
    while (self->opening < options->open_window) {
        if (self->started < options->streams) {
            uint32_t index = self->index * options->streams + self->started;
            if (!open_stream(self, load_run_topic(self->thread->run, index, 0), NULL))
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

static void free_stream(load_subscriber_t *self, load_stream_t *stream)
{
    if (stream->carry != NULL)
        load_bytes_dispose(stream->carry);
    free(stream->carry);
    stream->carry = NULL;
    if (stream->state == LOAD_STREAM_OPEN)
        bump(&self->thread->open, -1);
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
        bump(&thread->slow_closed, 1);
    } else {
        thread->counts.closed++;
        bump(&thread->failures, 1);
    }
    free_stream(self, stream);
}

static void on_stream_open(load_subscriber_t *self, load_stream_t *stream)
{
    const load_run_t *run = self->thread->run;
    const load_options_t *options = run->options;
    load_checker_slot_t *slots = slots_of(self, stream);
    /* What the publisher sends from now on must come; what it has sent already may. */
    for (uint32_t i = 0; i < slots_per_stream(options) && !stream->resumed; i++) {
        size_t topic = (stream->topic + i / options->lanes) % options->topics;
        size_t sequence = topic * options->lanes + i % options->lanes;
        uint32_t sent = atomic_load_explicit(&run->sent[sequence], memory_order_acquire);
        load_checker_begin(&slots[i], sent + 1);
    }
    stream->state = LOAD_STREAM_OPEN;
    self->opening--;
    bump(&self->thread->open, 1);
}

/* With churn: a stream that has seen enough is closed here and opened again. */
static void churn_if_due(load_subscriber_t *self, load_stream_t *stream)
{
    const load_options_t *options = self->thread->run->options;
    if (!options->churn || stream->tally < options->churn_events ||
        load_run_phase(self->thread->run) < LOAD_PHASE_WARM_UP)
        return;
    self->waiting[self->waiting_count++] = (waiting_t){.topic = stream->topic};
    self->thread->counts.churned++;
    bump(&self->thread->churned, 1);
    load_h2_reset(&self->h2, stream->id, LOAD_H2_CANCEL);
    free_stream(self, stream);
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
        bump(&self->thread->failures, 1);
        if (!end)
            load_h2_reset(h2, stream_id, LOAD_H2_CANCEL);
        free_stream(self, stream);
        return;
    }
    on_stream_open(self, stream);
    churn_if_due(self, stream);
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
        load_delivery_take(self->thread, stream, slots_of(self, stream), data, bytes, h2->now_ns);
    if (end)
        on_stream_ended(self, stream);
    else
        churn_if_due(self, stream);
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
    bump(&self->thread->failures, 1);
    free_stream(self, stream);
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
    open_more(self);
    publish_progress(self->thread);
}

static void connect_more(load_subscriber_thread_t *self);

static void on_ready(load_h2_t *h2)
{
    load_subscriber_t *self = (load_subscriber_t *)h2;
    load_subscriber_thread_t *thread = self->thread;
    self->ready = true;
    thread->connecting--;
    if (h2->active_max < thread->run->options->streams) {
        thread->counts.lost_why = "the server's MAX_CONCURRENT_STREAMS is below --streams";
        bump(&thread->failures, 1);
    }
    open_more(self);
    connect_more(thread);
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
    bump(&thread->failures, 1);
}

static const load_h2_callbacks_t callbacks = {on_ready, on_headers, on_data,
                                              on_reset, on_batch,   on_close};

/* ---- the thread ---- */

static void connect_one(load_subscriber_thread_t *self, load_subscriber_t *connection)
{
    const load_run_t *run = self->run;
    const load_options_t *options = run->options;
    const struct sockaddr_in *address =
        &options->addresses[connection->index % options->address_count];
    if (load_h2_connect(&connection->h2, &self->loop, address, run->tls, options->stream_window,
                        options->receive_window, &callbacks) != 0) {
        self->counts.connections_lost++;
        self->counts.lost_why = "cannot connect";
        bump(&self->failures, 1);
        return;
    }
    self->connecting++;
}

static void connect_more(load_subscriber_thread_t *self)
{
    while (self->connecting < self->run->options->connect_window &&
           self->connect_next < self->connection_count)
        connect_one(self, &self->connections[self->connect_next++]);
}

/* ---- cut and resume ---- */

/* Topics have their turns one after the other: the last one is the last to have seen a number. */
static uint32_t sequence_of_last_topic(const load_subscriber_thread_t *self)
{
    const load_run_t *run = self->run;
    return atomic_load_explicit(&run->sent[run->options->topics - 1], memory_order_acquire);
}

static void cut_connection(load_subscriber_t *connection)
{
    for (uint32_t i = 0; i <= connection->mask; i++) {
        load_stream_t *stream = &connection->streams[i];
        if (stream->state != LOAD_STREAM_OPEN)
            continue;
        connection->waiting[connection->waiting_count++] =
            (waiting_t){.topic = stream->topic, .resumes = true, .slot = stream->slot};
        free_stream(connection, stream);
    }
    connection->ready = false;
    load_transport_close(&connection->h2.transport, "cut");
}

/* As a network does it: without a word, and in the middle of what is being sent. */
static void cut_connections(load_subscriber_thread_t *self)
{
    const load_options_t *options = self->run->options;
    self->cut = true;
    self->resume_at = sequence_of_last_topic(self) + options->resume_events;
    for (uint32_t i = 0; i < self->connection_count; i++)
        if (self->connections[i].index >= options->live_connections)
            cut_connection(&self->connections[i]);
}

static void resume_if_due(load_subscriber_thread_t *self)
{
    uint32_t sequence = sequence_of_last_topic(self);
    if (!self->cut || sequence < self->resume_at)
        return;
    self->cut = false;
    self->resume_sequence = sequence;
    self->resume_ns = load_now_ns();
    for (uint32_t i = 0; i < self->connection_count; i++) {
        load_subscriber_t *connection = &self->connections[i];
        if (connection->index < self->run->options->live_connections)
            continue;
        load_h2_dispose(&connection->h2);
        connect_one(self, connection);
    }
}

static void enter_phase(load_subscriber_thread_t *self, load_phase_t phase)
{
    const load_options_t *options = self->run->options;
    self->phase_seen = phase;
    if (options->resume_events > 0 && phase == LOAD_PHASE_MEASURE)
        cut_connections(self);
    for (uint32_t i = 0; i < self->connect_next; i++) {
        load_subscriber_t *connection = &self->connections[i];
        if (connection->slow)
            load_transport_set_paused(&connection->h2.transport,
                                      phase == LOAD_PHASE_WARM_UP || phase == LOAD_PHASE_MEASURE);
        /* Streams that opened before churn began have their first chance now. */
        for (uint32_t j = 0; options->churn && j <= connection->mask; j++)
            if (connection->streams[j].state == LOAD_STREAM_OPEN)
                churn_if_due(connection, &connection->streams[j]);
        if (options->churn)
            open_more(connection);
    }
}

static void *run_thread(void *data)
{
    load_subscriber_thread_t *self = data;
    load_phase_t phase;
    connect_more(self);
    while ((phase = load_run_phase(self->run)) != LOAD_PHASE_STOP) {
        if (phase != self->phase_seen)
            enter_phase(self, phase);
        resume_if_due(self);
        load_loop_turn(&self->loop, 10 * LOAD_NS_PER_MS);
    }
    self->cpu_ns = load_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static void init_connection(load_subscriber_thread_t *self, load_subscriber_t *connection,
                            uint32_t index)
{
    const load_options_t *options = self->run->options;
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

int load_subscriber_thread_start(load_subscriber_thread_t *self, load_run_t *run, uint32_t index)
{
    const load_options_t *options = run->options;
    uint32_t share = options->connections / options->threads;
    uint32_t more = options->connections % options->threads;
    memset(self, 0, sizeof(*self));
    self->run = run;
    self->connection_count = share + (index < more ? 1 : 0);
    self->connection_first = index * share + (index < more ? index : more);
    load_histogram_init(&self->latency);
    load_histogram_init(&self->catch_up);
    load_loop_init(&self->loop);
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

void load_subscriber_thread_join(load_subscriber_thread_t *self)
{
    pthread_join(self->thread, NULL);
}

static bool saw_another_order(const load_run_t *run, const load_stream_t *stream, uint32_t *digests)
{
    if (run->options->lanes * run->options->topics_per_stream == 1 || run->options->churn)
        return false; /* one sequence: the checker has proven its order */
    uint32_t *digest = &digests[stream->topic];
    if (*digest == 0)
        *digest = stream->tally;
    return *digest != stream->tally;
}

uint64_t load_subscriber_thread_finish(load_subscriber_thread_t *self, uint32_t *digests)
{
    const load_run_t *run = self->run;
    const load_options_t *options = run->options;
    uint64_t disagreeing = 0;
    for (uint32_t i = 0; i < self->connection_count; i++) {
        load_subscriber_t *connection = &self->connections[i];
        for (uint32_t j = 0; j <= connection->mask && !connection->slow; j++) {
            load_stream_t *stream = &connection->streams[j];
            if (stream->state != LOAD_STREAM_OPEN)
                continue;
            load_checker_slot_t *slots = slots_of(connection, stream);
            for (uint32_t k = 0; k < slots_per_stream(options); k++) {
                size_t topic = (stream->topic + k / options->lanes) % options->topics;
                load_checker_end(&slots[k], run->sent[topic * options->lanes + k % options->lanes],
                                 &self->counts.checks);
            }
            disagreeing += saw_another_order(run, stream, digests) ? 1 : 0;
        }
    }
    return disagreeing;
}

void load_subscriber_thread_dispose(load_subscriber_thread_t *self)
{
    for (uint32_t i = 0; i < self->connection_count; i++) {
        load_subscriber_t *connection = &self->connections[i];
        for (uint32_t j = 0; j <= connection->mask; j++) {
            if (connection->streams[j].carry != NULL)
                load_bytes_dispose(connection->streams[j].carry);
            free(connection->streams[j].carry);
        }
        free(connection->streams);
        free(connection->slots);
        free(connection->waiting);
        load_h2_dispose(&connection->h2);
    }
    free(self->connections);
    load_loop_dispose(&self->loop);
}
