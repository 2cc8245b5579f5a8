-- Puts a message for a node into its inbox, with a number as an event has one.
--
-- ARGV: epoch, registration, what the other registration begins with (its instance, or all of it), message
-- Answer: 1, or 0 when no such registration has a lease that runs
local wrong = refusal(true)
if wrong then return wrong end

for _, other in ipairs(call('ZRANGEBYSCORE', L .. 'nodes', text(now_ms()), '+inf')) do
  local inbox = call('HMGET', L .. 'inboxes', other .. ':e', other .. ':b')
  if inbox[1] and string.sub(other, 1, #ARGV[3]) == ARGV[3] then
    local number = text(call('HINCRBY', L .. 'state', 'seq', 1))
    if inbox[2] ~= 'cut' then
      call('XADD', L .. 'i:' .. other, number .. '-' .. inbox[1], 'm', ARGV[4])
      call('HINCRBY', L .. 'inboxes', other .. ':b', #ARGV[4])
    end
    call('HSET', L .. 'inboxes', other .. ':e', number)
    return 1
  end
end
return 0
