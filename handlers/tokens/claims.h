/**
 * What the payload of a token says (RFC 7519 section 4), checked against what this gateway asks of
 * tokens. Any thread.
 *
 * Callers: handlers/tokens/verify.c.
 */
#ifndef TW_HANDLERS_CLAIMS_H
#define TW_HANDLERS_CLAIMS_H

#include "base/text.h"
#include "handlers/tokens/token.h"

/** What becomes of a token. */
typedef enum tw_token_verdict {
    TW_TOKEN_VALID,
    TW_TOKEN_INVALID,   /* not signed by a key, not for this gateway, or not a token at all */
    TW_TOKEN_EXPIRED,   /* valid until a moment in the past */
    TW_TOKEN_TOO_LARGE, /* too many bytes or patterns */
} tw_token_verdict_t;

/** What a gateway asks of tokens. */
typedef struct tw_token_rules {
    const char *issuer;   /* borrowed; NULL: any */
    const char *audience; /* borrowed; NULL: any */
    int64_t leeway_s;     /* by how much clocks may differ */
} tw_token_rules_t;

/**
 * Reads the payload, which is signed. VALID: *token is set, with one reference, which the caller
 * gives back. `now_s` is the time since 1970.
 */
tw_token_verdict_t tw_claims_read(tw_text_t payload, const tw_token_rules_t *rules, int64_t now_s,
                                  tw_token_t **token);

#endif
