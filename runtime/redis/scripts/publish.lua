-- Numbers events, keeps them in their topics' histories, and puts them into the inboxes of all registrations that follow.
-- First everything is read, once for the whole call, then everything is written: a refusal has changed nothing.
-- Nobody follows a topic if it has no registration and no window that runs. Its events are dropped and kept nowhere.
--
-- ARGV: epoch, registration, entries that a history keeps, bytes that an inbox may be behind, events,
--       {body, 1 to renew the age of its topics, how many topics, topic…}…
-- Answer: {number of the first event, and for each event: streams of other registrations that get it, 1 if it comes to
--          the caller's inbox, and for each of its topics 1 accepted or 0 dropped}
local keep, limit, events = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local state = call('HMGET', L .. 'state', 'id', 'grace')
if state[1] ~= ARGV[1] then return redis.error_reply('EPOCH the data set is another one') end

local now
local function has_come(ms)
  now = now or now_ms()
  return ms <= now
end
local grace = state[2] and not has_come(tonumber(state[2]))

-- Reads every topic once, and the inboxes of all their registrations, the caller's first.
local topics, boxes, fields = {}, {[own] = {at = 2}}, {own .. ':s', own .. ':e', own .. ':b'}
local at = 6
for _ = 1, events do
  local last = at + 2 + ARGV[at + 2]
  for i = at + 3, last do
    local name = ARGV[i]
    if not topics[name] then
      local topic = read_topic(name)
      topics[name] = topic
      topic.open = grace or #topic.registrations > 0 or (topic.window > 0 and not has_come(topic.window))
      topic.history = L .. 'h:' .. name
      for _, registration in ipairs(topic.registrations) do
        if not boxes[registration] then
          boxes[registration] = {at = #fields + 1}
          fields[#fields + 1] = registration .. ':e'
          fields[#fields + 1] = registration .. ':b'
        end
      end
    end
  end
  at = last + 1
end
local values = call('HMGET', L .. 'inboxes', unpack(fields))
if values[1] ~= session then return redis.error_reply('BURIED the registration or its session has ended') end
for _, box in pairs(boxes) do
  box.newest = values[box.at]
  box.behind = tonumber(values[box.at + 1] or '0') or -1 -- cut: nothing is put into it
  box.bytes, box.items = 0, {}
end

-- Writes.
local seq = call('HINCRBY', L .. 'state', 'seq', events) - events
local answer = {text(seq + 1)}
at = 6
for _ = 1, events do
  seq = seq + 1
  local number, body, last, summary = text(seq), ARGV[at], at + 2 + ARGV[at + 2], #answer + 1
  local elsewhere, here = 0, 0
  answer[summary], answer[summary + 1] = 0, 0
  for i = at + 3, last do
    local topic = topics[ARGV[i]]
    answer[#answer + 1] = topic.open and 1 or 0
    if topic.open then
      call('XADD', topic.history, 'MAXLEN', '~', keep, number .. '-' .. topic.newest, 'e', body)
      topic.newest, topic.written = number, true
      topic.renew = topic.renew or ARGV[at + 1] == '1'
      for k, registration in ipairs(topic.registrations) do
        local box = boxes[registration]
        if box.newest then
          if box.last ~= number then
            box.last = number
            local items = box.items
            items[#items + 1] = number
            items[#items + 1] = body
            box.bytes = box.bytes + #body
          end
          if registration == own then
            here = 1
          else
            elsewhere = elsewhere + math.max(topic.streams[k], 1)
          end
        end
      end
    end
  end
  answer[summary], answer[summary + 1] = elsewhere, here
  at = last + 1
end

for name, topic in pairs(topics) do
  if topic.written then call('HSET', L .. 't:' .. name, 'e', topic.newest) end
  if topic.renew then
    has_come(0)
    call('ZADD', L .. 'ages', text(now), name)
  end
end
fields = {}
for registration, box in pairs(boxes) do
  if box.last then
    local behind = box.behind < 0 and 'cut' or text(box.behind + box.bytes)
    if box.behind >= 0 and box.behind + box.bytes > limit then
      call('UNLINK', L .. 'i:' .. registration)
      behind = 'cut'
    elseif box.behind >= 0 then
      call('XADD', L .. 'i:' .. registration, box.last .. '-' .. box.newest, unpack(box.items))
    end
    fields[#fields + 1] = registration .. ':e'
    fields[#fields + 1] = box.last
    fields[#fields + 1] = registration .. ':b'
    fields[#fields + 1] = behind
  end
end
if #fields > 0 then call('HSET', L .. 'inboxes', unpack(fields)) end
return answer
