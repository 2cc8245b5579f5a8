/** Every error of the HTTP API: a table from which replies, docs and tests are made. */
#ifndef TW_HANDLERS_ERROR_CODES_H
#define TW_HANDLERS_ERROR_CODES_H

/* name, HTTP status, code, message. The message says what to change; callers may give a more exact
 * one. */
#define TW_ERROR_TABLE(X)                                                                          \
    X(BAD_REQUEST, 400, "bad_request", "the request is not valid HTTP")                            \
    X(MISSING_TOPIC, 400, "missing_topic",                                                         \
      "name at least one topic in the x-sse-topic header or, for streams, in the topic query "     \
      "parameter")                                                                                 \
    X(INVALID_TOPIC, 400, "invalid_topic",                                                         \
      "a topic is 1 to 255 bytes of printable ASCII without space and comma, and not . or ..")     \
    X(TOO_MANY_TOPICS, 400, "too_many_topics", "name fewer topics")                                \
    X(MISSING_ID, 400, "missing_id", "give the event's id in the x-sse-id header")                 \
    X(INVALID_ID, 400, "invalid_id",                                                               \
      "an id is printable ASCII, of at most 256 bytes for events, which do not begin with ~, and " \
      "128 for clients")                                                                           \
    X(INVALID_EVENT, 400, "invalid_event",                                                         \
      "an event type in x-sse-event is 1 to 256 bytes of printable ASCII, and does not begin "     \
      "with "                                                                                      \
      "tideway.")                                                                                  \
    X(INVALID_PAYLOAD, 400, "invalid_payload", "the body must be UTF-8 text without NUL")          \
    X(INVALID_PAGE, 400, "invalid_page", "page must be a positive integer")                        \
    X(INVALID_PAGE_SIZE, 400, "invalid_page_size", "pageSize must be a positive integer")          \
    X(INVALID_LIMIT, 400, "invalid_limit", "limit must be a positive integer")                     \
    X(INVALID_PREFIX, 400, "invalid_prefix", "prefix is at most 255 bytes of printable ASCII")     \
    X(CONFLICTING_FILTERS, 400, "conflicting_filters",                                             \
      "find connections by one of prefix, topic and subject")                                      \
    X(INVALID_SUBJECT, 400, "invalid_subject", "a subject is 1 to 256 bytes of UTF-8 without NUL") \
    X(INVALID_REVOCATION, 400, "invalid_revocation",                                               \
      "send {\"subject\": 1 to 256 bytes, \"until\": ms since 1970, within the next ten years}")   \
    X(TOKEN_TOO_LARGE, 400, "token_too_large", "a token has at most 4096 bytes and 64 patterns")   \
    X(UNAUTHORIZED, 401, "unauthorized", "send a valid key as Authorization: Bearer <key>")        \
    X(TOKEN_REQUIRED, 401, "token_required",                                                       \
      "a topic is private: send a token as Authorization: Bearer, in the access_token query "      \
      "parameter, or in the cookie")                                                               \
    X(TOKEN_INVALID, 401, "token_invalid", "the token is not valid here")                          \
    X(TOKEN_EXPIRED, 401, "token_expired", "the token has expired; get a new one")                 \
    X(TOPIC_FORBIDDEN, 403, "topic_forbidden", "the token does not grant this topic")              \
    X(NOT_FOUND, 404, "not_found", "the gateway has no such path")                                 \
    X(CONNECTION_NOT_FOUND, 404, "connection_not_found", "no open stream has this connection id")  \
    X(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "use a method that the Allow header names")   \
    X(PAYLOAD_TOO_LARGE, 413, "payload_too_large", "send a smaller body")                          \
    X(RATE_LIMITED, 429, "rate_limited",                                                           \
      "this key or subject publishes faster than TIDEWAY_PUBLISH_RATE allows")                     \
    X(TOO_MANY_FAILURES, 429, "too_many_failures",                                                 \
      "too many wrong keys or tokens came from this address")                                      \
    X(HEADERS_TOO_LARGE, 431, "headers_too_large",                                                 \
      "send at most 100 header fields, of 64 KiB in all")                                          \
    X(INTERNAL, 500, "internal", "the gateway could not make an answer")                           \
    X(NO_MEMORY, 503, "no_memory", "the gateway is short of memory; try again")                    \
    X(OVER_CAPACITY, 503, "over_capacity", "a limit of this gateway is reached; try again later")  \
    X(TOO_MANY_REVOCATIONS, 503, "too_many_revocations",                                           \
      "10,000 subjects are revoked; wait until some of these revocations have ended")              \
    X(RUNTIME_UNAVAILABLE, 503, "runtime_unavailable",                                             \
      "the gateway has no connection to Redis; try again")                                         \
    X(DRAINING, 503, "draining", "the gateway is shutting down; connect again")

typedef enum tw_error {
#define X(name, status, code, message) TW_ERROR_##name,
    TW_ERROR_TABLE(X)
#undef X
} tw_error_t;

#endif
