-- With: listing.lua
-- All nodes.
--
-- ARGV: epoch
-- Answer: {{registration, node id, field, value, …}, …} by registration
local wrong = refusal()
if wrong then return wrong end
local answer, nodes = {}, live_nodes()
-- By name: Redis keeps the fields of a hash in no order once one of them is long.
local fields = {'hostname', 'ip', 'version', 'startedAt', 'state', 'figures'}
table.sort(nodes, function(a, b) return a.registration < b.registration end)

for i, node in ipairs(nodes) do
  local row = {node.registration, node.id}
  for j, value in ipairs(call('HMGET', L .. 'n:' .. node.registration, unpack(fields))) do
    row[#row + 1] = fields[j]
    row[#row + 1] = value or ''
  end
  answer[i] = row
end
return answer
