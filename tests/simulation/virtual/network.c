/* Servers, and the life of pipes. The gateways' ends are in wire.c. */
#include "tests/simulation/virtual/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/virtual/agenda.h"
#include "tests/simulation/virtual/pipe.h"
#include "tests/support/check.h"

tw_sim_network_t tw_sim_network;
FILE *tw_sim_record;

#define NETWORK (&tw_sim_network)

/* --- what servers see --- */

static int64_t on_wall(void *data)
{
    return tw_sim_wall_us(&((const tw_sim_server_t *)data)->host);
}

static int64_t on_now(void *data)
{
    return tw_sim_now_us();
}

static void count_unsent(tw_sim_server_t *server, size_t more, size_t fewer)
{
    server->unsent += more - fewer;
    if (server->unsent > server->unsent_max)
        server->unsent_max = server->unsent;
    tw_model_server_set_unsent(server->redis, server->unsent);
}

static void on_output(tw_model_session_t *session, const char *bytes, size_t len)
{
    tw_sim_pipe_t *pipe = tw_model_session_data(session);
    count_unsent(pipe->server, len, 0);
    tw_sim_pipe_send(pipe, TW_SIM_DOWN, bytes, len);
}

static void on_end(tw_model_session_t *session)
{
    tw_sim_pipe_cut(tw_model_session_data(session));
}

/* --- ways --- */

static int64_t delay_of(tw_sim_pipe_t *pipe, const tw_sim_way_t *way)
{
    return way->delay.least_us +
           (way->delay.spread_us > 0
                ? (int64_t)tw_test_random_below(&pipe->random, (uint32_t)way->delay.spread_us)
                : 0);
}

static void on_up(void *data);
static void on_down(void *data);

static void schedule(tw_sim_pipe_t *pipe, tw_sim_direction_t direction)
{
    tw_sim_way_t *way = &pipe->ways[direction];
    const tw_sim_packet_t *first = STAILQ_FIRST(&way->packets);

    if (first == NULL || way->scheduled)
        return;
    int64_t at_us = first->arrives_us;
    if (at_us < way->swallows_until_us)
        at_us = way->swallows_until_us;
    way->scheduled = true;
    tw_sim_agenda_add(at_us, direction == TW_SIM_UP ? on_up : on_down, pipe);
}

void tw_sim_pipe_send(tw_sim_pipe_t *pipe, tw_sim_direction_t direction, const char *bytes,
                      size_t len)
{
    tw_sim_way_t *way = &pipe->ways[direction];
    tw_sim_packet_t *packet = tw_alloc(sizeof(*packet) + len);
    int64_t arrives_us = tw_sim_now_us() + delay_of(pipe, way);

    if (arrives_us < way->last_us)
        arrives_us = way->last_us;
    way->last_us = packet->arrives_us = arrives_us;
    packet->len = len;
    if (len > 0)
        memcpy(packet->bytes, bytes, len);
    STAILQ_INSERT_TAIL(&way->packets, packet, link);
    schedule(pipe, direction);
}

/* The packet that is due, taken off; NULL: it is not due any more, and comes later. */
static tw_sim_packet_t *take(tw_sim_pipe_t *pipe, tw_sim_direction_t direction)
{
    tw_sim_way_t *way = &pipe->ways[direction];
    tw_sim_packet_t *packet = STAILQ_FIRST(&way->packets);

    way->scheduled = false;
    if (packet == NULL)
        return NULL;
    if (way->swallows_until_us > tw_sim_now_us()) {
        schedule(pipe, direction);
        return NULL;
    }
    ++NETWORK->arrivals;
    STAILQ_REMOVE_HEAD(&way->packets, link);
    return packet;
}

static void drop_packets(tw_sim_way_t *way)
{
    tw_sim_packet_t *packet;
    while ((packet = STAILQ_FIRST(&way->packets)) != NULL) {
        STAILQ_REMOVE_HEAD(&way->packets, link);
        free(packet);
    }
}

/* --- the server's end --- */

static void on_timeout(void *data);

static void watch_timeouts(tw_sim_server_t *server)
{
    int64_t next_us = tw_model_server_next_timeout(server->redis);
    if (next_us >= server->timeout_us)
        return;
    server->timeout_us = next_us;
    tw_sim_agenda_add(next_us, on_timeout, server);
}

static void on_timeout(void *data)
{
    tw_sim_server_t *server = data;
    if (server->timeout_us != tw_sim_now_us())
        return; /* an earlier one took its place */
    server->timeout_us = INT64_MAX;
    tw_model_server_expire(server->redis);
    watch_timeouts(server);
}

static void close_session(tw_sim_pipe_t *pipe)
{
    if (pipe->session != NULL)
        tw_model_session_close(pipe->session);
    pipe->session = NULL;
    drop_packets(&pipe->ways[TW_SIM_UP]);
}

/* A packet of no bytes is the end of the connection. */
static void on_up(void *data)
{
    tw_sim_pipe_t *pipe = data;
    tw_sim_server_t *server = pipe->server;

    if (server->stalled_until_us > tw_sim_now_us()) {
        tw_sim_agenda_add(server->stalled_until_us, on_up, pipe);
        return;
    }
    tw_sim_packet_t *packet = take(pipe, TW_SIM_UP);
    if (packet == NULL)
        return;
    if (packet->len == 0) {
        free(packet);
        close_session(pipe);
        tw_sim_pipe_free_if_over(pipe);
        return;
    }
    if (pipe->session != NULL) {
        if (tw_sim_record != NULL)
            fwrite(packet->bytes, 1, packet->len, tw_sim_record);
        NETWORK->commands[pipe->place] +=
            tw_model_session_feed(pipe->session, packet->bytes, packet->len);
        watch_timeouts(server);
    }
    free(packet);
    schedule(pipe, TW_SIM_UP);
}

/* --- the gateway's end --- */

static void on_down(void *data)
{
    tw_sim_pipe_t *pipe = data;
    tw_sim_packet_t *packet = take(pipe, TW_SIM_DOWN);

    if (packet == NULL)
        return;
    if (packet->len > 0 && pipe->session != NULL)
        count_unsent(pipe->server, 0,
                     packet->len < pipe->server->unsent ? packet->len : pipe->server->unsent);
    tw_sim_pipe_arrived(pipe, packet);
    free(packet);
    schedule(pipe, TW_SIM_DOWN);
    tw_sim_pipe_free_if_over(pipe);
}

/* --- life --- */

static size_t unsent_of(const tw_sim_pipe_t *pipe)
{
    const tw_sim_packet_t *packet;
    size_t bytes = 0;
    STAILQ_FOREACH(packet, &pipe->ways[TW_SIM_DOWN].packets, link)
    bytes += packet->len;
    return bytes;
}

void tw_sim_pipe_cut(tw_sim_pipe_t *pipe)
{
    if (pipe->is_cut)
        return;
    pipe->is_cut = true;
    size_t lost = unsent_of(pipe);
    count_unsent(pipe->server, 0, lost < pipe->server->unsent ? lost : pipe->server->unsent);
    drop_packets(&pipe->ways[TW_SIM_DOWN]);
    tw_sim_pipe_send(pipe, TW_SIM_DOWN, NULL, 0);
    tw_sim_pipe_send(pipe, TW_SIM_UP, NULL, 0);
}

tw_sim_pipe_t *tw_sim_pipe_open(uint32_t place, uint32_t master, tw_sim_wire_t *wire)
{
    tw_sim_pipe_t *pipe = tw_alloc(sizeof(*pipe));

    pipe->place = place;
    pipe->server = &NETWORK->servers[NETWORK->route[master][place]];
    pipe->wire = wire;
    pipe->random.state = NETWORK->seed * 31 + ++NETWORK->pipe_count * UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < 2; ++i) {
        STAILQ_INIT(&pipe->ways[i].packets);
        pipe->ways[i].delay = NETWORK->delay;
        const tw_sim_slow_t *slow = &NETWORK->slow[place];
        if (slow->until_us > tw_sim_now_us() && (i == TW_SIM_UP ? slow->up : slow->down)) {
            uint32_t most_us = (uint32_t)slow->delay.least_us + 1;
            pipe->ways[i].delay.least_us = tw_test_random_below(&pipe->random, most_us);
            pipe->ways[i].delay.spread_us = slow->delay.spread_us;
        }
    }
    LIST_INSERT_HEAD(&NETWORK->pipes, pipe, link);
    return pipe;
}

bool tw_sim_pipe_accept(tw_sim_pipe_t *pipe)
{
    if (pipe->server->is_down)
        return false;
    pipe->session = tw_model_session_open(pipe->server->redis, pipe);
    return true;
}

void tw_sim_pipe_free(tw_sim_pipe_t *pipe)
{
    close_session(pipe);
    drop_packets(&pipe->ways[TW_SIM_DOWN]);
    tw_sim_agenda_cancel(pipe);
    LIST_REMOVE(pipe, link);
    free(pipe);
}

void tw_sim_pipe_free_if_over(tw_sim_pipe_t *pipe)
{
    if (pipe->session == NULL && pipe->wire == NULL)
        tw_sim_pipe_free(pipe);
}

void tw_sim_network_open(uint64_t seed, uint32_t masters, uint32_t lanes)
{
    *NETWORK =
        (tw_sim_network_t){.seed = seed, .delay = {100, 200}, .masters = masters, .lanes = lanes};
    for (uint32_t master = 0; master < TW_SIM_MASTERS; ++master)
        for (uint32_t place = 0; place < TW_SIM_PLACES; ++place)
            NETWORK->route[master][place] = 2 * master;
    LIST_INIT(&NETWORK->pipes);
    for (uint32_t i = 0; i < TW_SIM_SERVERS; ++i) {
        tw_sim_server_t *server = &NETWORK->servers[i];
        const tw_model_owner_t owner = {.wall_us = on_wall,
                                        .now_us = on_now,
                                        .on_output = on_output,
                                        .on_end = on_end,
                                        .data = server};
        server->timeout_us = INT64_MAX;
        server->host.name = "redis";
        server->redis = tw_model_server_create(&owner, seed + i * 1000);
    }
}

void tw_sim_network_close(void)
{
    while (!LIST_EMPTY(&NETWORK->pipes)) {
        tw_sim_pipe_t *pipe = LIST_FIRST(&NETWORK->pipes);
        tw_check(pipe->wire == NULL);
        tw_sim_pipe_free(pipe);
    }
    for (uint32_t i = 0; i < TW_SIM_SERVERS; ++i)
        tw_model_server_destroy(NETWORK->servers[i].redis);
}

/* --- faults --- */

void tw_sim_server_cut(uint32_t server)
{
    tw_sim_pipe_t *pipe, *next;
    for (pipe = LIST_FIRST(&NETWORK->pipes); pipe != NULL; pipe = next) {
        next = LIST_NEXT(pipe, link);
        if (pipe->server == &NETWORK->servers[server]) {
            tw_sim_pipe_cut(pipe);
            close_session(pipe);
            tw_sim_pipe_free_if_over(pipe);
        }
    }
}

void tw_sim_server_kill(uint32_t server)
{
    NETWORK->servers[server].is_down = true;
    tw_sim_server_cut(server);
    NETWORK->servers[server].unsent = 0;
}

void tw_sim_server_start(uint32_t server, tw_model_data_t *data)
{
    tw_sim_server_t *started = &NETWORK->servers[server];
    tw_sim_server_kill(server);
    tw_model_server_restart(started->redis, NETWORK->seed + server * 1000 + ++started->starts);
    tw_model_server_set_data(started->redis, data != NULL ? data : tw_model_data_create());
    tw_model_server_set_unsent(started->redis, 0);
    started->is_down = false;
}

void tw_sim_server_stall(uint32_t server, int64_t until_us)
{
    if (NETWORK->servers[server].stalled_until_us < until_us)
        NETWORK->servers[server].stalled_until_us = until_us;
}

/* The pipes of a place, one after the other: cursors survive the end of the pipe before. */
static tw_sim_pipe_t *next_of(tw_sim_pipe_t *from, uint32_t place, uint32_t which, uint32_t *seen)
{
    for (; from != NULL; from = LIST_NEXT(from, link)) {
        if (from->place != place || from->wire == NULL)
            continue;
        if (which == UINT32_MAX || (*seen)++ == which)
            return from;
    }
    return NULL;
}

#define FOR_EACH_OF(place, which)                                                                  \
    uint32_t seen_ = 0;                                                                            \
    for (tw_sim_pipe_t * next_,                                                                    \
         *pipe = next_of(LIST_FIRST(&NETWORK->pipes), place, which, &seen_);                       \
         pipe != NULL && (next_ = LIST_NEXT(pipe, link), true);                                    \
         pipe = next_of(next_, place, which, &seen_))

void tw_sim_pipes_cut(uint32_t place, uint32_t which)
{
    FOR_EACH_OF(place, which)
    tw_sim_pipe_cut(pipe);
}

void tw_sim_pipes_cut_to(uint32_t place, uint32_t server)
{
    FOR_EACH_OF(place, UINT32_MAX)
    if (pipe->server == &NETWORK->servers[server])
        tw_sim_pipe_cut(pipe);
}

void tw_sim_pipes_swallow(uint32_t place, uint32_t which, bool up, bool down, int64_t until_us)
{
    FOR_EACH_OF(place, which)
    {
        if (up)
            pipe->ways[TW_SIM_UP].swallows_until_us = until_us;
        if (down)
            pipe->ways[TW_SIM_DOWN].swallows_until_us = until_us;
    }
}

void tw_sim_pipes_delay(uint32_t place, uint32_t which, bool up, bool down, tw_sim_delay_t delay,
                        int64_t until_us)
{
    if (which == UINT32_MAX)
        NETWORK->slow[place] = (tw_sim_slow_t){until_us, up, down, delay};
    FOR_EACH_OF(place, which)
    {
        if (up)
            pipe->ways[TW_SIM_UP].delay = delay;
        if (down)
            pipe->ways[TW_SIM_DOWN].delay = delay;
    }
}
