#include "server/process.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/text.h"
#include "handlers/access.h"
#include "handlers/routes.h"
#include "runtime/memory/adapter.h"
#include "runtime/model/sse.h"
#include "runtime/redis/adapter.h"
#include "server/descriptors.h"
#include "server/node.h"
#include "server/ops.h"
#include "server/usable_cpus.h"
#include "tideway_version.h"
#include "tls/key_updates.h"
#include "tls/reload.h"

#define HANDSHAKE_TIMEOUT_MS 10000
#define HTTP1_HEADERS_TIMEOUT_MS 10000
#define HTTP2_PING_INTERVAL_MS 20000
#define TCP_USER_TIMEOUT_MS 30000
#define SILENT_MIN 16
#define OUTPUT_BYTES_MIN ((size_t)1 << 20)
#define OUTPUT_BYTES_PER_STREAM 256

/* Writes one line, for a function to end with. */
static bool __attribute__((format(printf, 3, 4)))
fail(char *error, size_t error_size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return false;
}

/* --- the gateway that handlers know --- */

static bool create_adapter(tw_process_t *process, char *error, size_t error_size)
{
    const tw_options_t *options = &process->options;
    tw_adapter_t **adapter = &process->gateway.adapter;

    if (options->runtime == TW_RUNTIME_MEMORY) {
        *adapter = tw_memory_adapter_create(process->hub, &process->node);
        return true;
    }
    const tw_redis_config_t config = {
        .access = {.url = options->redis_url,
                   .username = options->redis_username,
                   .password = options->redis_password,
                   .password_file = options->redis_password_file,
                   .sentinel_username = options->redis_sentinel_username,
                   .sentinel_password = options->redis_sentinel_password,
                   .sentinel_password_file = options->redis_sentinel_password_file,
                   .ca_path = options->redis_ca,
                   .cert_path = options->redis_cert,
                   .key_path = options->redis_key,
                   .server_name = options->redis_server_name},
        .prefix = options->redis_prefix};
    *adapter = tw_redis_adapter_create(process->hub, &process->node, &config, error, error_size);
    return *adapter != NULL;
}

static bool set_up_limits(tw_process_t *process, char *error, size_t error_size)
{
    const tw_options_t *options = &process->options;
    size_t proxy_count;
    tw_text_t bad;

    if (!tw_networks_parse(options->trusted_proxies, &process->proxies, &proxy_count, &bad))
        return fail(error, error_size, "TIDEWAY_TRUSTED_PROXIES cannot be read");
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
                                       .body_bytes_per_address = options->node_buffer_bytes / 4,
                                       .answer_bytes_per_address = options->node_buffer_bytes / 32,
                                       .proxies = process->proxies,
                                       .proxy_count = proxy_count};
    tw_limits_init(&process->gateway.limits, &config, TW_KEYS_MAX + TW_TOKEN_RATES);
    return true;
}

static bool set_up_tokens(tw_process_t *process, char *error, size_t error_size)
{
    const tw_options_t *options = &process->options;
    tw_gateway_t *gateway = &process->gateway;
    const tw_token_rules_t rules = {.issuer = options->token_issuer,
                                    .audience = options->token_audience,
                                    .leeway_s = (int64_t)options->token_leeway_s};
    const char *problem = NULL;
    tw_text_t bad;

    gateway->revocations = &process->hub->revocations;
    gateway->token_cookie = tw_text_of(options->token_cookie);
    if (!tw_patterns_parse(options->private_topics, &gateway->private_topics, &bad))
        return fail(error, error_size, "TIDEWAY_PRIVATE_TOPICS cannot be read");
    tw_tokens_init(&gateway->tokens, &rules);
    if (options->token_keys != NULL)
        problem = tw_tokens_load(&gateway->tokens, options->token_keys);
    if (problem != NULL)
        return fail(error, error_size, "TIDEWAY_TOKEN_KEYS is \"%s\": %s", options->token_keys,
                    problem);
    return true;
}

static bool set_up_gateway(tw_process_t *process, char *error, size_t error_size)
{
    const tw_options_t *options = &process->options;
    tw_gateway_t *gateway = &process->gateway;
    const tw_hub_config_t hub_config = {
        .worker_count = process->worker_count,
        .streams_max = options->max_streams,
        .stream_buffer_bytes = options->stream_buffer_bytes,
        .connection_buffer_bytes = options->connection_buffer_bytes,
        .node_buffer_bytes = options->node_buffer_bytes,
        .tail_events = (uint32_t)options->tail_events,
        .tail_bytes = options->tail_bytes,
        .resume_window_ms = (int64_t)options->resume_window_ms,
        .connection_age_max_ms = (int64_t)options->max_connection_age_ms,
        .lanes = options->runtime == TW_RUNTIME_REDIS ? (uint32_t)options->redis_lanes : 1};
    tw_text_t bad;

    process->hub = tw_hub_create(&hub_config);
    gateway->hub = process->hub;
    if (!create_adapter(process, error, error_size))
        return false;
    gateway->version = TIDEWAY_VERSION;
    gateway->key_updates_refused = tw_key_updates_refused();
    gateway->node_id = process->node.node_id;
    tw_audit_init(&gateway->audit);
    gateway->started_at_ms = process->node.started_at_ms;
    gateway->topics_max = options->max_topics;
    gateway->payload_bytes_max = options->max_payload_bytes;
    gateway->tail_events_max = (uint32_t)options->tail_events;
    gateway->retry_ms = (uint32_t)options->retry_ms;
    gateway->drain_ms = (uint32_t)options->drain_ms;
    gateway->heartbeat =
        tw_text_of(options->heartbeat_event ? TW_SSE_HEARTBEAT_EVENT : TW_SSE_HEARTBEAT);
    gateway->refuses_by_status = options->stream_refusal == TW_STREAM_REFUSAL_STATUS;
    gateway->connection_age_max_ms = (int64_t)options->max_connection_age_ms;
    gateway->cors.credentials = options->cors_credentials;
    if (!tw_origins_parse(options->cors_origins, &gateway->cors.origins, &bad))
        return fail(error, error_size, "TIDEWAY_CORS_ORIGINS cannot be read");
    if (options->tls && options->hsts_s > 0)
        snprintf(gateway->hsts, sizeof(gateway->hsts), "max-age=%" PRIu64, options->hsts_s);
    tw_auth_init(&gateway->auth, options->api_keys);
    const char *problem = options->api_keys_file != NULL
                              ? tw_auth_load(&gateway->auth, options->api_keys_file)
                              : NULL;
    if (problem != NULL)
        return fail(error, error_size, "SSE_PUBLISHER_API_KEYS_FILE is \"%s\": %s",
                    options->api_keys_file, problem);
    tw_key_file_judge(&gateway->auth);
    return set_up_tokens(process, error, error_size) && set_up_limits(process, error, error_size);
}

/* --- what serves it --- */

static bool set_up_tls(tw_process_t *process, char *error, size_t error_size)
{
    const tw_options_t *options = &process->options;
    tw_tls_error_t problem;

    if (!options->tls)
        return true;
    if (tw_tls_store_create(&process->tls, options->tls_cert, options->tls_key, &problem) != 0)
        return fail(error, error_size, "%s", problem.text);
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
    http->http1.req_timeout = HTTP1_HEADERS_TIMEOUT_MS;
    http->http1.upgrade_to_http2 =
        process->tls == NULL; /* h2o treats HTTP/2 with prior knowledge as an upgrade */
    http->http2.max_streams = (uint32_t)options->max_streams_per_connection;
    http->http2.max_concurrent_requests_per_connection = options->max_streams_per_connection;
    http->http1.idle_timeout = options->idle_timeout_ms;
    http->http2.idle_timeout = options->idle_timeout_ms;
    http->http2.ping_interval = HTTP2_PING_INTERVAL_MS;
    /* An event for all streams of a connection should fit into its output. Events that do not fit
     * are queued, which costs a few times as much. */
    http->http2.lean_output_max =
        OUTPUT_BYTES_MIN + options->max_streams_per_connection * OUTPUT_BYTES_PER_STREAM;
    tw_routes_register(http, options->admin_listen != NULL);
}

/* Together as many as there may be handshakes; but some that come at once have to fit. */
static size_t silent_max(const tw_process_t *process)
{
    size_t share = process->options.max_handshakes / process->worker_count;
    return share > SILENT_MIN ? share : SILENT_MIN;
}

static void create_workers(tw_process_t *process)
{
    process->worker_config =
        (tw_worker_config_t){.gateway = &process->gateway,
                             .hub = process->hub,
                             .http = &process->http,
                             .tls = process->tls,
                             .silent_max = silent_max(process),
                             .heartbeat_ms = process->options.heartbeat_ms,
                             .tcp_user_timeout_ms = TCP_USER_TIMEOUT_MS,
                             .connection_age_max_ms = process->options.max_connection_age_ms};
    for (uint32_t i = 0; i < process->worker_count; ++i)
        process->workers[i] = tw_worker_create(&process->worker_config, i);
}

static void on_reloaded(int status, const char *message, void *data)
{
    const tw_process_t *process = data;

    if (process->options.tls_cert == NULL)
        tw_log(TW_LOG_INFO, "certificate not reloaded: it is ephemeral, there are no files",
               tw_log_text("change", "set TIDEWAY_TLS_CERT and TIDEWAY_TLS_KEY"));
    else if (status == 0)
        tw_log(TW_LOG_INFO, "certificate reloaded",
               tw_log_text("effect", "new connections use it"));
    else
        tw_log(TW_LOG_ERROR, "certificate not reloaded: the old one stays in use",
               tw_log_text("reason", message));
}

/* Opens the listener of one option. NULL: `error` says why not. */
static tw_listener_t *open_listener(tw_process_t *process, tw_listener_config_t *config,
                                    const char *addresses, char *error, size_t error_size)
{
    config->workers = process->workers;
    config->worker_count = process->worker_count;
    config->tls = process->tls != NULL;
    config->proxy_protocol = process->options.proxy_protocol;
    config->connections_max = process->options.max_connections;
    config->limits = &process->gateway.limits;
    config->refused = &process->gateway.connections_refused;
    return tw_listener_open(&process->uv, config, addresses, error, error_size);
}

static bool open_listeners(tw_process_t *process, char *error, size_t error_size)
{
    const tw_options_t *options = &process->options;
    tw_control_t *control = &process->control;

    if (options->ops_listen != NULL && strcmp(options->ops_listen, "off") != 0) {
        control->ops =
            tw_ops_open(&process->uv, &process->gateway, options->ops_listen, error, error_size);
        if (control->ops == NULL)
            return false;
    }
    process->main_listener =
        (tw_listener_config_t){.variable = "TIDEWAY_LISTEN", .host = TW_ROUTES_MAIN};
    process->admin_listener =
        (tw_listener_config_t){.variable = "TIDEWAY_ADMIN_LISTEN", .host = TW_ROUTES_ADMIN};
    control->listener =
        open_listener(process, &process->main_listener, options->listen, error, error_size);
    if (control->listener == NULL || options->admin_listen == NULL)
        return control->listener != NULL;
    control->admin_listener =
        open_listener(process, &process->admin_listener, options->admin_listen, error, error_size);
    return control->admin_listener != NULL;
}

static bool start_control(tw_process_t *process, char *error, size_t error_size)
{
    const char *keys = process->options.api_keys_file;
    tw_control_t *control = &process->control;

    *control = (tw_control_t){.loop = &process->loop,
                              .gateway = &process->gateway,
                              .hub = process->hub,
                              .workers = process->workers,
                              .worker_count = process->worker_count,
                              .drain_ms = process->options.drain_ms};
    if (!open_listeners(process, error, error_size))
        return false;
    if (process->tls != NULL)
        control->reload =
            tw_tls_reload_open(&process->uv, process->tls, NULL, on_reloaded, process);
    if (keys != NULL)
        control->keys = tw_key_file_open(&process->uv, &tw_key_file_of_publishers,
                                         &process->gateway.auth, keys);
    if (process->options.token_keys != NULL)
        control->token_keys =
            tw_key_file_open(&process->uv, &tw_key_file_of_tokens, &process->gateway.tokens,
                             process->options.token_keys);
    tw_control_start(control);
    return true;
}

bool tw_process_open(tw_process_t *process, char *error, size_t error_size)
{
    unsigned cpus = tw_usable_cpus("");

    process->worker_count = (uint32_t)(process->options.workers > 0 ? process->options.workers
                                       : cpus > TW_WORKERS_MAX      ? TW_WORKERS_MAX
                                                                    : cpus);
    process->options.max_connections = tw_descriptors_reserve(process->options.max_connections);
    tw_node_detect(&process->node, &process->options, TIDEWAY_VERSION);
    uv_loop_init(&process->uv);
    tw_loop_init(&process->loop, &process->uv, "control", process, NULL);
    if (!set_up_gateway(process, error, error_size) || !set_up_tls(process, error, error_size))
        return false;
    set_up_http(process);
    create_workers(process);
    if (process->gateway.adapter->ops->start(process->gateway.adapter, &process->loop) != 0)
        return fail(error, error_size, "the runtime did not start; the line before says why");
    if (!start_control(process, error, error_size))
        return false;
    for (uint32_t i = 0; i < process->worker_count; ++i)
        tw_worker_start(process->workers[i]);
    tw_log(TW_LOG_INFO, "started", tw_log_text("version", TIDEWAY_VERSION),
           tw_log_text("nodeId", process->node.node_id),
           tw_log_text("runtime", process->gateway.adapter->ops->name),
           tw_log_number("workers", process->worker_count));
    return true;
}

void tw_process_run(tw_process_t *process)
{
    uv_run(&process->uv, UV_RUN_DEFAULT);
}

/* What uses others goes before them. */
void tw_process_close(tw_process_t *process)
{
    uint64_t connections = 0;

    for (uint32_t i = 0; i < process->worker_count; ++i)
        connections += tw_worker_connections(process->workers[i]);
    for (uint32_t i = 0; i < process->worker_count; ++i)
        tw_worker_destroy(process->workers[i]);
    process->gateway.adapter->ops->destroy(process->gateway.adapter);
    if (connections > 0 || tw_ops_connections(process->control.ops) > 0)
        return; /* their memory is still in use; it goes with the process */
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
    tw_audit_dispose(&process->gateway.audit);
    tw_tokens_dispose(&process->gateway.tokens);
    tw_patterns_dispose(&process->gateway.private_topics);
    tw_origins_dispose(&process->gateway.cors.origins);
}
