#include "bench/load/publisher_connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "bench/load/clock.h"

/* Events written before the connections' output leaves. */
enum { EVENTS_A_TURN = 128 };

/* The longest that the publisher sleeps while it waits for answers or deliveries. */
#define WAIT_NS (10 * LOAD_NS_PER_MS)

/* What to publish next. */
typedef struct choice {
    uint32_t topic;
    uint32_t lane;
    uint32_t connection;
    uint32_t followers;
    bool nobody;
} choice_t;

/* Whether the next event goes to a topic without followers: spread evenly. */
static bool is_nobodys_turn(const load_publisher_t *self)
{
    uint64_t percent = self->run->options->nobody_percent;
    return (self->chosen + 1) * percent / 100 != self->chosen * percent / 100;
}

static choice_t choose(const load_publisher_t *self)
{
    const load_options_t *options = self->run->options;
    choice_t choice = {.nobody = is_nobodys_turn(self)};
    if (choice.nobody) {
        uint32_t spread = LOAD_PAYLOAD_TOPICS_MAX - options->topics;
        choice.topic = options->topics + (uint32_t)(self->nobody % spread);
        choice.connection = (uint32_t)(self->nobody % options->publishers);
        return choice;
    }
    choice.topic = (uint32_t)(self->turn % options->topics);
    choice.lane = (uint32_t)(self->turn / options->topics % options->lanes);
    choice.connection = (choice.topic + choice.lane) % options->publishers;
    choice.followers = self->run->followers[choice.topic];
    return choice;
}

/* Sends one event. False when its connection cannot take it now. */
static bool send_event(load_publisher_t *self, const choice_t *choice, uint64_t time_ns)
{
    load_run_t *run = self->run;
    const load_options_t *options = run->options;
    load_publisher_connection_t *connection = &self->connections[choice->connection];
    load_pending_t *pending =
        &connection->pending[(connection->h2.next_id >> 1) & connection->mask];
    _Atomic uint32_t *sent =
        choice->nobody ? NULL : &run->sent[choice->topic * options->lanes + choice->lane];
    load_payload_t payload = {.time_ns = time_ns, .topic = choice->topic, .lane = choice->lane};
    if (pending->id != 0)
        return false;
    payload.sequence = sent == NULL ? 0 : atomic_load_explicit(sent, memory_order_relaxed) + 1;
    load_payload_write(self->payload, options->payload_bytes, &payload);
    load_event_t event = {choice->topic, choice->lane, payload.sequence, self->payload,
                          options->payload_bytes};
    run->dialect->publish(&self->request,
                          &run->servers[choice->connection % options->address_count], &event);
    uint32_t id =
        load_h2_request(&connection->h2, self->request.headers, self->request.header_count,
                        self->request.body, self->request.body_bytes);
    if (id == 0)
        return false;
    /* Before the event leaves: who joins from now on is owed the next one. */
    if (sent != NULL)
        atomic_store_explicit(sent, payload.sequence, memory_order_release);
    *pending = (load_pending_t){.time_ns = time_ns, .id = id, .followers = choice->followers};
    self->in_flight++;
    self->expected += choice->followers;
    atomic_fetch_add_explicit(&run->published, 1, memory_order_relaxed);
    atomic_store_explicit(&run->expected, self->expected, memory_order_release);
    return true;
}

static void count_sent(load_publisher_t *self, const choice_t *choice, uint64_t now_ns)
{
    self->events++;
    self->chosen++;
    if (choice->nobody)
        self->nobody++;
    else
        self->turn++;
    self->counts.sent++;
    if (self->phase_seen == LOAD_PHASE_MEASURE) {
        self->counts.sent_measured++;
        self->measure_sent_ns = now_ns;
    }
}

/* Closed loop: whether another event may be under way; if deliveries are missing, asks to be woken.
 */
static bool has_room(load_publisher_t *self)
{
    const load_options_t *options = self->run->options;
    if (self->in_flight >= options->in_flight)
        return false;
    if (options->churn)
        return true;
    uint64_t limit = (uint64_t)options->in_flight * self->run->followers_max;
    if (limit == 0 || self->expected - load_run_delivered(self->run) < limit)
        return true;
    atomic_store(&self->run->wake_at, self->expected - limit + 1);
    /* What came between the look and the wish would wake nobody. */
    if (self->expected - load_run_delivered(self->run) >= limit)
        return false;
    atomic_store(&self->run->wake_at, UINT64_MAX);
    return true;
}

static bool is_over(const load_publisher_t *self, uint64_t time_ns)
{
    if (self->events_max > 0)
        return self->events >= self->events_max;
    return time_ns >= self->until_ns;
}

/* Sends what is due. Returns how long there is nothing to do. */
static uint64_t publish_due(load_publisher_t *self)
{
    uint64_t rate = self->run->options->rate;
    for (int i = 0; i < EVENTS_A_TURN; i++) {
        uint64_t now_ns = load_now_ns(), time_ns = now_ns;
        if (rate > 0)
            time_ns = self->start_ns + (uint64_t)((double)self->events * 1e9 / (double)rate);
        if (is_over(self, time_ns)) {
            self->publishing = false;
            return 0;
        }
        if (time_ns > now_ns)
            return time_ns - now_ns < WAIT_NS ? time_ns - now_ns : WAIT_NS;
        choice_t choice = choose(self);
        if ((rate == 0 && !has_room(self)) || !send_event(self, &choice, time_ns))
            return WAIT_NS;
        count_sent(self, &choice, now_ns);
    }
    return 0;
}

static int connect_one(load_publisher_t *self, load_publisher_connection_t *connection)
{
    const load_options_t *options = self->run->options;
    return load_h2_connect(&connection->h2, &self->loop,
                           &options->addresses[connection->index % options->address_count],
                           self->run->tls, options->stream_window, options->receive_window,
                           &load_publisher_callbacks);
}

/* Connects again what a server has closed while nothing was published. */
static void reconnect(load_publisher_t *self)
{
    for (uint32_t i = 0; i < self->run->options->publishers; i++) {
        load_publisher_connection_t *connection = &self->connections[i];
        if (connection->h2.transport.fd >= 0)
            continue;
        load_h2_dispose(&connection->h2);
        if (connect_one(self, connection) != 0) {
            self->counts.lost_why = "cannot connect again";
            atomic_store(&self->connected, -1);
        }
    }
}

/* All connections are there: the phase's clock starts. */
static void start_phase(load_publisher_t *self)
{
    const load_options_t *options = self->run->options;
    bool measure = self->phase_seen == LOAD_PHASE_MEASURE;
    uint64_t duration_ms = measure ? options->duration_ms : options->warmup_ms;
    self->starting = false;
    self->publishing = true;
    self->start_ns = load_now_ns();
    self->until_ns = self->start_ns + duration_ms * LOAD_NS_PER_MS;
    self->events_max = measure ? options->events : 0;
    self->events = 0;
    if (measure)
        self->measure_start_ns = self->start_ns;
}

static void enter_phase(load_publisher_t *self, load_phase_t phase)
{
    self->phase_seen = phase;
    self->publishing = false;
    self->starting = phase == LOAD_PHASE_MEASURE || phase == LOAD_PHASE_WARM_UP;
    if (self->starting)
        reconnect(self);
}

static void *run_thread(void *data)
{
    load_publisher_t *self = data;
    load_phase_t phase;
    /* The pace is finer than the kernel's usual slack of 50 microseconds. */
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    while ((phase = load_run_phase(self->run)) != LOAD_PHASE_STOP) {
        if (phase != self->phase_seen)
            enter_phase(self, phase);
        if (self->starting && self->ready == self->run->options->publishers)
            start_phase(self);
        uint64_t wait_ns = self->publishing ? publish_due(self) : WAIT_NS;
        if (!self->starting && !self->publishing && self->in_flight == 0)
            atomic_store(&self->run->finished_phase, self->phase_seen);
        load_loop_turn(&self->loop, wait_ns);
    }
    self->cpu_ns = load_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static int connect_all(load_publisher_t *self)
{
    const load_options_t *options = self->run->options;
    uint32_t size = 1;
    while (size < 2 * options->in_flight || size < 2048)
        size *= 2;
    for (uint32_t i = 0; i < options->publishers; i++) {
        load_publisher_connection_t *connection = &self->connections[i];
        connection->publisher = self;
        connection->index = i;
        connection->mask = size - 1;
        connection->pending = calloc(size, sizeof(*connection->pending));
        if (connection->pending == NULL)
            abort();
        if (connect_one(self, connection) != 0) {
            perror("tw-load: publisher cannot connect");
            return -1;
        }
    }
    return 0;
}

int load_publisher_start(load_publisher_t *self, load_run_t *run)
{
    memset(self, 0, sizeof(*self));
    self->run = run;
    load_histogram_init(&self->answer_latency);
    load_loop_init(&self->loop);
    run->publisher_loop = &self->loop;
    self->connections = calloc(run->options->publishers, sizeof(*self->connections));
    if (self->connections == NULL)
        abort();
    for (uint32_t i = 0; i < run->options->publishers; i++)
        self->connections[i].h2.transport.fd = -1;
    if (connect_all(self) != 0)
        return -1;
    if (pthread_create(&self->thread, NULL, run_thread, self) != 0) {
        fputs("tw-load: cannot start a thread\n", stderr);
        return -1;
    }
    return 0;
}

void load_publisher_join(load_publisher_t *self)
{
    pthread_join(self->thread, NULL);
}

void load_publisher_dispose(load_publisher_t *self)
{
    for (uint32_t i = 0; i < self->run->options->publishers; i++) {
        free(self->connections[i].pending);
        load_h2_dispose(&self->connections[i].h2);
    }
    free(self->connections);
    load_loop_dispose(&self->loop);
}
