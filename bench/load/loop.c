#include "bench/load/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench/load/clock.h"
#include "bench/load/transport.h"

enum { EVENTS_A_TURN = 256 };

static void on_wake(load_loop_source_t *source, uint32_t events)
{
    load_loop_t *self = (load_loop_t *)((char *)source - offsetof(load_loop_t, wake_source));
    uint64_t count;
    while (read(self->wake_fd, &count, sizeof(count)) > 0)
        ;
}

void load_loop_init(load_loop_t *self)
{
    self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    self->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->wake_source.on_events = on_wake;
    self->read_buffer = malloc(LOAD_LOOP_READ_BYTES);
    self->readers = self->writers = NULL;
    if (self->epoll_fd < 0 || self->wake_fd < 0 || self->read_buffer == NULL ||
        load_loop_add(self, self->wake_fd, &self->wake_source) != 0) {
        perror("tw-load: event loop");
        exit(2);
    }
}

int load_loop_add(load_loop_t *self, int fd, load_loop_source_t *source)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = source};
    return epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void run_readers(load_loop_t *self)
{
    load_transport_t *reader = self->readers;
    self->readers = NULL;
    while (reader != NULL) {
        load_transport_t *next = reader->next_reader;
        reader->next_reader = NULL;
        reader->is_reader = false;
        load_transport_read(reader);
        reader = next;
    }
}

static void run_writers(load_loop_t *self)
{
    while (self->writers != NULL) {
        load_transport_t *writer = self->writers;
        self->writers = writer->next_writer;
        writer->next_writer = NULL;
        writer->is_writer = false;
        load_transport_write(writer);
    }
}

void load_loop_turn(load_loop_t *self, uint64_t timeout_ns)
{
    struct epoll_event events[EVENTS_A_TURN];
    if (self->readers != NULL || self->writers != NULL)
        timeout_ns = 0;
    struct timespec timeout = {(time_t)(timeout_ns / LOAD_NS_PER_SECOND),
                               (long)(timeout_ns % LOAD_NS_PER_SECOND)};
    int count = epoll_pwait2(self->epoll_fd, events, EVENTS_A_TURN, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        load_loop_source_t *source = events[i].data.ptr;
        source->on_events(source, events[i].events);
    }
    run_readers(self);
    run_writers(self);
}

void load_loop_wake(load_loop_t *self)
{
    uint64_t one = 1;
    ssize_t written;
    do {
        written = write(self->wake_fd, &one, sizeof(one));
    } while (written < 0 && errno == EINTR);
}

void load_loop_dispose(load_loop_t *self)
{
    close(self->epoll_fd);
    close(self->wake_fd);
    free(self->read_buffer);
}
