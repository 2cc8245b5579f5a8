#include "runtime/redis/protocol/scripts.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "tideway_scripts.h"

static const char *const texts[TW_REDIS_SCRIPT_COUNT] = {
#define X(name, file) tw_redis_script_##file,
    TW_REDIS_SCRIPT_TABLE(X)
#undef X
};

const char *tw_redis_script_text(tw_redis_script_t script)
{
    return texts[script];
}

void tw_redis_script_sha(tw_redis_script_t script, char sha[TW_REDIS_SHA_LEN + 1])
{
    unsigned char digest[SHA_DIGEST_LENGTH];

    SHA1((const unsigned char *)texts[script], strlen(texts[script]), digest);
    for (size_t i = 0; i < sizeof(digest); ++i)
        snprintf(sha + 2 * i, 3, "%02x", digest[i]);
}
