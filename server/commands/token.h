/**
 * `tideway token`: prints a token that is signed with a shared secret, for trying out private
 * topics. Main thread only; it starts nothing.
 *
 * It owns nothing. Callers: server/main.c.
 */
#ifndef TW_SERVER_COMMANDS_TOKEN_H
#define TW_SERVER_COMMANDS_TOKEN_H

#include <stddef.h>
#include <stdio.h>

typedef enum tw_token_command_result {
    TW_TOKEN_COMMAND_OK,
    TW_TOKEN_COMMAND_USAGE, /* the arguments are wrong; `error` says how, in one line */
} tw_token_command_result_t;

/** Reads the arguments behind the word `token` and prints the token, or the help if it is asked
 * for. */
tw_token_command_result_t tw_token_command(int argc, char *const argv[], FILE *out, char *error,
                                           size_t error_size);

#endif
