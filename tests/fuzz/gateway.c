#include "tests/fuzz/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <h2o.h>
#include <h2o/http1.h>
#include <h2o/http2.h>

#include "base/clock.h"
#include "base/log.h"
#include "handlers/gateway.h"
#include "handlers/routes.h"
#include "runtime/memory/adapter.h"
#include "runtime/model/sse.h"
#include "tests/fuzz/clock.h"
#include "tests/support/check.h"

#define QUIET_TURNS 4
#define TURN_MS 5
#define GONE_WITHIN_MS 60000 /* above each timeout of h2o and of the handlers */
#define OUTPUT_KEPT ((size_t)1 << 20)
/* What a frame costs: so much that a few of them use up a turn, and the next ones have to wait. */
#define FRAME_NS (TW_TURN_NS / 8)

static struct {
    uv_loop_t uv;
    tw_loop_t loop; /* the control loop; idle, since the memory adapter needs none */
    tw_node_info_t node;
    tw_hub_t *hub;
    tw_gateway_t gateway;
    h2o_globalconf_t http;
    tw_worker_context_t worker;
    tw_fanout_t fanout;
    h2o_accept_ctx_t accept, accept_tls;
    tw_slice_t input; /* deferred while frames wait for the loop to have time */
    size_t connections;
    tw_fuzz_peer_t follower;
} self;

/* The settings of server/, with bounds that short inputs can reach. */
static void set_up_http(void)
{
    h2o_config_init(&self.http);
    self.http.max_request_entity_size = 4096;
    self.http.http1.upgrade_to_http2 = 1;
    self.http.http2.max_streams = 8;
    self.http.http2.max_concurrent_requests_per_connection = 8;
    self.http.http2.ping_interval = 25000;
    self.http.http2.lean_output_max = 64 * 1024;
    self.http.early_answer.timeout = 200;
    tw_routes_register(&self.http, false);
}

static void set_up_gateway(void)
{
    const tw_hub_config_t hub = {.worker_count = 1,
                                 .streams_max = 100,
                                 .stream_buffer_bytes = 16 * 1024,
                                 .connection_buffer_bytes = 64 * 1024,
                                 .tail_events = 8,
                                 .tail_bytes = 64 * 1024};
    const tw_limits_config_t limits = {.publishes_in_flight = 4};
    tw_gateway_t *gateway = &self.gateway;

    self.node = (tw_node_info_t){
        .node_id = "n", .hostname = "h", .ip = "127.0.0.1", .version = "0", .started_at_ms = 1};
    self.hub = tw_hub_create(&hub);
    gateway->hub = self.hub;
    gateway->adapter = tw_memory_adapter_create(self.hub, &self.node);
    tw_check(gateway->adapter->ops->start(gateway->adapter, &self.loop) == 0);
    tw_check(tw_auth_init(&gateway->auth, "k") == 1);
    tw_limits_init(&gateway->limits, &limits, 1);
    gateway->cors.origins.any = true;
    gateway->version = "0";
    gateway->node_id = self.node.node_id;
    tw_audit_init(&gateway->audit);
    gateway->topics_max = 4;
    gateway->payload_bytes_max = 4096;
    gateway->tail_events_max = hub.tail_events;
    gateway->retry_ms = 1;
    gateway->heartbeat = tw_text_of(TW_SSE_HEARTBEAT);
}

static void keep(tw_fuzz_peer_t *peer, const char *bytes, size_t len)
{
    if (peer->output_len + len > OUTPUT_KEPT)
        return;
    if (peer->output_len + len > peer->output_capacity) {
        peer->output_capacity = 2 * (peer->output_len + len);
        peer->output = realloc(peer->output, peer->output_capacity);
        tw_check(peer->output != NULL);
    }
    memcpy(peer->output + peer->output_len, bytes, len);
    peer->output_len += len;
}

/* Whether anything came. */
static bool receive(tw_fuzz_peer_t *peer)
{
    char bytes[16384];
    bool any = false;

    while (peer->reads && !peer->closed) {
        ssize_t n = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n < 0 && errno != ECONNRESET)
            break;
        any = true;
        peer->closed = n <= 0;
        if (n > 0)
            keep(peer, bytes, (size_t)n);
    }
    return any;
}

/* One turn of the loop; whether it had an effect that a client sees. */
static bool turn(tw_fuzz_peer_t *peer)
{
    uv_run(&self.uv, UV_RUN_NOWAIT);
    bool any = receive(&self.follower);
    return (peer != NULL && receive(peer)) || any;
}

void tw_fuzz_settle(tw_fuzz_peer_t *peer)
{
    for (unsigned quiet = 0; quiet < QUIET_TURNS;)
        quiet = turn(peer) ? 0 : quiet + 1;
}

static void on_time_for_input(tw_slice_t *slice)
{
    h2o_http2_resume_input(&self.worker.super);
}

/* As server/worker.c has it. */
static int has_time(h2o_context_t *http, size_t bytes_read)
{
    tw_loop_t *loop = &self.fanout.shard.loop;

    tw_loop_spend(loop, TW_TURN_READ_NS(bytes_read) + FRAME_NS);
    if (tw_loop_has_time(loop))
        return 1;
    tw_loop_defer(loop, &self.input, on_time_for_input);
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
    --self.connections;
}

static void connect_to(h2o_accept_ctx_t *accept, tw_fuzz_peer_t *peer)
{
    int pair[2];
    uv_tcp_t *tcp = malloc(sizeof(*tcp));

    tw_check(tcp != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    *peer = (tw_fuzz_peer_t){.fd = pair[0], .reads = true};
    uv_tcp_init(&self.uv, tcp);
    tw_check(uv_tcp_open(tcp, pair[1]) == 0);
    ++self.connections;
    h2o_accept(accept, h2o_uv_socket_create((uv_stream_t *)tcp, on_closed));
}

void tw_fuzz_connect(tw_fuzz_peer_t *peer)
{
    connect_to(&self.accept, peer);
}

void tw_fuzz_connect_tls(tw_fuzz_peer_t *peer)
{
    if (self.accept_tls.ssl_ctx == NULL) {
        SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
        tw_check(tls != NULL);
        self.accept_tls = self.accept;
        self.accept_tls.ssl_ctx = tls;
    }
    connect_to(&self.accept_tls, peer);
}

void tw_fuzz_send(tw_fuzz_peer_t *peer, const void *bytes, size_t len)
{
    const char *at = bytes;
    unsigned stuck = 0;

    while (len > 0 && !peer->closed && stuck < QUIET_TURNS) {
        ssize_t n = send(peer->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) {
            at += n;
            len -= (size_t)n;
            stuck = 0;
        } else {
            if (errno != EAGAIN)
                peer->closed = true;
            turn(peer);
            ++stuck;
        }
    }
}

void tw_fuzz_leave(tw_fuzz_peer_t *peer)
{
    close(peer->fd);
    peer->closed = true;
    free(peer->output);
    peer->output = NULL;
}

void tw_fuzz_disconnect(tw_fuzz_peer_t *peer)
{
    int64_t by_ms = tw_clock_ms() + GONE_WITHIN_MS;

    tw_fuzz_leave(peer);
    while (self.connections > 1) {
        tw_check(tw_clock_ms() < by_ms);
        if (!turn(NULL))
            tw_fuzz_clock_advance(TURN_MS);
    }
    tw_check(!self.follower.closed);
    tw_check(tw_limit_count(&self.gateway.limits.publishes_in_flight) == 0);
    tw_check(self.fanout.shard.counters.streams == 1);
    self.follower.output_len = 0;
}

void tw_fuzz_gateway_start(void)
{
    static const char follow[] = "GET /v1/stream?topic=a,b HTTP/1.1\r\nhost: g\r\n\r\n";

    signal(SIGPIPE, SIG_IGN); /* as the server does */
    tw_log_start(open("/dev/null", O_WRONLY | O_CLOEXEC), TW_LOG_DEBUG, true);
    tw_check(uv_loop_init(&self.uv) == 0);
    tw_loop_init(&self.loop, &self.uv, "control", NULL, NULL);
    set_up_http();
    set_up_gateway();
    tw_hub_add_worker(self.hub, &self.fanout, 0, &self.uv);
    h2o_context_init(&self.worker.super, &self.uv, &self.http);
    self.worker.super.http2.has_time = has_time;
    self.worker.gateway = &self.gateway;
    self.worker.shard = &self.fanout.shard;
    self.accept = (h2o_accept_ctx_t){.ctx = &self.worker.super, .hosts = self.http.hosts};
    tw_fuzz_connect(&self.follower);
    tw_fuzz_send(&self.follower, follow, sizeof(follow) - 1);
    tw_fuzz_settle(NULL);
    tw_check(self.follower.output_len > 12 && memcmp(self.follower.output + 9, "200", 3) == 0);
    self.follower.output_len = 0;
}
