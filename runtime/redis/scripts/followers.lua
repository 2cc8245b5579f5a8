-- With: listing.lua
-- Who follows a topic; or all nodes, without their streams.
--
-- ARGV: epoch, topic ('' all nodes)
-- Answer: {registration, node id, streams, …} by node id
local wrong = refusal()
if wrong then return wrong end
local topic, answer = read_topic(ARGV[2]), {}

for _, node in ipairs(live_nodes()) do
  local streams = topic.streams[node.registration] or 0
  if streams > 0 or ARGV[2] == '' then
    for _, value in ipairs({node.registration, node.id, text(streams)}) do answer[#answer + 1] = value end
  end
end
return answer
