-- Part of the scripts that end the following of a topic; the build puts it behind the prelude of those.
-- The last one that leaves opens the topic's window: until then its events are kept as if somebody followed.
local function depart(registration, name, window_ms)
  local topic = read_topic(name)
  topic.streams[registration] = nil
  if not is_listed(topic) then call('ZREM', L .. 'topics', name) end
  local followed = is_followed(topic)
  if not followed and window_ms > 0 then
    local now = now_ms()
    topic.window = now + window_ms
    call('ZADD', L .. 'ages', text(now), name) -- SWEEP looks after it
  end
  if followed or window_ms > 0 or topic.newest ~= '0' then
    write_topic(name, topic)
  else
    call('DEL', L .. 't:' .. name)
  end
end
