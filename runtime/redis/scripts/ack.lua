-- The registration has processed its inbox up to a number: that part is removed. An inbox that was cut is filled again.
--
-- ARGV: epoch, registration, number, bytes that were processed since the last time
-- Answer: newest number in the inbox
local wrong = refusal(true)
if wrong then return wrong end
local inboxes, field = L .. 'inboxes', own .. ':b'

call('XTRIM', L .. 'i:' .. own, 'MINID', text(ARGV[3] + 1) .. '-0')
if call('HGET', inboxes, field) == 'cut' then
  call('HSET', inboxes, field, '0')
elseif call('HINCRBY', inboxes, field, -ARGV[4]) < 0 then
  call('HSET', inboxes, field, '0')
end
return call('HGET', inboxes, own .. ':e')
