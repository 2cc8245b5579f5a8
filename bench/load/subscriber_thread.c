/* The thread of subscribers: its phases, connections that are cut and resume, its beginning and
 * end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/clock.h"
#include "bench/load/subscriber_connection.h"

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
            (load_waiting_t){.topic = stream->topic, .resumes = true, .slot = stream->slot};
        load_subscriber_free_stream(connection, stream);
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
        load_subscriber_connect(self, connection);
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
                load_subscriber_churn_if_due(connection, &connection->streams[j]);
        if (options->churn)
            load_subscriber_open_more(connection);
    }
}

static void *run_thread(void *data)
{
    load_subscriber_thread_t *self = data;
    load_phase_t phase;
    load_subscriber_connect_more(self);
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
    if (load_slots_per_stream(options) > 1)
        connection->slots =
            calloc((size_t)size * load_slots_per_stream(options), sizeof(*connection->slots));
    bool reopens = options->churn || options->resume_events > 0;
    if (reopens)
        connection->waiting = calloc(options->streams, sizeof(*connection->waiting));
    connection->slow = index < options->slow_connections;
    connection->h2.transport.fd = -1;
    if (connection->streams == NULL || (load_slots_per_stream(options) > 1 && !connection->slots) ||
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
            load_checker_slot_t *slots = load_slots_of(connection, stream);
            for (uint32_t k = 0; k < load_slots_per_stream(options); k++) {
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
