/*
 * What an operator writes: options in environment and arguments, and the small languages in them
 * (addresses, networks, origins, the URL of Redis). Each line is `NAME=value` for the environment,
 * or a word of the command line if it begins with `-` or follows such a one. Checked: what is taken
 * is within its range, what is refused is told in one line, and no line quotes the password of the
 * URL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/clients/limits.h"
#include "handlers/clients/origins.h"
#include "runtime/redis/client/url.h"
#include "server/options/host_port.h"
#include "server/options/options.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"

#define WORDS_MAX 16
#define ERROR_BYTES 256

static const char *const variables[] = {
#define GROUP(title)
#define TEXT(field, variable, fallback, help) variable,
#define FORM(field, variable, fallback, form, rule, help) variable,
#define CHOICE(field, variable, fallback, choices, help) variable,
#define NUMBER(field, variable, fallback, min, max, unit, help) variable,
    TW_OPTION_TABLE(GROUP, TEXT, FORM, CHOICE, NUMBER)
#undef GROUP
#undef TEXT
#undef FORM
#undef CHOICE
#undef NUMBER
};

/* NOLINTNEXTLINE(readability-function-size): a check for each row of the table */
static void check_ranges(const tw_options_t *options)
{
    /* NOLINTBEGIN(bugprone-redundant-branch-condition): least values of 0 are checked, too */
#define GROUP(title)
#define TEXT(field, variable, fallback, help)                                                      \
    tw_check(options->field == NULL || options->field[0] != '\0');
#define FORM(field, variable, fallback, form, rule, help) TEXT(field, variable, fallback, help)
#define CHOICE(field, variable, fallback, choices, help)                                           \
    tw_check(options->field >= 0 && options->field < 4);
#define NUMBER(field, variable, fallback, min, max, unit, help)                                    \
    tw_check(options->field + 1 > (uint64_t)(min) && options->field <= (uint64_t)(max));
    TW_OPTION_TABLE(GROUP, TEXT, FORM, CHOICE, NUMBER)
#undef GROUP
#undef TEXT
#undef FORM
#undef CHOICE
#undef NUMBER
    /* NOLINTEND(bugprone-redundant-branch-condition) */
    tw_check(options->api_keys != NULL || options->api_keys_file != NULL);
    tw_check(options->listen != NULL);
    tw_check((options->tls_cert == NULL) == (options->tls_key == NULL));
}

static void check_line(const char *error)
{
    size_t len = strlen(error);
    tw_check(len > 0 && len < ERROR_BYTES);
    for (size_t i = 0; i < len; ++i)
        tw_check((unsigned char)error[i] >= ' ');
}

static void check_addresses(const char *text)
{
    char host[256], port[6];
    if (tw_host_port_split(text, strlen(text), host, port))
        tw_check(strlen(host) < sizeof(host) && strtoul(port, NULL, 10) <= 65535);
}

static void check_networks(const char *text)
{
    tw_network_t *networks;
    size_t count;
    tw_text_t bad;

    if (tw_networks_parse(text, &networks, &count, &bad))
        for (size_t i = 0; i < count; ++i)
            tw_check(networks[i].bits <= 128);
    else
        tw_check(bad.base >= text && bad.len > 0 && bad.base + bad.len <= text + strlen(text));
    free(networks);
}

/* What was read is written as browsers write it: it is read as itself, and matches itself. */
static void check_origins(const char *text)
{
    tw_origins_t origins, again;
    tw_text_t bad;

    if (!tw_origins_parse(text, &origins, &bad)) {
        tw_check(bad.base >= text && bad.len > 0 && bad.base + bad.len <= text + strlen(text));
        return;
    }
    for (size_t i = 0; i < origins.count; ++i) {
        const tw_origin_t *origin = &origins.items[i];
        char written[TW_ORIGIN_MAX + 2], one[TW_ORIGIN_MAX + 2];
        const char *below = origin->star > 0 ? "*" : "";
        snprintf(written, sizeof(written), "%.*s%s%.*s", (int)origin->star, origin->text, below,
                 (int)(origin->len - origin->star), origin->text + origin->star);
        snprintf(one, sizeof(one), "%.*s%s%.*s", (int)origin->star, origin->text,
                 origin->star > 0 ? "a" : "", (int)(origin->len - origin->star),
                 origin->text + origin->star);
        tw_check(tw_origins_parse(written, &again, &bad) && again.count == 1);
        tw_check(again.items[0].len == origin->len && again.items[0].star == origin->star);
        tw_check(memcmp(again.items[0].text, origin->text, origin->len) == 0);
        tw_check(tw_origins_contain(&again, tw_text_of(one)));
        tw_check(!tw_origins_contain(&again, tw_text_of("null")));
        tw_origins_dispose(&again);
    }
    tw_origins_dispose(&origins);
}

static void check_url(const char *text)
{
    tw_redis_url_t url;
    char error[ERROR_BYTES] = "";

    if (tw_redis_url_parse(&url, text, error, sizeof(error)) != 0) {
        check_line(error);
        tw_check(strstr(error, "5ecret") == NULL);
        return;
    }
    tw_check(url.endpoint_count >= 1 && url.endpoint_count <= TW_REDIS_ENDPOINTS_MAX);
    tw_check((url.kind == TW_REDIS_URL_SENTINEL) == (url.master_name != NULL));
    tw_check(url.kind == TW_REDIS_URL_SENTINEL || url.kind == TW_REDIS_URL_CLUSTER ||
             url.endpoint_count == 1);
    for (size_t i = 0; i < url.endpoint_count; ++i) {
        char name[TW_REDIS_ENDPOINT_TEXT_MAX];
        bool is_path = url.kind == TW_REDIS_URL_UNIX;
        tw_check(url.endpoints[i].host[0] != '\0');
        tw_check(is_path == (url.endpoints[i].port == 0));
        tw_check(is_path == tw_redis_endpoint_is_path(&url.endpoints[i]));
        tw_redis_endpoint_text(&url.endpoints[i], name, sizeof(name));
    }
    tw_redis_url_dispose(&url);
}

static void read_all(int argc, char *const argv[])
{
    tw_options_t options;
    char error[ERROR_BYTES] = "";

    switch (tw_options_read(&options, argc, argv, error, sizeof(error))) {
    case TW_OPTIONS_OK:
        check_ranges(&options);
        if (options.trusted_proxies != NULL)
            check_networks(options.trusted_proxies);
        check_addresses(options.listen);
        if (options.cors_origins != NULL)
            check_origins(options.cors_origins);
        check_url(options.redis_url != NULL ? options.redis_url : "");
        break;
    case TW_OPTIONS_BAD:
        check_line(error);
        break;
    case TW_OPTIONS_HELP:
    case TW_OPTIONS_VERSION:
        break;
    }
}

/* False: nobody's variable, and not to be set for the fuzzer itself. */
static bool set_variable(const char *line)
{
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); ++i) {
        size_t len = strlen(variables[i]);
        if (strncmp(line, variables[i], len) == 0 && line[len] == '=')
            return setenv(variables[i], line + len + 1, 1) == 0;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_fuzz_input_t input = {data, size};
    char *argv[WORDS_MAX + 2] = {(char[]){"tideway"}};
    int argc = 1;
    bool wants_value = false;

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); ++i)
        unsetenv(variables[i]);
    while (input.left > 0 && argc <= WORDS_MAX) {
        tw_fuzz_text_t text = tw_fuzz_until(&input, '\n');
        char *line = strndup(text.base, text.len);
        bool is_flag = line[0] == '-';
        if (!is_flag && !wants_value && set_variable(line)) {
            free(line);
            continue;
        }
        wants_value = is_flag && strchr(line, '=') == NULL;
        check_url(line);
        check_networks(line);
        check_origins(line);
        check_addresses(line);
        argv[argc++] = line;
    }
    read_all(argc, argv);
    while (argc > 1)
        free(argv[--argc]);
    return 0;
}
