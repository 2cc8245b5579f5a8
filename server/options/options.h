/**
 * The options: one table, from which the parser, --help, the reference and the chart's values are
 * made.
 *
 * Each row is an environment variable and a flag: TIDEWAY_LISTEN is --listen, and
 * SSE_PUBLISHER_API_KEYS is --sse-publisher-api-keys. Flags win over variables; a bad value ends
 * the start with one line. Main thread only.
 */
#ifndef TW_SERVER_OPTIONS_H
#define TW_SERVER_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "base/log.h"
#include "base/text.h"

#define TW_KIB(n) (UINT64_C(n) << 10)
#define TW_MIB(n) (UINT64_C(n) << 20)
#define TW_GIB(n) (UINT64_C(n) << 30)
#define TW_TIB(n) (UINT64_C(n) << 40)
#define TW_SECONDS_MS(n) (UINT64_C(n) * 1000)
#define TW_HOURS_MS(n) (UINT64_C(n) * 60 * 60 * 1000)
#define TW_DAYS_MS(n) (UINT64_C(n) * 24 * 60 * 60 * 1000)

/* The words of each choice, in the order of their values from 0: X(value, word) */
#define TW_SWITCH_CHOICES(X) X(TW_SWITCH_OFF, "off") X(TW_SWITCH_ON, "on")
#define TW_RUNTIME_CHOICES(X) X(TW_RUNTIME_MEMORY, "memory") X(TW_RUNTIME_REDIS, "redis")
#define TW_LOG_LEVEL_CHOICES(X)                                                                    \
    X(TW_LOG_DEBUG, "debug")                                                                       \
    X(TW_LOG_INFO, "info") X(TW_LOG_WARN, "warn") X(TW_LOG_ERROR, "error") /* base/log.h */
#define TW_LOG_FORMAT_CHOICES(X) X(TW_LOG_FORMAT_TEXT, "text") X(TW_LOG_FORMAT_JSON, "json")

#define TW_STREAM_REFUSAL_CHOICES(X)                                                               \
    X(TW_STREAM_REFUSAL_RETRY, "retry") X(TW_STREAM_REFUSAL_STATUS, "status")

#define X(value, word) value,
typedef enum tw_stream_refusal { TW_STREAM_REFUSAL_CHOICES(X) } tw_stream_refusal_t;
typedef enum tw_switch { TW_SWITCH_CHOICES(X) } tw_switch_t;
typedef enum tw_runtime { TW_RUNTIME_CHOICES(X) } tw_runtime_t;
typedef enum tw_log_format { TW_LOG_FORMAT_CHOICES(X) } tw_log_format_t;
#undef X

/* GROUP(title) heads the rows that follow
 * TEXT(field, variable, default, help) any text; NULL: none
 * FORM(field, variable, default, form, rule, help) a text of a form (forms.h); the rule says which
 * CHOICE(field, variable, default, choices, help) one of the words; kept as its value
 * NUMBER(field, variable, default, min, max, unit, help) a whole number */
#define TW_OPTION_TABLE(GROUP, TEXT, FORM, CHOICE, NUMBER)                                         \
    GROUP("Addresses and keys")                                                                    \
    TEXT(api_keys, "SSE_PUBLISHER_API_KEYS", NULL,                                                 \
         "keys that may publish and administer, comma-separated; required, here or in a file")     \
    TEXT(api_keys_file, "SSE_PUBLISHER_API_KEYS_FILE", NULL,                                       \
         "file with such keys, separated by commas or line ends; read again on SIGHUP and when "   \
         "it changes; both count")                                                                 \
    FORM(listen, "TIDEWAY_LISTEN", "127.0.0.1:8443", tw_form_addresses,                            \
         "write host:port or [v6]:port, with a port up to 65535",                                  \
         "addresses to serve on, comma-separated: host:port or [v6]:port")                         \
    FORM(admin_listen, "TIDEWAY_ADMIN_LISTEN", NULL, tw_form_addresses,                            \
         "write host:port or [v6]:port, with a port up to 65535",                                  \
         "addresses to serve the admin UI and the admin API on, which the main ones then do not "  \
         "have; TLS as there")                                                                     \
    FORM(ops_listen, "TIDEWAY_OPS_LISTEN", "127.0.0.1:9090", tw_form_address_or_off,               \
         "write host:port, [v6]:port or off",                                                      \
         "address for probes and metrics over plain HTTP, or off")                                 \
    FORM(trusted_proxies, "TIDEWAY_TRUSTED_PROXIES", NULL, tw_form_networks,                       \
         "write addresses, or networks such as 10.0.0.0/8",                                        \
         "addresses or networks of proxies, comma-separated; their X-Forwarded-For is trusted, "   \
         "and limits per address apply to the clients behind them")                                \
    CHOICE(proxy_protocol, "TIDEWAY_PROXY_PROTOCOL", TW_SWITCH_OFF, TW_SWITCH_CHOICES,             \
           "on: trusted proxies begin each connection with a PROXY header, version 1 or 2; the "   \
           "address in it counts as the client's")                                                 \
    FORM(cors_origins, "TIDEWAY_CORS_ORIGINS", NULL, tw_form_origins,                              \
         "write origins such as https://app.example or https://*.example.com, or * for all",       \
         "origins whose pages may use the API, comma-separated, or * for all; "                    \
         "https://*.example.com is any name below example.com")                                    \
    CHOICE(cors_credentials, "TIDEWAY_CORS_CREDENTIALS", TW_SWITCH_OFF, TW_SWITCH_CHOICES,         \
           "on lets pages of listed origins send cookies and the like, for an authorising proxy "  \
           "in front; not with *")                                                                 \
    NUMBER(workers, "TIDEWAY_WORKERS", 0, 0, 64, "threads",                                        \
           "event loops; 0: one for each CPU that the process may use")                            \
    GROUP("Tokens and private topics")                                                             \
    FORM(private_topics, "TIDEWAY_PRIVATE_TOPICS", NULL, tw_form_patterns,                         \
         "write topics, or prefixes that end with *",                                              \
         "topics that only streams with a token may follow, comma-separated: names, or prefixes "  \
         "that end with *; * alone is all; without it, streams are anonymous")                     \
    TEXT(token_keys, "TIDEWAY_TOKEN_KEYS", NULL,                                                   \
         "file with the keys that tokens are checked with: a JWK Set, one PEM public key, or a "   \
         "shared secret of at least 32 bytes; read again on SIGHUP and when it changes")           \
    TEXT(token_issuer, "TIDEWAY_TOKEN_ISSUER", NULL,                                               \
         "issuer (iss) that a token must name; not asked if not given")                            \
    TEXT(token_audience, "TIDEWAY_TOKEN_AUDIENCE", NULL,                                           \
         "audience (aud) that a token must name; not asked if not given")                          \
    FORM(token_cookie, "TIDEWAY_TOKEN_COOKIE", "tideway_token", tw_form_cookie_name,               \
         "it must be a name of 1 to 64 letters, digits and !#$%&'*+-.^_`|~",                       \
         "cookie in which a stream's token may come")                                              \
    NUMBER(token_leeway_s, "TIDEWAY_TOKEN_LEEWAY_S", 30, 0, 3600, "s",                             \
           "how far the clock of whoever makes tokens may differ from this node's")                \
    GROUP("TLS")                                                                                   \
    CHOICE(tls, "TIDEWAY_TLS", TW_SWITCH_ON, TW_SWITCH_CHOICES,                                    \
           "off serves cleartext HTTP/1.1 and HTTP/2, for use behind a proxy that terminates TLS") \
    TEXT(tls_cert, "TIDEWAY_TLS_CERT", NULL,                                                       \
         "PEM file with the certificate chain; without it, an ephemeral self-signed certificate "  \
         "is made at start")                                                                       \
    TEXT(tls_key, "TIDEWAY_TLS_KEY", NULL, "PEM file with the private key of the certificate")     \
    NUMBER(hsts_s, "TIDEWAY_HSTS_SECONDS", 0, 0, 315360000, "s",                                   \
           "max-age of Strict-Transport-Security, for which browsers use this host over TLS "      \
           "only; 0 disables the header")                                                          \
    GROUP("Cluster")                                                                               \
    CHOICE(runtime, "TIDEWAY_RUNTIME", TW_RUNTIME_MEMORY, TW_RUNTIME_CHOICES,                      \
           "where state lives: in this process, or in Redis, which several nodes share")           \
    TEXT(redis_url, "TIDEWAY_REDIS_URL", "redis://127.0.0.1:6379/0",                               \
         "redis://[user:password@]host:port/db, rediss:// for TLS, or "                            \
         "redis+sentinel://host:port,host:port/name, redis+cluster://host:port,host:port, or "     \
         "redis+unix:///path")                                                                     \
    TEXT(redis_prefix, "TIDEWAY_REDIS_PREFIX", "tw:",                                              \
         "begins the names of all keys in Redis; clusters with different prefixes may share one")  \
    NUMBER(redis_lanes, "TIDEWAY_REDIS_LANES", 1, 1, 64, "lanes",                                  \
           "independent orders over which topics are spread by hash; the same on all nodes")       \
    TEXT(redis_username, "TIDEWAY_REDIS_USERNAME", NULL,                                           \
         "user at Redis, as it is; wins over the user in the URL")                                 \
    TEXT(redis_password, "TIDEWAY_REDIS_PASSWORD", NULL,                                           \
         "password at Redis, as it is; wins over the password in the URL")                         \
    TEXT(redis_password_file, "TIDEWAY_REDIS_PASSWORD_FILE", NULL,                                 \
         "file with the password at Redis, read at each connect")                                  \
    TEXT(redis_sentinel_username, "TIDEWAY_REDIS_SENTINEL_USERNAME", NULL,                         \
         "user at the sentinels")                                                                  \
    TEXT(redis_sentinel_password, "TIDEWAY_REDIS_SENTINEL_PASSWORD", NULL,                         \
         "password at the sentinels, which do not get the password at Redis")                      \
    TEXT(redis_sentinel_password_file, "TIDEWAY_REDIS_SENTINEL_PASSWORD_FILE", NULL,               \
         "file with the password at the sentinels, read at each connect")                          \
    TEXT(redis_ca, "TIDEWAY_REDIS_CA", NULL,                                                       \
         "PEM file with the authorities that may sign the certificate of Redis; without it, the "  \
         "system's")                                                                               \
    TEXT(redis_cert, "TIDEWAY_REDIS_CERT", NULL,                                                   \
         "PEM file with the certificate chain that this node shows to Redis and to sentinels")     \
    TEXT(redis_key, "TIDEWAY_REDIS_KEY", NULL,                                                     \
         "PEM file with the private key of that certificate")                                      \
    TEXT(redis_server_name, "TIDEWAY_REDIS_SERVER_NAME", NULL,                                     \
         "name that the certificate of Redis must hold; without it, the host of the connection")   \
    FORM(node_id, "TIDEWAY_NODE_ID", NULL, tw_form_node_id,                                        \
         "it must be 1 to 128 printable ASCII characters without spaces",                          \
         "name of this node in the cluster; generated if not given")                               \
    TEXT(node_ip, "TIDEWAY_NODE_IP", NULL,                                                         \
         "address of this node as shown to operators; HOST_IP, POD_IP or detected if not given")   \
    GROUP("Streams and connections")                                                               \
    NUMBER(heartbeat_ms, "TIDEWAY_HEARTBEAT_MS", TW_SECONDS_MS(15), 100, TW_HOURS_MS(1), "ms",     \
           "heartbeat interval: a stream without events for so long gets a comment")               \
    CHOICE(heartbeat_event, "TIDEWAY_HEARTBEAT_EVENT", TW_SWITCH_OFF, TW_SWITCH_CHOICES,           \
           "on makes heartbeats events of the type tideway.heartbeat with empty data, for pages "  \
           "with a watchdog of their own")                                                         \
    NUMBER(retry_ms, "TIDEWAY_RETRY_MS", TW_SECONDS_MS(3), 0, TW_HOURS_MS(1), "ms",                \
           "how long clients wait before they connect again")                                      \
    NUMBER(idle_timeout_ms, "TIDEWAY_IDLE_TIMEOUT_MS", 620000, TW_SECONDS_MS(1), TW_DAYS_MS(1),    \
           "ms",                                                                                   \
           "how long a connection without requests is kept; longer than balancers in front keep "  \
           "theirs")                                                                               \
    NUMBER(max_connection_age_ms, "TIDEWAY_MAX_CONNECTION_AGE_MS", 0, 0, TW_DAYS_MS(7), "ms",      \
           "age at which a connection is asked to reconnect, give or take a tenth, so that load "  \
           "balancers can spread it anew; 0: never")                                               \
    NUMBER(drain_ms, "TIDEWAY_DRAIN_MS", TW_SECONDS_MS(10), 0, TW_HOURS_MS(1), "ms",               \
           "time over which streams are closed at shutdown")                                       \
    CHOICE(stream_refusal, "TIDEWAY_STREAM_REFUSAL", TW_STREAM_REFUSAL_RETRY,                      \
           TW_STREAM_REFUSAL_CHOICES,                                                              \
           "how a stream is refused that may be opened later: retry tells EventSources when to "   \
           "come back, status is 503, after which they never do")                                  \
    GROUP("Limits of a request")                                                                   \
    NUMBER(max_topics, "TIDEWAY_MAX_TOPICS", 64, 1, 1024, "topics", "topics of one request")       \
    NUMBER(max_payload_bytes, "TIDEWAY_MAX_PAYLOAD_BYTES", TW_MIB(1), 1, TW_MIB(64), "bytes",      \
           "largest body of a publish")                                                            \
    GROUP("Limits of clients")                                                                     \
    NUMBER(max_connections_per_ip, "TIDEWAY_MAX_CONNECTIONS_PER_IP", 10000, 0, 10000000,           \
           "connections",                                                                          \
           "open transport connections of one IPv4 address or IPv6 /64; 0: no limit")              \
    NUMBER(max_handshakes_per_ip, "TIDEWAY_MAX_HANDSHAKES_PER_IP", 1024, 0, 10000000,              \
           "handshakes",                                                                           \
           "TLS handshakes in progress of one IPv4 address or IPv6 /64; 0: no limit")              \
    NUMBER(max_streams_per_ip, "TIDEWAY_MAX_STREAMS_PER_IP", 0, 0, 100000000, "streams",           \
           "open SSE streams of one IPv4 address or IPv6 /64; 0: no limit")                        \
    NUMBER(max_streams_per_connection, "TIDEWAY_MAX_STREAMS_PER_CONNECTION", 1000, 1, 100000,      \
           "streams", "concurrent streams on one HTTP/2 connection, advertised and enforced")      \
    NUMBER(max_auth_failures, "TIDEWAY_MAX_AUTH_FAILURES", 100, 0, 1000000, "failures/min",        \
           "wrong keys of one address before further ones are answered 429; 0: no limit")          \
    NUMBER(publish_rate, "TIDEWAY_PUBLISH_RATE", 0, 0, 100000000, "publishes/s",                   \
           "publishes of one key on this node; 0: no limit")                                       \
    NUMBER(publish_burst, "TIDEWAY_PUBLISH_BURST", 0, 0, 100000000, "publishes",                   \
           "burst size of one key above its rate; 0: one second's worth")                          \
    GROUP("Limits of the node")                                                                    \
    NUMBER(max_connections, "TIDEWAY_MAX_CONNECTIONS", 100000, 1, 10000000, "connections",         \
           "open transport connections of this node")                                              \
    NUMBER(max_handshakes, "TIDEWAY_MAX_HANDSHAKES", 4096, 1, 10000000, "handshakes",              \
           "TLS handshakes in progress on this node; further ones are refused meanwhile, and of "  \
           "connections that have not begun theirs the oldest give way")                           \
    NUMBER(max_streams, "TIDEWAY_MAX_STREAMS", 1000000, 1, 100000000, "streams",                   \
           "open SSE streams of this node")                                                        \
    NUMBER(max_publishes_in_flight, "TIDEWAY_MAX_PUBLISHES_IN_FLIGHT", 10000, 1, 10000000,         \
           "publishes", "publish requests in progress on this node")                               \
    GROUP("Memory")                                                                                \
    NUMBER(stream_buffer_bytes, "TIDEWAY_STREAM_BUFFER_BYTES", TW_MIB(1), TW_KIB(1), TW_GIB(1),    \
           "bytes", "events that may wait for one subscriber; beyond that it is closed")           \
    NUMBER(connection_buffer_bytes, "TIDEWAY_CONNECTION_BUFFER_BYTES", TW_MIB(256), TW_KIB(1),     \
           TW_TIB(1), "bytes",                                                                     \
           "events that may wait for all subscribers of one connection; beyond that they are "     \
           "closed")                                                                               \
    NUMBER(node_buffer_bytes, "TIDEWAY_NODE_BUFFER_BYTES", TW_GIB(1), 0, TW_TIB(1), "bytes",       \
           "memory of all events that wait for subscribers, tails not included; beyond that, "     \
           "subscribers that are behind are closed; 0: no limit")                                  \
    NUMBER(tail_events, "TIDEWAY_TAIL_EVENTS", 200, 0, 100000, "events",                           \
           "newest events that are kept for each topic")                                           \
    NUMBER(tail_bytes, "TIDEWAY_TAIL_BYTES", TW_MIB(256), 0, TW_TIB(1), "bytes",                   \
           "memory of all kept events of this node")                                               \
    NUMBER(resume_window_ms, "TIDEWAY_RESUME_WINDOW_MS", 0, 0, TW_DAYS_MS(1), "ms",                \
           "how long a topic without subscribers still accepts and keeps events")                  \
    GROUP("Log")                                                                                   \
    CHOICE(log_level, "TIDEWAY_LOG_LEVEL", TW_LOG_INFO, TW_LOG_LEVEL_CHOICES,                      \
           "minimum level of log lines")                                                           \
    CHOICE(log_format, "TIDEWAY_LOG_FORMAT", TW_LOG_FORMAT_JSON, TW_LOG_FORMAT_CHOICES,            \
           "format of log lines on stderr")

typedef struct tw_options {
#define GROUP(title)
#define TEXT(field, variable, fallback, help) const char *field;
#define FORM(field, variable, fallback, form, rule, help) const char *field;
#define CHOICE(field, variable, fallback, choices, help) int field;
#define NUMBER(field, variable, fallback, min, max, unit, help) uint64_t field;
    TW_OPTION_TABLE(GROUP, TEXT, FORM, CHOICE, NUMBER)
#undef GROUP
#undef TEXT
#undef FORM
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

/** The same without the checks of options that depend on each other: for commands that only ask a
 * running gateway. */
tw_options_result_t tw_options_read_any(tw_options_t *options, int argc, char *const argv[],
                                        char *error, size_t error_size);

/** A variable that looks like an option but is not one; `meant` is the option that is probably
 * meant, or NULL. */
typedef void (*tw_unknown_fn)(tw_text_t name, const char *meant, void *data);

/** Visits the variables of this environment that look like options and are none; those that
 * Kubernetes sets for Services are left out. */
void tw_options_visit_unknown(char *const environment[], tw_unknown_fn visit, void *data);

/** Prints the table for people. */
void tw_options_print_help(FILE *out);

/** Prints the table for programs: a JSON array of
 * {"group","variable","flag","kind","default","min","max","unit","choices","help"}. */
void tw_options_print_json(FILE *out);

#endif
