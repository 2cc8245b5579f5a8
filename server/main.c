/* Tideway: a Server-Sent-Events gateway. Puts the parts together, runs them, takes them apart. */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <h2o.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/gateway.h"
#include "handlers/routes.h"
#include "runtime/memory/adapter.h"
#include "runtime/redis/adapter.h"
#include "server/control.h"
#include "server/healthcheck.h"
#include "server/listener.h"
#include "server/node.h"
#include "server/ops.h"
#include "server/options.h"
#include "server/privileges.h"
#include "server/usable_cpus.h"
#include "server/worker.h"
#include "tideway_version.h"
#include "tls/reload.h"

#define EXIT_USAGE 64 /* sysexits.h */
#define ERROR_BYTES 1200
#define HANDSHAKE_TIMEOUT_MS 10000
#define HTTP1_REQUEST_TIMEOUT_MS 10000
#define HTTP2_IDLE_TIMEOUT_MS 60000
#define HTTP2_PING_INTERVAL_MS 20000
#define TCP_USER_TIMEOUT_MS 30000
#define OUTPUT_BYTES_MIN ((size_t)1 << 20)
#define OUTPUT_BYTES_PER_STREAM 256
#define DESCRIPTORS_BESIDES 200

/** Everything that lives as long as the process. */
typedef struct tw_process {
    tw_options_t options;
    uv_loop_t uv; /* the main thread's */
    tw_loop_t loop;
    tw_node_info_t node;
    tw_network_t *proxies; /* owned; or NULL */
    tw_hub_t *hub;
    tw_gateway_t gateway;
    tw_tls_store_t *tls; /* NULL: cleartext */
    h2o_globalconf_t http;
    tw_worker_config_t worker_config;
    uint32_t worker_count;
    tw_worker_t *workers[TW_WORKERS_MAX];
    tw_listener_config_t listener_config;
    tw_control_t control;
} tw_process_t;

static int fail(const char *line)
{
    tw_log(TW_LOG_ERROR, "cannot start", tw_log_text("reason", line));
    tw_log_stop();
    return EXIT_FAILURE;
}

/*
 * As many descriptors as the limits of the options may need. When the system does not give them,
 * the connections are limited to what there is, with a line: some are left for probes, Redis and
 * files, which must work when clients are many.
 */
static void raise_descriptor_limit(tw_options_t *options)
{
    struct rlimit limit;
    uint64_t wanted = options->max_connections + DESCRIPTORS_BESIDES;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    struct rlimit more = {.rlim_cur = wanted,
                          .rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    more.rlim_cur = more.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &more);
    uint64_t spared =
        limit.rlim_max / 2 < DESCRIPTORS_BESIDES ? limit.rlim_max / 2 : DESCRIPTORS_BESIDES;
    options->max_connections = limit.rlim_max - spared;
    tw_log(TW_LOG_WARN,
           "TIDEWAY_MAX_CONNECTIONS needs more file descriptors than this process may have: "
           "connections beyond are refused",
           tw_log_number("descriptors", (int64_t)limit.rlim_max),
           tw_log_number("needed", (int64_t)wanted),
           tw_log_number("connections", (int64_t)options->max_connections));
}

static void read_cors(tw_cors_t *cors, const char *origins)
{
    tw_text_t list = tw_text_of(origins), item;

    while (tw_text_next_item(&list, &item)) {
        if (item.len == 1 && *item.base == '*') {
            cors->any = true;
            continue;
        }
        cors->origins = tw_realloc(cors->origins, (cors->count + 1) * sizeof(*cors->origins));
        cors->origins[cors->count++] = tw_strndup(item.base, item.len);
    }
}

/* Names, as TIDEWAY_RUNTIME's choices. */
enum { RUNTIME_MEMORY, RUNTIME_REDIS };

static tw_adapter_t *create_adapter(tw_process_t *process, const char **problem)
{
    static char text[ERROR_BYTES], reason[ERROR_BYTES / 2];
    const tw_options_t *options = &process->options;

    if (options->runtime == RUNTIME_MEMORY)
        return tw_memory_adapter_create(process->hub, &process->node);
    const tw_redis_config_t config = {.url = options->redis_url, .ca_path = options->redis_ca};
    tw_adapter_t *adapter =
        tw_redis_adapter_create(process->hub, &process->node, &config, reason, sizeof(reason));
    if (adapter == NULL) {
        snprintf(text, sizeof(text), "TIDEWAY_REDIS_URL or TIDEWAY_REDIS_CA: %s", reason);
        *problem = text;
    }
    return adapter;
}

static bool set_up_limits(tw_process_t *process, const char **problem)
{
    static char text[ERROR_BYTES];
    const tw_options_t *options = &process->options;
    size_t proxy_count;
    tw_text_t bad;

    if (!tw_networks_parse(options->trusted_proxies, &process->proxies, &proxy_count, &bad)) {
        snprintf(text, sizeof(text),
                 "TIDEWAY_TRUSTED_PROXIES: \"%.*s\" is no address or network such as 10.0.0.0/8",
                 (int)bad.len, bad.base);
        *problem = text;
        return false;
    }
    const tw_limits_config_t config = {.connections_per_address = options->max_connections_per_ip,
                                       .streams_per_address = options->max_streams_per_ip,
                                       .failures_per_minute = options->max_auth_failures,
                                       .publishes_per_second = options->publish_rate,
                                       .publish_burst = options->publish_burst > 0
                                                            ? options->publish_burst
                                                            : options->publish_rate,
                                       .publishes_in_flight = options->max_publishes_in_flight,
                                       .handshakes = options->max_handshakes,
                                       .handshakes_per_address = options->max_handshakes_per_ip,
                                       .proxies = process->proxies,
                                       .proxy_count = proxy_count};
    tw_limits_init(&process->gateway.limits, &config, process->gateway.auth.count);
    return true;
}

static bool set_up_gateway(tw_process_t *process, const char **problem)
{
    const tw_options_t *options = &process->options;
    tw_gateway_t *gateway = &process->gateway;
    const tw_hub_config_t hub_config = {.worker_count = process->worker_count,
                                        .streams_max = options->max_streams,
                                        .stream_buffer_bytes = options->stream_buffer_bytes,
                                        .connection_buffer_bytes = options->connection_buffer_bytes,
                                        .node_buffer_bytes = options->node_buffer_bytes,
                                        .tail_events = (uint32_t)options->tail_events,
                                        .tail_bytes = options->tail_bytes,
                                        .resume_window_ms = (int64_t)options->resume_window_ms,
                                        .connection_age_max_ms =
                                            (int64_t)options->max_connection_age_ms};

    process->hub = tw_hub_create(&hub_config);
    gateway->hub = process->hub;
    gateway->adapter = create_adapter(process, problem);
    if (gateway->adapter == NULL)
        return false;
    gateway->version = TIDEWAY_VERSION;
    gateway->started_at_ms = process->node.started_at_ms;
    gateway->topics_max = options->max_topics;
    gateway->payload_bytes_max = options->max_payload_bytes;
    gateway->tail_events_max = (uint32_t)options->tail_events;
    gateway->retry_ms = (uint32_t)options->retry_ms;
    gateway->drain_ms = (uint32_t)options->drain_ms;
    gateway->connection_age_max_ms = (int64_t)options->max_connection_age_ms;
    read_cors(&gateway->cors, options->cors_origins);
    if (options->tls && options->hsts_s > 0)
        snprintf(gateway->hsts, sizeof(gateway->hsts), "max-age=%" PRIu64, options->hsts_s);
    if (tw_auth_init(&gateway->auth, options->api_keys) == 0) {
        *problem = "SSE_PUBLISHER_API_KEYS holds no key: give at least one, comma-separated";
        return false;
    }
    return set_up_limits(process, problem);
}

static bool set_up_tls(tw_process_t *process, tw_tls_error_t *error)
{
    const tw_options_t *options = &process->options;

    if (!options->tls)
        return true;
    if (tw_tls_store_create(&process->tls, options->tls_cert, options->tls_key, error) != 0)
        return false;
    if (options->tls_cert == NULL)
        tw_log(TW_LOG_WARN,
               "serving an ephemeral self-signed certificate: clients cannot verify it",
               tw_log_text("change", "set TIDEWAY_TLS_CERT and TIDEWAY_TLS_KEY"));
    return true;
}

static void set_up_http(tw_process_t *process)
{
    const tw_options_t *options = &process->options;
    h2o_globalconf_t *http = &process->http;

    h2o_config_init(http);
    http->server_name = h2o_iovec_init(H2O_STRLIT("tideway"));
    http->max_request_entity_size = options->max_payload_bytes;
    http->handshake_timeout = HANDSHAKE_TIMEOUT_MS;
    http->http1.req_timeout = HTTP1_REQUEST_TIMEOUT_MS;
    http->http1.upgrade_to_http2 =
        process->tls == NULL; /* HTTP/2 with prior knowledge is taken for one */
    http->http2.max_streams = (uint32_t)options->max_streams_per_connection;
    http->http2.max_concurrent_requests_per_connection = options->max_streams_per_connection;
    http->http2.idle_timeout = HTTP2_IDLE_TIMEOUT_MS;
    http->http2.ping_interval = HTTP2_PING_INTERVAL_MS;
    /* One event to all streams of a connection should fit: what does not is queued, at a few times
     * the price. */
    http->http2.lean_output_max =
        OUTPUT_BYTES_MIN + options->max_streams_per_connection * OUTPUT_BYTES_PER_STREAM;
    tw_routes_register(http);
}

static void start_workers(tw_process_t *process)
{
    process->worker_config =
        (tw_worker_config_t){.gateway = &process->gateway,
                             .hub = process->hub,
                             .http = &process->http,
                             .tls = process->tls,
                             .heartbeat_ms = process->options.heartbeat_ms,
                             .tcp_user_timeout_ms = TCP_USER_TIMEOUT_MS,
                             .connection_age_max_ms = process->options.max_connection_age_ms};
    for (uint32_t i = 0; i < process->worker_count; ++i)
        process->workers[i] = tw_worker_create(&process->worker_config, i);
}

static void on_reloaded(int status, const char *message, void *data)
{
    if (status == 0)
        tw_log(TW_LOG_INFO, "certificate loaded anew",
               tw_log_text("effect", "new connections use it"));
    else
        tw_log(TW_LOG_ERROR, "certificate not loaded: the old one stays in use",
               tw_log_text("reason", message));
}

static bool open_doors(tw_process_t *process, char *error, size_t error_size)
{
    const tw_options_t *options = &process->options;
    tw_control_t *control = &process->control;

    process->listener_config =
        (tw_listener_config_t){.workers = process->workers,
                               .worker_count = process->worker_count,
                               .tls = process->tls != NULL,
                               .connections_max = options->max_connections,
                               .limits = &process->gateway.limits,
                               .refused = &process->gateway.connections_refused};
    *control = (tw_control_t){.loop = &process->loop,
                              .gateway = &process->gateway,
                              .hub = process->hub,
                              .workers = process->workers,
                              .worker_count = process->worker_count,
                              .drain_ms = options->drain_ms};
    if (options->ops_listen != NULL && strcmp(options->ops_listen, "off") != 0) {
        control->ops =
            tw_ops_open(&process->uv, &process->gateway, options->ops_listen, error, error_size);
        if (control->ops == NULL)
            return false;
    }
    control->listener = tw_listener_open(&process->uv, &process->listener_config, options->listen,
                                         error, error_size);
    if (control->listener == NULL)
        return false;
    if (process->tls != NULL)
        control->reload = tw_tls_reload_open(&process->uv, process->tls, NULL, on_reloaded, NULL);
    tw_control_start(control);
    return true;
}

/*
 * What is sent while the process starts waits until the control loop can act on it: as PID 1 it
 * would be lost, else a SIGHUP would end the process. Workers inherit this and never see a signal.
 */
static void hold_signals(void)
{
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &handled, NULL);
}

static void release_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static int run(tw_process_t *process)
{
    char error[ERROR_BYTES];
    const char *problem = NULL;
    tw_tls_error_t tls_error = {""};
    unsigned cpus = tw_usable_cpus("");

    process->worker_count = (uint32_t)(process->options.workers > 0 ? process->options.workers
                                       : cpus > TW_WORKERS_MAX      ? TW_WORKERS_MAX
                                                                    : cpus);
    raise_descriptor_limit(&process->options);
    tw_node_detect(&process->node, &process->options, TIDEWAY_VERSION);
    uv_loop_init(&process->uv);
    tw_loop_init(&process->loop, &process->uv, "control", process, NULL);
    if (!set_up_gateway(process, &problem))
        return fail(problem);
    if (!set_up_tls(process, &tls_error))
        return fail(tls_error.text);
    set_up_http(process);
    start_workers(process);
    if (process->gateway.adapter->ops->start(process->gateway.adapter, &process->loop) != 0)
        return fail("the runtime did not start; the line before says why");
    if (!open_doors(process, error, sizeof(error)))
        return fail(error);
    for (uint32_t i = 0; i < process->worker_count; ++i)
        tw_worker_start(process->workers[i]);
    tw_log(TW_LOG_INFO, "started", tw_log_text("version", TIDEWAY_VERSION),
           tw_log_text("nodeId", process->node.node_id),
           tw_log_text("runtime", process->gateway.adapter->ops->name),
           tw_log_number("workers", process->worker_count));
    release_signals();
    uv_run(&process->uv, UV_RUN_DEFAULT);
    return EXIT_SUCCESS;
}

/* In the order in which they lean on each other. */
static void tear_down(tw_process_t *process)
{
    uint64_t connections = 0;

    for (uint32_t i = 0; i < process->worker_count; ++i)
        connections += tw_worker_connections(process->workers[i]);
    for (uint32_t i = 0; i < process->worker_count; ++i)
        tw_worker_destroy(process->workers[i]);
    process->gateway.adapter->ops->destroy(process->gateway.adapter);
    if (connections > 0 || tw_ops_connections(process->control.ops) > 0)
        return; /* their memory is still in use, and goes with the process */
    tw_ops_destroy(process->control.ops);
    uv_run(&process->uv, UV_RUN_DEFAULT);
    uv_loop_close(&process->uv);
    tw_loop_dispose(&process->loop);
    tw_hub_destroy(process->hub);
    h2o_config_dispose(&process->http);
    tw_tls_store_destroy(process->tls);
    tw_limits_dispose(&process->gateway.limits);
    free(process->proxies);
    tw_auth_dispose(&process->gateway.auth);
    for (size_t i = 0; i < process->gateway.cors.count; ++i)
        free(process->gateway.cors.origins[i]);
    free(process->gateway.cors.origins);
}

/* `tideway healthcheck …`, with the options of the gateway that it asks. */
static int check_health(int argc, char *argv[])
{
    tw_options_t options;
    char error[ERROR_BYTES];

    switch (tw_options_read_any(&options, argc, argv, error, sizeof(error))) {
    case TW_OPTIONS_BAD:
        fprintf(stderr, "tideway healthcheck: %s\n", error);
        return EXIT_USAGE;
    case TW_OPTIONS_HELP:
    case TW_OPTIONS_VERSION:
        tw_options_print_help(stdout);
        return EXIT_SUCCESS;
    case TW_OPTIONS_OK:
        break;
    }
    if (tw_healthcheck(&options, error, sizeof(error)) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "tideway healthcheck: %s\n", error);
    return EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    static tw_process_t process;
    char error[ERROR_BYTES];

    if (argc >= 2 && strcmp(argv[1], "healthcheck") == 0)
        return check_health(argc - 1, argv + 1);

    if (argc == 2 && strcmp(argv[1], "--options-json") == 0) {
        tw_options_print_json(stdout);
        return EXIT_SUCCESS;
    }
    switch (tw_options_read(&process.options, argc, argv, error, sizeof(error))) {
    case TW_OPTIONS_HELP:
        tw_options_print_help(stdout);
        return EXIT_SUCCESS;
    case TW_OPTIONS_VERSION:
        puts("tideway " TIDEWAY_VERSION);
        return EXIT_SUCCESS;
    case TW_OPTIONS_BAD:
        fprintf(stderr, "tideway: %s\n", error);
        return EXIT_USAGE;
    case TW_OPTIONS_OK:
        break;
    }
    signal(SIGPIPE, SIG_IGN);
    tw_privileges_drop();
    hold_signals();
    tw_trim_init();
    tw_hash_seed();
    tw_log_start(STDERR_FILENO, (tw_log_level_t)process.options.log_level,
                 process.options.log_format == 1);
    int code = run(&process);
    if (code == EXIT_SUCCESS) {
        tear_down(&process);
        tw_log(TW_LOG_INFO, "stopped", tw_log_number("code", code));
    }
    tw_log_stop();
    return code;
}
