#include "tests/simulation/redis/lua_values.h"

#include <stdlib.h>
#include <string.h>

void tw_model_lua_push_error(lua_State *state, const char *error)
{
    const char *text = error[0] == '-' ? error + 1 : error;
    size_t len = strcspn(text, "\r\n");

    lua_newtable(state);
    if (memchr(text, ' ', len) == NULL || error[0] != '-')
        lua_pushliteral(state, "ERR ");
    else
        lua_pushliteral(state, "");
    lua_pushlstring(state, text, len);
    lua_concat(state, 2);
    lua_setfield(state, -2, "err");
}

/* Pushes the value at a place of the reply; returns the place behind it. */
static const char *push_value(lua_State *state, const char *at)
{
    const char *line_end = strchr(at, '\r'); /* a reply always has one */
    long long number = strtoll(at + 1, NULL, 10);

    switch (*at) {
    case ':':
        lua_pushnumber(state, (lua_Number)number);
        return line_end + 2;
    case '$':
        if (number < 0) {
            lua_pushboolean(state, 0);
            return line_end + 2;
        }
        lua_pushlstring(state, line_end + 2, (size_t)number);
        return line_end + 2 + number + 2;
    case '+':
        lua_newtable(state);
        lua_pushlstring(state, at + 1, (size_t)(line_end - at) - 1);
        lua_setfield(state, -2, "ok");
        return line_end + 2;
    case '-':
        tw_model_lua_push_error(state, at);
        return line_end + 2;
    default:
        break;
    }
    at = line_end + 2;
    if (number < 0) {
        lua_pushboolean(state, 0);
        return at;
    }
    luaL_checkstack(state, 4, "reply");
    lua_createtable(state, (int)number, 0);
    for (long long i = 1; i <= number; ++i) {
        at = push_value(state, at);
        lua_rawseti(state, -2, (int)i);
    }
    return at;
}

void tw_model_lua_push_reply(lua_State *state, const tw_model_buffer_t *reply)
{
    if (reply->len == 0)
        lua_pushboolean(state, 0);
    else
        push_value(state, reply->bytes);
}

/* Writes {err=…} or {ok=…}; false: the table on top is neither. */
static bool reply_field(lua_State *state, const char *name, tw_model_buffer_t *out)
{
    lua_pushstring(state, name);
    lua_rawget(state, -2);
    bool found = lua_type(state, -1) == LUA_TSTRING;
    if (found && name[0] == 'e')
        tw_model_reply_error(out, "%s", lua_tostring(state, -1));
    else if (found)
        tw_model_reply_status(out, lua_tostring(state, -1));
    lua_pop(state, 1);
    return found;
}

static void reply_table(lua_State *state, tw_model_buffer_t *out)
{
    tw_model_buffer_t items = {0};
    size_t count = 0;

    if (reply_field(state, "err", out) || reply_field(state, "ok", out))
        return;
    luaL_checkstack(state, 4, "reply");
    for (int i = 1;; ++i) {
        lua_rawgeti(state, -1, i);
        bool ended = lua_isnil(state, -1);
        if (!ended) {
            tw_model_lua_reply(state, &items);
            ++count;
        }
        lua_pop(state, 1);
        if (ended)
            break;
    }
    tw_model_reply_array(out, count);
    tw_model_buffer_append(out, items.bytes, items.len);
    tw_model_buffer_dispose(&items);
}

void tw_model_lua_reply(lua_State *state, tw_model_buffer_t *out)
{
    size_t len;
    const char *text;

    switch (lua_type(state, -1)) {
    case LUA_TSTRING:
        text = lua_tolstring(state, -1, &len);
        tw_model_reply_bulk(out, text, len);
        break;
    case LUA_TNUMBER:
        tw_model_reply_integer(out, (int64_t)lua_tonumber(state, -1));
        break;
    case LUA_TBOOLEAN:
        if (lua_toboolean(state, -1))
            tw_model_reply_integer(out, 1);
        else
            tw_model_reply_nil(out);
        break;
    case LUA_TTABLE:
        reply_table(state, out);
        break;
    default:
        tw_model_reply_nil(out);
        break;
    }
}
