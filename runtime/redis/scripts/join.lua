-- Makes a registration part of the cluster, or finds that it still is.
-- A server whose identity is not that of the state has lost what the old one had, or may have: another epoch begins.
-- Members of an epoch that is over come back one after the other. Until they had time to, no topic counts as one that
-- nobody follows: the state's `grace` is the end of that time.
--
-- ARGV: epoch of the caller ('' none), registration, the server's identity, id for an epoch that would begin,
--       registration to make if the first one has ended, ms of a lease, number of the session that begins
-- Answer: {epoch, newest number, number before the epoch's first, floor, 1 if the registration was there,
--          newest number in its inbox}
local known, registration, run, fresh, successor, lease, number = unpack(ARGV)
local state = call('HMGET', L .. 'state', 'id', 'run', 'seq', 'start', 'floor')
local id, seq, start, floor = state[1], state[3] or '0', state[4], state[5] or '0'

even_if_full()
if not id or state[2] ~= run then
  id, start = fresh, seq
  call('UNLINK', L .. 'inboxes')
  call('HSET', L .. 'state', 'id', id, 'run', run, 'seq', seq, 'start', start, 'floor', floor)
end
if known ~= '' and known ~= id then
  call('HSET', L .. 'state', 'grace', text(now_ms() + lease))
end
local newest = call('HGET', L .. 'inboxes', registration .. ':e')
if newest and known == id then
  call('HSET', L .. 'inboxes', registration .. ':s', number)
  call('HDEL', L .. 'inboxes', registration .. ':d')
  return {id, seq, start, floor, 1, newest}
end

-- The old one is over at once, so that no listing shows its node twice.
call('HDEL', L .. 'inboxes', registration .. ':e', registration .. ':b', registration .. ':s', registration .. ':d')
if call('ZSCORE', L .. 'nodes', registration) then call('ZADD', L .. 'nodes', 0, registration) end
call('HSET', L .. 'inboxes', successor .. ':e', seq, successor .. ':b', '0', successor .. ':s', number)
call('ZADD', L .. 'nodes', text(now_ms() + lease), successor)
return {id, seq, start, floor, 0, seq}
