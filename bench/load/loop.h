/*
 * The event loop of one load generator thread: epoll, a way to wake it from elsewhere, and the two
 * queues that a turn ends with: transports that have more to read, and transports with output.
 * Output thus leaves in one write a connection and turn.
 *
 * All but load_loop_wake() belong to the thread that turns the loop.
 */
#ifndef LOAD_LOOP_H
#define LOAD_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

struct load_transport;

#define LOAD_LOOP_READ_BYTES (128 * 1024)

/* First member of whatever waits for events. */
typedef struct load_loop_source {
    void (*on_events)(struct load_loop_source *source, uint32_t events);
} load_loop_source_t;

typedef struct load_loop {
    int epoll_fd;
    int wake_fd;
    load_loop_source_t wake_source;
    char *read_buffer;              /* owned, LOAD_LOOP_READ_BYTES: scratch for every transport */
    struct load_transport *readers; /* stopped reading before the socket was empty */
    struct load_transport *writers; /* have output that was added in this turn */
} load_loop_t;

/* Ends the process when the kernel gives no descriptors. */
void load_loop_init(load_loop_t *self);

/* Watches `fd` edge-triggered for both directions. 0, or -1 with errno. */
int load_loop_add(load_loop_t *self, int fd, load_loop_source_t *source);

/* One turn: waits at most `timeout_ns`, calls everybody, flushes. */
void load_loop_turn(load_loop_t *self, uint64_t timeout_ns);

/* Ends the wait of the current or the next turn; any thread. */
void load_loop_wake(load_loop_t *self);

void load_loop_dispose(load_loop_t *self);

#endif
