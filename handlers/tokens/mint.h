/**
 * Makes tokens from a shared secret, for trying out: HS256, with the claims that this gateway
 * reads. Any thread.
 *
 * The caller owns what it gets. Callers: server/commands/token.c.
 */
#ifndef TW_HANDLERS_MINT_H
#define TW_HANDLERS_MINT_H

#include "handlers/tokens/token.h"

typedef struct tw_mint {
    const char *subject;          /* borrowed; NULL: none */
    const char *issuer;           /* likewise */
    const char *audience;         /* likewise */
    const char *subscribe;        /* patterns, comma-separated; NULL: none */
    const char *publish;          /* likewise */
    int64_t issued_at_s, until_s; /* since 1970 */
} tw_mint_t;

/**
 * Signs a token with the secret of at least TW_TOKEN_SECRET_MIN bytes. Returns NULL and sets
 * *token, which the caller frees; or returns in a few words what is wrong.
 */
const char *tw_token_mint(const tw_mint_t *what, tw_text_t secret, char **token);

#endif
