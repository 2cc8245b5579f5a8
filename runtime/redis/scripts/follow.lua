-- Begins to follow topics, or changes how many streams follow them. Every later event of them is put into the
-- registration's inbox. Without topics it is the question how far the cluster is.
--
-- ARGV: epoch, own, {topic, streams}…
-- Answer: {newest number, newest number in the registration's inbox}
local wrong = refusal(true)
if wrong then return wrong end

even_if_full() -- a stream that was opened anywhere must not be missed by who publishes
local names, begun, listed, unlisted = {}, {}, {}, {}
for i = 3, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local topics = read_topics(names)
for i, topic in ipairs(topics) do
  local was_listed = is_listed(topic)
  if not topic.streams[own] then begun[#begun + 1] = topic.name end
  topic.streams[own] = tonumber(ARGV[2 + 2 * i])
  if is_listed(topic) ~= was_listed then
    if was_listed then
      unlisted[#unlisted + 1] = topic.name
    else
      listed[#listed + 1] = 0
      listed[#listed + 1] = topic.name
    end
  end
end
write_topics(topics)
call_with('SADD', L .. 'n:' .. own .. ':t', begun)
call_with('ZADD', L .. 'topics', listed)
call_with('ZREM', L .. 'topics', unlisted)
return {call('HGET', L .. 'state', 'seq'), call('HGET', L .. 'inboxes', own .. ':e')}
