-- Makes a registration part of the cluster, or finds that it still is.
-- A server whose identity is not that of the state has lost what the old one had, or may have: another epoch begins.
-- Members of an epoch that is over come back one after the other. Until they had time to, no topic counts as one that
-- nobody follows: the state's `grace` is the end of that time.
-- All members have the same layout, "<lanes>:<id>", for a topic's lane depends on how many there are. Whoever has another
-- one waits until no member lives any more, and then begins another epoch. Its id tells a layout from one of before it
-- with as many lanes, since which topics were elsewhere.
--
-- ARGV: epoch of the caller ('' none), registration, the server's identity, id for an epoch that would begin,
--       registration to make if the first one has ended, ms of a lease, number of the session that begins,
--       number of lanes, layout as far as it is known, 1 if the caller takes another id of the layout over
-- Answer: {epoch, newest number, number before the epoch's first, floor, 1 if the registration was there,
--          newest number in its inbox, layout}
local known, registration, run, fresh, successor, lease, number, lanes, layout, takes = unpack(ARGV)
local state = call('HMGET', L .. 'state', 'id', 'run', 'seq', 'start', 'floor', 'layout')
local id, seq, start, floor, there = state[1], state[3] or '0', state[4], state[5] or '0', state[6] or '1:0'

local function others_live()
  local live = call('ZCOUNT', L .. 'nodes', '(' .. text(now_ms()), '+inf')
  local own_lease = tonumber(call('ZSCORE', L .. 'nodes', registration) or '0')
  return live > (own_lease > now_ms() and 1 or 0)
end

if not id then
  if layout == '' then layout = lanes .. ':' .. fresh end
elseif takes == '1' and string.match(there, '^%d+') == lanes then
  layout = there
elseif layout ~= there then
  if others_live() then
    return redis.error_reply('LANES the other nodes have lanes ' .. there .. ', TIDEWAY_REDIS_LANES is ' .. lanes)
  end
  id = nil
  if takes == '1' then layout = lanes .. ':' .. fresh end
end

even_if_full()
if not id or state[2] ~= run then
  id, start = fresh, seq
  call('UNLINK', L .. 'inboxes')
  call('HSET', L .. 'state', 'id', id, 'run', run, 'seq', seq, 'start', start, 'floor', floor, 'layout', layout)
end
if known ~= '' and known ~= id then
  call('HSET', L .. 'state', 'grace', text(now_ms() + lease))
end
local newest = call('HGET', L .. 'inboxes', registration .. ':e')
if newest and known == id then
  call('HSET', L .. 'inboxes', registration .. ':s', number)
  call('HDEL', L .. 'inboxes', registration .. ':d')
  return {id, seq, start, floor, 1, newest, layout}
end

-- The old one is over at once, so that no listing shows its node twice.
call('HDEL', L .. 'inboxes', registration .. ':e', registration .. ':b', registration .. ':s', registration .. ':d')
if call('ZSCORE', L .. 'nodes', registration) then call('ZADD', L .. 'nodes', 0, registration) end
call('HSET', L .. 'inboxes', successor .. ':e', seq, successor .. ':b', '0', successor .. ':s', number)
call('ZADD', L .. 'nodes', text(now_ms() + lease), successor)
return {id, seq, start, floor, 0, seq, layout}
