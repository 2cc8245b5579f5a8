-- Puts a message for a node into its inbox.
--
-- ARGV: epoch, registration, what the other registration begins with (its instance, or all of it), message
-- Answer: 1, or 0 when no such registration has a lease that runs
local wrong = refusal(true)
if wrong then return wrong end
even_if_full()

for _, other in ipairs(call('ZRANGEBYSCORE', L .. 'nodes', text(now_ms()), '+inf')) do
  if string.sub(other, 1, #ARGV[3]) == ARGV[3] and send_message(other, ARGV[4]) then return 1 end
end
return 0
