#include "bench/load/report.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/load/clock.h"

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static double measured_seconds(const load_results_t *results)
{
    return seconds(results->measure_end.time_ns - results->measure_start.time_ns);
}

static void set(json_t *object, const char *name, double value)
{
    json_object_set_new(object, name, json_real(value));
}

static void set_count(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, text == NULL ? json_null() : json_string(text));
}

static json_t *latency_json(const load_histogram_t *histogram)
{
    json_t *json = json_object();
    set_count(json, "count", histogram->count);
    set(json, "mean", load_histogram_mean(histogram) / 1e3);
    set(json, "p50", (double)load_histogram_percentile(histogram, 50) / 1e3);
    set(json, "p90", (double)load_histogram_percentile(histogram, 90) / 1e3);
    set(json, "p99", (double)load_histogram_percentile(histogram, 99) / 1e3);
    set(json, "p99.9", (double)load_histogram_percentile(histogram, 99.9) / 1e3);
    set(json, "max", (double)histogram->max / 1e3);
    return json;
}

/* The CPU time that `thread` of the later sample used since the earlier one. */
static uint64_t thread_cpu_since(const load_process_cpu_t *before,
                                 const load_process_thread_t *thread)
{
    for (size_t i = 0; i < before->thread_count; i++)
        if (before->threads[i].tid == thread->tid)
            return thread->cpu_ns - before->threads[i].cpu_ns;
    return thread->cpu_ns;
}

static json_t *cpu_json(const load_sample_t *start, const load_sample_t *end)
{
    const load_process_cpu_t *before = &start->server, *after = &end->server;
    double wall = seconds(end->time_ns - start->time_ns), tick = (double)sysconf(_SC_CLK_TCK);
    json_t *json = json_object(), *threads = json_array();
    set(json, "seconds", wall);
    set(json, "server_seconds", seconds(after->total_ns - before->total_ns));
    set(json, "server_user_seconds", (double)(after->user_ticks - before->user_ticks) / tick);
    set(json, "server_system_seconds", (double)(after->system_ticks - before->system_ticks) / tick);
    set(json, "server_cores", ratio(seconds(after->total_ns - before->total_ns), wall));
    set(json, "client_seconds", seconds(end->client_cpu_ns - start->client_cpu_ns));
    for (size_t i = 0; i < after->thread_count; i++) {
        const load_process_thread_t *thread = &after->threads[i];
        uint64_t used_ns = thread_cpu_since(before, thread);
        if (used_ns == 0)
            continue;
        json_t *entry = json_object();
        set_text(entry, "name", thread->name);
        set_count(entry, "pid", (uint64_t)thread->pid);
        set_count(entry, "tid", (uint64_t)thread->tid);
        set(entry, "seconds", seconds(used_ns));
        json_array_append_new(threads, entry);
    }
    json_object_set_new(json, "server_threads", threads);
    return json;
}

static json_t *options_json(const load_options_t *options)
{
    json_t *json = json_object();
#define X(field, option, standard, minimum, maximum, help) set_count(json, option, options->field);
    LOAD_NUMBERS(X)
#undef X
    set_text(json, "dialect", options->dialect);
    json_object_set_new(json, "cleartext", json_boolean(options->cleartext));
    set_count(json, "servers", options->address_count);
    return json;
}

static json_t *memory_json(const load_results_t *results)
{
    json_t *json = json_object();
    double streams = (double)results->streams_open;
    uint64_t before = results->memory_before.rss_bytes, open = results->memory_open.rss_bytes;
    set_count(json, "rss_before_bytes", before);
    set_count(json, "rss_open_bytes", open);
    set_count(json, "rss_after_bytes", results->memory_after.rss_bytes);
    set_count(json, "pss_open_bytes", results->memory_open.pss_bytes);
    set(json, "rss_per_stream_bytes", ratio((double)open, streams));
    set(json, "rss_growth_per_stream_bytes", ratio((double)open - (double)before, streams));
    set(json, "pss_per_stream_bytes", ratio((double)results->memory_open.pss_bytes, streams));
    return json;
}

static json_t *open_json(const load_results_t *results)
{
    json_t *json = json_object();
    set_count(json, "streams", results->streams_open);
    set(json, "seconds", seconds(results->open_ns));
    set(json, "streams_per_second",
        ratio((double)results->streams_open, seconds(results->open_ns)));
    set(json, "server_cpu_ns",
        ratio((double)(results->open_end.server.total_ns - results->open_start.server.total_ns),
              (double)results->streams_open));
    return json;
}

static json_t *hold_json(const load_results_t *results)
{
    json_t *json = cpu_json(&results->hold_start, &results->hold_end);
    set_count(json, "comments", results->hold_end.comments - results->hold_start.comments);
    return json;
}

static json_t *publish_json(const load_publisher_t *publisher)
{
    const load_publisher_counts_t *counts = &publisher->counts;
    json_t *json = json_object();
    set_count(json, "sent", counts->sent);
    set_count(json, "sent_measured", counts->sent_measured);
    set_count(json, "accepted", counts->accepted);
    set_count(json, "dropped", counts->dropped);
    set_count(json, "failed", counts->failed);
    set_count(json, "failed_status", (uint64_t)counts->failed_status);
    set_count(json, "delivered_miscounted", counts->miscounted);
    set_count(json, "dropped_wrongly", counts->dropped_wrongly);
    set(json, "events_per_second",
        ratio((double)counts->sent_measured,
              seconds(publisher->measure_answered_ns - publisher->measure_start_ns)));
    json_object_set_new(json, "answer_latency_us", latency_json(&publisher->answer_latency));
    return json;
}

static json_t *delivery_json(const load_results_t *results)
{
    double count = (double)results->counts.measured;
    const load_sample_t *start = &results->measure_start, *end = &results->measure_end;
    json_t *json = json_object();
    set_count(json, "count", results->counts.measured);
    set(json, "per_second", ratio(count, measured_seconds(results)));
    set(json, "server_cpu_ns",
        ratio((double)(end->server.total_ns - start->server.total_ns), count));
    set(json, "client_cpu_ns", ratio((double)(end->client_cpu_ns - start->client_cpu_ns), count));
    json_object_set_new(json, "latency_us", latency_json(&results->latency));
    return json;
}

static json_t *churn_json(const load_results_t *results)
{
    double count = (double)(results->measure_end.churned - results->measure_start.churned);
    const load_sample_t *start = &results->measure_start, *end = &results->measure_end;
    json_t *json = json_object();
    set(json, "count", count);
    set(json, "per_second", ratio(count, measured_seconds(results)));
    set(json, "server_cpu_ns",
        ratio((double)(end->server.total_ns - start->server.total_ns), count));
    return json;
}

static json_t *resume_json(const load_results_t *results)
{
    json_t *json = json_object();
    set_count(json, "streams", results->counts.resumed);
    set_count(json, "caught_up", results->counts.caught_up);
    json_object_set_new(json, "catch_up_us", latency_json(&results->catch_up));
    return json;
}

static json_t *verification_json(const load_run_t *run, const load_publisher_t *publisher,
                                 const load_results_t *results)
{
    const load_subscriber_counts_t *counts = &results->counts;
    json_t *json = json_object();
    json_object_set_new(json, "clean", json_boolean(load_report_is_clean(run, publisher, results)));
    set_count(json, "received", counts->checks.in_order + counts->checks.out_of_order);
    set_count(json, "expected", publisher->expected);
    set_count(json, "lost", counts->checks.lost);
    set_count(json, "duplicates", counts->checks.duplicates);
    set_count(json, "out_of_order", counts->checks.out_of_order);
    set_count(json, "disagreeing_streams", results->disagreeing_streams);
    set_count(json, "foreign", counts->foreign);
    set_count(json, "corrupt", counts->corrupt);
    set_count(json, "streams_refused", counts->refused);
    set_count(json, "refused_status", (uint64_t)counts->refused_status);
    set_count(json, "streams_closed", counts->closed);
    set_count(json, "slow_streams_closed", counts->slow_closed);
    set_count(json, "connections_lost", counts->connections_lost);
    set_text(json, "connection_lost_why", counts->lost_why);
    set_text(json, "publisher_lost_why", publisher->counts.lost_why);
    set_text(json, "stopped_why", results->stopped_why);
    return json;
}

bool load_report_is_clean(const load_run_t *run, const load_publisher_t *publisher,
                          const load_results_t *results)
{
    const load_subscriber_counts_t *counts = &results->counts;
    const load_publisher_counts_t *sent = &publisher->counts;
    return results->stopped_why == NULL && counts->checks.lost == 0 &&
           counts->checks.duplicates == 0 && counts->checks.out_of_order == 0 &&
           results->disagreeing_streams == 0 && counts->foreign == 0 && counts->corrupt == 0 &&
           counts->refused == 0 && counts->closed == 0 && counts->connections_lost == 0 &&
           counts->caught_up == counts->resumed && sent->failed == 0 &&
           sent->dropped_wrongly == 0 && sent->lost_why == NULL;
}

static void print_line(const load_run_t *run, const load_publisher_t *publisher,
                       const load_results_t *results)
{
    double count = (double)results->counts.measured;
    double cpu_ns =
        (double)(results->measure_end.server.total_ns - results->measure_start.server.total_ns);
    fprintf(stderr,
            "%s%s%llu streams in %.2f s, %.0f B each; %.0f deliveries, %.0f/s, %.0f ns server CPU "
            "each, p50 %.0f p99 %.0f max %.0f us; %s\n",
            run->options->label, *run->options->label != '\0' ? ": " : "",
            (unsigned long long)results->streams_open, seconds(results->open_ns),
            ratio((double)results->memory_open.rss_bytes, (double)results->streams_open), count,
            ratio(count, measured_seconds(results)), ratio(cpu_ns, count),
            (double)load_histogram_percentile(&results->latency, 50) / 1e3,
            (double)load_histogram_percentile(&results->latency, 99) / 1e3,
            (double)results->latency.max / 1e3,
            results->stopped_why != NULL                    ? results->stopped_why
            : load_report_is_clean(run, publisher, results) ? "every delivery verified"
                                                            : "VERIFICATION FAILED");
}

void load_report_print(const load_run_t *run, const load_publisher_t *publisher,
                       const load_results_t *results)
{
    json_t *json = json_object();
    set_text(json, "label", run->options->label);
    json_object_set_new(json, "options", options_json(run->options));
    json_object_set_new(json, "open", open_json(results));
    json_object_set_new(json, "memory", memory_json(results));
    if (run->options->hold_ms > 0)
        json_object_set_new(json, "idle", hold_json(results));
    json_object_set_new(json, "publish", publish_json(publisher));
    json_object_set_new(json, "delivery", delivery_json(results));
    if (run->options->churn)
        json_object_set_new(json, "churn", churn_json(results));
    if (run->options->resume_events > 0)
        json_object_set_new(json, "resume", resume_json(results));
    json_object_set_new(json, "cpu", cpu_json(&results->measure_start, &results->measure_end));
    set(json_object_get(json, "cpu"), "receiver_seconds_in_all", seconds(results->receiver_cpu_ns));
    json_object_set_new(json, "verification", verification_json(run, publisher, results));
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    putchar('\n');
    json_decref(json);
    print_line(run, publisher, results);
}
