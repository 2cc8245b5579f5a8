/** How an operation of an adapter can end. The HTTP side makes its answers from this table. */
#ifndef TW_MODEL_STATUS_H
#define TW_MODEL_STATUS_H

/* Columns: name, value, text. */
#define TW_STATUS_TABLE(X)                                                                         \
    X(OK, 0, "ok")                                                                                 \
    X(OVER_CAPACITY, -1, "a limit of this node is reached")                                        \
    X(UNAVAILABLE, -2, "the runtime cannot be reached")                                            \
    X(NOT_FOUND, -3, "there is no such thing")                                                     \
    X(NO_MEMORY, -4, "there is no memory for it")                                                  \
    X(REVOKED, -5, "the token was revoked")                                                        \
    X(FULL, -6, "the list of what is revoked is full")

typedef enum tw_status {
#define X(name, value, text) TW_##name = value,
    TW_STATUS_TABLE(X)
#undef X
} tw_status_t;

#endif
