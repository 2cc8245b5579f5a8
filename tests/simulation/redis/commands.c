/* Finding and running a command, and what all commands need. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/simulation/redis/server_inside.h"

static const tw_model_command_t commands[] = {
#define X(name, function, arity, flags) {name, arity, flags, tw_model_##function},
    TW_MODEL_COMMAND_TABLE(X)
#undef X
};

#define ARGS_SHOWN ((size_t)128) /* bytes of a command that is not known */

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static int compare_names(const void *a, const void *b)
{
    const tw_model_command_t *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int compare_name(const void *key, const void *element)
{
    const tw_model_arg_t *name = key;
    const tw_model_command_t *const *command = element;
    int order = strncasecmp(name->base, (*command)->name, name->len);
    return order != 0 ? order : -(int)((*command)->name[name->len] != '\0');
}

const tw_model_command_t *tw_model_command_find(const tw_model_arg_t *name)
{
    static const tw_model_command_t *sorted[COMMAND_COUNT];

    if (sorted[0] == NULL) {
        for (size_t i = 0; i < COMMAND_COUNT; ++i)
            sorted[i] = &commands[i];
        qsort(sorted, COMMAND_COUNT, sizeof(sorted[0]), compare_names);
    }
    if (name->len == 0 || memchr(name->base, '\0', name->len) != NULL)
        return NULL;
    const tw_model_command_t **found =
        bsearch(name, sorted, COMMAND_COUNT, sizeof(sorted[0]), compare_name);
    return found != NULL ? *found : NULL;
}

bool tw_model_is_full(const tw_model_server_t *server)
{
    return server->full ||
           (server->memory_max > 0 && server->data->bytes + server->unsent > server->memory_max);
}

/* A script that has written already is let on, so that none ends half-way. */
static bool refuses_for_memory(const tw_model_call_t *call, const tw_model_command_t *command)
{
    if ((command->flags & TW_MODEL_DENYOOM) == 0)
        return false;
    if (!call->in_script)
        return tw_model_is_full(call->server);
    return call->server->script_was_full && !call->server->script_has_written;
}

static void unknown_command(tw_model_call_t *call)
{
    char args[2 * ARGS_SHOWN] = "";
    size_t len = 0;

    if (call->in_script) {
        tw_model_reply_error(call->out, "ERR Unknown Redis command called from script");
        return;
    }
    for (int i = 1; i < call->argc && len < ARGS_SHOWN; ++i) {
        size_t shown = call->argv[i].len < ARGS_SHOWN - len ? call->argv[i].len : ARGS_SHOWN - len;
        len += (size_t)snprintf(args + len, sizeof(args) - len, "'%.*s' ", (int)shown,
                                call->argv[i].base);
    }
    tw_model_reply_error(call->out, "ERR unknown command '%.*s', with args beginning with: %s",
                         (int)call->argv[0].len, call->argv[0].base, args);
}

static bool is_allowed(tw_model_call_t *call, const tw_model_command_t *command)
{
    tw_model_server_t *server = call->server;

    if ((command->arity > 0 && call->argc != command->arity) ||
        (command->arity < 0 && call->argc < -command->arity)) {
        if (call->in_script)
            tw_model_reply_error(call->out,
                                 "ERR Wrong number of args calling Redis command from "
                                 "script");
        else
            tw_model_reply_error(call->out, "ERR wrong number of arguments for '%s' command",
                                 command->name);
    } else if (call->in_script && (command->flags & TW_MODEL_NO_SCRIPT) != 0) {
        tw_model_reply_error(call->out, "ERR This Redis command is not allowed from script");
    } else if (!call->in_script && call->session->channels.used > 0 &&
               (command->flags & TW_MODEL_PUBSUB) == 0) {
        tw_model_reply_error(call->out,
                             "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / "
                             "PING / QUIT / RESET are allowed in this context",
                             command->name);
    } else if (server->is_replica && (command->flags & TW_MODEL_WRITE) != 0) {
        tw_model_reply_error(call->out, "READONLY You can't write against a read only replica.");
    } else if (refuses_for_memory(call, command)) {
        tw_model_reply_error(call->out, "OOM command not allowed when used memory > 'maxmemory'.");
    } else {
        return true;
    }
    return false;
}

void tw_model_execute(tw_model_call_t *call)
{
    const tw_model_command_t *command = tw_model_command_find(&call->argv[0]);

    if (command == NULL) {
        unknown_command(call);
        return;
    }
    if (!is_allowed(call, command))
        return;
    ++call->server->commands;
    if ((command->flags & TW_MODEL_WRITE) != 0) {
        call->server->script_has_written = true;
        for (int i = 0; i < call->argc; ++i)
            call->server->writes += call->argv[i].len + 8;
    }
    command->run(call);
}

/* --- arguments --- */

bool tw_model_arg_is(const tw_model_arg_t *arg, const char *text)
{
    return strlen(text) == arg->len && strncasecmp(arg->base, text, arg->len) == 0;
}

/* As Redis reads numbers: no blanks, no plus, no leading zeros. */
bool tw_model_parse_integer(const char *bytes, size_t len, int64_t *number)
{
    bool negative = len > 0 && bytes[0] == '-';
    size_t at = negative ? 1 : 0;
    uint64_t value = 0;

    if (len == at || len - at > 19 || (bytes[at] == '0' && (len > 1)))
        return false;
    for (; at < len; ++at) {
        if (bytes[at] < '0' || bytes[at] > '9')
            return false;
        value = value * 10 + (uint64_t)(bytes[at] - '0');
    }
    if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *number = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool tw_model_parse_double(const char *bytes, size_t len, double *number)
{
    char text[128], *end;

    if (len == 0 || len >= sizeof(text) || strchr(" \t\n\v\f\r", bytes[0]) != NULL)
        return false;
    memcpy(text, bytes, len);
    text[len] = '\0';
    *number = strtod(text, &end);
    return end == text + len && !isnan(*number);
}

bool tw_model_arg_integer(tw_model_call_t *call, const tw_model_arg_t *arg, int64_t *number)
{
    if (tw_model_parse_integer(arg->base, arg->len, number))
        return true;
    tw_model_reply_error(call->out, "ERR value is not an integer or out of range");
    return false;
}

int tw_model_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    if (order != 0)
        return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

void tw_model_syntax_error(tw_model_call_t *call)
{
    tw_model_reply_error(call->out, "ERR syntax error");
}
