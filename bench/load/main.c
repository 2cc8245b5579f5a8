/*
 * tw-load: the main thread walks one run through its phases and samples the servers in between. See
 * options.h for what can be asked for and report.h for what comes out.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/load/clock.h"
#include "bench/load/report.h"

enum { EXIT_NOT_CLEAN = 1, EXIT_NOT_RUN = 2, POLL_US = 1000, CHURN_QUIET_MS = 300 };

typedef struct session {
    load_options_t options;
    load_run_t run;
    load_publisher_t publisher;
    load_results_t results;
    uint64_t deadline_ns;
} session_t;

/* A million streams on thousands of connections need descriptors; root may raise the hard limit. */
static void raise_descriptor_limit(uint32_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    struct rlimit raised = {wanted, limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static uint64_t sum(const session_t *session, size_t offset)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < session->options.threads; i++)
        total += atomic_load((_Atomic uint64_t *)((char *)&session->run.threads[i] + offset));
    return total;
}

#define SUM(session, field) sum(session, offsetof(load_subscriber_thread_t, field))

static void take_sample(const session_t *session, load_sample_t *sample)
{
    load_process_cpu_sample(session->options.pids, session->options.pid_count, &sample->server);
    sample->client_cpu_ns = load_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    sample->comments = SUM(session, comments);
    sample->churned = SUM(session, churned);
    sample->time_ns = load_now_ns();
}

static void take_memory(const session_t *session, load_process_memory_t *memory)
{
    load_process_memory_sample(session->options.pids, session->options.pid_count, memory);
}

static int stop(session_t *session, const char *why)
{
    if (session->results.stopped_why == NULL)
        session->results.stopped_why = why;
    return -1;
}

/* ---- the phases; each returns 0, or -1 when the run cannot go on ---- */

static int open_streams(session_t *session)
{
    uint64_t wanted = (uint64_t)session->options.connections * session->options.streams;
    uint64_t start_ns = load_now_ns();
    uint64_t limit_ns = start_ns + session->options.open_deadline_ms * LOAD_NS_PER_MS;
    int connected;
    while ((connected = atomic_load(&session->publisher.connected)) == 0 ||
           session->results.streams_open < wanted) {
        if (connected < 0)
            return stop(session, "a publisher could not connect");
        if (SUM(session, failures) > 0)
            return stop(session, "streams could not be opened");
        if (load_now_ns() > limit_ns)
            return stop(session, "opening took longer than --open-deadline-ms");
        usleep(POLL_US);
        session->results.streams_open = SUM(session, open);
    }
    session->results.open_ns = load_now_ns() - start_ns;
    take_sample(session, &session->results.open_end);
    usleep(session->options.settle_ms * 1000);
    take_memory(session, &session->results.memory_open);
    return 0;
}

static void hold(session_t *session)
{
    if (session->options.hold_ms == 0)
        return;
    take_sample(session, &session->results.hold_start);
    usleep(session->options.hold_ms * 1000);
    take_sample(session, &session->results.hold_end);
}

/* Whether everything that was published has arrived; with churn, when nothing arrives any more. */
static bool all_arrived(const session_t *session, uint64_t delivered, uint64_t quiet_ns)
{
    if (session->options.churn)
        return quiet_ns > CHURN_QUIET_MS * LOAD_NS_PER_MS;
    return delivered >= atomic_load(&session->run.expected);
}

static int publish(session_t *session, load_phase_t phase)
{
    uint64_t last = 0, moved_ns = load_now_ns(),
             stall_ns = session->options.stall_ms * LOAD_NS_PER_MS;
    atomic_store_explicit(&session->run.phase, phase, memory_order_release);
    load_loop_wake(&session->publisher.loop);
    for (;;) {
        bool finished = atomic_load(&session->run.finished_phase) >= (int)phase;
        uint64_t now_ns = load_now_ns(), delivered = load_run_delivered(&session->run);
        uint64_t progress = delivered + atomic_load(&session->run.published);
        if (progress != last)
            moved_ns = now_ns;
        last = progress;
        if (finished && all_arrived(session, delivered, now_ns - moved_ns))
            return 0;
        if (now_ns - moved_ns > stall_ns)
            return stop(session, finished ? "deliveries are missing" : "publishing has stalled");
        if (now_ns > session->deadline_ns)
            return stop(session, "the run took longer than --deadline-ms");
        usleep(POLL_US);
    }
}

static int measure(session_t *session)
{
    take_sample(session, &session->results.measure_start);
    atomic_store(&session->run.measure_from_ns, load_now_ns());
    int result = publish(session, LOAD_PHASE_MEASURE);
    take_sample(session, &session->results.measure_end);
    return result;
}

/* Slow connections read again, until all their streams have ended or nothing more happens. */
static void release_slow(session_t *session)
{
    uint64_t wanted = (uint64_t)session->options.slow_connections * session->options.streams;
    uint64_t last = 0, moved_ns = load_now_ns(),
             stall_ns = session->options.stall_ms * LOAD_NS_PER_MS;
    atomic_store_explicit(&session->run.phase, LOAD_PHASE_RELEASE, memory_order_release);
    while (last < wanted && load_now_ns() - moved_ns < stall_ns) {
        uint64_t closed = SUM(session, slow_closed);
        if (closed != last)
            moved_ns = load_now_ns();
        last = closed;
        usleep(POLL_US);
    }
}

static void add_counts(load_subscriber_counts_t *to, const load_subscriber_counts_t *from)
{
    load_checker_counts_add(&to->checks, &from->checks);
    to->measured += from->measured;
    to->comments += from->comments;
    to->foreign += from->foreign;
    to->corrupt += from->corrupt;
    to->refused += from->refused;
    to->closed += from->closed;
    to->slow_closed += from->slow_closed;
    to->churned += from->churned;
    to->resumed += from->resumed;
    to->caught_up += from->caught_up;
    to->connections_lost += from->connections_lost;
    if (from->refused_status != 0)
        to->refused_status = from->refused_status;
    if (from->lost_why != NULL)
        to->lost_why = from->lost_why;
}

/* Ends the threads and gathers what they have counted. */
static void finish(session_t *session, uint32_t threads_started, bool publisher_started)
{
    uint32_t *digests = calloc(session->options.topics, sizeof(*digests));
    if (digests == NULL)
        abort();
    atomic_store_explicit(&session->run.phase, LOAD_PHASE_STOP, memory_order_release);
    if (publisher_started)
        load_publisher_join(&session->publisher);
    load_histogram_init(&session->results.latency);
    load_histogram_init(&session->results.catch_up);
    for (uint32_t i = 0; i < threads_started; i++) {
        load_subscriber_thread_t *thread = &session->run.threads[i];
        load_subscriber_thread_join(thread);
        session->results.disagreeing_streams += load_subscriber_thread_finish(thread, digests);
        add_counts(&session->results.counts, &thread->counts);
        load_histogram_merge(&session->results.latency, &thread->latency);
        load_histogram_merge(&session->results.catch_up, &thread->catch_up);
        session->results.receiver_cpu_ns += thread->cpu_ns;
    }
    free(digests);
}

static int run_session(session_t *session)
{
    const load_options_t *options = &session->options;
    uint32_t threads_started = 0;
    take_memory(session, &session->results.memory_before);
    take_sample(session, &session->results.open_start);
    if (load_publisher_start(&session->publisher, &session->run) != 0)
        return EXIT_NOT_RUN;
    while (threads_started < options->threads) {
        if (load_subscriber_thread_start(&session->run.threads[threads_started], &session->run,
                                         threads_started) != 0)
            return EXIT_NOT_RUN;
        threads_started++;
    }
    if (open_streams(session) == 0) {
        hold(session);
        if ((options->warmup_ms == 0 || publish(session, LOAD_PHASE_WARM_UP) == 0) &&
            measure(session) == 0 && options->slow_connections > 0)
            release_slow(session);
    }
    take_memory(session, &session->results.memory_after);
    finish(session, threads_started, true);
    load_report_print(&session->run, &session->publisher, &session->results);
    bool clean = load_report_is_clean(&session->run, &session->publisher, &session->results);
    for (uint32_t i = 0; i < threads_started; i++)
        load_subscriber_thread_dispose(&session->run.threads[i]);
    load_publisher_dispose(&session->publisher);
    return clean ? EXIT_SUCCESS : EXIT_NOT_CLEAN;
}

int main(int argc, char **argv)
{
    static session_t session;
    int parsed = load_options_parse(&session.options, argc, argv);
    if (parsed != 0)
        return parsed > 0 ? EXIT_SUCCESS : EXIT_NOT_RUN;
    /* Big read buffers come and go: never by mmap, or page faults would cost more than reading. */
    mallopt(M_MMAP_THRESHOLD, 512 * 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 512 * 1024 * 1024);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit(session.options.connections + session.options.publishers + 64);
    session.deadline_ns = load_now_ns() + session.options.deadline_ms * LOAD_NS_PER_MS;
    alarm(session.options.deadline_ms / 1000 + 15); /* whatever happens, it ends */
    if (load_run_init(&session.run, &session.options) != 0)
        return EXIT_NOT_RUN;
    int code = run_session(&session);
    load_run_dispose(&session.run);
    return code;
}
