-- Adds to the list of revocations, and tells all nodes of what was not known. Of a subject the later moments count.
-- The list's field '' is a number that another list does not have: see revocations.lua.
--
-- ARGV: epoch, subjects that the list may have, ms since 1970, '<revoked at> <until> <subject>'… (ms since 1970)
-- Answer: 1, or 0 when the list was full for one of them
local wrong = refusal()
if wrong then return wrong end
local key, most, now, taken, swept = L .. 'revocations', tonumber(ARGV[2]), tonumber(ARGV[3]), 1, false

local function has_room()
  if call('HLEN', key) <= most then return true end
  if not swept then
    local list = call('HGETALL', key)
    for i = 1, #list, 2 do
      local ends = string.match(list[i + 1], '^%d+ (%d+)$')
      if ends and tonumber(ends) <= now then call('HDEL', key, list[i]) end
    end
  end
  swept = true
  return call('HLEN', key) <= most
end

even_if_full()
for i = 4, #ARGV do
  local at, ends, subject = string.match(ARGV[i], '^(%d+) (%d+) (.+)$')
  local known = call('HGET', key, subject)
  local known_at, known_ends = string.match(known or '0 0', '^(%d+) (%d+)$')
  if tonumber(at) < tonumber(known_at) then at = known_at end
  if tonumber(ends) < tonumber(known_ends) then ends = known_ends end
  local value = at .. ' ' .. ends
  if value ~= known then
    if known or has_room() then
      call('HINCRBY', key, '', 1)
      call('HSET', key, subject, value)
      for _, registration in ipairs(call('ZRANGE', L .. 'nodes', 0, -1)) do
        send_message(registration, 'R' .. value .. ' ' .. subject)
      end
    else
      taken = 0
    end
  end
end
return taken
