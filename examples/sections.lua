-- Number and total size of large packages by section:
--   zonda run examples/sections.lua [MINIMUM-KIB [OUTPUT-FOLDER]]
local minimum = tonumber(arg[1] or 10000)
local out = arg[2] or "out"

return zonda.read("examples/data/packages-*.jsonl.zst")
  :filter(function(r) return r.installed_size and r.installed_size > minimum end)
  :map(function(r) return { section = r.section, size = r.installed_size } end)
  :group_by { key = function(r) return r.section end,
              reduce = function(section, rows)
                local n, total = 0, 0
                for r in rows do n, total = n + 1, total + r.size end
                return { section = section, n = n, total = total }
              end, shards = 4 }
  :write_jsonl(out .. "/sections-{shard:05d}-of-{total:05d}.jsonl")
