-- Part of the scripts that end the following of topics; the build puts it behind the prelude of those.
-- The last one that leaves opens a topic's window: until then its events are kept as if somebody followed.
local function depart(registration, names, window_ms)
  local now, kept, gone, unlisted, ages = now_ms(), {}, {}, {}, {}
  for _, topic in ipairs(read_topics(names)) do
    topic.streams[registration] = nil
    if not is_listed(topic) then unlisted[#unlisted + 1] = topic.name end
    local followed = is_followed(topic)
    if not followed and window_ms > 0 then
      topic.window = now + window_ms
      ages[#ages + 1] = text(now) -- SWEEP looks after it
      ages[#ages + 1] = topic.name
    end
    if followed or window_ms > 0 or topic.newest ~= '0' then
      kept[#kept + 1] = topic
    else
      gone[#gone + 1] = L .. 't:' .. topic.name
    end
  end
  even_if_full()
  write_topics(kept)
  call_with('ZREM', L .. 'topics', unlisted)
  call_with('ZADD', L .. 'ages', ages)
  if #gone > 0 then call('DEL', unpack(gone)) end
end
