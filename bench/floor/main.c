/*
 * tw-floor: the least that a server must do for a fan-out. It copies each published payload as one
 * DATA frame for every stream into its connection's buffer and writes that through OpenSSL: no
 * topics, no HPACK, no flow control, no limits, no queues. What it costs is what no gateway can
 * undercut with the same library and the same bytes.
 *
 * A request without a body is a subscriber, one with a body is an event for all of them. Loopback
 * only; one thread; ends with SIGTERM, or by itself after ten minutes. Prints its port.
 *
 * tw-floor lose|repeat|swap|alter: does that to every tenth event, so that tests can see whether
 * the load generator notices.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/floor/certificate.h"
#include "bench/load/clock.h"
#include "bench/load/h2_frame.h"
#include "bench/load/transport.h"

enum { LIFETIME_SECONDS = 600, BODY_BYTES_MAX = 1 << 20, WRITE_BYTES = 256 * 1024 };

/* SETTINGS with MAX_CONCURRENT_STREAMS = 1,000,000, and a connection window of 1 GiB. */
static const char greeting[] =
    "\0\0\6\4\0\0\0\0\0\0\3\0\x0f\x42\x40"
    "\0\0\4\x08\0\0\0\0\0\x3f\xff\xff\xff";

/* HPACK: ":status: 200" and "content-type: text/event-stream"; ":status: 202". */
static const char stream_block[] = "\x88\x0f\x10\x11text/event-stream";
static const char answer_block[] =
    "\x08\x03"
    "202";

typedef struct server server_t;

typedef enum { FAULT_NONE, FAULT_LOSE, FAULT_REPEAT, FAULT_SWAP, FAULT_ALTER } fault_t;

static const char *const fault_names[] = {[FAULT_LOSE] = "lose",
                                          [FAULT_REPEAT] = "repeat",
                                          [FAULT_SWAP] = "swap",
                                          [FAULT_ALTER] = "alter"};

enum { FAULT_EVERY = 10 };

typedef struct connection {
    load_transport_t transport;
    server_t *server;
    struct connection *next;
    uint32_t *streams; /* owned; ids of its subscribers */
    uint32_t stream_count;
    load_bytes_t body; /* of the request being read */
    uint32_t body_stream;
    bool greeted;
} connection_t;

struct server {
    load_loop_source_t source;
    load_loop_t loop;
    int fd;
    SSL_CTX *tls;
    connection_t *connections;
    uint32_t stream_count;
    fault_t fault;
    uint64_t events;
    load_bytes_t swapped; /* an event that waits for the next one to overtake it */
};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    ended = number;
}

static char *put_frame(char *p, uint8_t type, uint8_t flags, uint32_t stream_id,
                       const char *payload, size_t bytes)
{
    p = load_h2_frame_head(p, (uint32_t)bytes, type, flags, stream_id);
    memcpy(p, payload, bytes);
    return p + bytes;
}

static void send_frame(connection_t *self, uint8_t type, uint8_t flags, uint32_t stream_id,
                       const char *payload, size_t bytes)
{
    char *p = load_transport_reserve(&self->transport, LOAD_H2_FRAME_HEAD_BYTES + bytes);
    put_frame(p, type, flags, stream_id, payload, bytes);
    load_transport_commit(&self->transport, LOAD_H2_FRAME_HEAD_BYTES + bytes);
}

static void subscribe(connection_t *self, uint32_t stream_id)
{
    if ((self->stream_count & (self->stream_count - 1)) == 0) {
        size_t room = self->stream_count > 0 ? 2 * (size_t)self->stream_count : 1;
        self->streams = realloc(self->streams, room * sizeof(*self->streams));
        if (self->streams == NULL)
            abort();
    }
    self->streams[self->stream_count++] = stream_id;
    self->server->stream_count++;
    send_frame(self, LOAD_H2_HEADERS, LOAD_H2_FLAG_END_HEADERS, stream_id, stream_block,
               sizeof(stream_block) - 1);
    send_frame(self, LOAD_H2_DATA, 0, stream_id, ":\n\n", 3);
}

/* What this program is about: everything else only sets the stage. */
static void fan_out(server_t *server, const char *frame, size_t bytes)
{
    for (connection_t *to = server->connections; to != NULL; to = to->next) {
        size_t total = (LOAD_H2_FRAME_HEAD_BYTES + bytes) * to->stream_count;
        if (total == 0 || to->transport.fd < 0)
            continue;
        char *p = load_transport_reserve(&to->transport, total);
        for (uint32_t i = 0; i < to->stream_count; i++)
            p = put_frame(p, LOAD_H2_DATA, 0, to->streams[i], frame, bytes);
        load_transport_commit(&to->transport, total);
    }
}

static void fan_out_with_fault(server_t *server, char *frame, size_t bytes)
{
    bool due = ++server->events % FAULT_EVERY == 0;
    if (due && server->fault == FAULT_LOSE)
        return;
    if (due && server->fault == FAULT_SWAP) {
        load_bytes_append(&server->swapped, frame, bytes);
        return;
    }
    if (due && server->fault == FAULT_ALTER)
        frame[bytes - sizeof("\n\n")] ^= 1;
    fan_out(server, frame, bytes);
    if (due && server->fault == FAULT_REPEAT)
        fan_out(server, frame, bytes);
    if (load_bytes_left(&server->swapped) > 0) {
        fan_out(server, load_bytes_front(&server->swapped), load_bytes_left(&server->swapped));
        load_bytes_take(&server->swapped, load_bytes_left(&server->swapped));
    }
}

static void publish(connection_t *self, uint32_t stream_id)
{
    static char frame[BODY_BYTES_MAX + 64], answer[128];
    int bytes = snprintf(frame, sizeof(frame), "id: 00-%08x\ndata: %.*s\n\n", stream_id,
                         (int)load_bytes_left(&self->body), load_bytes_front(&self->body));
    load_bytes_take(&self->body, load_bytes_left(&self->body));
    if (self->server->fault == FAULT_NONE)
        fan_out(self->server, frame, (size_t)bytes);
    else
        fan_out_with_fault(self->server, frame, (size_t)bytes);
    bytes = snprintf(answer, sizeof(answer), "{\"status\":\"accepted\",\"delivered\":%u}",
                     self->server->stream_count);
    send_frame(self, LOAD_H2_HEADERS, LOAD_H2_FLAG_END_HEADERS, stream_id, answer_block,
               sizeof(answer_block) - 1);
    send_frame(self, LOAD_H2_DATA, LOAD_H2_FLAG_END_STREAM, stream_id, answer, (size_t)bytes);
}

static void take_data(connection_t *self, const load_h2_frame_t *frame)
{
    char window[4];
    if (load_bytes_left(&self->body) + frame->bytes > BODY_BYTES_MAX) {
        load_transport_close(&self->transport, "body too long");
        return;
    }
    load_bytes_append(&self->body, frame->payload, frame->bytes);
    if (frame->bytes > 0) {
        load_h2_write32(window, frame->bytes);
        send_frame(self, LOAD_H2_WINDOW_UPDATE, 0, 0, window, sizeof(window));
    }
    if (frame->flags & LOAD_H2_FLAG_END_STREAM)
        publish(self, frame->stream_id);
}

static void take_frame(connection_t *self, const load_h2_frame_t *frame)
{
    if (frame->type == LOAD_H2_HEADERS && frame->flags & LOAD_H2_FLAG_END_STREAM)
        subscribe(self, frame->stream_id);
    else if (frame->type == LOAD_H2_DATA)
        take_data(self, frame);
    else if (frame->type == LOAD_H2_SETTINGS && (frame->flags & LOAD_H2_FLAG_ACK) == 0)
        send_frame(self, LOAD_H2_SETTINGS, LOAD_H2_FLAG_ACK, 0, "", 0);
    else if (frame->type == LOAD_H2_PING && (frame->flags & LOAD_H2_FLAG_ACK) == 0)
        send_frame(self, LOAD_H2_PING, LOAD_H2_FLAG_ACK, 0, frame->payload, frame->bytes);
}

static void on_open(load_transport_t *transport)
{
    char *p = load_transport_reserve(transport, sizeof(greeting) - 1);
    memcpy(p, greeting, sizeof(greeting) - 1);
    load_transport_commit(transport, sizeof(greeting) - 1);
}

static size_t on_read(load_transport_t *transport, const char *data, size_t bytes, uint64_t now_ns)
{
    connection_t *self = (connection_t *)transport;
    const char *p = data, *end = data + bytes;
    load_h2_frame_t frame;
    long length = 0;
    if (!self->greeted) {
        if (bytes < sizeof(LOAD_H2_PREFACE) - 1)
            return 0;
        p += sizeof(LOAD_H2_PREFACE) - 1;
        self->greeted = true;
    }
    while (transport->fd >= 0 && (length = load_h2_frame_next(p, (size_t)(end - p), &frame)) > 0) {
        p += length;
        take_frame(self, &frame);
    }
    if (length < 0)
        load_transport_close(transport, "not HTTP/2");
    return (size_t)(p - data);
}

static void on_close(load_transport_t *transport, const char *why)
{
    connection_t *self = (connection_t *)transport;
    self->server->stream_count -= self->stream_count;
    self->stream_count = 0;
}

static void on_connect(load_loop_source_t *source, uint32_t events)
{
    static const load_transport_callbacks_t callbacks = {on_open, on_read, on_close};
    server_t *server = (server_t *)source;
    int fd;
    while ((fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        connection_t *connection = calloc(1, sizeof(*connection));
        if (connection == NULL)
            abort();
        if (load_transport_accept(&connection->transport, &server->loop, fd, server->tls,
                                  &callbacks) != 0 ||
            load_transport_gather_writes(&connection->transport, WRITE_BYTES) != 0) {
            load_transport_dispose(&connection->transport);
            free(connection);
            continue;
        }
        connection->server = server;
        connection->next = server->connections;
        server->connections = connection;
    }
}

static int listen_on_loopback(server_t *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, size) != 0 ||
        listen(server->fd, 1024) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &size) != 0)
        return -1;
    server->source.on_events = on_connect;
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return load_loop_add(&server->loop, server->fd, &server->source);
}

static void dispose(server_t *server)
{
    while (server->connections != NULL) {
        connection_t *connection = server->connections;
        server->connections = connection->next;
        load_transport_dispose(&connection->transport);
        load_bytes_dispose(&connection->body);
        free(connection->streams);
        free(connection);
    }
    close(server->fd);
    load_bytes_dispose(&server->swapped);
    load_loop_dispose(&server->loop);
    SSL_CTX_free(server->tls);
}

/* -1 for a fault that is not known. */
static int choose_fault(server_t *server, const char *name)
{
    for (fault_t fault = FAULT_LOSE; fault <= FAULT_ALTER; fault++) {
        if (strcmp(name, fault_names[fault]) == 0) {
            server->fault = fault;
            return 0;
        }
    }
    fprintf(stderr, "tw-floor: no fault '%s'\n", name);
    return -1;
}

int main(int argc, char **argv)
{
    static server_t server;
    struct rlimit limit = {65536, 65536};
    uint64_t end_ns = load_now_ns() + LIFETIME_SECONDS * LOAD_NS_PER_SECOND;
    if (argc > 1 && choose_fault(&server, argv[1]) != 0)
        return 2;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    load_loop_init(&server.loop);
    server.tls = load_floor_tls_create();
    if (server.tls == NULL || listen_on_loopback(&server) != 0) {
        perror("tw-floor");
        return 1;
    }
    while (!ended && load_now_ns() < end_ns)
        load_loop_turn(&server.loop, 100 * LOAD_NS_PER_MS);
    dispose(&server);
    return 0;
}
