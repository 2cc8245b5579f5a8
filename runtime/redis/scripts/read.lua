-- A piece of a topic's history, newest first. It ends with the event that makes it longer than asked for.
--
-- ARGV: epoch, topic, number of the newest event that is asked for ('+': of all), bytes, events at most
-- Answer: {1 if there is more, the topic's newest number (up to the one that is asked for) if no event is given, floor,
--          {id, body}…}; an id is <number>-<the one before it>
local wrong = refusal()
if wrong then return wrong end
local history, to, bytes, left = L .. 'h:' .. ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local answer = {0, read_topic(ARGV[2]).newest, call('HGET', L .. 'state', 'floor') or '0'}
local count = 4

while left > 0 and bytes > 0 do
  local entries = call('XREVRANGE', history, to, '-', 'COUNT', count)
  for _, entry in ipairs(entries) do
    if left == 0 or bytes <= 0 then break end
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = entry[2][2]
    bytes, left, to = bytes - #entry[2][2], left - 1, '(' .. entry[1]
  end
  if #entries < count then break end
  count = math.min(64, count * 2)
end
if #answer == 3 and to ~= '+' then
  local later = call('XRANGE', history, '(' .. to .. '-18446744073709551615', '+', 'COUNT', 1)[1]
  if later then answer[2] = string.match(later[1], '%d+$') end
end
if left == 0 or bytes <= 0 then answer[1] = #call('XREVRANGE', history, to, '-', 'COUNT', 1) end
return answer
