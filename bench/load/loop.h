/*
 * The event loop of one load generator thread: epoll, a way to wake it from elsewhere, and the two
 * queues that a turn ends with: transports that have more to read, and transports with output.
 * Output thus leaves in one write a connection and turn.
 *
 * All but tw_loop_wake() belong to the thread that turns the loop.
 */
#ifndef TW_BENCH_LOOP_H
#define TW_BENCH_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

struct st_tw_transport_t;

#define TW_LOOP_READ_BYTES (128 * 1024)

/* First member of whatever waits for events. */
typedef struct st_tw_loop_source_t {
    void (*on_events)(struct st_tw_loop_source_t *source, uint32_t events);
} tw_loop_source_t;

typedef struct st_tw_loop_t {
    int epoll_fd;
    int wake_fd;
    tw_loop_source_t wake_source;
    char *read_buffer;                 /* owned, TW_LOOP_READ_BYTES: scratch for every transport */
    struct st_tw_transport_t *readers; /* stopped reading before the socket was empty */
    struct st_tw_transport_t *writers; /* have output that was added in this turn */
} tw_loop_t;

/* Ends the process when the kernel gives no descriptors. */
void tw_loop_init(tw_loop_t *self);

/* Watches `fd` edge-triggered for both directions. 0, or -1 with errno. */
int tw_loop_add(tw_loop_t *self, int fd, tw_loop_source_t *source);

/* One turn: waits at most `timeout_ns`, calls everybody, flushes. */
void tw_loop_turn(tw_loop_t *self, uint64_t timeout_ns);

/* Ends the wait of the current or the next turn; any thread. */
void tw_loop_wake(tw_loop_t *self);

void tw_loop_dispose(tw_loop_t *self);

#endif
