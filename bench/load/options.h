/*
 * The load generator's options: one table for defaults, ranges, parsing and --help.
 */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* X(field, option, default, minimum, maximum, help) */
#define LOAD_NUMBERS(X)                                                                            \
    X(connections, "connections", 1, 0, 60000, "subscriber connections")                           \
    X(streams, "streams", 1000, 1, 1000000, "streams on each connection")                          \
    X(topics, "topics", 1, 1, 16000000, "topics; stream i follows topic i modulo this")            \
    X(topics_per_stream, "topics-per-stream", 1, 1, 64, "topics that each stream follows")         \
    X(threads, "threads", 1, 1, 64, "threads for subscribers; publishers have one of their own")   \
    X(publishers, "publishers", 1, 1, 256, "publisher connections")                                \
    X(lanes, "lanes", 1, 1, 256, "publishers of each topic, at most `publishers`")                 \
    X(payload_bytes, "payload-bytes", 100, 36, 16000, "length of each event's data")               \
    X(rate, "rate", 0, 0, 10000000, "events/s, open loop; 0: closed loop")                         \
    X(in_flight, "in-flight", 8, 1, 100000, "closed loop: events not yet answered and received")   \
    X(events, "events", 0, 0, 1000000000, "stop after so many events; 0: after --duration-ms")     \
    X(duration_ms, "duration-ms", 5000, 0, 600000, "how long to publish, measured")                \
    X(warmup_ms, "warmup-ms", 1000, 0, 60000, "how long to publish before that")                   \
    X(hold_ms, "hold-ms", 0, 0, 600000, "stay idle so long before publishing, measured")           \
    X(settle_ms, "settle-ms", 200, 0, 60000, "wait so long after the last stream has opened")      \
    X(nobody_percent, "nobody-percent", 0, 0, 100, "of the events: to topics nobody follows")      \
    X(slow_connections, "slow-connections", 0, 0, 60000, "connections that stop reading")          \
    X(churn, "churn", 0, 0, 1, "1: close each stream again and open another")                      \
    X(churn_events, "churn-events", 0, 0, 1000000, "events that a stream waits for before that")   \
    X(resume_events, "resume-events", 0, 0, 100000,                                                \
      "cut connections when measuring begins, resume so many events later")                        \
    X(live_connections, "live-connections", 1, 1, 60000,                                           \
      "connections that are not cut; only their latency counts then")                              \
    X(open_window, "open-window", 200, 1, 100000, "streams being opened at once, a connection")    \
    X(connect_window, "connect-window", 64, 1, 10000, "connections being opened at once")          \
    X(stream_window, "stream-window", 16777216, 65535, 2147483647, "HTTP/2 window of a stream")    \
    X(receive_window, "receive-window", 1073741824, 65536, 2147483647, "and of a connection")      \
    X(open_deadline_ms, "open-deadline-ms", 60000, 1, 600000, "give up opening after this")        \
    X(stall_ms, "stall-ms", 5000, 1, 60000, "give up waiting when nothing moves for this long")    \
    X(deadline_ms, "deadline-ms", 180000, 1, 1200000, "give up everything after this")

enum { LOAD_ADDRESSES_MAX = 16, LOAD_PIDS_MAX = 64 };

typedef struct load_load_options {
#define X(field, option, standard, minimum, maximum, help) uint32_t field;
    LOAD_NUMBERS(X)
#undef X
    struct sockaddr_in addresses[LOAD_ADDRESSES_MAX]; /* loopback; used in turn */
    size_t address_count;
    pid_t pids[LOAD_PIDS_MAX]; /* the servers' processes */
    size_t pid_count;
    bool cleartext;
    const char *dialect; /* how requests look: "tideway", "nchan", … */
    const char *key;     /* what publishers authenticate with */
    const char *label;   /* goes into the report as it is */
} load_options_t;

/*
 * Reads the command line. 0; 1 when --help was printed; -1 after one line on stderr that says what
 * is wrong. Strings stay borrowed from `argv`.
 */
int load_options_parse(load_options_t *options, int argc, char **argv);

#endif
