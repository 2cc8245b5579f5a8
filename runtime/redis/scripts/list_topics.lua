-- With: listing.lua
-- A page of the lane's followed topics, in byte order. One that only dead nodes follow is there until they are buried,
-- without nodes.
--
-- ARGV: epoch, rows to pass over, rows, prefix
-- Answer: {total, topic, {node id, streams, …}, …}
local wrong = refusal()
if wrong then return wrong end
local from, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local first, total = range(L .. 'topics', ARGV[4])
local answer, nodes = {total}, live_nodes()
if from >= total or count == 0 then return answer end

count = math.min(count, total - from)
local names = call('ZRANGE', L .. 'topics', text(first + from), text(first + from + count - 1))
for _, topic in ipairs(read_topics(names)) do
  local row = {}
  for _, node in ipairs(nodes) do
    local here = topic.streams[node.registration] or 0
    if here > 0 then
      row[#row + 1] = node.id
      row[#row + 1] = text(here)
    end
  end
  answer[#answer + 1] = topic.name
  answer[#answer + 1] = row
end
return answer
