-- Numbers events, keeps them in their topics' histories, and puts them into the inboxes of all registrations that follow.
-- First everything is read, once for the whole call, then everything is written: a refusal has changed nothing.
-- Nobody follows a topic if it has no registration, no window that runs, and no grace. Its events are dropped.
--
-- ARGV: epoch, registration, entries that a history keeps, bytes that an inbox may be behind, events, the
--       items "<bytes> <body>" of all, one after the other, {bytes of its item, how many topics, topic…} for each event, and
--       behind all of them the topics whose age is renewed
-- Answer: {number of the first event, and for each event: streams of other registrations that get it, 1 if it comes to
--          the caller's inbox, and for each of its topics 1 accepted or 0 dropped}
local argv, keep, limit, events, items = ARGV, ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local state = call('HMGET', L .. 'state', 'id', 'grace')
if state[1] ~= argv[1] then return redis.error_reply('EPOCH the data set is another one') end

local now
local function has_come(ms)
  now = now or now_ms()
  return tonumber(ms) <= now
end
local grace = state[2] and not has_come(state[2])

-- Reads every topic once. What is asked for every event stands in plain lists, by the topic's place: this is the script
-- whose time every event costs.
local places, keys, histories = {}, {}, {}
local at = 7
for _ = 1, events do
  local last = at + 1 + argv[at + 1]
  for i = at + 2, last do
    local name = argv[i]
    if not places[name] then
      local place = #keys + 1
      places[name], keys[place], histories[place] = place, L .. 't:' .. name, L .. 'h:' .. name
    end
  end
  at = last + 1
end
local rows = call('MGET', unpack(keys))

-- The inboxes of all their registrations, the caller's first. Topics with the same followers share a list of them:
-- {inbox, streams, inbox, streams…}.
local boxes, lists, fields = {[own] = {at = 2}}, {}, {own .. ':s', own .. ':e', own .. ':b'}
local function read_followers(followers)
  local list = {}
  for registration, streams in string.gmatch(followers, ' (%S+) (%d+)') do
    local box = boxes[registration]
    if not box then
      box = {at = #fields + 1}
      boxes[registration] = box
      fields[box.at], fields[box.at + 1] = registration .. ':e', registration .. ':b'
    end
    list[#list + 1] = box
    list[#list + 1] = math.max(tonumber(streams), 1)
  end
  lists[followers] = list
  return list
end
local newest, rest, followed = {}, {}, {} -- number of its newest event, what stands behind that, its list if it is open
for place = 1, #keys do
  local number, window, followers = split_topic(rows[place])
  newest[place], rest[place] = number, ' ' .. window .. followers
  if grace or followers ~= '' or (window ~= '0' and not has_come(window)) then
    followed[place] = lists[followers] or read_followers(followers)
  end
end
local values = call('HMGET', L .. 'inboxes', unpack(fields))
if values[1] ~= session then return redis.error_reply('BURIED the registration or its session has ended') end
for _, box in pairs(boxes) do
  box.before = values[box.at]
  box.behind = tonumber(values[box.at + 1] or '0') or -1 -- cut: nothing is put into it
  box.bytes, box.fields = 0, {}
end
local here_box = boxes[own]

-- Events that follow one another and go to the same inbox are one field: the first one's number, and their items as they
-- came.
local function end_field(box)
  local part = string.sub(items, box.from, box.to)
  box.fields[#box.fields + 1] = text(box.first)
  box.fields[#box.fields + 1] = part
  box.bytes = box.bytes + #part
end
local function put(box, seq, from, to)
  if box.last ~= seq - 1 then
    if box.last then end_field(box) end
    box.first, box.from = seq, from
  end
  box.last, box.to = seq, to
end

-- Writes.
local seq = call('HINCRBY', L .. 'state', 'seq', events) - events
local answer, count, from = {text(seq + 1)}, 1, 1
at = 7
for _ = 1, events do
  seq = seq + 1
  local to, last, summary = from + argv[at] - 1, at + 1 + argv[at + 1], count + 1
  local number, body = text(seq), string.sub(items, string.find(items, ' ', from, true) + 1, to)
  local elsewhere, here = 0, 0
  count = count + 2
  for i = at + 2, last do
    local place = places[argv[i]]
    local list = followed[place]
    count = count + 1
    answer[count] = list and 1 or 0
    if list then
      call('XADD', histories[place], 'MAXLEN', '~', keep, number .. '-' .. newest[place], 'e', body)
      newest[place] = number
      for k = 1, #list, 2 do
        local box = list[k]
        if box.before then
          if box.last ~= seq then put(box, seq, from, to) end
          if box == here_box then
            here = 1
          else
            elsewhere = elsewhere + list[k + 1]
          end
        end
      end
    end
  end
  answer[summary], answer[summary + 1] = elsewhere, here
  at, from = last + 1, to + 1
end

local written = {}
for place in pairs(followed) do
  written[#written + 1] = keys[place]
  written[#written + 1] = newest[place] .. rest[place]
end
if #written > 0 then call('MSET', unpack(written)) end
for i = at, #argv do
  if followed[places[argv[i]]] then call('ZADD', L .. 'ages', text(now or now_ms()), argv[i]) end
end
fields = {}
for registration, box in pairs(boxes) do
  if box.last then
    end_field(box)
    local number, behind = text(box.last), 'cut'
    if box.behind >= 0 and box.behind + box.bytes > limit then
      call('UNLINK', L .. 'i:' .. registration)
    elseif box.behind >= 0 then
      behind = text(box.behind + box.bytes)
      call('XADD', L .. 'i:' .. registration, number .. '-' .. box.before, unpack(box.fields))
    end
    for _, word in ipairs({registration .. ':e', number, registration .. ':b', behind}) do fields[#fields + 1] = word end
  end
end
if #fields > 0 then call('HSET', L .. 'inboxes', unpack(fields)) end
return answer
