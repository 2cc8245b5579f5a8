-- With: listing.lua
-- Who follows a topic.
--
-- ARGV: epoch, topic
-- Answer: {registration, node id, streams, …} by node id
local wrong = refusal()
if wrong then return wrong end
local answer = {}

for _, node in ipairs(live_nodes()) do
  local streams = call('HGET', L .. 't:' .. ARGV[2], node.registration)
  if streams and streams ~= '0' then
    for _, value in ipairs({node.registration, node.id, streams}) do answer[#answer + 1] = value end
  end
end
return answer
