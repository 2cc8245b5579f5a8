#include "server/commands/token.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/secret_file.h"
#include "handlers/tokens/mint.h"

#define SECRET_BYTES_MAX 4096
#define TTL_DEFAULT "3600"
#define TTL_MAX_S (INT64_C(366) * 24 * 60 * 60)

/* name, value, help */
#define TOKEN_FLAGS(X)                                                                             \
    X(secret_file, "--secret-file", "FILE", "file with the shared secret; TIDEWAY_TOKEN_KEYS")     \
    X(subscribe, "--subscribe", "PATTERNS", "private topics that it may follow, comma-separated")  \
    X(publish, "--publish", "PATTERNS", "topics that it may publish to, comma-separated")          \
    X(subject, "--subject", "TEXT", "whom it is for: shown to operators, and may be revoked")      \
    X(ttl, "--ttl", "SECONDS", "how long it is valid; 3600 if not given")                          \
    X(issuer, "--issuer", "TEXT", "what TIDEWAY_TOKEN_ISSUER asks for")                            \
    X(audience, "--audience", "TEXT", "what TIDEWAY_TOKEN_AUDIENCE asks for")

typedef struct tw_token_flags {
#define X(field, flag, value, help) const char *field;
    TOKEN_FLAGS(X)
#undef X
} tw_token_flags_t;

static void print_help(FILE *out)
{
    fputs(
        "Prints a token for trying out private topics, signed with a shared secret (HS256).\n\n"
        "usage: tideway token --secret-file FILE [--subscribe PATTERNS] [--publish PATTERNS] …\n\n",
        out);
#define X(field, flag, value, help) fprintf(out, "  %-14s %-9s %s\n", flag, value, help);
    TOKEN_FLAGS(X)
#undef X
}

/* Where the value of the flag goes; NULL: there is no such flag. */
static const char **place_of(tw_token_flags_t *flags, const char *name, size_t len)
{
#define X(field, flag, value, help)                                                                \
    if (len == sizeof(flag) - 1 && memcmp(name, flag, len) == 0)                                   \
        return &flags->field;
    TOKEN_FLAGS(X)
#undef X
    return NULL;
}

/* NULL, or what is wrong with the argument at *at. */
static const char *read_flags(tw_token_flags_t *flags, int argc, char *const argv[], int *at)
{
    for (*at = 1; *at < argc; ++*at) {
        const char *equals = strchr(argv[*at], '=');
        size_t len = equals != NULL ? (size_t)(equals - argv[*at]) : strlen(argv[*at]);
        const char **place = place_of(flags, argv[*at], len);

        if (place == NULL)
            return "unknown option; --help lists all";
        if (equals == NULL && *at + 1 == argc)
            return "it has no value";
        *place = equals != NULL ? equals + 1 : argv[*at + 1];
        *at += equals == NULL;
    }
    return NULL;
}

static bool read_ttl(const char *text, int64_t *seconds)
{
    char *end;

    *seconds = strtoll(text, &end, 10);
    return *end == '\0' && end != text && *seconds > 0 && *seconds <= TTL_MAX_S;
}

/* The files that hold other keys of tokens hold none that could sign. */
static bool is_secret(tw_text_t text)
{
    return text.base[0] != '{' && strncmp(text.base, "-----BEGIN", 10) != 0;
}

static const char *print_token(const tw_token_flags_t *flags, FILE *out)
{
    int64_t now_s = tw_clock_wall_ms() / 1000, ttl_s;
    char buffer[SECRET_BYTES_MAX], *token = NULL;
    tw_text_t secret;

    if (flags->secret_file == NULL)
        return "--secret-file is missing: name the file with the shared secret";
    if (!read_ttl(flags->ttl != NULL ? flags->ttl : TTL_DEFAULT, &ttl_s))
        return "--ttl is not a number of seconds, from 1 to a year";
    const char *problem = tw_secret_file_read(flags->secret_file, buffer, sizeof(buffer), &secret);
    if (problem == NULL && !is_secret(secret))
        problem = "the file holds keys that check tokens; a shared secret is needed to make one";
    const tw_mint_t what = {.subject = flags->subject,
                            .issuer = flags->issuer,
                            .audience = flags->audience,
                            .subscribe = flags->subscribe,
                            .publish = flags->publish,
                            .issued_at_s = now_s,
                            .until_s = now_s + ttl_s};
    if (problem == NULL)
        problem = tw_token_mint(&what, secret, &token);
    OPENSSL_cleanse(buffer, sizeof(buffer));
    if (problem == NULL)
        fprintf(out, "%s\n", token);
    free(token);
    return problem;
}

tw_token_command_result_t tw_token_command(int argc, char *const argv[], FILE *out, char *error,
                                           size_t error_size)
{
    tw_token_flags_t flags = {.subject = NULL};
    const char *problem;
    int at = 0;

    for (int i = 1; i < argc; ++i) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(out);
            return TW_TOKEN_COMMAND_OK;
        }
    }
    problem = read_flags(&flags, argc, argv, &at);
    if (problem != NULL) {
        snprintf(error, error_size, "\"%s\": %s", argv[at], problem);
        return TW_TOKEN_COMMAND_USAGE;
    }
    problem = print_token(&flags, out);
    if (problem != NULL)
        snprintf(error, error_size, "%s", problem);
    return problem == NULL ? TW_TOKEN_COMMAND_OK : TW_TOKEN_COMMAND_USAGE;
}
