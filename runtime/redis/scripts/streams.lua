-- Adds streams to the registration's listing, then takes away some. Doing it twice does no harm, and no id comes back.
--
-- ARGV: epoch, registration, how many are added, {0, '<id> <json>'}… of those, id… of those that go
-- Answer: ok, or the error of the adding; what goes is taken away even then
local wrong = refusal(true)
if wrong then return wrong end
local key, adds, added = L .. 'n:' .. own .. ':c', tonumber(ARGV[3]), 0

if adds > 0 then added = redis.pcall('ZADD', key, unpack(ARGV, 4, 3 + 2 * adds)) end
for i = 4 + 2 * adds, #ARGV do
  call('ZREMRANGEBYLEX', key, '[' .. ARGV[i] .. ' ', '(' .. ARGV[i] .. '!')
end
return added
