-- Part of the scripts that list; the build puts it behind the prelude of those.

-- The registrations whose lease runs and that have said who they are, by the order of their node ids.
local function live_nodes()
  local nodes = {}
  for _, registration in ipairs(call('ZRANGEBYSCORE', L .. 'nodes', text(now_ms()), '+inf')) do
    local id = call('HGET', L .. 'n:' .. registration, 'nodeId')
    if id then nodes[#nodes + 1] = {registration = registration, id = id} end
  end
  table.sort(nodes, function(a, b)
    if a.id ~= b.id then return a.id < b.id end
    return a.registration < b.registration
  end)
  return nodes
end

-- Rank of the first member that begins with the prefix, and how many do.
local function range(key, prefix)
  if prefix == '' then return 0, call('ZCARD', key) end
  return call('ZLEXCOUNT', key, '-', '(' .. prefix), call('ZLEXCOUNT', key, '[' .. prefix, '(' .. prefix .. '\127')
end
