#include "server/options/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "server/options/host_port.h"

typedef enum tw_option_kind {
    TW_OPTION_GROUP, /* a heading: only `help` is set */
    TW_OPTION_TEXT,
    TW_OPTION_CHOICE,
    TW_OPTION_NUMBER,
} tw_option_kind_t;

/** A row of the table. */
typedef struct tw_option {
    tw_option_kind_t kind;
    size_t offset; /* of the field in tw_options_t */
    const char *variable;
    const char *fallback_text;
    const char *choices; /* "a|b" */
    uint64_t fallback, min, max;
    const char *unit;
    const char *help;
} tw_option_t;

static const tw_option_t table[] = {
#define WORD(value, word) "|" word
#define GROUP(title) {.kind = TW_OPTION_GROUP, .help = title},
#define TEXT(name, env, standard, text)                                                            \
    {.kind = TW_OPTION_TEXT,                                                                       \
     .offset = offsetof(tw_options_t, name),                                                       \
     .variable = env,                                                                              \
     .fallback_text = standard,                                                                    \
     .help = text},
#define CHOICE(name, env, standard, words, text)                                                   \
    {.kind = TW_OPTION_CHOICE,                                                                     \
     .offset = offsetof(tw_options_t, name),                                                       \
     .variable = env,                                                                              \
     .fallback = standard,                                                                         \
     .choices = &(words(WORD))[1],                                                                 \
     .help = text},
#define NUMBER(name, env, standard, least, most, of, text)                                         \
    {.kind = TW_OPTION_NUMBER,                                                                     \
     .offset = offsetof(tw_options_t, name),                                                       \
     .variable = env,                                                                              \
     .fallback = standard,                                                                         \
     .min = least,                                                                                 \
     .max = most,                                                                                  \
     .unit = of,                                                                                   \
     .help = text},
    TW_OPTION_TABLE(GROUP, TEXT, CHOICE, NUMBER)
#undef WORD
#undef GROUP
#undef TEXT
#undef CHOICE
#undef NUMBER
};

#define OPTION_COUNT (sizeof(table) / sizeof(table[0]))
#define FLAG_MAX 64
#define NODE_ID_MAX 128

/* TIDEWAY_MAX_TOPICS → --max-topics */
static void flag_of(const tw_option_t *option, char flag[FLAG_MAX])
{
    static const char prefix[] = "TIDEWAY_";
    const char *name = option->variable;
    size_t len = 0;

    if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
        name += sizeof(prefix) - 1;
    flag[len++] = '-';
    flag[len++] = '-';
    for (; *name != '\0' && len < FLAG_MAX - 1; ++name)
        flag[len++] = *name == '_' ? '-' : (char)(*name | 0x20);
    flag[len] = '\0';
}

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

/* `name` is what the operator wrote: the variable or the flag. */
static bool set(tw_options_t *options, const tw_option_t *option, const char *name,
                const char *value, char *error, size_t error_size)
{
    switch (option->kind) {
    case TW_OPTION_GROUP:
        break;
    case TW_OPTION_TEXT:
        *(const char **)field_of(options, option) = value[0] != '\0' ? value : NULL;
        return true;
    case TW_OPTION_CHOICE:
        if (parse_choice(option->choices, value, field_of(options, option)))
            return true;
        snprintf(error, error_size, "%s is \"%s\": it must be one of %s", name, value,
                 option->choices);
        return false;
    case TW_OPTION_NUMBER:
        if (parse_number(value, option->min, option->max, field_of(options, option)))
            return true;
        snprintf(error, error_size,
                 "%s is \"%s\": it must be a whole number of %s from %" PRIu64 " to %" PRIu64, name,
                 value, option->unit, option->min, option->max);
        return false;
    }
    return false;
}

static void set_defaults(tw_options_t *options)
{
    for (size_t i = 0; i < OPTION_COUNT; ++i) {
        const tw_option_t *option = &table[i];
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
    for (size_t i = 0; i < OPTION_COUNT; ++i) {
        char flag[FLAG_MAX];
        if (table[i].kind == TW_OPTION_GROUP)
            continue;
        flag_of(&table[i], flag);
        if (strlen(flag) == len && memcmp(flag, argument, len) == 0)
            return &table[i];
    }
    return NULL;
}

static tw_options_result_t read_flags(tw_options_t *options, int argc, char *const argv[],
                                      char *error, size_t error_size)
{
    for (int i = 1; i < argc; ++i) {
        const char *equals = strchr(argv[i], '=');
        size_t len = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        const tw_option_t *option = find_flag(argv[i], len);
        char flag[FLAG_MAX];

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return TW_OPTIONS_HELP;
        if (strcmp(argv[i], "--version") == 0)
            return TW_OPTIONS_VERSION;
        if (option == NULL) {
            snprintf(error, error_size, "unknown option \"%s\": --help lists all options", argv[i]);
            return TW_OPTIONS_BAD;
        }
        if (equals == NULL && i + 1 == argc) {
            snprintf(error, error_size,
                     "%s has no value: write %s VALUE; --help says which values it takes", argv[i],
                     argv[i]);
            return TW_OPTIONS_BAD;
        }
        flag_of(option, flag);
        if (!set(options, option, flag, equals != NULL ? equals + 1 : argv[++i], error, error_size))
            return TW_OPTIONS_BAD;
    }
    return TW_OPTIONS_OK;
}

/* A node id is part of keys in Redis, of log lines and of JSON. */
static bool is_node_id(const char *text)
{
    size_t len = 0;

    for (; text[len] > ' ' && text[len] < 0x7f; ++len)
        ;
    return text[len] == '\0' && len > 0 && len <= NODE_ID_MAX;
}

/* Checks what a single row of the table cannot. */
static tw_options_result_t check_together(const tw_options_t *options, char *error,
                                          size_t error_size)
{
    const char *problem = NULL;

    if (options->node_id != NULL && !is_node_id(options->node_id)) {
        snprintf(
            error, error_size,
            "TIDEWAY_NODE_ID is \"%.200s\": it must be 1 to %d printable ASCII characters without "
            "spaces",
            options->node_id, NODE_ID_MAX);
        return TW_OPTIONS_BAD;
    }
    if (options->api_keys == NULL)
        problem = "SSE_PUBLISHER_API_KEYS is not set: give at least one key that may publish";
    else if (options->listen == NULL)
        problem = "TIDEWAY_LISTEN is empty: give at least one host:port";
    else if ((options->tls_cert == NULL) != (options->tls_key == NULL))
        problem = "TIDEWAY_TLS_CERT and TIDEWAY_TLS_KEY belong together: give both or neither";
    if (problem == NULL)
        return TW_OPTIONS_OK;
    snprintf(error, error_size, "%s", problem);
    return TW_OPTIONS_BAD;
}

/* Addresses are looked up and bound later; mistakes in how they are written are reported now. */
static tw_options_result_t check_addresses(const char *variable, const char *addresses, char *error,
                                           size_t error_size)
{
    tw_text_t list = tw_text_of(addresses), item;
    char host[256], port[6];

    while (tw_text_next_item(&list, &item)) {
        if (tw_host_port_split(item.base, item.len, host, port))
            continue;
        snprintf(error, error_size,
                 "%s is \"%s\": it must be host:port or [v6]:port, with a port up to 65535",
                 variable, addresses);
        return TW_OPTIONS_BAD;
    }
    return TW_OPTIONS_OK;
}

tw_options_result_t tw_options_read_any(tw_options_t *options, int argc, char *const argv[],
                                        char *error, size_t error_size)
{
    set_defaults(options);
    for (size_t i = 0; i < OPTION_COUNT; ++i) {
        const char *value = table[i].kind != TW_OPTION_GROUP ? getenv(table[i].variable) : NULL;
        if (value != NULL && !set(options, &table[i], table[i].variable, value, error, error_size))
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
    return result == TW_OPTIONS_OK
               ? check_addresses("TIDEWAY_LISTEN", options->listen, error, error_size)
               : result;
}

/* Sets *word to the word with this index, and returns its length. */
static int choice_word(const char *choices, uint64_t index, const char **word)
{
    *word = choices;
    for (; index > 0; --index)
        *word = strchr(*word, '|') + 1;
    return (int)strcspn(*word, "|");
}

static void print_default(FILE *out, const tw_option_t *option)
{
    const char *word;
    int len;

    switch (option->kind) {
    case TW_OPTION_GROUP:
        break;
    case TW_OPTION_TEXT:
        fputs(option->fallback_text != NULL ? option->fallback_text : "none", out);
        break;
    case TW_OPTION_CHOICE:
        len = choice_word(option->choices, option->fallback, &word);
        fprintf(out, "%.*s", len, word);
        break;
    case TW_OPTION_NUMBER:
        fprintf(out, "%" PRIu64, option->fallback);
        break;
    }
}

void tw_options_print_help(FILE *out)
{
    fputs(
        "Usage: tideway [--option value]...\n"
        "       tideway healthcheck [--option value]...   ask a running gateway; exit code 0: "
        "healthy\n\n"
        "A Server-Sent-Events gateway. Every option is a flag and an environment variable; flags "
        "win.\n",
        out);
    for (size_t i = 0; i < OPTION_COUNT; ++i) {
        char flag[FLAG_MAX];
        if (table[i].kind == TW_OPTION_GROUP) {
            fprintf(out, "\n%s\n", table[i].help);
            continue;
        }
        flag_of(&table[i], flag);
        fprintf(out, "  %s, %s\n      %s\n      default: ", flag, table[i].variable, table[i].help);
        print_default(out, &table[i]);
        if (table[i].kind == TW_OPTION_NUMBER)
            fprintf(out, "; %" PRIu64 " to %" PRIu64 " %s", table[i].min, table[i].max,
                    table[i].unit);
        else if (table[i].kind == TW_OPTION_CHOICE)
            fprintf(out, "; one of %s", table[i].choices);
        fputs("\n", out);
    }
    fputs("\n  --help, --version, --options-json (this table for programs)\n", out);
}

static void print_json_row(FILE *out, const tw_option_t *option, const char *group)
{
    static const char *const kinds[] = {"group", "text", "choice", "number"};
    bool is_null = option->kind == TW_OPTION_TEXT && option->fallback_text == NULL;
    const char *quote = is_null || option->kind == TW_OPTION_NUMBER ? "" : "\"";
    char flag[FLAG_MAX];

    flag_of(option, flag);
    fprintf(
        out,
        "\n  {\"group\":\"%s\",\"variable\":\"%s\",\"flag\":\"%s\",\"kind\":\"%s\",\"default\":%s",
        group, option->variable, flag, kinds[option->kind], quote);
    if (is_null)
        fputs("null", out);
    else
        print_default(out, option);
    fputs(quote, out);
    if (option->kind == TW_OPTION_NUMBER)
        fprintf(out, ",\"min\":%" PRIu64 ",\"max\":%" PRIu64 ",\"unit\":\"%s\"", option->min,
                option->max, option->unit);
    if (option->kind == TW_OPTION_CHOICE)
        fprintf(out, ",\"choices\":\"%s\"", option->choices);
    fprintf(out, ",\"help\":\"%s\"}", option->help);
}

/* The texts of the table contain nothing that JSON would have to escape. */
void tw_options_print_json(FILE *out)
{
    const char *group = "", *comma = "";

    fputs("[", out);
    for (size_t i = 0; i < OPTION_COUNT; ++i) {
        if (table[i].kind == TW_OPTION_GROUP) {
            group = table[i].help;
            continue;
        }
        fputs(comma, out);
        print_json_row(out, &table[i], group);
        comma = ",";
    }
    fputs("\n]\n", out);
}
