-- With: listing.lua
-- A page of all streams, by their ids. Ids begin with the instance of their process, so one node's stand after another's.
--
-- ARGV: epoch, rows to pass over, rows, prefix of ids
-- Answer: {total, node id, '<id> <json>', …}
local wrong = refusal()
if wrong then return wrong end
local from, count, total, answer = tonumber(ARGV[2]), tonumber(ARGV[3]), 0, {0}
local nodes = live_nodes()
table.sort(nodes, function(a, b) return a.registration < b.registration end)

for _, node in ipairs(nodes) do
  local key = L .. 'n:' .. node.registration .. ':c'
  local first, here = range(key, ARGV[4])
  if from < here and count > 0 then
    local take = math.min(count, here - from)
    for _, member in ipairs(call('ZRANGE', key, text(first + from), text(first + from + take - 1))) do
      answer[#answer + 1] = node.id
      answer[#answer + 1] = member
    end
    count = count - take
  end
  from = math.max(0, from - here)
  total = total + here
end
answer[1] = total
return answer
