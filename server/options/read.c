#include "server/options/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/clients/auth.h"
#include "handlers/clients/origins.h"
#include "runtime/redis/client/url.h"
#include "server/options/near.h"
#include "server/options/table.h"

#define SHOWN_MAX 400 /* bytes of a value, so that the allowed form fits into the line, too */
#define URL_REASON_BYTES 256

static void *field_of(tw_options_t *options, const tw_option_t *option)
{
    return (char *)options + option->offset;
}

static bool parse_choice(const char *choices, const char *value, int *index)
{
    size_t len = strlen(value);
    int i = 0;

    for (const char *word = choices; word != NULL; ++i) {
        const char *bar = strchr(word, '|');
        size_t word_len = bar != NULL ? (size_t)(bar - word) : strlen(word);
        if (word_len == len && memcmp(word, value, len) == 0) {
            *index = i;
            return true;
        }
        word = bar != NULL ? bar + 1 : NULL;
    }
    return false;
}

static bool parse_number(const char *value, uint64_t min, uint64_t max, uint64_t *number)
{
    char *end;

    if (*value < '0' || *value > '9')
        return false;
    errno = 0;
    *number = strtoull(value, &end, 10);
    return errno == 0 && *end == '\0' && *number >= min && *number <= max;
}

/* Writes one line, whatever the value holds. */
static void __attribute__((format(printf, 3, 4)))
complain(char *error, size_t error_size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    for (char *c = error; *c != '\0'; ++c)
        if ((*c > '\0' && *c < ' ') || *c == 0x7f)
            *c = '?';
}

static bool set_text(const char **field, const tw_option_t *option, const char *name,
                     const char *value, char *error, size_t error_size)
{
    tw_text_t bad;

    *field = value[0] != '\0' ? value : NULL;
    if (*field == NULL || option->form == NULL || option->form(value, &bad))
        return true;
    if (bad.len == strlen(value))
        complain(error, error_size, "%s is \"%.*s\": %s", name, SHOWN_MAX, value, option->rule);
    else
        complain(error, error_size, "%s is \"%.*s\": \"%.*s\" is not one of what it may list; %s",
                 name, SHOWN_MAX, value, (int)(bad.len < SHOWN_MAX ? bad.len : SHOWN_MAX), bad.base,
                 option->rule);
    return false;
}

/* `name` is what the operator wrote: the variable or the flag. */
static bool set(tw_options_t *options, const tw_option_t *option, const char *name,
                const char *value, char *error, size_t error_size)
{
    void *field = field_of(options, option);

    switch (option->kind) {
    case TW_OPTION_GROUP:
        break;
    case TW_OPTION_TEXT:
        return set_text(field, option, name, value, error, error_size);
    case TW_OPTION_CHOICE:
        if (parse_choice(option->choices, value, field))
            return true;
        complain(error, error_size, "%s is \"%.*s\": it must be one of %s", name, SHOWN_MAX, value,
                 option->choices);
        return false;
    case TW_OPTION_NUMBER:
        if (parse_number(value, option->min, option->max, field))
            return true;
        complain(error, error_size,
                 "%s is \"%.*s\": it must be a whole number of %s from %" PRIu64 " to %" PRIu64,
                 name, SHOWN_MAX, value, option->unit, option->min, option->max);
        return false;
    }
    return false;
}

static void set_defaults(tw_options_t *options)
{
    for (size_t i = 0; i < tw_option_count; ++i) {
        const tw_option_t *option = &tw_option_rows[i];
        switch (option->kind) {
        case TW_OPTION_GROUP:
            break;
        case TW_OPTION_TEXT:
            *(const char **)field_of(options, option) = option->fallback_text;
            break;
        case TW_OPTION_CHOICE:
            *(int *)field_of(options, option) = (int)option->fallback;
            break;
        case TW_OPTION_NUMBER:
            *(uint64_t *)field_of(options, option) = option->fallback;
            break;
        }
    }
}

static const tw_option_t *find_flag(const char *argument, size_t len)
{
    for (size_t i = 0; i < tw_option_count; ++i) {
        char flag[TW_OPTION_FLAG_MAX];
        if (tw_option_rows[i].kind == TW_OPTION_GROUP)
            continue;
        tw_option_flag(&tw_option_rows[i], flag);
        if (strlen(flag) == len && memcmp(flag, argument, len) == 0)
            return &tw_option_rows[i];
    }
    return NULL;
}

static tw_options_result_t unknown_flag(tw_text_t name, char *error, size_t error_size)
{
    const tw_option_t *near = tw_option_near(name, true);
    char flag[TW_OPTION_FLAG_MAX] = "";

    if (near != NULL)
        tw_option_flag(near, flag);
    complain(error, error_size, "unknown option \"%.*s\": %s%s%s--help lists all options",
             (int)(name.len < SHOWN_MAX ? name.len : SHOWN_MAX), name.base,
             near != NULL ? "did you mean " : "", flag, near != NULL ? "? " : "");
    return TW_OPTIONS_BAD;
}

static tw_options_result_t read_flags(tw_options_t *options, int argc, char *const argv[],
                                      char *error, size_t error_size)
{
    for (int i = 1; i < argc; ++i) {
        const char *equals = strchr(argv[i], '=');
        size_t len = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        const tw_option_t *option = find_flag(argv[i], len);
        char flag[TW_OPTION_FLAG_MAX];

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return TW_OPTIONS_HELP;
        if (strcmp(argv[i], "--version") == 0)
            return TW_OPTIONS_VERSION;
        if (option == NULL) {
            return unknown_flag(tw_text(argv[i], len), error, error_size);
        }
        if (equals == NULL && i + 1 == argc) {
            complain(error, error_size,
                     "%s has no value: write %s VALUE; --help says which values it takes", argv[i],
                     argv[i]);
            return TW_OPTIONS_BAD;
        }
        tw_option_flag(option, flag);
        if (!set(options, option, flag, equals != NULL ? equals + 1 : argv[++i], error, error_size))
            return TW_OPTIONS_BAD;
    }
    return TW_OPTIONS_OK;
}

/* At least one key must be there, and every file that is named. */
static tw_options_result_t check_keys(const tw_options_t *options, char *error, size_t error_size)
{
    tw_auth_t auth;
    size_t count = tw_auth_init(&auth, options->api_keys);
    const char *path = options->api_keys_file;
    const char *problem = path != NULL ? tw_auth_load(&auth, path) : NULL;

    tw_auth_dispose(&auth);
    if (problem != NULL)
        complain(error, error_size,
                 "SSE_PUBLISHER_API_KEYS_FILE is \"%.*s\": %s; it must be a file with at least one "
                 "key",
                 SHOWN_MAX, path, problem);
    else if (count == 0 && path == NULL && options->api_keys != NULL)
        complain(error, error_size,
                 "SSE_PUBLISHER_API_KEYS contains no key: give at least one, comma-separated");
    else if (count == 0 && path == NULL)
        complain(error, error_size,
                 "SSE_PUBLISHER_API_KEYS is not set: give at least one key that may publish");
    else
        return TW_OPTIONS_OK;
    return TW_OPTIONS_BAD;
}

static bool lists_any_origin(const char *list)
{
    tw_origins_t origins;
    tw_text_t bad;

    if (!tw_origins_parse(list, &origins, &bad))
        return false;
    bool any = origins.any;
    tw_origins_dispose(&origins);
    return any;
}

/* The value is shown only when it holds no credentials. */
static tw_options_result_t check_redis_url(const tw_options_t *options, char *error,
                                           size_t error_size)
{
    const char *text = options->redis_url;
    tw_redis_url_t url;
    char reason[URL_REASON_BYTES];

    if (text == NULL && options->runtime != TW_RUNTIME_REDIS)
        return TW_OPTIONS_OK;
    if (text != NULL && tw_redis_url_parse(&url, text, reason, sizeof(reason)) == 0) {
        tw_redis_url_dispose(&url);
        return TW_OPTIONS_OK;
    }
    if (text == NULL)
        complain(error, error_size, "TIDEWAY_REDIS_URL is empty: write redis://host:port/db");
    else if (strchr(text, '@') == NULL)
        complain(error, error_size, "TIDEWAY_REDIS_URL is \"%.*s\": it %s", SHOWN_MAX, text,
                 reason);
    else
        complain(error, error_size, "TIDEWAY_REDIS_URL %s", reason);
    return TW_OPTIONS_BAD;
}

/* Checks what a single row of the table cannot. */
static tw_options_result_t check_together(const tw_options_t *options, char *error,
                                          size_t error_size)
{
    const char *problem = NULL;

    if (check_keys(options, error, error_size) != TW_OPTIONS_OK)
        return TW_OPTIONS_BAD;
    if (options->listen == NULL)
        problem = "TIDEWAY_LISTEN is empty: give at least one host:port";
    else if ((options->tls_cert == NULL) != (options->tls_key == NULL))
        problem = "TIDEWAY_TLS_CERT and TIDEWAY_TLS_KEY belong together: give both or neither";
    else if (options->proxy_protocol && options->trusted_proxies == NULL)
        problem =
            "TIDEWAY_PROXY_PROTOCOL is \"on\" and TIDEWAY_TRUSTED_PROXIES is empty: list the "
            "balancers that send the header";
    else if (options->private_topics != NULL && options->token_keys == NULL)
        problem =
            "TIDEWAY_PRIVATE_TOPICS is set and TIDEWAY_TOKEN_KEYS is not: name the file with "
            "the keys that tokens are checked with";
    else if (options->cors_credentials && lists_any_origin(options->cors_origins))
        problem =
            "TIDEWAY_CORS_CREDENTIALS is \"on\" and TIDEWAY_CORS_ORIGINS lists \"*\": "
            "browsers allow one of both; list the origins";
    if (problem == NULL)
        return check_redis_url(options, error, error_size);
    complain(error, error_size, "%s", problem);
    return TW_OPTIONS_BAD;
}

tw_options_result_t tw_options_read_any(tw_options_t *options, int argc, char *const argv[],
                                        char *error, size_t error_size)
{
    set_defaults(options);
    for (size_t i = 0; i < tw_option_count; ++i) {
        const tw_option_t *option = &tw_option_rows[i];
        const char *value = option->kind != TW_OPTION_GROUP ? getenv(option->variable) : NULL;
        if (value != NULL && !set(options, option, option->variable, value, error, error_size))
            return TW_OPTIONS_BAD;
    }
    return read_flags(options, argc, argv, error, error_size);
}

tw_options_result_t tw_options_read(tw_options_t *options, int argc, char *const argv[],
                                    char *error, size_t error_size)
{
    tw_options_result_t result = tw_options_read_any(options, argc, argv, error, error_size);
    if (result == TW_OPTIONS_OK)
        result = check_together(options, error, error_size);
    return result;
}
