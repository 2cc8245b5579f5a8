#include "handlers/tokens/token.h"

#include <stdlib.h>

tw_token_t *tw_token_ref(tw_token_t *token)
{
    ++token->references;
    return token;
}

void tw_token_unref(tw_token_t *token)
{
    if (token == NULL || --token->references > 0)
        return;
    free(token->subject);
    tw_patterns_dispose(&token->subscribe);
    tw_patterns_dispose(&token->publish);
    free(token);
}
