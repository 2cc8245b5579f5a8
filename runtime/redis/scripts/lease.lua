-- Renews a registration's lease and says what it has to know about itself and the others.
--
-- ARGV: epoch, own, ms of the lease, {field, value}… of what the node says about itself
-- Answer: {newest number, newest number in its inbox, 1 if the inbox was cut, floor, {own, node id}… of all
--          whose lease runs}
local wrong = refusal(true)
if wrong then return wrong end
local now = now_ms()

even_if_full()
call('ZADD', L .. 'nodes', text(now + ARGV[3]), own)
call('HSET', L .. 'n:' .. own, unpack(ARGV, 4))
call('HDEL', L .. 'inboxes', own .. ':d')
local inbox = call('HMGET', L .. 'inboxes', own .. ':e', own .. ':b')
local state = call('HMGET', L .. 'state', 'seq', 'floor', 'grace')
if state[3] and tonumber(state[3]) <= now then call('HDEL', L .. 'state', 'grace') end
-- A clock that was ahead has granted leases that would last for ever.
for _, other in ipairs(call('ZRANGEBYSCORE', L .. 'nodes', text(now + 2 * ARGV[3]), '+inf')) do
  call('ZADD', L .. 'nodes', text(now + ARGV[3]), other)
end
local answer = {state[1], inbox[1], inbox[2] == 'cut' and 1 or 0, state[2]}
for _, other in ipairs(call('ZRANGEBYSCORE', L .. 'nodes', text(now), '+inf')) do
  answer[#answer + 1] = other
  answer[#answer + 1] = call('HGET', L .. 'n:' .. other, 'nodeId') or ''
end
return answer
