/**
 * Checks a token as it was sent: its form, its signature, its claims (RFC 7515 section 5.2, RFC
 * 7519 section 7.2, RFC 8725). Any thread.
 *
 * The key decides which algorithm is used; a token that names another one is refused. So is one
 * with `crit`, because nothing is understood that could be critical. `jku`, `x5u`, `jwk` and `x5c`
 * are ignored: keys come from the operator alone.
 *
 * Callers: handlers/tokens/tokens.c.
 */
#ifndef TW_HANDLERS_VERIFY_H
#define TW_HANDLERS_VERIFY_H

#include "handlers/tokens/claims.h"
#include "handlers/tokens/keys.h"

/** How many keys are tried with a token that names none by `kid`. */
#define TW_TOKEN_TRIES_MAX 4

/**
 * VALID: *token is set, with one reference, which the caller gives back. About what it costs is
 * added to *cost_ns, whatever the verdict.
 */
tw_token_verdict_t tw_token_verify(tw_text_t text, const tw_token_keys_t *keys,
                                   const tw_token_rules_t *rules, int64_t now_s, tw_token_t **token,
                                   uint64_t *cost_ns);

#endif
