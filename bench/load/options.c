#include "bench/load/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct number_option {
    const char *name;
    size_t offset;
    uint32_t standard, minimum, maximum;
    const char *help;
} number_option_t;

static const number_option_t numbers[] = {
#define X(field, option, standard, minimum, maximum, help)                                         \
    {option, offsetof(load_options_t, field), standard, minimum, maximum, help},
    LOAD_NUMBERS(X)
#undef X
};

enum { NUMBER_COUNT = sizeof(numbers) / sizeof(numbers[0]) };

enum {
    OPTION_CONNECT = 1000,
    OPTION_PID,
    OPTION_CLEARTEXT,
    OPTION_DIALECT,
    OPTION_KEY,
    OPTION_LABEL,
    OPTION_HELP
};

static const struct option others[] = {
    {"connect", required_argument, NULL, OPTION_CONNECT},
    {"pid", required_argument, NULL, OPTION_PID},
    {"cleartext", no_argument, NULL, OPTION_CLEARTEXT},
    {"dialect", required_argument, NULL, OPTION_DIALECT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"label", required_argument, NULL, OPTION_LABEL},
    {"help", no_argument, NULL, OPTION_HELP},
};

enum { OTHER_COUNT = sizeof(others) / sizeof(others[0]) };

static void print_help(void)
{
    puts(
        "usage: tw-load --connect 127.0.0.1:PORT [--connect …] [options]\n"
        "Opens SSE streams over HTTP/2, publishes, verifies every delivery and prints a JSON "
        "report.\n\n"
        "  --connect HOST:PORT      a server on a loopback address; several are used in turn\n"
        "  --pid PID                a server process to measure; repeatable\n"
        "  --cleartext              HTTP/2 with prior knowledge instead of TLS 1.3\n"
        "  --dialect NAME           tideway (default), nchan, mercure or centrifugo\n"
        "  --key KEY                the publisher's API key or token\n"
        "  --label TEXT             copied into the report");
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        printf("  --%-22s %s (%u to %u; default %u)\n", numbers[i].name, numbers[i].help,
               numbers[i].minimum, numbers[i].maximum, numbers[i].standard);
}

static int parse_number(const char *name, const char *text, uint32_t minimum, uint32_t maximum,
                        uint32_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value < minimum ||
        value > maximum) {
        fprintf(stderr, "tw-load: --%s: '%s' is not a number from %u to %u\n", name, text, minimum,
                maximum);
        return -1;
    }
    *number = (uint32_t)value;
    return 0;
}

static int parse_address(load_options_t *options, const char *text)
{
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    uint32_t port;
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (options->address_count == LOAD_ADDRESSES_MAX || colon == NULL ||
        (size_t)(colon - text) >= sizeof(host)) {
        fprintf(stderr, "tw-load: --connect: '%s': expected 127.x.y.z:PORT, at most %d times\n",
                text, LOAD_ADDRESSES_MAX);
        return -1;
    }
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    if (parse_number("connect", colon + 1, 1, 65535, &port) != 0)
        return -1;
    address.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        ntohl(address.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET) {
        fprintf(stderr, "tw-load: --connect: '%s' is not a loopback address (127.x.y.z)\n", host);
        return -1;
    }
    options->addresses[options->address_count++] = address;
    return 0;
}

static int parse_pid(load_options_t *options, const char *text)
{
    uint32_t pid;
    if (options->pid_count == LOAD_PIDS_MAX || parse_number("pid", text, 1, INT32_MAX, &pid) != 0)
        return -1;
    options->pids[options->pid_count++] = (pid_t)pid;
    return 0;
}

static int take_option(load_options_t *options, int option, const char *value)
{
    if (option < NUMBER_COUNT) {
        const number_option_t *number = &numbers[option];
        return parse_number(number->name, value, number->minimum, number->maximum,
                            (uint32_t *)((char *)options + number->offset));
    }
    switch (option) {
    case OPTION_CONNECT:
        return parse_address(options, value);
    case OPTION_PID:
        return parse_pid(options, value);
    case OPTION_CLEARTEXT:
        options->cleartext = true;
        return 0;
    case OPTION_DIALECT:
        options->dialect = value;
        return 0;
    case OPTION_KEY:
        options->key = value;
        return 0;
    case OPTION_LABEL:
        options->label = value;
        return 0;
    case OPTION_HELP:
        print_help();
        return 1;
    default:
        fputs("tw-load: see --help\n", stderr);
        return -1;
    }
}

/* What no single range can say. */
static int check_together(const load_options_t *options)
{
    const char *wrong = NULL;
    if (options->address_count == 0)
        wrong = "--connect is needed";
    else if (options->lanes > options->publishers)
        wrong = "--lanes is more than --publishers";
    else if (options->topics_per_stream > options->topics)
        wrong = "--topics-per-stream is more than --topics";
    else if (options->slow_connections > options->connections)
        wrong = "--slow-connections is more than --connections";
    else if ((uint64_t)options->connections * options->streams > 4000000)
        wrong = "more than 4000000 streams";
    else if ((options->churn || options->resume_events > 0) &&
             options->topics_per_stream * options->lanes > 1)
        wrong = "--churn and --resume-events go with one topic a stream and one lane";
    else if (options->resume_events > 0 && (options->churn || options->slow_connections > 0))
        wrong = "--resume-events goes with neither --churn nor --slow-connections";
    else if (options->resume_events > 0 && options->live_connections >= options->connections)
        wrong = "--live-connections leaves none to cut";
    else if (options->resume_events > 0 &&
             (uint64_t)options->live_connections * options->streams < options->topics)
        wrong = "--live-connections leaves topics that nobody follows meanwhile";
    if (wrong == NULL)
        return 0;
    fprintf(stderr, "tw-load: %s\n", wrong);
    return -1;
}

int load_options_parse(load_options_t *options, int argc, char **argv)
{
    struct option table[NUMBER_COUNT + OTHER_COUNT + 1] = {{NULL, 0, NULL, 0}};
    memset(options, 0, sizeof(*options));
    options->dialect = "tideway";
    options->key = "dev-key";
    options->label = "";
    for (int i = 0; i < NUMBER_COUNT; i++) {
        *(uint32_t *)((char *)options + numbers[i].offset) = numbers[i].standard;
        table[i] = (struct option){numbers[i].name, required_argument, NULL, i};
    }
    memcpy(table + NUMBER_COUNT, others, sizeof(others));
    optind = 1;
    for (int option; (option = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        int result = take_option(options, option, optarg);
        if (result != 0)
            return result;
    }
    if (optind < argc) {
        fprintf(stderr, "tw-load: unexpected argument '%s'\n", argv[optind]);
        return -1;
    }
    return check_together(options);
}
