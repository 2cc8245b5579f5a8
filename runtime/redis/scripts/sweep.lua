-- Forgets topics that nobody follows, some at a time: history, window and all. What is forgotten is remembered as one
-- number, the floor: nothing up to it can be proven to be complete from a history that begins without a predecessor.
--
-- ARGV: epoch, topics at most, ms without an event after which an unfollowed topic is forgotten
-- Answer: how many were looked at
local wrong = refusal()
if wrong then return wrong end
local now = now_ms()
local names = call('ZRANGEBYSCORE', L .. 'ages', '-inf', text(now - ARGV[3]), 'LIMIT', 0, ARGV[2])
local floor = tonumber(call('HGET', L .. 'state', 'floor') or '0')

for _, topic in ipairs(read_topics(names)) do
  local name = topic.name
  if is_followed(topic) or topic.window > now then
    call('ZADD', L .. 'ages', text(math.max(now, topic.window)), name)
  else
    floor = math.max(floor, tonumber(topic.newest))
    call('UNLINK', L .. 't:' .. name, L .. 'h:' .. name)
    call('ZREM', L .. 'ages', name)
  end
end
if #names > 0 then call('HSET', L .. 'state', 'floor', text(floor)) end
return #names
