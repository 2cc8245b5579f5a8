#include "runtime/redis/scripts.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

/*
 * Lua's numbers are doubles: exact for what is counted here, but they must be printed by %.0f, or a
 * large one loses digits.
 */
#define PROLOGUE                                                                                   \
    "local function n(x) return string.format('%.0f', x) end\n"                                    \
    "local function topic(t) return 'tw:{t:' .. t .. '}' end\n"                                    \
    "local function node(x) return 'tw:{n:' .. x .. '}' end\n"                                     \
    "local function now_us() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end\n"      \
    "local function now_ms() return math.floor(now_us() / 1000) end\n"

/* Number that was the newest one longer than `ttl` ago; see LEASE. */
#define FLOOR                                                                                      \
    "local function floor(ttl)\n"                                                                  \
    "  local now = now_ms()\n"                                                                     \
    "  local past, seq = n(now - ttl), redis.call('GET', 'tw:seq')\n"                              \
    "  local old = redis.call('ZREVRANGEBYSCORE', 'tw:marks', past, '-inf', 'LIMIT', 0, 1)\n"      \
    "  if old[1] then\n"                                                                           \
    "    redis.call('HSET', 'tw:epoch', 'floor', old[1])\n"                                        \
    "    redis.call('ZREMRANGEBYSCORE', 'tw:marks', '-inf', past)\n"                               \
    "  end\n"                                                                                      \
    "  if seq then redis.call('ZADD', 'tw:marks', 'NX', n(now), seq) end\n"                        \
    "  return redis.call('HGET', 'tw:epoch', 'floor') or '0'\n"                                    \
    "end\n"

/* No node but `except` has followers of the topic. */
#define UNFOLLOWED                                                                                 \
    "local nodes = redis.call('ZRANGE', 'tw:nodes', 0, -1)\n"                                      \
    "local function forget(t, except)\n"                                                           \
    "  for _, x in ipairs(nodes) do\n"                                                             \
    "    if x ~= except and redis.call('HEXISTS', node(x) .. ':t', t) == 1 then return end\n"      \
    "  end\n"                                                                                      \
    "  redis.call('ZREM', 'tw:topics', t)\n"                                                       \
    "end\n"

/* Nobody subscribes, but the topic's window runs, or its node may be dead and not buried yet. */
#define LINGERS                                                                                    \
    "local function lingers(t)\n"                                                                  \
    "  if redis.call('EXISTS', topic(t) .. ':w') == 1 then return true end\n"                      \
    "  for _, x in ipairs(redis.call('ZRANGE', 'tw:nodes', 0, -1)) do\n"                           \
    "    if redis.call('HEXISTS', node(x) .. ':t', t) == 1 then return true end\n"                 \
    "  end\n"                                                                                      \
    "  return false\n"                                                                             \
    "end\n"

#define RANGE                                                                                      \
    "local function range(key, prefix)\n"                                                          \
    "  local first = 0\n"                                                                          \
    "  if prefix ~= '' then first = redis.call('ZLEXCOUNT', key, '-', '(' .. prefix) end\n"        \
    "  local count\n"                                                                              \
    "  if prefix == '' then count = redis.call('ZCARD', key)\n"                                    \
    "  else count = redis.call('ZLEXCOUNT', key, '[' .. prefix, '(' .. prefix .. '\\127') end\n"   \
    "  return first, count\n"                                                                      \
    "end\n"

static const char *const texts[TW_REDIS_SCRIPT_COUNT] = {
    /*
     * A server that started anew, or that took over from a master, may lack events that were given
     * out: another epoch begins, above every number that its past can have reached.
     */
    [TW_REDIS_SCRIPT_JOIN] = PROLOGUE FLOOR
    "local seq = redis.call('GET', 'tw:seq')\n"
    "if not seq or redis.call('HGET', 'tw:epoch', 'run') ~= ARGV[1] then\n"
    "  seq = n(math.max(now_us(), tonumber(seq or '0') + 1))\n"
    "  redis.call('SET', 'tw:seq', seq)\n"
    "  redis.call('HSET', 'tw:epoch', 'id', ARGV[2], 'run', ARGV[1], 'start', seq)\n"
    "end\n"
    "return {redis.call('HGET', 'tw:epoch', 'id'), seq, redis.call('HGET', 'tw:epoch', 'start'),\n"
    "  floor(ARGV[3])}\n",

    /*
     * Several events in one call, which share what a call costs. The number of a data set that was
     * emptied under us starts at 1: nothing may be given out then. A topic's history is cut by
     * whole nodes of its stream, so it is a little longer than asked for.
     */
    [TW_REDIS_SCRIPT_PUBLISH] = PROLOGUE LINGERS
    "local call, keep, ttl, windows = redis.call, ARGV[1], ARGV[2], ARGV[3] == '1'\n"
    "local seq = call('INCRBY', 'tw:seq', ARGV[4])\n"
    "if seq < 1000000000 then\n"
    "  call('DEL', 'tw:seq')\n"
    "  return redis.error_reply('LOADING the data set was emptied')\n"
    "end\n"
    "seq = seq - ARGV[4]\n"
    "local answer, at = {n(seq + 1)}, 5\n"
    "while at < #ARGV do\n"
    "  seq = seq + 1\n"
    "  local number, body, last = n(seq), ARGV[at], at + 2 + ARGV[at + 2]\n"
    "  local message, id = number .. ' ' .. body, number .. '-0'\n"
    "  for i = at + 3, last do\n"
    "    local key = topic(ARGV[i])\n"
    "    local receivers = call('PUBLISH', key, message)\n"
    "    if receivers == 0 and not (windows and lingers(ARGV[i])) then\n"
    "      receivers = -1\n"
    "    elseif not call('XADD', key, 'NOMKSTREAM', 'MAXLEN', '~', keep, id, 'e', body) then\n"
    "      call('XADD', key, id, 'e', body)\n"
    "      call('PEXPIRE', key, ttl)\n"
    "    elseif ARGV[at + 1] == '1' then\n"
    "      call('PEXPIRE', key, ttl)\n"
    "    end\n"
    "    answer[#answer + 1] = receivers\n"
    "  end\n"
    "  at = last + 1\n"
    "end\n"
    "return answer\n",

    [TW_REDIS_SCRIPT_FOLLOWED] = PROLOGUE LINGERS
    "local answer = {}\n"
    "for i, t in ipairs(ARGV) do\n"
    "  local followed = redis.call('PUBSUB', 'NUMSUB', topic(t))[2] > 0 or lingers(t)\n"
    "  answer[i] = followed and 1 or 0\n"
    "end\n"
    "return answer\n",

    [TW_REDIS_SCRIPT_MARK] = PROLOGUE
    "local seq = redis.call('GET', 'tw:seq')\n"
    "if not seq then return redis.error_reply('LOADING the data set was emptied') end\n"
    "redis.call('PUBLISH', node(ARGV[1]), 'M ' .. ARGV[2] .. ' ' .. seq)\n"
    "return seq\n",

    /*
     * Lost: the stream was full, so something between `after` and its oldest event may be gone.
     * Ends after the topic that makes the answer long; the answer opens with how many topics it is
     * about.
     */
    [TW_REDIS_SCRIPT_FILL] = PROLOGUE
    "local after, keep, room = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local answer = {0}\n"
    "for i = 4, #ARGV do\n"
    "  if room <= 0 then break end\n"
    "  answer[1] = i - 3\n"
    "  local key = topic(ARGV[i])\n"
    "  local events = redis.call('XRANGE', key, '(' .. ARGV[1], '+')\n"
    "  if #events > 0 then\n"
    "    local row = {i - 4, 0}\n"
    "    if redis.call('XLEN', key) >= keep then\n"
    "      local oldest = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)[1][1]\n"
    "      if tonumber(string.match(oldest, '^%d+')) > after then row[2] = 1 end\n"
    "    end\n"
    "    for _, e in ipairs(events) do\n"
    "      row[#row + 1] = e[1]\n"
    "      row[#row + 1] = e[2][2]\n"
    "      room = room - #e[2][2]\n"
    "    end\n"
    "    answer[#answer + 1] = row\n"
    "  end\n"
    "end\n"
    "return answer\n",

    [TW_REDIS_SCRIPT_PRIME] = PROLOGUE
    "local key = topic(ARGV[1])\n"
    "return {redis.call('XLEN', key), redis.call('XREVRANGE', key, '+', '-', 'COUNT', ARGV[2])}\n",

    /*
     * The floor is a number that was the newest one longer ago than a topic without events is kept:
     * what came after it is still there, unless it made room for newer ones of its topic.
     */
    [TW_REDIS_SCRIPT_LEASE] = PROLOGUE FLOOR
    "local key, now = node(ARGV[1]), now_ms()\n"
    "local existed = redis.call('EXISTS', key)\n"
    "for i = 4, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end\n"
    "redis.call('ZADD', 'tw:nodes', n(now + ARGV[2]), ARGV[1])\n"
    "local answer = redis.call('ZRANGEBYSCORE', 'tw:nodes', n(now), '+inf')\n"
    "table.insert(answer, 1, floor(ARGV[3]))\n"
    "table.insert(answer, 1, existed)\n"
    "return answer\n",

    /*
     * Takes away a node, or one whose lease ran out, and up to so many of its topics: one that is
     * back before all are gone sees by its lease that it has to register them again.
     */
    [TW_REDIS_SCRIPT_LEAVE] = PROLOGUE UNFOLLOWED
    "local x = ARGV[1]\n"
    "if x == '' then\n"
    "  x = redis.call('ZRANGEBYSCORE', 'tw:nodes', '-inf', n(now_ms()), 'LIMIT', 0, 1)[1]\n"
    "  if not x then return 0 end\n"
    "end\n"
    "local key = node(x)\n"
    "redis.call('UNLINK', key)\n"
    "local found = redis.call('HSCAN', key .. ':t', 0, 'COUNT', ARGV[2])[2]\n"
    "for i = 1, #found, 2 do\n"
    "  redis.call('HDEL', key .. ':t', found[i])\n"
    "  forget(found[i], x)\n"
    "  if ARGV[3] ~= '0' then redis.call('SET', topic(found[i]) .. ':w', 1, 'PX', ARGV[3]) end\n"
    "end\n"
    "if redis.call('EXISTS', key .. ':t') == 1 then return 1 end\n"
    "redis.call('UNLINK', key .. ':c')\n"
    "redis.call('ZREM', 'tw:nodes', x)\n"
    "return ARGV[1] == '' and 2 or 0\n",

    [TW_REDIS_SCRIPT_STREAMS] = PROLOGUE
    "local key, adds, added = node(ARGV[1]) .. ':c', tonumber(ARGV[2]), 0\n"
    "if adds > 0 then added = redis.pcall('ZADD', key, unpack(ARGV, 3, 2 + 2 * adds)) end\n"
    "for i = 3 + 2 * adds, #ARGV do\n"
    "  redis.call('ZREMRANGEBYLEX', key, '[' .. ARGV[i] .. ' ', '(' .. ARGV[i] .. '!')\n"
    "end\n"
    "return added\n",

    [TW_REDIS_SCRIPT_TOPICS] = PROLOGUE UNFOLLOWED
    "local key, followed, added = node(ARGV[1]) .. ':t', tonumber(ARGV[2]), 0\n"
    "if followed > 0 then added = redis.pcall('HSET', key, unpack(ARGV, 3, 2 + 2 * followed)) end\n"
    "if type(added) == 'number' and added > 0 then\n"
    "  local topics = {}\n"
    "  for i = 3, 1 + 2 * followed, 2 do\n"
    "    topics[#topics + 1] = 0\n"
    "    topics[#topics + 1] = ARGV[i]\n"
    "  end\n"
    "  redis.call('ZADD', 'tw:topics', unpack(topics))\n"
    "end\n"
    "for i = 3 + 2 * followed, #ARGV do\n"
    "  if redis.call('HDEL', key, ARGV[i]) == 1 then forget(ARGV[i], ARGV[1]) end\n"
    "end\n"
    "return added\n",

    [TW_REDIS_SCRIPT_FOLLOWERS] = PROLOGUE
    "local answer, nodes = {}, redis.call('ZRANGEBYSCORE', 'tw:nodes', n(now_ms()), '+inf')\n"
    "table.sort(nodes)\n"
    "for _, x in ipairs(nodes) do\n"
    "  local count = redis.call('HGET', node(x) .. ':t', ARGV[1])\n"
    "  if count then\n"
    "    answer[#answer + 1] = x\n"
    "    answer[#answer + 1] = count\n"
    "  end\n"
    "end\n"
    "return answer\n",

    [TW_REDIS_SCRIPT_CALL_OWNER] = PROLOGUE
    "for _, x in ipairs(redis.call('ZRANGE', 'tw:nodes', 0, -1)) do\n"
    "  if redis.call('HGET', node(x), 'instance') == ARGV[1] then\n"
    "    return {redis.call('PUBLISH', node(x), ARGV[2]), ARGV[3]}\n"
    "  end\n"
    "end\n"
    "return {0, ARGV[3]}\n",

    [TW_REDIS_SCRIPT_LIST_NODES] = PROLOGUE
    "local answer = {}\n"
    "for i, x in ipairs(redis.call('ZRANGEBYSCORE', 'tw:nodes', n(now_ms()), '+inf')) do\n"
    "  local row = redis.call('HGETALL', node(x))\n"
    "  table.insert(row, 1, redis.call('ZCARD', node(x) .. ':c'))\n"
    "  table.insert(row, 1, x)\n"
    "  answer[i] = row\n"
    "end\n"
    "table.sort(answer, function(a, b) return a[1] < b[1] end)\n"
    "return answer\n",

    [TW_REDIS_SCRIPT_LIST_TOPICS] = PROLOGUE RANGE
    "local first, total = range('tw:topics', ARGV[3])\n"
    "local from, count = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
    "local answer = {total}\n"
    "if from >= total then return answer end\n"
    "count = math.min(count, total - from)\n"
    "local page = redis.call('ZRANGE', 'tw:topics', n(first + from), n(first + from + count - 1))\n"
    "local rows = {}\n"
    "for i, t in ipairs(page) do\n"
    "  rows[i] = {}\n"
    "  answer[#answer + 1] = t\n"
    "  answer[#answer + 1] = rows[i]\n"
    "end\n"
    "local nodes = redis.call('ZRANGEBYSCORE', 'tw:nodes', n(now_ms()), '+inf')\n"
    "table.sort(nodes)\n"
    "for _, x in ipairs(nodes) do\n"
    "  if #page > 0 then\n"
    "    for i, c in ipairs(redis.call('HMGET', node(x) .. ':t', unpack(page))) do\n"
    "      if c then\n"
    "        table.insert(rows[i], x)\n"
    "        table.insert(rows[i], c)\n"
    "      end\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return answer\n",

    /* Ids begin with their process's own number, so one node's streams stand after another's. */
    [TW_REDIS_SCRIPT_LIST_STREAMS] = PROLOGUE RANGE
    "local from, count, prefix = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]\n"
    "local nodes, total, answer = {}, 0, {0}\n"
    "for _, x in ipairs(redis.call('ZRANGEBYSCORE', 'tw:nodes', n(now_ms()), '+inf')) do\n"
    "  nodes[#nodes + 1] = {redis.call('HGET', node(x), 'instance') or '', x}\n"
    "end\n"
    "table.sort(nodes, function(a, b) return a[1] < b[1] end)\n"
    "for _, x in ipairs(nodes) do\n"
    "  local key = node(x[2]) .. ':c'\n"
    "  local first, here = range(key, prefix)\n"
    "  if from < here and count > 0 then\n"
    "    local take = math.min(count, here - from)\n"
    "    for _, member in ipairs(redis.call('ZRANGE', key, n(first + from), n(first + from + take "
    "- 1))) do\n"
    "      answer[#answer + 1] = x[2]\n"
    "      answer[#answer + 1] = member\n"
    "    end\n"
    "    count = count - take\n"
    "  end\n"
    "  from = math.max(0, from - here)\n"
    "  total = total + here\n"
    "end\n"
    "answer[1] = total\n"
    "return answer\n",
};

const char *tw_redis_script_text(tw_redis_script_t script)
{
    return texts[script];
}

void tw_redis_script_sha(tw_redis_script_t script, char sha[TW_REDIS_SHA_LEN + 1])
{
    unsigned char digest[SHA_DIGEST_LENGTH];

    SHA1((const unsigned char *)texts[script], strlen(texts[script]), digest);
    for (size_t i = 0; i < sizeof(digest); ++i)
        snprintf(sha + 2 * i, 3, "%02x", digest[i]);
}
