-- SPDX-License-Identifier: MPL-2.0
-- Map, shuffle, join, sort and sinks over real data: packages of large sections beside what their section has in all.
-- chaos/job.lua DATA FOLDER STEPS; STEPS is how much each record and group costs.
local data, folder, steps = arg[1], arg[2], tonumber(arg[3])

local function work(n)
  local x = 0
  for i = 1, n do x = (x + i * i) % 1000003 end
  return x
end

local packages = zonda.read(data .. "/packages-*.jsonl.zst"):map(function(r)
  return { section = r.section or "none", package = r.package, size = r.installed_size or 0, proof = work(steps) }
end)

local sections = packages:group_by { key = "section", shards = 6, reduce = function(key, rows)
  local count, size = 0, 0
  for r in rows do
    count, size = count + 1, size + r.size
  end
  return { section = key, count = count, total = size, section_proof = work(steps * 20) }
end }

return packages:join(sections, { on = "section", shards = 5 })
  :map(function(r) r.share = work(steps) % 7; return r end)
  :sort(function(r) return { -r.size, r.package } end, { shards = 4 })
  :write_jsonl(folder .. "/{shard}-of-{total}.jsonl")
