-- Large packages by section, as a pipeline script:
--   zonda run examples/packages.lua [MINIMUM-KIB [OUTPUT-FOLDER]]
local minimum = tonumber(arg[1] or 10000)
local out = arg[2] or "out"

return zonda.read("examples/data/packages-*.jsonl.zst")
  :filter(function(r) return r.installed_size and r.installed_size > minimum end)
  :select("package", "section", "installed_size")
  :write_jsonl(out .. "/{shard:05d}-of-{total:05d}.jsonl")
