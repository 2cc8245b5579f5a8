-- With: depart.lua
-- Ends a registration, or one whose lease ran out, slice by slice: the first makes it void, so that nothing is put into
-- its inbox any more; each takes some of its topics, and no slice begins where another one was.
--
-- ARGV: epoch, registration without session ('': one whose lease ran out), topics at most, ms of the resume window (0: none),
--       ms that one whose lease ran out still has to renew it
-- Answer: 0 no such registration, 1 more of its topics are left, 2 it is gone
local wrong = refusal()
if wrong then return wrong end
local registration = ARGV[2]
if registration == '' then
  registration = call('ZRANGEBYSCORE', L .. 'nodes', '-inf', text(now_ms()), 'LIMIT', 0, 1)[1]
  if not registration then return 0 end
  -- Redis' clock may have jumped: one that lives renews its lease within the next seconds.
  local doubt = call('HMGET', L .. 'inboxes', registration .. ':e', registration .. ':d')
  if doubt[1] and not doubt[2] then
    even_if_full()
    call('HSET', L .. 'inboxes', registration .. ':d', text(now_ms() + ARGV[5]))
  end
  if doubt[1] and (not doubt[2] or tonumber(doubt[2]) > now_ms()) then return 0 end
end

local node = L .. 'n:' .. registration
call('HDEL', L .. 'inboxes', registration .. ':e', registration .. ':b', registration .. ':s', registration .. ':d')
call('UNLINK', L .. 'i:' .. registration, node)
depart(registration, call('SPOP', node .. ':t', ARGV[3]), tonumber(ARGV[4]))
if call('EXISTS', node .. ':t') == 1 then return 1 end
call('ZREM', L .. 'nodes', registration)
return 2
