-- Which topics have had events in a range of numbers, of which a registration got none.
-- The chain tells it even where the history is cut: an entry names the number of the topic's event before it.
--
-- ARGV: epoch, registration, number before the range, last number of it, topic…
-- Answer: {1 if something of the topic was missed or may have been, 0 if not, …}
local wrong = refusal(true)
if wrong then return wrong end
local after, upto = tonumber(ARGV[3]), ARGV[4]
local floor = tonumber(call('HGET', L .. 'state', 'floor') or '0')

local function newest_in_range(name)
  local history = L .. 'h:' .. name
  local entry = call('XREVRANGE', history, upto, '-', 'COUNT', 1)[1]
  if entry then return tonumber(string.match(entry[1], '^%d+')) end
  entry = call('XRANGE', history, '(' .. upto .. '-18446744073709551615', '+', 'COUNT', 1)[1]
  local before = entry and string.match(entry[1], '%d+$') or read_topic(name).newest
  return before ~= '0' and tonumber(before) or floor
end

local answer = {}
for i = 5, #ARGV do answer[i - 4] = newest_in_range(ARGV[i]) > after and 1 or 0 end
return answer
