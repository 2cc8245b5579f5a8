/* Tideway: a Server-Sent-Events gateway. The command line, signals and the exit code. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "server/commands/healthcheck.h"
#include "server/commands/token.h"
#include "server/options/options.h"
#include "server/privileges.h"
#include "server/process.h"
#include "server/trim.h"
#include "tideway_version.h"

#define EXIT_USAGE 64 /* sysexits.h */
#define ERROR_BYTES 1200

/*
 * A signal that is sent while the process starts waits until the control loop can act on it.
 * Otherwise it would be lost when the process is PID 1, and else a SIGHUP would end the process.
 * Workers inherit the mask and never see a signal.
 */
static void hold_signals(void)
{
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGTERM);
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &handled, NULL);
}

static void release_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void on_unknown_variable(tw_text_t name, const char *meant, void *data)
{
    const tw_log_field_t fields[] = {
        tw_log_bytes("variable", name.base, name.len),
        tw_log_text("didYouMean", meant),
    };
    tw_log_write(TW_LOG_WARN, "unknown variable: it has no effect", fields, meant != NULL ? 2 : 1);
}

/* Returns the exit code. */
static int serve(tw_process_t *process)
{
    char error[ERROR_BYTES];

    if (!tw_process_open(process, error, sizeof(error))) {
        tw_log(TW_LOG_ERROR, "cannot start", tw_log_text("reason", error));
        return EXIT_FAILURE;
    }
    release_signals();
    tw_process_run(process);
    tw_process_close(process);
    tw_log(TW_LOG_INFO, "stopped", tw_log_number("code", EXIT_SUCCESS));
    return EXIT_SUCCESS;
}

/* `tideway healthcheck …`, with the same options as the gateway that it asks. */
static int check_health(int argc, char *argv[])
{
    tw_options_t options;
    char error[ERROR_BYTES];

    switch (tw_options_read_any(&options, argc, argv, error, sizeof(error))) {
    case TW_OPTIONS_BAD:
        fprintf(stderr, "tideway healthcheck: %s\n", error);
        return EXIT_USAGE;
    case TW_OPTIONS_HELP:
    case TW_OPTIONS_VERSION:
        tw_options_print_help(stdout);
        return EXIT_SUCCESS;
    case TW_OPTIONS_OK:
        break;
    }
    if (tw_healthcheck(&options, error, sizeof(error)) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "tideway healthcheck: %s\n", error);
    return EXIT_FAILURE;
}

/* `tideway token …`. */
static int make_token(int argc, char *argv[])
{
    char error[ERROR_BYTES];

    if (tw_token_command(argc, argv, stdout, error, sizeof(error)) == TW_TOKEN_COMMAND_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "tideway token: %s\n", error);
    return EXIT_USAGE;
}

int main(int argc, char *argv[])
{
    static tw_process_t process;
    char error[ERROR_BYTES];

    if (argc >= 2 && strcmp(argv[1], "healthcheck") == 0)
        return check_health(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "token") == 0)
        return make_token(argc - 1, argv + 1);

    if (argc == 2 && strcmp(argv[1], "--options-json") == 0) {
        tw_options_print_json(stdout);
        return EXIT_SUCCESS;
    }
    switch (tw_options_read(&process.options, argc, argv, error, sizeof(error))) {
    case TW_OPTIONS_HELP:
        tw_options_print_help(stdout);
        return EXIT_SUCCESS;
    case TW_OPTIONS_VERSION:
        puts("tideway " TIDEWAY_VERSION);
        return EXIT_SUCCESS;
    case TW_OPTIONS_BAD:
        fprintf(stderr, "tideway: %s\n", error);
        return EXIT_USAGE;
    case TW_OPTIONS_OK:
        break;
    }
    signal(SIGPIPE, SIG_IGN);
    tw_privileges_drop();
    hold_signals();
    tw_trim_init();
    tw_hash_seed();
    tw_log_start(STDERR_FILENO, (tw_log_level_t)process.options.log_level,
                 process.options.log_format == TW_LOG_FORMAT_JSON);
    tw_options_visit_unknown(environ, on_unknown_variable, NULL);
    int code = serve(&process);
    tw_log_stop();
    return code;
}
