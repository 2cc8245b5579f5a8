/**
 * What the token of a stream says about who opens it. Streams without a token have none.
 */
#ifndef TW_MODEL_CLAIMS_H
#define TW_MODEL_CLAIMS_H

#include <stddef.h>
#include <stdint.h>

/** Bytes of a subject; tokens with a longer one are not valid. */
#define TW_SUBJECT_MAX 256

/** Times are milliseconds of the wall clock. The subject is UTF-8 without NUL. */
typedef struct tw_claims {
    const char *subject;   /* borrowed; NULL: the token names none */
    size_t subject_len;    /* at most TW_SUBJECT_MAX */
    int64_t issued_at_ms;  /* 0: the token does not say */
    int64_t expires_at_ms; /* 0: never */
} tw_claims_t;

#endif
