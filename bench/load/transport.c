#include "bench/load/transport.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/clock.h"

/* What one connection may read before the others have their turn. */
#define READ_BUDGET_BYTES (512 * 1024)
/* OpenSSL reads this much at a time from the socket: several records to a system call. */
#define TLS_READ_AHEAD_BYTES (96 * 1024)

SSL_CTX *load_transport_tls_create(void)
{
    static const unsigned char alpn[] = "\x02h2";
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL)
        return NULL;
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_default_read_buffer_len(tls, TLS_READ_AHEAD_BYTES);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_alpn_protos(tls, alpn, sizeof(alpn) - 1) != 0) {
        SSL_CTX_free(tls);
        return NULL;
    }
    return tls;
}

/* What an OpenSSL call that has not succeeded means: 0 try again later, -1 the connection is over.
 */
static int tls_again(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

/* Finishes connect and handshake. True once the transport is open. */
static bool proceed_to_open(load_transport_t *self)
{
    if (!self->connected) {
        int error = 0;
        socklen_t size = sizeof(error);
        if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
            load_transport_close(self, "connection refused");
            return false;
        }
        self->connected = true;
    }
    if (self->ssl != NULL) {
        int result = SSL_do_handshake(self->ssl);
        if (self->gathers)
            (void)BIO_flush(SSL_get_wbio(self->ssl));
        if (result != 1) {
            if (tls_again(self->ssl, result) != 0)
                load_transport_close(self, "TLS handshake failed");
            return false;
        }
        const unsigned char *alpn;
        unsigned bytes;
        SSL_get0_alpn_selected(self->ssl, &alpn, &bytes);
        if (bytes != 2 || memcmp(alpn, "h2", 2) != 0) {
            load_transport_close(self, "server does not speak HTTP/2");
            return false;
        }
    }
    self->opened = true;
    self->callbacks->on_open(self);
    return self->fd >= 0;
}

static void on_events(load_loop_source_t *source, uint32_t events)
{
    load_transport_t *self = (load_transport_t *)source;
    if (self->fd < 0)
        return;
    if (!self->opened) {
        if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLIN)) == 0 || !proceed_to_open(self))
            return;
    }
    if (events & EPOLLOUT && (load_bytes_left(&self->out) > 0 || self->unflushed))
        load_transport_write(self);
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP))
        load_transport_read(self);
}

static int init(load_transport_t *self, load_loop_t *loop, int fd, SSL_CTX *tls,
                const load_transport_callbacks_t *callbacks)
{
    int one = 1;
    memset(self, 0, sizeof(*self));
    self->source.on_events = on_events;
    self->callbacks = callbacks;
    self->loop = loop;
    self->fd = fd;
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (tls == NULL)
        return 0;
    self->ssl = SSL_new(tls);
    return self->ssl != NULL && SSL_set_fd(self->ssl, fd) == 1 ? 0 : -1;
}

/* Has the loop tell what happens to the socket; 0, or -1 with everything freed. */
static int watch(load_transport_t *self, load_loop_t *loop, int fd)
{
    if (load_loop_add(loop, fd, &self->source) == 0)
        return 0;
    load_transport_dispose(self);
    return -1;
}

int load_transport_connect(load_transport_t *self, load_loop_t *loop,
                           const struct sockaddr_in *address, SSL_CTX *tls,
                           const load_transport_callbacks_t *callbacks)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (init(self, loop, fd, tls, callbacks) != 0)
        goto Fail;
    if (self->ssl != NULL)
        SSL_set_connect_state(self->ssl);
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
        errno != EINPROGRESS)
        goto Fail;
    return watch(self, loop, fd);
Fail:
    load_transport_dispose(self);
    return -1;
}

int load_transport_accept(load_transport_t *self, load_loop_t *loop, int fd, SSL_CTX *tls,
                          const load_transport_callbacks_t *callbacks)
{
    if (init(self, loop, fd, tls, callbacks) != 0)
        goto Fail;
    if (self->ssl != NULL)
        SSL_set_accept_state(self->ssl);
    self->connected = true;
    return watch(self, loop, fd);
Fail:
    load_transport_dispose(self);
    return -1;
}

/* Bytes read, 0 for nothing now, -1 for the end. */
static long receive(load_transport_t *self, char *buffer, size_t bytes)
{
    if (self->ssl != NULL) {
        int result = SSL_read(self->ssl, buffer, (int)bytes);
        return result > 0 ? result : tls_again(self->ssl, result);
    }
    ssize_t result = recv(self->fd, buffer, bytes, 0);
    if (result > 0)
        return (long)result;
    return result < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void read_later(load_transport_t *self)
{
    if (self->is_reader)
        return;
    self->is_reader = true;
    self->next_reader = self->loop->readers;
    self->loop->readers = self;
}

void load_transport_read(load_transport_t *self)
{
    char *buffer = self->loop->read_buffer;
    size_t budget = READ_BUDGET_BYTES;
    while (self->fd >= 0 && !self->paused) {
        size_t kept = load_bytes_left(&self->kept);
        long bytes = receive(self, buffer + kept, LOAD_LOOP_READ_BYTES - kept);
        if (bytes == 0)
            return;
        if (bytes < 0) {
            load_transport_close(self, "closed by the server");
            return;
        }
        if (kept > 0) {
            memcpy(buffer, load_bytes_front(&self->kept), kept);
            load_bytes_take(&self->kept, kept);
        }
        size_t have = kept + (size_t)bytes;
        size_t used = self->callbacks->on_read(self, buffer, have, load_now_ns());
        if (self->fd < 0)
            return;
        load_bytes_append(&self->kept, buffer + used, have - used);
        if ((size_t)bytes >= budget) {
            read_later(self);
            return;
        }
        budget -= (size_t)bytes;
    }
}

/* Bytes written, 0 for nothing now, -1 for the end. */
static long transmit(load_transport_t *self, const char *data, size_t bytes)
{
    if (self->ssl != NULL) {
        int result = SSL_write(self->ssl, data, bytes < INT32_MAX ? (int)bytes : INT32_MAX);
        return result > 0 ? result : tls_again(self->ssl, result);
    }
    ssize_t result = send(self->fd, data, bytes, MSG_NOSIGNAL);
    if (result > 0)
        return (long)result;
    return result < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Moves what is in the TLS output buffer to the socket. False when it cannot go on now. */
static bool flush_records(load_transport_t *self)
{
    if (!self->unflushed)
        return true;
    if (BIO_flush(SSL_get_wbio(self->ssl)) == 1) {
        self->unflushed = false;
        return true;
    }
    if (!BIO_should_retry(SSL_get_wbio(self->ssl)))
        load_transport_close(self, "closed by the server while writing");
    return false;
}

void load_transport_write(load_transport_t *self)
{
    while (self->fd >= 0 && self->opened && load_bytes_left(&self->out) > 0) {
        long bytes = transmit(self, load_bytes_front(&self->out), load_bytes_left(&self->out));
        if (bytes == 0)
            return;
        if (bytes < 0) {
            load_transport_close(self, "closed by the server while writing");
            return;
        }
        self->unflushed = self->gathers;
        load_bytes_take(&self->out, (size_t)bytes);
    }
    if (self->fd >= 0)
        flush_records(self);
}

int load_transport_gather_writes(load_transport_t *self, int bytes)
{
    BIO *buffer = BIO_new(BIO_f_buffer()), *out = BIO_new_socket(self->fd, BIO_NOCLOSE);
    if (buffer == NULL || out == NULL || BIO_set_write_buffer_size(buffer, bytes) != 1) {
        BIO_free(buffer);
        BIO_free(out);
        return -1;
    }
    SSL_set0_wbio(self->ssl, BIO_push(buffer, out));
    self->gathers = true;
    return 0;
}

char *load_transport_reserve(load_transport_t *self, size_t bytes)
{
    return load_bytes_reserve(&self->out, bytes);
}

void load_transport_commit(load_transport_t *self, size_t bytes)
{
    self->out.size += bytes;
    if (self->is_writer)
        return;
    self->is_writer = true;
    self->next_writer = self->loop->writers;
    self->loop->writers = self;
}

void load_transport_set_paused(load_transport_t *self, bool paused)
{
    if (self->paused == paused)
        return;
    self->paused = paused;
    if (!paused && self->fd >= 0)
        read_later(self);
}

void load_transport_close(load_transport_t *self, const char *why)
{
    if (self->fd < 0)
        return;
    close(self->fd);
    self->fd = -1;
    self->callbacks->on_close(self, why);
}

void load_transport_dispose(load_transport_t *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
    SSL_free(self->ssl);
    self->ssl = NULL;
    load_bytes_dispose(&self->out);
    load_bytes_dispose(&self->kept);
}
