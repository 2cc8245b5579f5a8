#include "server/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/text.h"
#include "server/options/host_port.h"

#define SOCKETS_MAX 64
#define ACCEPTS_PER_TURN 256
#define PAUSE_MS 100

typedef struct tw_listen_socket {
    uv_poll_t poll;
    tw_listener_t *listener;
    int fd;
} tw_listen_socket_t;

struct tw_listener {
    const tw_listener_config_t *config;
    uv_timer_t pause; /* without descriptors: accepting continues after it */
    int spare_fd;     /* closed to accept, and close, one client when there are no descriptors */
    uint32_t next;    /* where the search for the least loaded worker begins, so that ties rotate */
    tw_log_limit_t refusals; /* lines about connections that were refused */
    unsigned open_handles;
    size_t count;
    tw_listen_socket_t sockets[SOCKETS_MAX];
};

static void poll_all(tw_listener_t *listener, bool on);

/* --- accepting --- */

static tw_worker_t *least_loaded(tw_listener_t *listener, uint64_t *total)
{
    const tw_listener_config_t *config = listener->config;
    tw_worker_t *least = NULL;
    uint64_t least_count = UINT64_MAX;

    assert(config->worker_count > 0);
    *total = 0;
    for (uint32_t i = 0; i < config->worker_count; ++i) {
        tw_worker_t *worker = config->workers[(listener->next + i) % config->worker_count];
        uint64_t count = tw_worker_connections(worker);
        *total += count;
        if (count < least_count) {
            least = worker;
            least_count = count;
        }
    }
    listener->next = (listener->next + 1) % config->worker_count;
    return least;
}

static void refuse(tw_listener_t *listener, int fd, const char *why)
{
    uint64_t count = tw_log_limit_count(&listener->refusals, tw_clock_ms());

    if (fd >= 0)
        close(fd);
    atomic_fetch_add(listener->config->refused, 1);
    if (count > 0)
        tw_log(TW_LOG_WARN, "connections refused", tw_log_text("reason", why),
               tw_log_number("count", (int64_t)count));
}

/* No descriptor is left. The spare one is used to take a client off the backlog and close it; then
 * accepting pauses for a moment. */
static void on_descriptors_gone(tw_listener_t *listener, int listening_fd)
{
    if (listener->spare_fd >= 0)
        close(listener->spare_fd);
    int fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC);
    refuse(listener, fd,
           "no file descriptors are left: raise the limit (ulimit -n) or lower "
           "TIDEWAY_MAX_CONNECTIONS");
    listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    poll_all(listener, false);
}

static void on_pause_over(uv_timer_t *timer)
{
    poll_all(timer->data, true);
}

/* Gives the connection to the worker, if the limits let the client have one more (trusted proxies
 * have no limit). */
static void give(tw_listener_t *listener, tw_worker_t *worker, int fd, const struct sockaddr *peer)
{
    tw_limits_t *limits = listener->config->limits;
    tw_client_t *client = NULL;
    tw_address_t address = tw_address_of(peer);
    bool is_proxy = tw_limits_is_proxy(limits, &address);
    bool names_client = is_proxy && listener->config->proxy_protocol;

    if (!is_proxy) {
        tw_client_key_t key = tw_client_key(&address);
        client = tw_limits_add_connection(limits, &key);
        if (client == NULL) {
            refuse(listener, fd, "an address has reached TIDEWAY_MAX_CONNECTIONS_PER_IP");
            return;
        }
    }
    const tw_accepted_t accepted = {
        .fd = fd, .client = client, .host = listener->config->host, .names_client = names_client};
    tw_worker_give(worker, &accepted);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    tw_listen_socket_t *socket = poll->data;
    tw_listener_t *listener = socket->listener;
    struct sockaddr_storage peer;
    uint64_t total;

    for (int i = 0; i < ACCEPTS_PER_TURN; ++i) {
        socklen_t peer_len = sizeof(peer);
        int fd =
            accept4(socket->fd, (struct sockaddr *)&peer, &peer_len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            on_descriptors_gone(listener, socket->fd);
            return;
        }
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0)
            continue; /* this client has gone already */
        tw_worker_t *worker = least_loaded(listener, &total);
        if (total >= listener->config->connections_max)
            refuse(listener, fd, "the node has reached TIDEWAY_MAX_CONNECTIONS");
        else
            give(listener, worker, fd, (struct sockaddr *)&peer);
    }
}

static void poll_all(tw_listener_t *listener, bool on)
{
    for (size_t i = 0; i < listener->count; ++i) {
        if (on)
            uv_poll_start(&listener->sockets[i].poll, UV_READABLE, on_readable);
        else
            uv_poll_stop(&listener->sockets[i].poll);
    }
    if (!on)
        uv_timer_start(&listener->pause, on_pause_over, PAUSE_MS, 0);
}

void tw_listener_accept(tw_listener_t *listener)
{
    if (listener != NULL)
        poll_all(listener, true);
}

/* --- opening --- */

static void log_address(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        tw_log(TW_LOG_INFO, "listening", tw_log_text("address", host),
               tw_log_number("port", strtol(port, NULL, 10)));
}

static bool is_any_v6(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(
               &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* Both families keep the port at the same place (RFC 3493 section 3.3). */
static in_port_t port_of(const struct sockaddr *address)
{
    return ((const struct sockaddr_in *)(const void *)address)->sin_port;
}

/* Whether a socket of this listener is bound to the port: to an IPv4 address, or to [::]. */
static bool has_socket(const tw_listener_t *listener, in_port_t port, bool any_v6)
{
    for (size_t i = 0; i < listener->count; ++i) {
        struct sockaddr_in6 bound = {.sin6_family = AF_UNSPEC};
        struct sockaddr *address = (struct sockaddr *)&bound;
        socklen_t len = sizeof(bound);
        if (getsockname(listener->sockets[i].fd, address, &len) == 0 && bound.sin6_port == port &&
            (any_v6 ? is_any_v6(address) : address->sa_family == AF_INET))
            return true;
    }
    return false;
}

/* A socket on [::] serves both families, unless the list has IPv4 addresses of the port before it.
 * IPV6_V6ONLY has no effect on other addresses (RFC 3493 section 5.3). */
static void set_families(const tw_listener_t *listener, int fd, const struct sockaddr *address)
{
    int v6_only = has_socket(listener, port_of(address), false);
    if (is_any_v6(address))
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
}

/* Returns 0, or errno. */
static int bind_one(tw_listener_t *listener, uv_loop_t *loop, const struct addrinfo *info)
{
    int on = 1;
    /* [::] serves IPv4 already. */
    if (info->ai_family == AF_INET && has_socket(listener, port_of(info->ai_addr), true))
        return 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    set_families(listener, fd, info->ai_addr);
    if (listener->count == SOCKETS_MAX || bind(fd, info->ai_addr, info->ai_addrlen) != 0 ||
        listen(fd, SOMAXCONN) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    tw_listen_socket_t *socket = &listener->sockets[listener->count++];
    socket->fd = fd;
    socket->listener = listener;
    uv_poll_init(loop, &socket->poll, fd);
    socket->poll.data = socket;
    log_address(fd);
    return 0;
}

/* False: `error` says in one line why not. */
static bool bind_address(tw_listener_t *listener, uv_loop_t *loop, const char *address, size_t len,
                         char *error, size_t error_size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    char host[256], port[6];

    if (!tw_host_port_split(address, len, host, port)) {
        snprintf(error, error_size, "%s contains \"%.*s\": write host:port or [v6]:port",
                 listener->config->variable, (int)len, address);
        return false;
    }
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed != 0) {
        snprintf(error, error_size, "cannot listen on %.*s: %s", (int)len, address,
                 gai_strerror(failed));
        return false;
    }
    int code = 0;
    for (const struct addrinfo *info = found; info != NULL && code == 0; info = info->ai_next)
        code = bind_one(listener, loop, info);
    freeaddrinfo(found);
    if (code != 0)
        snprintf(error, error_size, "cannot listen on %.*s: %s", (int)len, address, strerror(code));
    return code == 0;
}

tw_listener_t *tw_listener_open(uv_loop_t *loop, const tw_listener_config_t *config,
                                const char *addresses, char *error, size_t error_size)
{
    tw_listener_t *listener = tw_alloc(sizeof(*listener));
    tw_text_t list = tw_text_of(addresses), item;
    bool bound = true;

    listener->config = config;
    listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    uv_timer_init(loop, &listener->pause);
    listener->pause.data = listener;
    while (bound && tw_text_next_item(&list, &item))
        bound = bind_address(listener, loop, item.base, item.len, error, error_size);
    if (bound && listener->count == 0) {
        snprintf(error, error_size, "%s contains no address: give at least one host:port",
                 config->variable);
        bound = false;
    }
    if (bound)
        return listener;
    tw_listener_close(listener);
    return NULL;
}

static void on_handle_closed(uv_handle_t *handle)
{
    tw_listener_t *listener =
        handle->type == UV_TIMER ? handle->data : ((tw_listen_socket_t *)handle->data)->listener;
    if (--listener->open_handles == 0)
        free(listener);
}

void tw_listener_close(tw_listener_t *listener)
{
    if (listener == NULL)
        return;
    listener->open_handles = 1 + (unsigned)listener->count;
    for (size_t i = 0; i < listener->count; ++i) {
        uv_close((uv_handle_t *)&listener->sockets[i].poll, on_handle_closed);
        close(listener->sockets[i].fd);
    }
    if (listener->spare_fd >= 0)
        close(listener->spare_fd);
    uv_close((uv_handle_t *)&listener->pause, on_handle_closed);
}
