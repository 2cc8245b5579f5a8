-- Begins to follow topics, or changes how many streams follow them. Every later event of them is put into the
-- registration's inbox. Without topics it is the question how far the cluster is.
--
-- ARGV: epoch, own, {topic, streams}…
-- Answer: {newest number, newest number in the registration's inbox}
local wrong = refusal(true)
if wrong then return wrong end

even_if_full() -- a stream that was opened anywhere must not be missed by who publishes
for i = 3, #ARGV, 2 do
  local name, streams = ARGV[i], tonumber(ARGV[i + 1])
  local topic = read_topic(name)
  if not topic.streams[own] then call('SADD', L .. 'n:' .. own .. ':t', name) end
  topic.streams[own] = streams
  write_topic(name, topic)
  if streams > 0 then
    call('ZADD', L .. 'topics', 0, name)
  elseif not is_listed(topic) then
    call('ZREM', L .. 'topics', name)
  end
end
return {call('HGET', L .. 'state', 'seq'), call('HGET', L .. 'inboxes', own .. ':e')}
