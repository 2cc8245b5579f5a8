/* Commands about the server and the session. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/simulation/redis/server_inside.h"

#define VERSION "7.0.15"

void tw_model_ping(tw_model_call_t *call)
{
    if (call->session->channels.used > 0 && !call->in_script) {
        tw_model_reply_array(call->out, 2);
        tw_model_reply_text(call->out, "pong");
        tw_model_reply_bulk(call->out, call->argc > 1 ? call->argv[1].base : "",
                            call->argc > 1 ? call->argv[1].len : 0);
    } else if (call->argc > 1) {
        tw_model_reply_bulk(call->out, call->argv[1].base, call->argv[1].len);
    } else {
        tw_model_reply_status(call->out, "PONG");
    }
}

void tw_model_echo(tw_model_call_t *call)
{
    tw_model_reply_bulk(call->out, call->argv[1].base, call->argv[1].len);
}

void tw_model_time(tw_model_call_t *call)
{
    tw_model_server_t *server = call->server;
    int64_t now_us = server->script_now_us != 0 ? server->script_now_us
                                                : server->owner.wall_us(server->owner.data);
    char text[24];

    tw_model_reply_array(call->out, 2);
    snprintf(text, sizeof(text), "%" PRId64, now_us / 1000000);
    tw_model_reply_text(call->out, text);
    snprintf(text, sizeof(text), "%" PRId64, now_us % 1000000);
    tw_model_reply_text(call->out, text);
}

void tw_model_select(tw_model_call_t *call)
{
    if (tw_model_arg_is(&call->argv[1], "0"))
        tw_model_reply_status(call->out, "OK");
    else
        tw_model_reply_error(call->out, "ERR DB index is out of range");
}

void tw_model_auth(tw_model_call_t *call)
{
    tw_model_reply_status(call->out, "OK");
}

void tw_model_quit(tw_model_call_t *call)
{
    tw_model_reply_status(call->out, "OK");
    call->session->ended = true;
}

void tw_model_wait(tw_model_call_t *call)
{
    tw_model_reply_integer(call->out, 0);
}

static void set_name(tw_model_session_t *session, const tw_model_arg_t *name)
{
    snprintf(session->name, sizeof(session->name), "%.*s", (int)name->len, name->base);
}

void tw_model_client(tw_model_call_t *call)
{
    const tw_model_arg_t *what = &call->argv[1];

    if (tw_model_arg_is(what, "setname") && call->argc == 3) {
        set_name(call->session, &call->argv[2]);
        tw_model_reply_status(call->out, "OK");
    } else if (tw_model_arg_is(what, "getname") && call->argc == 2) {
        if (call->session->name[0] == '\0')
            tw_model_reply_nil(call->out);
        else
            tw_model_reply_text(call->out, call->session->name);
    } else if (tw_model_arg_is(what, "id") && call->argc == 2) {
        tw_model_reply_integer(call->out, (int64_t)call->session->id);
    } else {
        tw_model_reply_error(call->out,
                             "ERR unknown subcommand or wrong number of arguments for '%.*s'. "
                             "Try CLIENT HELP.",
                             (int)what->len, what->base);
    }
}

/* HELLO [2 [AUTH user password] [SETNAME name]] */
void tw_model_hello(tw_model_call_t *call)
{
    tw_model_server_t *server = call->server;

    if (call->argc > 1 && !tw_model_arg_is(&call->argv[1], "2")) {
        tw_model_reply_error(call->out, "NOPROTO unsupported protocol version");
        return;
    }
    for (int at = 2; at < call->argc; ++at) {
        if (tw_model_arg_is(&call->argv[at], "auth") && at + 2 < call->argc) {
            at += 2;
        } else if (tw_model_arg_is(&call->argv[at], "setname") && at + 1 < call->argc) {
            set_name(call->session, &call->argv[++at]);
        } else {
            tw_model_reply_error(call->out, "ERR Syntax error in HELLO option '%.*s'",
                                 (int)call->argv[at].len, call->argv[at].base);
            return;
        }
    }
    tw_model_reply_array(call->out, 14);
    tw_model_reply_text(call->out, "server");
    tw_model_reply_text(call->out, "redis");
    tw_model_reply_text(call->out, "version");
    tw_model_reply_text(call->out, VERSION);
    tw_model_reply_text(call->out, "proto");
    tw_model_reply_integer(call->out, 2);
    tw_model_reply_text(call->out, "id");
    tw_model_reply_integer(call->out, (int64_t)call->session->id);
    tw_model_reply_text(call->out, "mode");
    tw_model_reply_text(call->out, "standalone");
    tw_model_reply_text(call->out, "role");
    tw_model_reply_text(call->out, server->is_replica ? "replica" : "master");
    tw_model_reply_text(call->out, "modules");
    tw_model_reply_array(call->out, 0);
}

void tw_model_role(tw_model_call_t *call)
{
    tw_model_reply_array(call->out, 3);
    tw_model_reply_text(call->out, call->server->is_replica ? "slave" : "master");
    tw_model_reply_integer(call->out, (int64_t)call->server->writes);
    tw_model_reply_array(call->out, 0);
}

/* All sections at once, whichever is asked for. */
void tw_model_info(tw_model_call_t *call)
{
    const tw_model_server_t *server = call->server;
    char text[1536];
    int len = snprintf(
        text, sizeof(text),
        "# Server\r\nredis_version:" VERSION
        "\r\nredis_mode:standalone\r\nrun_id:%s\r\n"
        "\r\n# Clients\r\ncluster_connections:0\r\n"
        "\r\n# Memory\r\nused_memory:%zu\r\nmaxmemory:%zu\r\nmaxmemory_policy:noeviction\r\n"
        "\r\n# Persistence\r\nloading:0\r\n"
        "\r\n# Stats\r\ntotal_commands_processed:%" PRIu64
        "\r\nevicted_keys:0\r\n"
        "\r\n# Replication\r\nrole:%s\r\nconnected_slaves:0\r\nmaster_replid:%s\r\n"
        "master_replid2:%s\r\nmaster_repl_offset:%" PRIu64
        "\r\nsecond_repl_offset:-1\r\n"
        "min_slaves_good_slaves:0\r\n"
        "\r\n# Cluster\r\ncluster_enabled:0\r\n",
        server->run_id, server->data->bytes + server->unsent, server->memory_max, server->commands,
        server->is_replica ? "slave" : "master", server->replication_id, server->replication_id2,
        server->writes);
    tw_model_reply_bulk(call->out, text, (size_t)len);
}

/* COMMAND INFO: whether there are such commands, and how many arguments they take. */
void tw_model_command(tw_model_call_t *call)
{
    if (call->argc < 2 || !tw_model_arg_is(&call->argv[1], "info")) {
        tw_model_reply_error(call->out, "ERR only COMMAND INFO is there");
        return;
    }
    tw_model_reply_array(call->out, (size_t)call->argc - 2);
    for (int i = 2; i < call->argc; ++i) {
        const tw_model_command_t *command = tw_model_command_find(&call->argv[i]);
        if (command == NULL) {
            tw_model_reply_nil_array(call->out);
            continue;
        }
        tw_model_reply_array(call->out, 6);
        tw_model_reply_text(call->out, command->name);
        tw_model_reply_integer(call->out, command->arity);
        tw_model_reply_array(call->out, 0);
        for (int k = 0; k < 3; ++k)
            tw_model_reply_integer(call->out, 0);
    }
}

/* CONFIG GET of what a client may ask for; other names have no value. */
void tw_model_config(tw_model_call_t *call)
{
    static const char *const values[][2] = {{"maxmemory-policy", "noeviction"},
                                            {"min-replicas-to-write", "0"},
                                            {"min-replicas-max-lag", "10"},
                                            {"appendonly", "no"},
                                            {"stream-node-max-entries", "100"},
                                            {"stream-node-max-bytes", "4096"},
                                            {"client-query-buffer-limit", "1073741824"}};
    const size_t count = sizeof(values) / sizeof(values[0]);
    size_t found = 0;

    if (!tw_model_arg_is(&call->argv[1], "get") || call->argc < 3) {
        tw_model_reply_error(call->out, "ERR unknown subcommand '%.*s'. Try CONFIG HELP.",
                             (int)call->argv[1].len, call->argv[1].base);
        return;
    }
    for (int pass = 0; pass < 2; ++pass) {
        if (pass == 1)
            tw_model_reply_array(call->out, found * 2);
        for (size_t i = 0; i < count; ++i)
            for (int at = 2; at < call->argc; ++at) {
                if (!tw_model_arg_is(&call->argv[at], values[i][0]))
                    continue;
                ++found;
                if (pass == 0)
                    continue;
                tw_model_reply_text(call->out, values[i][0]);
                tw_model_reply_text(call->out, values[i][1]);
            }
    }
}
