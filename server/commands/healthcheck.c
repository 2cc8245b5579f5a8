#include "server/commands/healthcheck.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/text.h"
#include "server/options/host_port.h"

#define STEP_TIMEOUT_S 2 /* of each connect, read and write */
#define ANSWER_MAX 256   /* only the status line counts */

static const char request[] =
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/* One cannot connect to a wildcard address; the loopback address of its family stands for it. */
static void to_loopback(struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address;
        if (v4->sin_addr.s_addr == htonl(INADDR_ANY))
            v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)address;
        if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
            v6->sin6_addr = in6addr_loopback;
    }
}

/* Returns a connected socket with timeouts, or -1 and errno. */
static int connect_to(const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval timeout = {.tv_sec = STEP_TIMEOUT_S};
    struct addrinfo *found;

    if (getaddrinfo(host, port, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)); /* connect() too */
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        to_loopback(found->ai_addr);
        if (connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
            int error = errno;
            close(fd);
            errno = error;
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* Returns how many bytes of the answer came; 0: nothing came. */
static size_t exchange(int fd, char *answer, size_t size)
{
    size_t filled = 0;
    ssize_t got;

    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1)
        return 0;
    while (filled < size && (got = recv(fd, answer + filled, size - filled, 0)) > 0)
        filled += (size_t)got;
    return filled;
}

/* The certificate is not verified: the question is only whether the process serves. */
static size_t exchange_tls(int fd, char *answer, size_t size)
{
    static const unsigned char http1[] = "\x08http/1.1";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context != NULL ? SSL_new(context) : NULL;
    size_t filled = 0, got;

    if (ssl != NULL && SSL_set_alpn_protos(ssl, http1, sizeof(http1) - 1) == 0 &&
        SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1 &&
        SSL_write(ssl, request, sizeof(request) - 1) == (int)sizeof(request) - 1)
        while (filled < size && SSL_read_ex(ssl, answer + filled, size - filled, &got) == 1)
            filled += got;
    SSL_free(ssl);
    SSL_CTX_free(context);
    return filled;
}

static bool ops_is_on(const tw_options_t *options)
{
    return options->ops_listen != NULL && strcmp(options->ops_listen, "off") != 0;
}

int tw_healthcheck(const tw_options_t *options, char *error, size_t error_size)
{
    bool ops = ops_is_on(options);
    const char *address = ops ? options->ops_listen : options->listen;
    tw_text_t list = tw_text_of(address), first = list;
    char host[256], port[6], answer[ANSWER_MAX + 1];

    tw_text_next_item(&list, &first);
    if (!tw_host_port_split(first.base, first.len, host, port)) {
        snprintf(error, error_size, "\"%.*s\" is not an address: write host:port or [v6]:port",
                 (int)first.len, first.base);
        return -1;
    }
    int fd = connect_to(host, port);
    if (fd < 0) {
        snprintf(error, error_size, "cannot connect to %.*s: %s", (int)first.len, first.base,
                 strerror(errno));
        return -1;
    }
    size_t len = !ops && options->tls ? exchange_tls(fd, answer, ANSWER_MAX)
                                      : exchange(fd, answer, ANSWER_MAX);
    close(fd);
    answer[len] = '\0';
    answer[strcspn(answer, "\r\n")] = '\0';
    if (strncmp(answer, "HTTP/1.1 200", 12) == 0)
        return 0;
    snprintf(error, error_size, "%.*s answered \"%s\"", (int)first.len, first.base, answer);
    return -1;
}
