/**
 * The virtual network: Redis servers, and pipes between gateways and them.
 *
 * A pipe is a TCP connection: bytes arrive in order, each way after a time of its own, and never
 * get lost while it lives. It can be cut (both ends learn of it), or swallow what one or both ways
 * bring for a while: then nobody learns anything. Gateways dial the service's name and come to the
 * server that it stands for where they are. With several masters it is a cluster: whom they reach
 * first tells them, at once and as it is where they are, under which names each lane's slot is.
 * Times are virtual microseconds. One thread.
 */
#ifndef TW_SIM_NETWORK_H
#define TW_SIM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

#include "tests/simulation/redis/server.h"
#include "tests/simulation/virtual/loop.h"

#define TW_SIM_MASTERS 4 /* lanes are spread over at most so many */
#define TW_SIM_SERVERS (2 * TW_SIM_MASTERS)
#define TW_SIM_PLACES 8 /* gateways that may live at a time */

typedef struct tw_sim_pipe tw_sim_pipe_t;

typedef struct tw_sim_server {
    tw_model_server_t *redis;
    tw_sim_host_t host; /* its clock */
    bool is_down;       /* refuses connections */
    int64_t stalled_until_us;
    int64_t timeout_us; /* when a session that blocks is looked at; INT64_MAX: none blocks */
    uint64_t starts;    /* processes that there were */
    size_t unsent;
    size_t unsent_max; /* the highest that it was */
} tw_sim_server_t;

/** What a way does to what is sent on it. */
typedef struct tw_sim_delay {
    int64_t least_us, spread_us;
} tw_sim_delay_t;

/** New pipes of a place get a delay of their own until then, at most this one. */
typedef struct tw_sim_slow {
    int64_t until_us;
    bool up, down;
    tw_sim_delay_t delay;
} tw_sim_slow_t;

typedef struct tw_sim_network {
    uint64_t seed;
    tw_sim_server_t servers[TW_SIM_SERVERS];
    uint32_t masters;                              /* 1: no cluster */
    uint32_t lanes;                                /* lane i is on master i % masters, which … */
    uint32_t route[TW_SIM_MASTERS][TW_SIM_PLACES]; /* … is this server for those who are there */
    tw_sim_delay_t delay;                          /* of a new pipe, each way … */
    tw_sim_slow_t slow[TW_SIM_PLACES];             /* … but here at times */
    LIST_HEAD(tw_sim_pipes, tw_sim_pipe) pipes;    /* newest first */
    uint64_t pipe_count;
    uint64_t commands[TW_SIM_PLACES]; /* that came from there */
    uint64_t arrivals;                /* of bytes, at either end */
} tw_sim_network_t;

/** The one network. */
extern tw_sim_network_t tw_sim_network;

/** Not NULL: all commands that come to servers are written to it, as they come. */
extern FILE *tw_sim_record;

void tw_sim_network_open(uint64_t seed, uint32_t masters, uint32_t lanes);
void tw_sim_network_close(void);

/* --- servers --- */

/** Ends the process and all pipes to it. */
void tw_sim_server_kill(uint32_t server);

/** Starts it again with these data (taken over; NULL: none). */
void tw_sim_server_start(uint32_t server, tw_model_data_t *data);

/** Answers nothing until then. */
void tw_sim_server_stall(uint32_t server, int64_t until_us);

/** Cuts every pipe to it, as CLIENT KILL does. */
void tw_sim_server_cut(uint32_t server);

/* --- pipes: `which` counts those of a place from the newest, UINT32_MAX: all of them --- */

void tw_sim_pipes_cut(uint32_t place, uint32_t which);

/** Those of a place to one server. */
void tw_sim_pipes_cut_to(uint32_t place, uint32_t server);

/** Swallows until then what goes up (to the server), down, or both. */
void tw_sim_pipes_swallow(uint32_t place, uint32_t which, bool up, bool down, int64_t until_us);

/** From now on each way takes as long. With all pipes of a place, new ones are slow, too, each as
 * it comes, until then. */
void tw_sim_pipes_delay(uint32_t place, uint32_t which, bool up, bool down, tw_sim_delay_t delay,
                        int64_t until_us);

/** The gateways of a place are gone: their ends say nothing any more. */
void tw_sim_pipes_abandon(uint32_t place);

#endif
