-- The list of revocations, for who has not read it as it is now.
--
-- ARGV: epoch, the list's number as far as it is known ('' not at all)
-- Answer: {} when it is that, else {subject, '<revoked at> <until>', …}, and of the subject '' the list's number
local wrong = refusal()
if wrong then return wrong end
local key = L .. 'revocations'

if (call('HGET', key, '') or '0') == ARGV[2] then return {} end
local list = call('HGETALL', key)
if #list == 0 then return {'', '0'} end
return list
