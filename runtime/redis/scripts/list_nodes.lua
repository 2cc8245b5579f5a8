-- With: listing.lua
-- All nodes.
--
-- ARGV: epoch
-- Answer: {{node id, streams, field, value, …}, …} by node id
local wrong = refusal()
if wrong then return wrong end
local answer = {}

for i, node in ipairs(live_nodes()) do
  local key = L .. 'n:' .. node.registration
  answer[i] = {node.id, call('ZCARD', key .. ':c'), unpack(call('HGETALL', key))}
end
return answer
