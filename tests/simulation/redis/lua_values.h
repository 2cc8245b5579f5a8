/** Replies of Redis as values of Lua, and values of Lua as replies: as Redis' script.c has them. */
#ifndef TW_SIM_REDIS_LUA_VALUES_H
#define TW_SIM_REDIS_LUA_VALUES_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "tests/simulation/redis/server_inside.h"

/** Pushes the value of one reply: false for nil, {ok=…} for a status, {err=…} for an error. */
void tw_model_lua_push_reply(lua_State *state, const tw_model_buffer_t *reply);

/** Pushes {err=…} of "-CODE text"; without a blank the code is ERR. */
void tw_model_lua_push_error(lua_State *state, const char *error);

/** Writes the value on top as a reply: numbers lose their fraction, false is nil, a table ends at
 * its first nil. */
void tw_model_lua_reply(lua_State *state, tw_model_buffer_t *out);

#endif
