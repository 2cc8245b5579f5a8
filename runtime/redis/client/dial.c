#include "runtime/redis/client/dial.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define STAGGER_MS 250
#define ADDRESSES_MAX 16

typedef struct attempt {
    uv_connect_t connect;
    tw_redis_socket_t *socket; /* owned until it is connected or closed */
    tw_redis_dial_t *dial;     /* borrowed; NULL: nobody waits for it any more */
    struct attempt *next;
} attempt_t;

struct tw_redis_dial {
    uv_loop_t *loop; /* borrowed */
    tw_redis_dial_cb callback;
    void *data;
    bool answered, closed;
    unsigned pending; /* handles and requests whose last callback is still to come */
    uv_getaddrinfo_t lookup;
    bool looks_up;
    struct addrinfo *found; /* owned: what the lookup found */
    const struct addrinfo *order[ADDRESSES_MAX];
    size_t count, next;  /* of order: how many, and which is to try next */
    attempt_t *attempts; /* under way */
    uv_timer_t stagger;  /* until the next address is tried */
    char problem[TW_REDIS_ERROR_MAX];
};

static void release(tw_redis_dial_t *dial)
{
    assert(dial->pending > 0);
    if (--dial->pending > 0 || !dial->closed)
        return;
    if (dial->found != NULL)
        uv_freeaddrinfo(dial->found);
    free(dial);
}

static void on_socket_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Attempts that nobody waits for any more: their last callback frees them. */
static void abandon_attempts(tw_redis_dial_t *dial)
{
    while (dial->attempts != NULL) {
        attempt_t *attempt = dial->attempts;
        dial->attempts = attempt->next;
        attempt->dial = NULL;
        uv_close(&attempt->socket->handle, on_socket_closed);
    }
}

static void answer(tw_redis_dial_t *dial, tw_redis_socket_t *socket)
{
    assert(!dial->answered);
    dial->answered = true;
    uv_timer_stop(&dial->stagger);
    abandon_attempts(dial);
    dial->callback(socket, socket == NULL ? dial->problem : NULL, dial->data);
}

static void try_next(tw_redis_dial_t *dial);

static void on_connect(uv_connect_t *connect, int status)
{
    attempt_t *attempt = connect->data;
    tw_redis_dial_t *dial = attempt->dial;
    tw_redis_socket_t *socket = attempt->socket;

    if (dial == NULL) {
        free(attempt);
        return;
    }
    attempt_t **place = &dial->attempts;
    while (*place != attempt)
        place = &(*place)->next;
    *place = attempt->next;
    free(attempt);
    if (status == 0) {
        answer(dial, socket);
        return;
    }
    uv_close(&socket->handle, on_socket_closed);
    snprintf(dial->problem, sizeof(dial->problem), "cannot connect: %s", uv_strerror(status));
    try_next(dial);
}

static void on_stagger(uv_timer_t *timer)
{
    try_next(timer->data);
}

static attempt_t *begin_attempt(tw_redis_dial_t *dial)
{
    attempt_t *attempt = tw_alloc(sizeof(*attempt));

    attempt->socket = tw_alloc(sizeof(*attempt->socket));
    attempt->dial = dial;
    attempt->connect.data = attempt;
    attempt->next = dial->attempts;
    dial->attempts = attempt;
    return attempt;
}

/* Tries the next address, beside those that are under way; without any of both it is over. */
static void try_next(tw_redis_dial_t *dial)
{
    while (dial->next < dial->count) {
        const struct addrinfo *address = dial->order[dial->next++];
        attempt_t *attempt = begin_attempt(dial);
        uv_tcp_init(dial->loop, &attempt->socket->tcp);
        int status =
            uv_tcp_connect(&attempt->connect, &attempt->socket->tcp, address->ai_addr, on_connect);
        if (status == 0) {
            if (dial->next < dial->count)
                uv_timer_start(&dial->stagger, on_stagger, STAGGER_MS, 0);
            return;
        }
        snprintf(dial->problem, sizeof(dial->problem), "cannot connect: %s", uv_strerror(status));
        dial->attempts = attempt->next;
        uv_close(&attempt->socket->handle, on_socket_closed);
        free(attempt);
    }
    if (dial->attempts == NULL)
        answer(dial, NULL);
}

/* The next address at or behind `from` that is (or is not) of this family. */
static const struct addrinfo *find_family(const struct addrinfo *from, int family, bool is)
{
    while (from != NULL && (from->ai_family == family) != is)
        from = from->ai_next;
    return from;
}

/* The resolver's order within each family, families alternating from the first one's on (RFC 8305
 * section 4). */
static void order_addresses(tw_redis_dial_t *dial)
{
    int family = dial->found->ai_family;
    const struct addrinfo *of_family[2] = {find_family(dial->found, family, false), dial->found};

    for (bool is = true; dial->count < ADDRESSES_MAX; is = !is) {
        const struct addrinfo *address = of_family[is];
        if (address == NULL && of_family[!is] == NULL)
            break;
        if (address == NULL)
            continue;
        dial->order[dial->count++] = address;
        of_family[is] = find_family(address->ai_next, family, is);
    }
}

static void fail_lookup(tw_redis_dial_t *dial, int status)
{
    snprintf(dial->problem, sizeof(dial->problem), "the name cannot be looked up: %s",
             uv_strerror(status));
}

static void on_lookup(uv_getaddrinfo_t *lookup, int status, struct addrinfo *addresses)
{
    tw_redis_dial_t *dial = lookup->data;

    dial->found = addresses;
    dial->looks_up = false;
    if (!dial->closed) {
        if (status != 0)
            fail_lookup(dial, status);
        else
            order_addresses(dial);
        try_next(dial);
    }
    release(dial);
}

static void dial_path(tw_redis_dial_t *dial, const char *path)
{
    attempt_t *attempt = begin_attempt(dial);
    uv_pipe_init(dial->loop, &attempt->socket->pipe, 0);
    uv_pipe_connect(&attempt->connect, &attempt->socket->pipe, path, on_connect);
}

static void dial_name(tw_redis_dial_t *dial, const tw_redis_endpoint_t *endpoint)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    char port[8];

    dial->lookup.data = dial;
    snprintf(port, sizeof(port), "%u", endpoint->port);
    int status = uv_getaddrinfo(dial->loop, &dial->lookup, on_lookup, endpoint->host, port, &hints);
    if (status == 0) {
        dial->looks_up = true;
        ++dial->pending;
    } else {
        fail_lookup(dial, status);
        uv_timer_start(&dial->stagger, on_stagger, 0, 0); /* finds nothing to try */
    }
}

tw_redis_dial_t *tw_redis_dial_open(uv_loop_t *loop, const tw_redis_endpoint_t *endpoint,
                                    tw_redis_dial_cb callback, void *data)
{
    tw_redis_dial_t *dial = tw_alloc(sizeof(*dial));

    dial->loop = loop;
    dial->callback = callback;
    dial->data = data;
    uv_timer_init(loop, &dial->stagger);
    dial->stagger.data = dial;
    dial->pending = 1;
    if (tw_redis_endpoint_is_path(endpoint))
        dial_path(dial, endpoint->host);
    else
        dial_name(dial, endpoint);
    return dial;
}

bool tw_redis_dial_looks_up(const tw_redis_dial_t *dial)
{
    return dial->looks_up;
}

static void on_timer_closed(uv_handle_t *handle)
{
    release(handle->data);
}

void tw_redis_dial_close(tw_redis_dial_t *dial)
{
    if (dial == NULL)
        return;
    dial->closed = true;
    if (dial->looks_up)
        uv_cancel((uv_req_t *)&dial->lookup);
    abandon_attempts(dial);
    uv_close((uv_handle_t *)&dial->stagger, on_timer_closed);
}
