-- Part of the scripts that end the following of a topic; the build puts it behind the prelude of those.
-- The last one that leaves opens the topic's window: until then its events are kept as if somebody followed.
local function depart(registration, name, window_ms)
  local key = L .. 't:' .. name
  call('HDEL', key, registration)
  local topic = read_topic(name)
  if not topic.listed then call('ZREM', L .. 'topics', name) end
  if #topic.registrations > 0 then return end
  if window_ms > 0 then
    local now = now_ms()
    call('HSET', key, 'w', text(now + window_ms))
    call('ZADD', L .. 'ages', text(now), name) -- SWEEP looks after it
  elseif topic.newest == '0' then
    call('DEL', key)
  end
end
