/** The inside of a pipe, for network.c and wire.c. */
#ifndef TW_SIM_PIPE_H
#define TW_SIM_PIPE_H

#include "tests/simulation/virtual/network.h"

typedef struct tw_redis_wire tw_sim_wire_t; /* the gateway's end is the wire that it knows */

typedef enum tw_sim_direction { TW_SIM_UP, TW_SIM_DOWN } tw_sim_direction_t;

typedef struct tw_sim_packet {
    STAILQ_ENTRY(tw_sim_packet) link;
    int64_t arrives_us;
    size_t len; /* 0: the end */
    char bytes[];
} tw_sim_packet_t;

typedef struct tw_sim_way {
    STAILQ_HEAD(tw_sim_packets, tw_sim_packet) packets; /* first sent first */
    tw_sim_delay_t delay;
    int64_t last_us; /* arrival of the last one: nothing overtakes it */
    int64_t swallows_until_us;
    bool scheduled;
} tw_sim_way_t;

struct tw_sim_pipe {
    LIST_ENTRY(tw_sim_pipe) link;
    uint32_t place;
    tw_sim_server_t *server;
    tw_model_session_t *session; /* NULL: not accepted yet, or ended there */
    tw_sim_wire_t *wire;         /* NULL: closed there */
    tw_test_random_t random;
    tw_sim_way_t ways[2];
    bool is_cut;
};

tw_sim_pipe_t *tw_sim_pipe_open(uint32_t place, uint32_t master, tw_sim_wire_t *wire);

/** The server takes the connection; false: it refuses. */
bool tw_sim_pipe_accept(tw_sim_pipe_t *pipe);

void tw_sim_pipe_send(tw_sim_pipe_t *pipe, tw_sim_direction_t direction, const char *bytes,
                      size_t len);

/** Both ends learn, each in its time, that it is over. */
void tw_sim_pipe_cut(tw_sim_pipe_t *pipe);

void tw_sim_pipe_free(tw_sim_pipe_t *pipe);
void tw_sim_pipe_free_if_over(tw_sim_pipe_t *pipe);

/** wire.c: something came for the gateway. */
void tw_sim_pipe_arrived(tw_sim_pipe_t *pipe, const tw_sim_packet_t *packet);

#endif
