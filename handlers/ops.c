/* /healthz, /readyz and /metrics (Prometheus text format 0.0.4). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "handlers/gateway.h"
#include "handlers/handlers.h"
#include "handlers/reply.h"

void tw_handle_health(h2o_req_t *req)
{
    tw_reply_json(req, 200, json_pack("{s:s}", "status", "ok"));
}

void tw_handle_ready(h2o_req_t *req)
{
    tw_gateway_t *gateway = tw_worker_of(req)->gateway;
    const char *why_not = NULL;

    if (atomic_load(&gateway->draining))
        why_not = "draining";
    else if (!gateway->adapter->ops->ready(gateway->adapter, &why_not) && why_not == NULL)
        why_not = "the runtime is not ready";
    if (why_not == NULL)
        tw_reply_json(req, 200, json_pack("{s:s}", "status", "ready"));
    else
        tw_reply_json(req, 503, json_pack("{s:s,s:s}", "status", "unready", "reason", why_not));
}

/* --- metrics --- */

static void write_head(FILE *out, const char *metric, const char *type, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

static void write_row(FILE *out, const char *metric, const char *labels, const char *type,
                      const char *help, uint64_t value)
{
    if (help[0] != '\0')
        write_head(out, metric, type, help);
    fprintf(out, "%s%s%s%s %" PRIu64 "\n", metric, labels[0] != '\0' ? "{" : "", labels,
            labels[0] != '\0' ? "}" : "", value);
}

static void write_latency(FILE *out, const tw_counters_t *sum)
{
    static const uint64_t bounds_us[] = TW_LATENCY_BOUNDS_US;
    static const char metric[] = "tideway_publish_queued_seconds";
    uint64_t count = 0;

    write_head(out, metric, "histogram",
               "From a publish's last byte to its event being queued on every local worker.");
    for (int i = 0; i < TW_LATENCY_BOUND_COUNT; ++i) {
        count += sum->latency[i];
        fprintf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", metric, (double)bounds_us[i] / 1e6,
                count);
    }
    count += sum->latency[TW_LATENCY_BOUND_COUNT];
    fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", metric, count);
    fprintf(out, "%s_sum %.6f\n%s_count %" PRIu64 "\n", metric, (double)sum->latency_sum_us / 1e6,
            metric, count);
}

static void write_refusals(FILE *out, const tw_gateway_t *gateway)
{
    static const char metric[] = "tideway_refused_total";
    const tw_limits_t *limits = &gateway->limits;
    const struct {
        const char *labels;
        uint64_t value;
    } rows[] = {
        {"limit=\"connections\"", gateway->connections_refused - limits->refused_connections},
        {"limit=\"connections_per_address\"", limits->refused_connections},
        {"limit=\"handshakes\"", limits->handshakes.refused},
        {"limit=\"handshakes_per_address\"", limits->refused_handshakes_of_address},
        {"limit=\"silent_connections\"", limits->refused_silent},
        {"limit=\"key_updates\"", *gateway->key_updates_refused},
        {"limit=\"streams_per_address\"", limits->refused_streams},
        {"limit=\"auth_failures\"", limits->refused_failures},
        {"limit=\"publish_rate\"", limits->refused_publishes},
        {"limit=\"publishes_in_flight\"", limits->publishes_in_flight.refused},
        {"limit=\"request_bytes\"", limits->refused_request_bytes},
        {"limit=\"request_bytes_per_address\"", limits->refused_request_bytes_of_address},
        {"limit=\"answer_bytes\"", limits->refused_answer_bytes},
        {"limit=\"answer_bytes_per_address\"", limits->refused_answer_bytes_of_address},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i)
        write_row(out, metric, rows[i].labels, TW_COUNTER,
                  i == 0 ? "Work refused at a limit of this node, an address or a key." : "",
                  rows[i].value);
}

/* All rows of a metric must stand together. */
static void write_loops(FILE *out, const tw_gateway_t *gateway)
{
    static const char turn[] = "tideway_loop_turn_longest_seconds",
                      cpu[] = "tideway_loop_turn_longest_cpu_seconds",
                      stalls[] = "tideway_loop_stalls_total",
                      over[] = "tideway_loop_turns_over_budget_total",
                      deferred[] = "tideway_loop_deferred_total";

    write_head(out, turn, TW_GAUGE, "Longest turn of a loop in the last half minute to minute.");
    for (uint32_t i = 0; i < gateway->watch_count; ++i)
        fprintf(out, "%s{loop=\"%s\"} %.6f\n", turn, gateway->watches[i]->name,
                (double)tw_loop_watch_wall_us(gateway->watches[i]) / 1e6);
    write_head(out, cpu, TW_GAUGE, "The same by CPU time, which leaves out the kernel's pauses.");
    for (uint32_t i = 0; i < gateway->watch_count; ++i)
        fprintf(out, "%s{loop=\"%s\"} %.6f\n", cpu, gateway->watches[i]->name,
                (double)tw_loop_watch_cpu_us(gateway->watches[i]) / 1e6);
    write_head(out, stalls, TW_COUNTER, "Turns of a loop that took longer than 20 ms.");
    for (uint32_t i = 0; i < gateway->watch_count; ++i)
        fprintf(out, "%s{loop=\"%s\"} %" PRIu64 "\n", stalls, gateway->watches[i]->name,
                (uint64_t)gateway->watches[i]->stalls);
    write_head(out, over, TW_COUNTER, "Turns of a loop that used up their budget of work.");
    for (uint32_t i = 0; i < gateway->watch_count; ++i)
        fprintf(out, "%s{loop=\"%s\"} %" PRIu64 "\n", over, gateway->watches[i]->name,
                (uint64_t)gateway->watches[i]->turns_over_budget);
    write_head(out, deferred, TW_COUNTER, "Pieces of work that had to wait for a later turn.");
    for (uint32_t i = 0; i < gateway->watch_count; ++i)
        fprintf(out, "%s{loop=\"%s\"} %" PRIu64 "\n", deferred, gateway->watches[i]->name,
                (uint64_t)gateway->watches[i]->deferrals);
}

static void on_adapter_stat(const char *metric, const char *type, const char *help, uint64_t value,
                            void *data)
{
    write_row(data, metric, "", type, help, value);
}

static void write_metrics(FILE *out, const tw_gateway_t *gateway)
{
    tw_stats_t stats;
    const tw_counters_t *sum = &stats.counters;

    tw_stats_read(gateway->hub, &stats);
#define X(field, metric, labels, type, help) write_row(out, metric, labels, type, help, sum->field);
    TW_COUNTER_TABLE(X)
#undef X
    write_head(out, "tideway_streams_closed_total", TW_COUNTER, "SSE streams closed, by reason.");
    for (int i = 0; i < TW_CLOSE_REASON_COUNT; ++i)
        fprintf(out, "tideway_streams_closed_total{reason=\"%s\"} %" PRIu64 "\n",
                tw_close_reason_label((tw_close_reason_t)i), (uint64_t)sum->closes[i]);
    write_latency(out, sum);
    write_refusals(out, gateway);
    write_row(out, "tideway_tls_handshakes", "", TW_GAUGE, "TLS handshakes in progress.",
              tw_limit_count(&gateway->limits.handshakes));
    write_row(out, "tideway_topics", "", TW_GAUGE, "Topics with subscribers on this node.",
              stats.topics);
    write_row(out, "tideway_resume_windows_cut_total", "", TW_COUNTER,
              "Resume windows that ended early: too many topics waited.", stats.resume_windows_cut);
    write_row(out, "tideway_tail_events", "", TW_GAUGE, "Events kept in tails.", stats.kept_events);
    write_row(out, "tideway_tail_bytes", "", TW_GAUGE, "Bytes of events kept in tails.",
              stats.kept_bytes);
    write_row(out, "tideway_revocations", "", TW_GAUGE,
              "Subjects whose tokens are revoked, as this node knows.",
              tw_revocations_count(gateway->revocations));
    write_row(out, "tideway_log_lines_dropped_total", "", TW_COUNTER,
              "Log lines that could not be written.", tw_log_dropped());
    write_loops(out, gateway);
    if (gateway->adapter->ops->visit_stats != NULL)
        gateway->adapter->ops->visit_stats(gateway->adapter, on_adapter_stat, out);
    fprintf(out,
            "# HELP tideway_build_info The running build.\n# TYPE tideway_build_info gauge\n"
            "tideway_build_info{version=\"%s\",runtime=\"%s\"} 1\n",
            gateway->version, gateway->adapter->ops->name);
}

void tw_handle_metrics(h2o_req_t *req)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    write_metrics(out, tw_worker_of(req)->gateway);
    fclose(out);
    tw_reply_text(req, 200, "text/plain; version=0.0.4; charset=utf-8", text, len);
    free(text);
}
