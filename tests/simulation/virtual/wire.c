/* The gateways' ends of pipes: runtime/redis/client/wire.h on the virtual network. */
#include "runtime/redis/client/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/redis/client/slots.h"
#include "tests/simulation/redis/reply.h"
#include "tests/simulation/virtual/agenda.h"
#include "tests/simulation/virtual/pipe.h"
#include "tests/support/check.h"

/* One is in exactly one place: waiting for its loop (has_input), for the network, or closed. */
struct tw_redis_wire {
    tw_sim_loop_t *loop;
    const tw_redis_wire_callbacks_t *callbacks;
    void *data;
    tw_sim_pipe_t *pipe; /* NULL: refused or ended */
    tw_model_buffer_t inbox;
    const char *problem; /* not NULL: it ends once the inbox is read */
    bool opens;          /* the loop has to be told */
    bool is_open, has_ended, is_closed, has_input;
};

static void on_input(void *data);

static void free_if_closed(tw_redis_wire_t *wire)
{
    if (!wire->is_closed || wire->has_input)
        return;
    tw_sim_agenda_cancel(wire);
    tw_model_buffer_dispose(&wire->inbox);
    free(wire);
}

static void wake(tw_redis_wire_t *wire)
{
    if (wire->has_input || wire->is_closed)
        return;
    wire->has_input = true;
    tw_sim_loop_input(wire->loop, on_input, wire);
}

/* In the loop's step: what has come since the last one. */
static void on_input(void *data)
{
    tw_redis_wire_t *wire = data;

    if (!wire->is_closed && wire->opens) {
        wire->opens = false;
        wire->is_open = true;
        wire->callbacks->on_open(wire->data);
    }
    if (!wire->is_closed && wire->inbox.len > 0) {
        tw_model_buffer_t bytes = wire->inbox;
        wire->inbox = (tw_model_buffer_t){0};
        wire->callbacks->on_read(bytes.bytes, bytes.len, wire->data);
        tw_model_buffer_dispose(&bytes);
    }
    if (!wire->is_closed && wire->problem != NULL && !wire->has_ended) {
        wire->has_ended = true;
        wire->is_open = false;
        wire->callbacks->on_fail(wire->problem, wire->data);
    }
    wire->has_input = false;
    free_if_closed(wire);
}

static void end(tw_redis_wire_t *wire, const char *problem)
{
    if (wire->problem == NULL)
        wire->problem = problem;
    wake(wire);
}

static void leave_pipe(tw_redis_wire_t *wire)
{
    tw_sim_pipe_t *pipe = wire->pipe;
    if (pipe == NULL)
        return;
    wire->pipe = NULL;
    pipe->wire = NULL;
    tw_sim_pipe_free_if_over(pipe);
}

void tw_sim_pipe_arrived(tw_sim_pipe_t *pipe, const tw_sim_packet_t *packet)
{
    tw_redis_wire_t *wire = pipe->wire;

    if (wire == NULL)
        return;
    if (packet->len > 0) {
        tw_model_buffer_append(&wire->inbox, packet->bytes, packet->len);
        wake(wire);
        return;
    }
    pipe->wire = NULL;
    wire->pipe = NULL;
    end(wire, "redis:6379: the connection was reset");
}

/* --- connecting --- */

static void on_timeout(void *data)
{
    tw_redis_wire_t *wire = data;
    if (wire->is_open || wire->opens || wire->problem != NULL)
        return;
    leave_pipe(wire);
    end(wire, "redis:6379: it takes too long to connect");
}

/* The answer to the first packet is back. */
static void on_connected(void *data)
{
    tw_redis_wire_t *wire = data;
    tw_sim_pipe_t *pipe = wire->pipe;

    if (pipe == NULL || wire->problem != NULL)
        return;
    int64_t now_us = tw_sim_now_us(), later_us = pipe->server->stalled_until_us;
    for (int i = 0; i < 2; ++i)
        if (later_us < pipe->ways[i].swallows_until_us)
            later_us = pipe->ways[i].swallows_until_us;
    if (later_us > now_us) {
        tw_sim_agenda_add(later_us, on_connected, wire);
        return;
    }
    if (wire->loop->is_dead || !tw_sim_pipe_accept(pipe)) {
        leave_pipe(wire);
        end(wire, "redis:6379: connection refused");
        return;
    }
    wire->opens = true;
    wake(wire);
}

/* "redis" is anyone of a cluster, "redis-1" one that has slots of it. */
static uint32_t master_of(const tw_redis_endpoint_t *endpoint)
{
    unsigned master = 0;
    sscanf(endpoint->host, "redis-%u", &master);
    tw_check(master < tw_sim_network.masters);
    return master;
}

tw_redis_wire_t *tw_redis_wire_open(uv_loop_t *loop, const tw_redis_endpoint_t *endpoint,
                                    const tw_redis_tls_t *tls, uint32_t connect_timeout_ms,
                                    const tw_redis_wire_callbacks_t *callbacks, void *data)
{
    tw_redis_wire_t *wire = tw_alloc(sizeof(*wire));

    wire->loop = (tw_sim_loop_t *)loop;
    wire->callbacks = callbacks;
    wire->data = data;
    wire->pipe = tw_sim_pipe_open(wire->loop->place, master_of(endpoint), wire);
    int64_t now_us = tw_sim_now_us(),
            delay_us = 2 * tw_sim_network.delay.least_us + tw_sim_network.delay.spread_us;
    tw_sim_agenda_add(now_us + delay_us, on_connected, wire);
    tw_sim_agenda_add(now_us + (int64_t)connect_timeout_ms * 1000, on_timeout, wire);
    return wire;
}

/* --- in use --- */

#define ASK_SLOTS "*2\r\n$7\r\nCLUSTER\r\n$5\r\nSLOTS\r\n"

/* What the cluster knows of itself is always true, and here at once. */
static void tell_slots(tw_redis_wire_t *wire)
{
    uint32_t lanes = tw_sim_network.lanes;
    char text[256];
    int len = snprintf(text, sizeof(text), "*%u\r\n", (unsigned)lanes);

    tw_model_buffer_append(&wire->inbox, text, (size_t)len);
    for (uint32_t lane = 0; lane < lanes; ++lane) {
        snprintf(text, sizeof(text), "tw:{%u}:", (unsigned)lane);
        unsigned slot = tw_redis_slot_of(text), master = lane % tw_sim_network.masters;
        len = snprintf(text, sizeof(text),
                       "*3\r\n:%u\r\n:%u\r\n*3\r\n$7\r\nredis-%u\r\n:6379\r\n$2\r\nid\r\n", slot,
                       slot, master);
        tw_model_buffer_append(&wire->inbox, text, (size_t)len);
    }
    wake(wire);
}

void tw_redis_wire_write(tw_redis_wire_t *wire, const char *bytes, size_t len)
{
    tw_check(!wire->is_closed && wire->is_open);
    if (len == strlen(ASK_SLOTS) && memcmp(bytes, ASK_SLOTS, len) == 0) {
        tell_slots(wire);
        return;
    }
    if (wire->pipe != NULL && len > 0)
        tw_sim_pipe_send(wire->pipe, TW_SIM_UP, bytes, len);
}

size_t tw_redis_wire_unsent(const tw_redis_wire_t *wire)
{
    return 0;
}

void tw_redis_wire_close(tw_redis_wire_t *wire)
{
    tw_sim_pipe_t *pipe = wire->pipe;

    tw_check(!wire->is_closed);
    wire->is_closed = true;
    if (pipe != NULL) {
        wire->pipe = NULL;
        pipe->wire = NULL;
        if (pipe->session != NULL)
            tw_sim_pipe_send(pipe, TW_SIM_UP, NULL, 0); /* the server learns of it in its time */
        else
            tw_sim_pipe_free_if_over(pipe);
    }
    free_if_closed(wire);
}

void tw_sim_pipes_abandon(uint32_t place)
{
    tw_sim_pipe_t *pipe, *next;

    for (pipe = LIST_FIRST(&tw_sim_network.pipes); pipe != NULL; pipe = next) {
        next = LIST_NEXT(pipe, link);
        if (pipe->place != place || pipe->wire == NULL)
            continue;
        tw_redis_wire_t *wire = pipe->wire;
        wire->pipe = NULL;
        pipe->wire = NULL;
        if (pipe->session != NULL)
            tw_sim_pipe_send(pipe, TW_SIM_UP, NULL, 0);
        else
            tw_sim_pipe_free_if_over(pipe);
        end(wire, "redis:6379: this host is dead");
    }
}
