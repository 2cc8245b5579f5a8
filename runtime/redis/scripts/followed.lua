-- Whether a publish to these topics would be accepted now.
--
-- ARGV: epoch, topic…
-- Answer: {1 or 0, …}
local state = call('HMGET', L .. 'state', 'id', 'grace')
if state[1] ~= ARGV[1] then return redis.error_reply('EPOCH the data set is another one') end
local now, answer = now_ms(), {}
local grace = state[2] and tonumber(state[2]) > now

for i, topic in ipairs(read_topics({unpack(ARGV, 2)})) do
  answer[i] = (grace or is_followed(topic) or topic.window > now) and 1 or 0
end
return answer
