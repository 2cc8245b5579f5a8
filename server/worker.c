#include "server/worker.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <h2o/http1.h>
#include <h2o/http2.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "runtime/upkeep.h"
#include "server/handshakes.h"
#include "server/proxied.h"
#include "server/trim.h"

/* Ticks in a heartbeat interval: a stream that was silent for so many ticks, give or take one, gets
 * a heartbeat. */
#define HEARTBEAT_TICKS 8
#define KEEPALIVE_IDLE_S 20
#define KEEPALIVE_INTERVAL_S 10
#define DRAIN_STEP_MS 50
#define AGE_STEP_MS 250
/* Streams of a connection that has reached its age are closed over this long, or a tenth of the age
 * if that is less. */
#define AGE_SPREAD_MS_MAX 10000
#define DRAIN_STEP_STREAMS_MAX 2000
/* What an HTTP/2 frame costs by itself, without what it asks for. */
#define FRAME_NS 250

struct tw_worker {
    const tw_worker_config_t *config;
    uint32_t index;
    pthread_t thread;
    uv_loop_t loop;
    tw_worker_context_t http;
    tw_fanout_t fanout;
    h2o_accept_ctx_t accept[TW_ROUTES_HOST_COUNT];
    h2o_hostconf_t *hosts[TW_ROUTES_HOST_COUNT][2]; /* each with a NULL behind it */
    tw_proxied_t proxied;
    tw_handshakes_t handshakes;
    uv_timer_t heartbeat;
    uv_timer_t drain;
    uv_timer_t age;
    tw_slice_t
        input; /* deferred while requests that have been read wait for the loop to have time */
    _Atomic uint64_t connections;
    uint64_t drain_steps; /* left */
    bool stopping;
    int64_t stop_by_ms;
};

/** A client's socket; h2o closes it, then on_socket_closed frees it. */
typedef struct tw_socket {
    uv_tcp_t tcp;
    tw_worker_t *worker;
    tw_accepted_t accepted;
} tw_socket_t;

static void on_heartbeat(uv_timer_t *timer)
{
    tw_worker_t *worker = timer->data;
    tw_upkeep_heartbeat(&worker->fanout, HEARTBEAT_TICKS);
}

static void on_age(uv_timer_t *timer)
{
    tw_worker_t *worker = timer->data;
    int64_t spread_ms = (int64_t)worker->config->connection_age_max_ms / 10;

    if (spread_ms > AGE_SPREAD_MS_MAX)
        spread_ms = AGE_SPREAD_MS_MAX;
    tw_upkeep_age(&worker->fanout, tw_clock_ms(), spread_ms, AGE_STEP_MS);
}

static tw_worker_t *worker_of(h2o_context_t *http)
{
    return TW_CONTAINER_OF(http, tw_worker_t, http);
}

static void on_time_for_input(tw_slice_t *slice)
{
    tw_worker_t *worker = TW_CONTAINER_OF(slice, tw_worker_t, input);
    h2o_http2_resume_input(&worker->http.super);
}

/* h2o asks this before each frame. A client that reconnects opens thousands of streams, whose
 * requests are read together, and a hostile one sends frames as fast as it can. */
static int has_time(h2o_context_t *http, size_t bytes_read)
{
    tw_worker_t *worker = worker_of(http);
    tw_loop_t *loop = &worker->fanout.shard.loop;

    tw_loop_spend(loop, TW_TURN_READ_NS(bytes_read));
    if (tw_loop_has_time(loop)) {
        tw_loop_spend(loop, FRAME_NS);
        return 1;
    }
    tw_loop_defer(loop, &worker->input, on_time_for_input);
    return 0;
}

static void on_client_named(void *data, h2o_socket_t *sock, tw_client_t *client);

tw_worker_t *tw_worker_create(const tw_worker_config_t *config, uint32_t index)
{
    tw_worker_t *worker = tw_alloc(sizeof(*worker));
    uint64_t tick_ms = config->heartbeat_ms / HEARTBEAT_TICKS;

    worker->config = config;
    worker->index = index;
    int error = uv_loop_init(&worker->loop);
    assert(error == 0);
    tw_hub_add_worker(config->hub, &worker->fanout, index, &worker->loop);
    tw_gateway_watch(config->gateway, &worker->fanout.shard.loop.watch);
    h2o_context_init(&worker->http.super, &worker->loop, config->http);
    worker->http.super.http2.has_time = has_time;
    worker->http.gateway = config->gateway;
    worker->http.shard = &worker->fanout.shard;
    if (tw_tokens_ready(&config->gateway->tokens))
        worker->http.tokens = tw_token_cache_create(&config->gateway->tokens);
    for (int i = 0; i < TW_ROUTES_HOST_COUNT; ++i) {
        worker->hosts[i][0] = config->http->hosts[i];
        worker->accept[i] =
            (h2o_accept_ctx_t){.ctx = &worker->http.super, .hosts = worker->hosts[i]};
    }
    tw_proxied_init(&worker->proxied, &worker->http.super, config->gateway, config->tls != NULL,
                    on_client_named);
    tw_handshakes_init(&worker->handshakes, &worker->fanout.shard.loop, config->tls,
                       &config->gateway->limits, config->silent_max);
    uv_timer_init(&worker->loop, &worker->heartbeat);
    worker->heartbeat.data = worker;
    uv_timer_start(&worker->heartbeat, on_heartbeat, tick_ms, tick_ms);
    uv_timer_init(&worker->loop, &worker->drain);
    worker->drain.data = worker;
    uv_timer_init(&worker->loop, &worker->age);
    worker->age.data = worker;
    if (config->connection_age_max_ms > 0)
        uv_timer_start(&worker->age, on_age, AGE_STEP_MS, AGE_STEP_MS);
    return worker;
}

static void *run(void *data)
{
    tw_worker_t *worker = data;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    h2o_mem_release_recycled();
    return NULL;
}

void tw_worker_start(tw_worker_t *worker)
{
    /* HTTP/1 in h2o needs 400 KB of stack, which the default size has. */
    if (pthread_create(&worker->thread, NULL, run, worker) != 0)
        abort();
}

/* --- connections --- */

static void on_socket_closed(uv_handle_t *handle)
{
    tw_socket_t *socket = (tw_socket_t *)(void *)handle;
    tw_worker_t *worker = socket->worker;

    if (socket->accepted.client != NULL)
        tw_limits_remove_connection(&worker->config->gateway->limits, socket->accepted.client);
    free(socket);
    tw_uncount(&worker->fanout.shard.counters.connections, 1);
    atomic_fetch_sub_explicit(&worker->connections, 1, memory_order_relaxed);
}

static void set_socket_options(const tw_worker_t *worker, int fd)
{
    int on = 1, idle_s = KEEPALIVE_IDLE_S, interval_s = KEEPALIVE_INTERVAL_S;
    unsigned timeout_ms = (unsigned)worker->config->tcp_user_timeout_ms;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* A peer whose network is cut never closes its connection: data that stays unacknowledged for
     * so long ends it. */
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
    /* So does silence, for connections that get no heartbeats. */
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* TLS or HTTP begins. */
static void begin(tw_socket_t *socket, h2o_socket_t *sock)
{
    tw_worker_t *worker = socket->worker;
    h2o_accept_ctx_t *accept = &worker->accept[socket->accepted.host];

    if (worker->config->tls != NULL)
        tw_handshakes_add(&worker->handshakes, sock, socket->accepted.client, accept);
    else
        h2o_accept(accept, sock);
}

static void on_client_named(void *data, h2o_socket_t *sock, tw_client_t *client)
{
    tw_socket_t *socket = data;
    socket->accepted.client = client;
    begin(socket, sock);
}

static void on_given(void *owner, void *data)
{
    tw_socket_t *socket = data;
    tw_worker_t *worker = socket->worker;

    (void)owner;
    tw_count(&worker->fanout.shard.counters.connections, 1);
    tw_count(&worker->fanout.shard.counters.connections_opened, 1);
    uv_tcp_init(&worker->loop, &socket->tcp);
    if (worker->stopping || uv_tcp_open(&socket->tcp, socket->accepted.fd) != 0) {
        close(socket->accepted.fd);
        uv_close((uv_handle_t *)&socket->tcp, on_socket_closed);
        return;
    }
    set_socket_options(worker, socket->accepted.fd);
    h2o_socket_t *sock = h2o_uv_socket_create((uv_stream_t *)&socket->tcp, on_socket_closed);
    if (socket->accepted.names_client)
        tw_proxied_add(&worker->proxied, sock, socket);
    else
        begin(socket, sock);
}

void tw_worker_give(tw_worker_t *worker, const tw_accepted_t *accepted)
{
    tw_socket_t *socket = tw_alloc(sizeof(*socket));

    socket->worker = worker;
    socket->accepted = *accepted;
    atomic_fetch_add_explicit(&worker->connections, 1, memory_order_relaxed);
    tw_loop_post(&worker->fanout.shard.loop, on_given, socket);
}

uint64_t tw_worker_connections(const tw_worker_t *worker)
{
    return atomic_load_explicit(&worker->connections, memory_order_relaxed);
}

/* --- memory --- */

static void on_release_memory(void *owner, void *data)
{
    h2o_mem_release_recycled();
    tw_trim_thread();
}

void tw_worker_release_memory(tw_worker_t *worker)
{
    tw_loop_post(&worker->fanout.shard.loop, on_release_memory, NULL);
}

/* --- the end --- */

typedef struct tw_worker_order {
    tw_worker_t *worker;
    uint64_t ms;
} tw_worker_order_t;

static void post_order(tw_worker_t *worker, tw_call_fn run_order, uint64_t ms)
{
    tw_worker_order_t *order = tw_alloc(sizeof(*order));
    *order = (tw_worker_order_t){.worker = worker, .ms = ms};
    tw_loop_post(&worker->fanout.shard.loop, run_order, order);
}

/* Closes an equal share of the remaining streams in each step, so that clients reconnect evenly. */
static void on_drain_step(uv_timer_t *timer)
{
    tw_worker_t *worker = timer->data;
    uint64_t steps = worker->drain_steps > 0 ? worker->drain_steps-- : 1;
    uint64_t open =
        atomic_load_explicit(&worker->fanout.shard.counters.streams, memory_order_relaxed);
    size_t share = (size_t)((open + steps - 1) / steps);

    if (share < 1)
        share = 1; /* streams that are being opened are not counted yet */
    if (worker->drain_steps > 0 && share > DRAIN_STEP_STREAMS_MAX)
        share = DRAIN_STEP_STREAMS_MAX;
    tw_fanout_close_some(&worker->fanout, steps == 1 ? SIZE_MAX : share, TW_CLOSE_DRAIN);
}

static void on_drain(void *owner, void *data)
{
    tw_worker_order_t *order = data;
    tw_worker_t *worker = order->worker;

    h2o_context_request_shutdown(&worker->http.super);
    worker->drain_steps = order->ms / DRAIN_STEP_MS + 1;
    uv_timer_start(&worker->drain, on_drain_step, 0, DRAIN_STEP_MS);
    free(order);
}

void tw_worker_drain(tw_worker_t *worker, uint64_t drain_ms)
{
    post_order(worker, on_drain, drain_ms);
}

static void shut_socket(uv_handle_t *handle, void *unused)
{
    uv_os_fd_t fd;
    if (handle->type == UV_TCP && !uv_is_closing(handle) && uv_fileno(handle, &fd) == 0)
        shutdown(fd, SHUT_RDWR);
}

static void end_loop(tw_worker_t *worker)
{
    uv_timer_stop(&worker->drain);
    uv_timer_stop(&worker->heartbeat);
    uv_timer_stop(&worker->age);
    tw_loop_cancel(&worker->fanout.shard.loop, &worker->input);
    uv_stop(&worker->loop);
}

static void on_stop_step(uv_timer_t *timer)
{
    tw_worker_t *worker = timer->data;

    tw_fanout_close_some(&worker->fanout, SIZE_MAX, TW_CLOSE_DRAIN);
    if (tw_worker_connections(worker) == 0 || uv_now(&worker->loop) >= (uint64_t)worker->stop_by_ms)
        end_loop(worker);
    else if (uv_now(&worker->loop) + 200 >= (uint64_t)worker->stop_by_ms)
        uv_walk(&worker->loop, shut_socket, NULL); /* connections that did not end by themselves */
}

static void on_stop(void *owner, void *data)
{
    tw_worker_order_t *order = data;
    tw_worker_t *worker = order->worker;

    worker->stopping = true;
    tw_proxied_refuse(&worker->proxied);
    tw_handshakes_refuse(&worker->handshakes);
    worker->stop_by_ms = (int64_t)(uv_now(&worker->loop) + order->ms);
    h2o_context_request_shutdown(&worker->http.super);
    uv_timer_start(&worker->drain, on_stop_step, 0, 20);
    free(order);
}

void tw_worker_stop(tw_worker_t *worker, uint64_t grace_ms)
{
    post_order(worker, on_stop, grace_ms);
}

void tw_worker_join(tw_worker_t *worker)
{
    pthread_join(worker->thread, NULL);
}

void tw_worker_destroy(tw_worker_t *worker)
{
    if (tw_worker_connections(worker) > 0)
        return; /* some peers did not close in time; their memory goes with the process */
    tw_fanout_close(&worker->fanout);
    uv_close((uv_handle_t *)&worker->heartbeat, NULL);
    uv_close((uv_handle_t *)&worker->drain, NULL);
    uv_close((uv_handle_t *)&worker->age, NULL);
    /* The timer for the second GOAWAY of a shutdown, which comes a second after the first: the
     * connections are gone by now. */
    if (h2o_timeout_is_linked(&worker->http.super.http2._graceful_shutdown_timeout))
        h2o_timeout_unlink(&worker->http.super.http2._graceful_shutdown_timeout);
    h2o_context_dispose(&worker->http.super);
    for (int i = 0; i < 100 && uv_loop_close(&worker->loop) == UV_EBUSY; ++i)
        uv_run(&worker->loop, UV_RUN_NOWAIT);
    tw_fanout_dispose(&worker->fanout);
    tw_token_cache_destroy(worker->http.tokens);
    free(worker);
}
