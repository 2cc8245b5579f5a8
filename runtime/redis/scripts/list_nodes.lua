-- With: listing.lua
-- All nodes.
--
-- ARGV: epoch
-- Answer: {{registration, node id, field, value, …}, …} by registration
local wrong = refusal()
if wrong then return wrong end
local answer, nodes = {}, live_nodes()
table.sort(nodes, function(a, b) return a.registration < b.registration end)

for i, node in ipairs(nodes) do
  answer[i] = {node.registration, node.id, unpack(call('HGETALL', L .. 'n:' .. node.registration))}
end
return answer
