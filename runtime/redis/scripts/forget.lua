-- Forgets the kept events of a topic, because an operator asked for it, and tells all nodes that follow it, in the order of
-- their inboxes. What is published later names the newest of them as the one before it, so that its absence shows.
--
-- ARGV: epoch, topic
-- Answer: the number of the newest event that is forgotten
local wrong = refusal()
if wrong then return wrong end
even_if_full()

local topic = read_topic(ARGV[2])
local message = 'F' .. topic.newest .. ' ' .. ARGV[2]
call('UNLINK', L .. 'h:' .. ARGV[2])
for registration in pairs(topic.streams) do send_message(registration, message) end
return topic.newest
