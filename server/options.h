/**
 * The options: one table, from which parser, --help, reference docs and the chart's check are made.
 *
 * Each row is an environment variable and a flag: TIDEWAY_LISTEN is --listen,
 * SSE_PUBLISHER_API_KEYS is
 * --sse-publisher-api-keys. Flags win over variables; a bad value stops the start with one line.
 */
#ifndef TW_SERVER_OPTIONS_H
#define TW_SERVER_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

/* TEXT(field, variable, default, help) any text; NULL: none
 * CHOICE(field, variable, default, choices, help) one of the words of `a|b`; kept as its index
 * NUMBER(field, variable, default, min, max, unit, help) a whole number */
#define TW_OPTION_TABLE(TEXT, CHOICE, NUMBER)                                                      \
    TEXT(api_keys, "SSE_PUBLISHER_API_KEYS", NULL,                                                 \
         "keys that may publish and administer, comma-separated; required")                        \
    TEXT(listen, "TIDEWAY_LISTEN", "127.0.0.1:8443",                                               \
         "addresses to serve on: host:port or [v6]:port, comma-separated")                         \
    TEXT(ops_listen, "TIDEWAY_OPS_LISTEN", "127.0.0.1:9090",                                       \
         "plain HTTP address for probes and metrics, or off")                                      \
    CHOICE(tls, "TIDEWAY_TLS", 1, "off|on",                                                        \
           "off: cleartext HTTP/1.1 and HTTP/2, behind a proxy that terminates TLS")               \
    TEXT(tls_cert, "TIDEWAY_TLS_CERT", NULL,                                                       \
         "PEM file of the certificate chain; without it an ephemeral certificate is made")         \
    TEXT(tls_key, "TIDEWAY_TLS_KEY", NULL, "PEM file of its private key")                          \
    NUMBER(hsts_s, "TIDEWAY_HSTS_SECONDS", 0, 0, 315360000, "s",                                   \
           "how long browsers shall use this host over TLS only (Strict-Transport-Security); 0: "  \
           "not said")                                                                             \
    NUMBER(workers, "TIDEWAY_WORKERS", 0, 0, 64, "threads",                                        \
           "event loops; 0: one for each CPU that the process may use")                            \
    CHOICE(runtime, "TIDEWAY_RUNTIME", 0, "memory|redis",                                          \
           "where state lives: in this process, or in Redis for several nodes")                    \
    TEXT(redis_url, "TIDEWAY_REDIS_URL", "redis://127.0.0.1:6379/0",                               \
         "redis://[user:password@]host:port/db, rediss:// for TLS, or "                            \
         "redis+sentinel://host:port,host:port/name")                                              \
    TEXT(redis_ca, "TIDEWAY_REDIS_CA", NULL,                                                       \
         "PEM file of the authorities that may sign Redis' certificate; none: the system's")       \
    TEXT(node_id, "TIDEWAY_NODE_ID", NULL,                                                         \
         "this node's name in the cluster; generated if not given")                                \
    TEXT(node_ip, "TIDEWAY_NODE_IP", NULL,                                                         \
         "this node's address as shown to operators; HOST_IP, POD_IP or detected if not given")    \
    NUMBER(heartbeat_ms, "TIDEWAY_HEARTBEAT_MS", 15000, 100, 3600000, "ms",                        \
           "silence after which a stream gets a comment")                                          \
    NUMBER(retry_ms, "TIDEWAY_RETRY_MS", 3000, 0, 3600000, "ms",                                   \
           "how long clients wait before they connect again")                                      \
    NUMBER(max_streams_per_connection, "TIDEWAY_MAX_STREAMS_PER_CONNECTION", 1000, 1, 100000,      \
           "streams", "concurrent streams on one HTTP/2 connection, advertised and enforced")      \
    NUMBER(max_streams, "TIDEWAY_MAX_STREAMS", 1000000, 1, 100000000, "streams",                   \
           "open SSE streams of this node")                                                        \
    NUMBER(max_connections, "TIDEWAY_MAX_CONNECTIONS", 100000, 1, 10000000, "connections",         \
           "open transport connections of this node")                                              \
    NUMBER(max_connections_per_ip, "TIDEWAY_MAX_CONNECTIONS_PER_IP", 10000, 0, 10000000,           \
           "connections",                                                                          \
           "open transport connections of one IPv4 address or IPv6 /64; 0: no limit")              \
    NUMBER(max_handshakes, "TIDEWAY_MAX_HANDSHAKES", 4096, 1, 10000000, "handshakes",              \
           "TLS handshakes under way on this node; more connections are refused meanwhile")        \
    NUMBER(max_handshakes_per_ip, "TIDEWAY_MAX_HANDSHAKES_PER_IP", 1024, 0, 10000000,              \
           "handshakes", "of these, of one IPv4 address or IPv6 /64; 0: no limit")                 \
    NUMBER(max_streams_per_ip, "TIDEWAY_MAX_STREAMS_PER_IP", 0, 0, 100000000, "streams",           \
           "open SSE streams of one IPv4 address or IPv6 /64; 0: no limit")                        \
    NUMBER(max_publishes_in_flight, "TIDEWAY_MAX_PUBLISHES_IN_FLIGHT", 10000, 1, 10000000,         \
           "publishes", "publish requests under way on this node")                                 \
    NUMBER(publish_rate, "TIDEWAY_PUBLISH_RATE", 0, 0, 100000000, "publishes/s",                   \
           "of one key, on this node; 0: no limit")                                                \
    NUMBER(publish_burst, "TIDEWAY_PUBLISH_BURST", 0, 0, 100000000, "publishes",                   \
           "that a key may save up; 0: one second of its rate")                                    \
    NUMBER(max_auth_failures, "TIDEWAY_MAX_AUTH_FAILURES", 100, 0, 1000000, "per minute",          \
           "wrong keys of one address before its keys are not looked at for a while; 0: no limit") \
    TEXT(trusted_proxies, "TIDEWAY_TRUSTED_PROXIES", NULL,                                         \
         "addresses or networks of proxies whose X-Forwarded-For is believed, comma-separated; "   \
         "they have no limits of their own")                                                       \
    NUMBER(max_topics, "TIDEWAY_MAX_TOPICS", 64, 1, 1024, "topics", "topics of one request")       \
    NUMBER(max_payload_bytes, "TIDEWAY_MAX_PAYLOAD_BYTES", 1048576, 1, 67108864, "bytes",          \
           "largest body of a publish")                                                            \
    NUMBER(stream_buffer_bytes, "TIDEWAY_STREAM_BUFFER_BYTES", 1048576, 1024, 1073741824, "bytes", \
           "a subscriber further behind than this is closed")                                      \
    NUMBER(connection_buffer_bytes, "TIDEWAY_CONNECTION_BUFFER_BYTES", 268435456, 1024,            \
           1099511627776, "bytes",                                                                 \
           "what may wait for all subscribers of one connection; beyond it they are closed")       \
    NUMBER(node_buffer_bytes, "TIDEWAY_NODE_BUFFER_BYTES", 1073741824, 0, 1099511627776, "bytes",  \
           "memory of all events that wait for subscribers, tails apart; beyond it those who are " \
           "behind are closed; 0: no limit")                                                       \
    NUMBER(tail_events, "TIDEWAY_TAIL_EVENTS", 200, 0, 100000, "events",                           \
           "newest events kept per topic")                                                         \
    NUMBER(tail_bytes, "TIDEWAY_TAIL_BYTES", 268435456, 0, 1099511627776, "bytes",                 \
           "memory of all kept events of this node")                                               \
    NUMBER(resume_window_ms, "TIDEWAY_RESUME_WINDOW_MS", 0, 0, 86400000, "ms",                     \
           "how long a topic without subscribers still accepts and keeps events")                  \
    NUMBER(drain_ms, "TIDEWAY_DRAIN_MS", 10000, 0, 3600000, "ms",                                  \
           "time over which streams are closed at shutdown")                                       \
    NUMBER(max_connection_age_ms, "TIDEWAY_MAX_CONNECTION_AGE_MS", 0, 0, 604800000, "ms",          \
           "age, give or take a tenth, at which a connection is asked to go elsewhere; 0: never")  \
    TEXT(cors_origins, "TIDEWAY_CORS_ORIGINS", NULL,                                               \
         "origins whose pages may use the API, comma-separated, or *")                             \
    CHOICE(log_level, "TIDEWAY_LOG_LEVEL", 1, "debug|info|warn|error",                             \
           "least level that is logged")                                                           \
    CHOICE(log_format, "TIDEWAY_LOG_FORMAT", 1, "text|json", "form of log lines on stderr")

typedef struct tw_options {
#define TEXT(field, variable, fallback, help) const char *field;
#define CHOICE(field, variable, fallback, choices, help) int field;
#define NUMBER(field, variable, fallback, min, max, unit, help) uint64_t field;
    TW_OPTION_TABLE(TEXT, CHOICE, NUMBER)
#undef TEXT
#undef CHOICE
#undef NUMBER
} tw_options_t;

typedef enum tw_options_result {
    TW_OPTIONS_OK = 0,
    TW_OPTIONS_HELP = 1,    /* --help: print it and end */
    TW_OPTIONS_VERSION = 2, /* --version */
    TW_OPTIONS_BAD = -1,    /* `error` names option, value and range in one line */
} tw_options_result_t;

/**
 * Reads environment (by getenv) and flags (argv[1] …: `--listen value` or `--listen=value`). Texts
 * are borrowed from both. On TW_OPTIONS_BAD error holds a NUL-terminated line.
 */
tw_options_result_t tw_options_read(tw_options_t *options, int argc, char *const argv[],
                                    char *error, size_t error_size);

/** The same without what options must be together to serve: for verbs that only ask a server. */
tw_options_result_t tw_options_read_any(tw_options_t *options, int argc, char *const argv[],
                                        char *error, size_t error_size);

/** The table for people. */
void tw_options_print_help(FILE *out);

/** The table for docs and checks: a JSON array of
 * {"variable","flag","kind","default","min","max","unit","choices","help"}. */
void tw_options_print_json(FILE *out);

#endif
