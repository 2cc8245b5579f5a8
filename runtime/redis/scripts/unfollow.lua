-- With: depart.lua
-- Ends to follow topics. It may be sent again, and about topics that are not followed: their window opens.
--
-- ARGV: epoch, registration, ms of the resume window (0: none), topic…
-- Answer: ok
local wrong = refusal(true)
if wrong then return wrong end

local names = {unpack(ARGV, 4)}
depart(own, names, tonumber(ARGV[3]))
call_with('SREM', L .. 'n:' .. own .. ':t', names)
return redis.status_reply('OK')
