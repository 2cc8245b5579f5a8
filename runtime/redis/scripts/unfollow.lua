-- With: depart.lua
-- Ends to follow topics. It may be sent again, and about topics that are not followed: their window opens.
--
-- ARGV: epoch, registration, ms of the resume window (0: none), topic…
-- Answer: ok
local wrong = refusal(true)
if wrong then return wrong end

for i = 4, #ARGV do
  depart(own, ARGV[i], tonumber(ARGV[3]))
  call('SREM', L .. 'n:' .. own .. ':t', ARGV[i])
end
return redis.status_reply('OK')
