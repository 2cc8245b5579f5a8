/**
 * A verified token: whom it is for, until when, and what it allows (RFC 7519).
 *
 * It is made by tw_claims_read() and never changes after that. References are counted without
 * locks: a token belongs to the worker whose cache holds it, and to that thread alone.
 *
 * The cache owns it, with whoever takes a reference. Callers: handlers/access.c, handlers/tokens/.
 */
#ifndef TW_HANDLERS_TOKEN_H
#define TW_HANDLERS_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "handlers/tokens/patterns.h"

#define TW_TOKEN_BYTES_MAX 4096  /* of a token, as it is sent */
#define TW_TOKEN_PATTERNS_MAX 64 /* of a token, in all its claims */
#define TW_TOKEN_SUBJECT_MAX 256 /* bytes */

typedef struct tw_token {
    unsigned references;
    char *subject;           /* owned; UTF-8 without NUL, at most TW_TOKEN_SUBJECT_MAX bytes; NULL:
                                it names none */
    int64_t issued_at_s;     /* since 1970; 0: it does not say when */
    int64_t expires_at_s;    /* since 1970 */
    tw_patterns_t subscribe; /* sealed */
    tw_patterns_t publish;   /* sealed */
} tw_token_t;

/** Returns the token with one more reference. */
tw_token_t *tw_token_ref(tw_token_t *token);

/** Drops a reference; the last one frees the token. NULL is a no-op. */
void tw_token_unref(tw_token_t *token);

#endif
