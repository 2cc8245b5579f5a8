/**
 * Why a stream ended. Each reason is a metric label, a log field and a word in the documents.
 *
 * Callers: handlers/, runtime/redis/.
 */
#ifndef TW_MODEL_CLOSE_REASON_H
#define TW_MODEL_CLOSE_REASON_H

/* Columns: name, label, meaning. */
#define TW_CLOSE_REASON_TABLE(X)                                                                   \
    X(CLIENT_CLOSED, "client_closed", "the client ended the stream or its connection")             \
    X(SLOW_CONSUMER, "slow_consumer",                                                              \
      "more bytes waited for the subscriber than its buffer may hold")                             \
    X(NODE_MEMORY, "node_memory", "more bytes waited for all subscribers than the node may hold")  \
    X(DRAIN, "drain", "the gateway shuts down")                                                    \
    X(ADMIN, "admin", "an operator closed it")                                                     \
    X(TOKEN_EXPIRED, "token_expired", "its token expired")                                         \
    X(REVOKED, "revoked", "its subject's tokens were revoked")                                     \
    X(CONNECTION_AGE, "connection_age", "its connection reached its maximal age")                  \
    X(RUNTIME_ERROR, "runtime_error", "the runtime could not open it")

typedef enum tw_close_reason {
#define X(name, label, meaning) TW_CLOSE_##name,
    TW_CLOSE_REASON_TABLE(X)
#undef X
        TW_CLOSE_REASON_COUNT
} tw_close_reason_t;

/** The label of the table; a constant. Any thread. */
static inline const char *tw_close_reason_label(tw_close_reason_t reason)
{
    static const char *const labels[] = {
#define X(name, label, meaning) label,
        TW_CLOSE_REASON_TABLE(X)
#undef X
    };
    return labels[reason];
}

#endif
