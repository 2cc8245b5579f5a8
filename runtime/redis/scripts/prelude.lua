-- The build puts this in front of every script. What the keys mean stands in docs/internals/redis.md.
-- KEYS[1] is the lane: what the names of all its keys begin with, such as "tw:{0}:".
-- ARGV[1] is the epoch that the caller is in, ARGV[2] (where the script says so) its registration and session,
-- "<registration>/<number>". A session ends with its links, but what was sent on them may arrive after the next one has
-- begun: the number tells them apart.
local L, call = KEYS[1], redis.call
local own, session = string.match(ARGV[2] or '', '^([^/]+)/(%d+)$')

-- Lua's numbers are doubles, exact for all that is counted here, but the usual text of a large one loses digits.
local function text(number) return string.format('%.0f', number) end

local function now_ms()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The error that a caller of another epoch gets, or (if asked) one whose registration or session is over; nil: go on.
local function refusal(is_own)
  if call('HGET', L .. 'state', 'id') ~= ARGV[1] then
    return redis.error_reply('EPOCH the data set is another one')
  end
  if is_own and call('HGET', L .. 'inboxes', own .. ':s') ~= session then
    return redis.error_reply('BURIED the registration or its session has ended')
  end
end

-- Redis refuses the first write of a script when its memory is full, and none after that. What keeps the cluster
-- together is small and goes on, so it begins with a write that frees.
local function even_if_full() call('DEL', L .. 'none') end

-- What is known about a topic: its registrations and their streams, its newest number, the end of its window.
local function read_topic(name)
  local row = call('HGETALL', L .. 't:' .. name)
  local topic = {registrations = {}, streams = {}, newest = '0', window = 0, listed = false}
  for i = 1, #row, 2 do
    local field, value = row[i], row[i + 1]
    if field == 'e' then
      topic.newest = value
    elseif field == 'w' then
      topic.window = tonumber(value)
    else
      local streams = tonumber(value)
      topic.registrations[#topic.registrations + 1] = field
      topic.streams[#topic.streams + 1] = streams
      topic.listed = topic.listed or streams > 0
    end
  end
  return topic
end
