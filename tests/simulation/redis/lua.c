/*
 * Scripts, run by Lua 5.1 as Redis runs them: EVAL, EVALSHA, SCRIPT, and inside of them the table
 * `redis`. What passes between the two is in lua_values.c.
 */
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/simulation/redis/lua_values.h"

struct tw_model_lua {
    lua_State *state;
    tw_model_call_t *call; /* whose script runs; NULL: none */
};

static const char registry_key = 0; /* its address finds the struct */

static tw_model_lua_t *lua_of(lua_State *state)
{
    lua_pushlightuserdata(state, (void *)&registry_key);
    lua_rawget(state, LUA_REGISTRYINDEX);
    tw_model_lua_t *lua = lua_touserdata(state, -1);
    lua_pop(state, 1);
    return lua;
}

static void sha_of(const char *bytes, size_t len, char sha[41])
{
    unsigned char digest[SHA_DIGEST_LENGTH];

    SHA1((const unsigned char *)bytes, len, digest);
    for (size_t i = 0; i < sizeof(digest); ++i)
        snprintf(sha + 2 * i, 3, "%02x", digest[i]);
}

/* --- the table `redis` --- */

/* The script's arguments as texts; NULL: an error was pushed. free() them. */
static tw_model_arg_t *take_args(lua_State *state, int argc)
{
    if (argc == 0) {
        tw_model_lua_push_error(
            state, "-ERR Please specify at least one argument for this redis lib call");
        return NULL;
    }
    tw_model_arg_t *argv = tw_alloc((size_t)argc * sizeof(*argv));
    for (int i = 0; i < argc; ++i) {
        if (lua_type(state, i + 1) == LUA_TNUMBER) {
            char text[64];
            snprintf(text, sizeof(text), "%.17g", (double)lua_tonumber(state, i + 1));
            lua_pushstring(state, text);
            lua_replace(state, i + 1);
        } else if (lua_type(state, i + 1) != LUA_TSTRING) {
            free(argv);
            tw_model_lua_push_error(
                state, "-ERR Lua redis lib command arguments must be strings or integers");
            return NULL;
        }
        argv[i].base = lua_tolstring(state, i + 1, &argv[i].len);
    }
    return argv;
}

/* Leaves one value: the reply, or a table with `err`. True: it is an error. */
static bool call_redis(lua_State *state)
{
    tw_model_call_t *call = lua_of(state)->call;
    int argc = lua_gettop(state);
    tw_model_buffer_t out = {0};

    tw_model_arg_t *argv = take_args(state, argc);
    if (argv == NULL)
        return true;
    tw_model_call_t inner = {.server = call->server,
                             .session = call->session,
                             .in_script = true,
                             .argc = argc,
                             .argv = argv,
                             .out = &out};
    tw_model_execute(&inner);
    free(argv);
    bool failed = out.len > 0 && out.bytes[0] == '-';
    tw_model_lua_push_reply(state, &out);
    tw_model_buffer_dispose(&out);
    return failed;
}

static int on_call(lua_State *state)
{
    return call_redis(state) ? lua_error(state) : 1;
}

static int on_pcall(lua_State *state)
{
    call_redis(state);
    return 1;
}

static int on_error_reply(lua_State *state)
{
    if (lua_gettop(state) != 1 || lua_type(state, 1) != LUA_TSTRING) {
        tw_model_lua_push_error(state, "-ERR wrong number or type of arguments");
        return 1;
    }
    lua_pushstring(state, lua_tostring(state, 1)[0] == '-' ? "" : "-");
    lua_insert(state, 1);
    lua_concat(state, 2);
    tw_model_lua_push_error(state, lua_tostring(state, -1));
    return 1;
}

static int on_status_reply(lua_State *state)
{
    if (lua_gettop(state) != 1 || lua_type(state, 1) != LUA_TSTRING) {
        tw_model_lua_push_error(state, "-ERR wrong number or type of arguments");
        return 1;
    }
    lua_newtable(state);
    lua_pushvalue(state, 1);
    lua_setfield(state, -2, "ok");
    return 1;
}

static int on_sha1hex(lua_State *state)
{
    char sha[41];
    size_t len;
    const char *text = luaL_checklstring(state, 1, &len);
    sha_of(text, len, sha);
    lua_pushstring(state, sha);
    return 1;
}

static int on_nothing(lua_State *state)
{
    lua_pushboolean(state, 1);
    return 1;
}

/* --- the sandbox --- */

/* Lua's pcall, but that an error of Redis' comes as its text. */
static int on_plain_pcall(lua_State *state)
{
    luaL_checkany(state, 1);
    int status = lua_pcall(state, lua_gettop(state) - 1, LUA_MULTRET, 0);
    if (status != 0 && lua_istable(state, -1)) {
        lua_getfield(state, -1, "err");
        if (lua_isstring(state, -1))
            lua_replace(state, -2);
        else
            lua_pop(state, 1);
    }
    lua_pushboolean(state, status == 0);
    lua_insert(state, 1);
    return lua_gettop(state);
}

static int on_unknown_global(lua_State *state)
{
    return luaL_error(state, "Script attempted to access nonexistent global variable '%s'",
                      lua_tostring(state, 2));
}

static int on_new_global(lua_State *state)
{
    return luaL_error(state, "Attempt to modify a readonly table");
}

static void open_library(lua_State *state, const char *name, lua_CFunction open)
{
    lua_pushcfunction(state, open);
    lua_pushstring(state, name);
    lua_call(state, 1, 0);
}

static void protect_globals(lua_State *state)
{
    lua_newtable(state);
    lua_pushcfunction(state, on_unknown_global);
    lua_setfield(state, -2, "__index");
    lua_pushcfunction(state, on_new_global);
    lua_setfield(state, -2, "__newindex");
    lua_pushvalue(state, LUA_GLOBALSINDEX);
    lua_insert(state, -2);
    lua_setmetatable(state, -2);
    lua_pop(state, 1);
}

tw_model_lua_t *tw_model_lua_create(void)
{
    static const luaL_Reg functions[] = {{"call", on_call},
                                         {"pcall", on_pcall},
                                         {"error_reply", on_error_reply},
                                         {"status_reply", on_status_reply},
                                         {"sha1hex", on_sha1hex},
                                         {"log", on_nothing},
                                         {"replicate_commands", on_nothing},
                                         {NULL, NULL}};
    tw_model_lua_t *lua = tw_alloc(sizeof(*lua));
    lua_State *state = luaL_newstate();

    lua->state = state;
    open_library(state, "", luaopen_base);
    open_library(state, LUA_TABLIBNAME, luaopen_table);
    open_library(state, LUA_STRLIBNAME, luaopen_string);
    open_library(state, LUA_MATHLIBNAME, luaopen_math);
    luaL_register(state, "redis", functions);
    lua_pop(state, 1);
    static const char *const removed[] = {"loadfile", "dofile", "print", "newproxy"};
    for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); ++i) {
        lua_pushnil(state);
        lua_setglobal(state, removed[i]);
    }
    lua_pushcfunction(state, on_plain_pcall);
    lua_setglobal(state, "pcall");
    lua_newtable(state);
    lua_setglobal(state, "KEYS");
    lua_newtable(state);
    lua_setglobal(state, "ARGV");
    lua_pushlightuserdata(state, (void *)&registry_key);
    lua_pushlightuserdata(state, lua);
    lua_rawset(state, LUA_REGISTRYINDEX);
    protect_globals(state);
    return lua;
}

void tw_model_lua_destroy(tw_model_lua_t *lua)
{
    if (lua == NULL)
        return;
    lua_close(lua->state);
    free(lua);
}

/* --- scripts --- */

/* Pushes the function of a script; false: there is none. */
static bool push_script(lua_State *state, const char *sha)
{
    lua_getfield(state, LUA_REGISTRYINDEX, sha);
    if (lua_isfunction(state, -1))
        return true;
    lua_pop(state, 1);
    return false;
}

/* Compiles a script if it is new; false: it is not Lua, and the error is written. */
static bool load(tw_model_call_t *call, const tw_model_arg_t *text, char sha[41])
{
    lua_State *state = call->server->lua->state;

    sha_of(text->base, text->len, sha);
    if (push_script(state, sha)) {
        lua_pop(state, 1);
        return true;
    }
    if (luaL_loadbuffer(state, text->base, text->len, "@user_script") != 0) {
        tw_model_reply_error(call->out, "ERR Error compiling script (new function): %s",
                             lua_tostring(state, -1));
        lua_pop(state, 1);
        return false;
    }
    lua_setfield(state, LUA_REGISTRYINDEX, sha);
    return true;
}

static void set_table(lua_State *state, const char *name, const tw_model_arg_t *items, int count)
{
    lua_createtable(state, count, 0);
    for (int i = 0; i < count; ++i) {
        lua_pushlstring(state, items[i].base, items[i].len);
        lua_rawseti(state, -2, i + 1);
    }
    lua_pushstring(state, name);
    lua_insert(state, -2);
    lua_rawset(state, LUA_GLOBALSINDEX);
}

/* Adds where an error came from, as Redis does for those that carry no place of their own. */
static int on_failure(lua_State *state)
{
    lua_Debug where;

    if (lua_istable(state, 1) && lua_getstack(state, 2, &where) != 0) {
        lua_getinfo(state, "Sl", &where);
        lua_pushinteger(state, where.currentline);
        lua_setfield(state, 1, "line");
    }
    return 1;
}

static void reply_failure(tw_model_call_t *call, lua_State *state, const char *sha)
{
    if (lua_istable(state, -1)) {
        lua_getfield(state, -1, "line");
        int line = (int)lua_tointeger(state, -1);
        lua_getfield(state, -2, "err");
        tw_model_reply_error(call->out, "%s script: %s, on @user_script:%d.",
                             lua_tostring(state, -1), sha, line);
        lua_pop(state, 2);
        return;
    }
    tw_model_reply_error(call->out, "ERR %s script: %s, on @user_script.", lua_tostring(state, -1),
                         sha);
}

static void run(tw_model_call_t *call, const char *sha)
{
    tw_model_server_t *server = call->server;
    tw_model_lua_t *lua = server->lua;
    lua_State *state = lua->state;
    int64_t key_count;

    if (!tw_model_arg_integer(call, &call->argv[2], &key_count))
        return;
    if (key_count < 0 || key_count > call->argc - 3) {
        tw_model_reply_error(call->out, key_count < 0
                                            ? "ERR Number of keys can't be negative"
                                            : "ERR Number of keys can't be greater than number of "
                                              "args");
        return;
    }
    lua_pushcfunction(state, on_failure);
    if (!push_script(state, sha)) {
        lua_pop(state, 1);
        tw_model_reply_error(call->out, "NOSCRIPT No matching script. Please use EVAL.");
        return;
    }
    set_table(state, "KEYS", call->argv + 3, (int)key_count);
    set_table(state, "ARGV", call->argv + 3 + key_count, call->argc - 3 - (int)key_count);
    lua->call = call;
    server->script_was_full = tw_model_is_full(server);
    server->script_has_written = false;
    server->script_now_us = server->owner.wall_us(server->owner.data);
    int failed = lua_pcall(state, 0, 1, -2);
    lua->call = NULL;
    server->script_now_us = 0;
    if (failed != 0)
        reply_failure(call, state, sha);
    else
        tw_model_lua_reply(state, call->out);
    lua_pop(state, 2);
    lua_gc(state, LUA_GCSTEP, 1);
}

void tw_model_eval(tw_model_call_t *call)
{
    char sha[41];
    if (load(call, &call->argv[1], sha))
        run(call, sha);
}

void tw_model_evalsha(tw_model_call_t *call)
{
    char sha[41];

    if (call->argv[1].len != 40) {
        tw_model_reply_error(call->out, "NOSCRIPT No matching script. Please use EVAL.");
        return;
    }
    for (int i = 0; i < 40; ++i) {
        char c = call->argv[1].base[i];
        sha[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    sha[40] = '\0';
    run(call, sha);
}

void tw_model_script(tw_model_call_t *call)
{
    const tw_model_arg_t *what = &call->argv[1];
    tw_model_server_t *server = call->server;
    char sha[41];

    if (tw_model_arg_is(what, "load") && call->argc == 3) {
        if (load(call, &call->argv[2], sha))
            tw_model_reply_bulk(call->out, sha, 40);
    } else if (tw_model_arg_is(what, "exists") && call->argc > 2) {
        tw_model_reply_array(call->out, (size_t)call->argc - 2);
        for (int i = 2; i < call->argc; ++i) {
            snprintf(sha, sizeof(sha), "%.*s", (int)call->argv[i].len, call->argv[i].base);
            bool known = push_script(server->lua->state, sha);
            if (known)
                lua_pop(server->lua->state, 1);
            tw_model_reply_integer(call->out, known);
        }
    } else if (tw_model_arg_is(what, "flush")) {
        tw_model_lua_destroy(server->lua);
        server->lua = tw_model_lua_create();
        tw_model_reply_status(call->out, "OK");
    } else {
        tw_model_reply_error(call->out,
                             "ERR unknown subcommand or wrong number of arguments for '%.*s'. "
                             "Try SCRIPT HELP.",
                             (int)what->len, what->base);
    }
}
