-- The build puts this in front of every script. What the keys mean stands in docs/internals/redis.md.
-- KEYS[1] is the lane: what the names of all its keys begin with, such as "tw:{0}:".
-- ARGV[1] is the epoch that the caller is in, ARGV[2] (where the script says so) its registration and session,
-- "<registration>/<number>". A session ends with its links, but what was sent on them may arrive after the next one has
-- begun: the number tells them apart.
local L, call = KEYS[1], redis.call
local own, session = string.match(ARGV[2] or '', '^([^/]+)/(%d+)$')

-- Lua's numbers are doubles, exact for all that is counted here, but the usual text of a large one loses digits.
local function text(number) return string.format('%d', number) end

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

-- Puts a message into a registration's inbox, with a number as an event has one. False: it has ended.
local function send_message(registration, message)
  local inbox = call('HMGET', L .. 'inboxes', registration .. ':e', registration .. ':b')
  if not inbox[1] then return false end
  local number = text(call('HINCRBY', L .. 'state', 'seq', 1))
  if inbox[2] ~= 'cut' then
    call('XADD', L .. 'i:' .. registration, number .. '-' .. inbox[1], 'm', message)
    call('HINCRBY', L .. 'inboxes', registration .. ':b', #message)
  end
  call('HSET', L .. 'inboxes', registration .. ':e', number)
  return true
end

-- A topic is one text: "<newest number> <end of the window> <registration> <streams> <registration> <streams>…". Taken
-- apart: newest and window as texts, and the rest with a space in front of each word.
local function split_topic(row)
  if not row then return '0', '0', '' end
  return string.match(row, '^(%d+) (%d+)(.*)$')
end

-- What is known about topics, in the order of their names: the newest number, the end of the window, the streams of the
-- registrations. One command reads them all.
local function read_topics(names)
  local keys, topics = {}, {}
  for i, name in ipairs(names) do keys[i] = L .. 't:' .. name end
  if #keys == 0 then return topics end
  local rows = call('MGET', unpack(keys))
  for i = 1, #keys do
    local newest, window, followers = split_topic(rows[i])
    local topic = {name = names[i], newest = newest, window = tonumber(window), streams = {}}
    for registration, streams in string.gmatch(followers, ' (%S+) (%d+)') do
      topic.streams[registration] = tonumber(streams)
    end
    topics[i] = topic
  end
  return topics
end

local function read_topic(name) return read_topics({name})[1] end

local function is_followed(topic) return next(topic.streams) ~= nil end

local function is_listed(topic)
  for _, streams in pairs(topic.streams) do
    if streams > 0 then return true end
  end
  return false
end

-- In the order of the registrations, so that topics with the same followers have the same text.
local function topic_text(topic)
  local words = {}
  for registration, streams in pairs(topic.streams) do words[#words + 1] = registration .. ' ' .. text(streams) end
  table.sort(words)
  return table.concat({topic.newest, text(topic.window), unpack(words)}, ' ')
end

-- A command about many members at once: at most 4,000 words, of which Lua can hand over 8,000.
local function call_with(command, key, words)
  if #words > 0 then call(command, key, unpack(words)) end
end

local function write_topics(topics)
  local words = {}
  for _, topic in ipairs(topics) do
    words[#words + 1] = L .. 't:' .. topic.name
    words[#words + 1] = topic_text(topic)
  end
  if #words > 0 then call('MSET', unpack(words)) end
end
