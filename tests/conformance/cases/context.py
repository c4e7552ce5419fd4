# SPDX-License-Identifier: MPL-2.0
"""Shared data, counters, failures, dry runs, scripts."""
from case import case, fn, lua, z

# --- shared data

case("shared_number", z.from_range(3).map('r + zonda.shared("offset")'), shared={"offset": 10},
     records=[10, 11, 12])
case("shared_map", z.from_list(["a", "b"]).map('zonda.shared("names")[r]'),
     shared={"names": {"a": "ann", "b": "bob"}}, records=["ann", "bob"])
case("shared_list", z.from_range(2).map('#zonda.shared("list") + r'), shared={"list": [5, 6, 7]},
     records=[3, 4])
case("shared_several", z.from_range(1).map('zonda.shared("a") .. zonda.shared("b")'),
     shared={"a": "x", "b": "y"}, records=["xy"])
case("shared_large", z.from_range(20, shards=20).map('#zonda.shared("big") + r'),
     shared={"big": "x" * 300_000}, records=[300_000 + i for i in range(20)])
case("shared_missing_lists_the_known", z.from_range(1).map('zonda.shared("offzet")'),
     shared={"offset": 1, "other": 2}, fails="USER", words=["offzet", "offset", "other"])
case("shared_is_read_only", z.from_range(2, shards=1).map(lua('function(r) zonda.shared("t").x = r return r end')),
     shared={"t": {"x": 1}}, fails="USER", words=["operator map"])
case("shared_in_a_c_function", z.from_range(3).map(fn("add_offset")), shared={"offset": 100},
     records=[100, 101, 102])
case("shared_missing_in_a_c_function", z.from_range(3).map(fn("add_offset")), shared={"other": 100},
     fails="NOT_FOUND", words=["offset", "other"])
case("shared_last_put_counts",
     script='zonda.put("n", 1)\nzonda.put("n", 2)\n'
            'return zonda.from_range(1):map(function() return zonda.shared("n") end)', records=[2])

# --- counters

case("counter_sums", z.from_range(10, shards=3).map('zonda.counter("seen", r) or r').count(),
     records=[10], counters={"seen": (45, 0, 9, 10)})
case("counter_defaults_to_one",
     z.from_range(10, shards=3).flat_map('zonda.counter("calls"); if r > 7 then emit(r) end'),
     records=[8, 9], counters={"calls": (10, 1, 1, 10)})
case("counter_of_several_names",
     z.from_list([3, -4, 5]).flat_map('zonda.counter(r < 0 and "negative" or "positive", r)'),
     records=[], counters={"negative": (-4, -4, -4, 1), "positive": (8, 3, 5, 2)})
case("counter_several_kinds_at_once", z.from_list([5, -2, 9]).flat_map('zonda.counter("v", r)'), records=[],
     counters={"v": (12, -2, 9, 3)})
case("counter_over_stages",
     z.from_range(6, shards=2).flat_map('zonda.counter("n"); emit(r)').count()
     .flat_map('zonda.counter("n"); emit(r)'), records=[6], counters={"n": (7, 1, 1, 7)})
case("counter_built_in_records", z.from_range(8, shards=2).filter("r > 5"), records=[6, 7],
     counters={"records_in": 8, "records_out": 2, "tasks": 2, "retries": 0})
case("counter_in_a_c_function", z.from_range(5, shards=2).map(fn("tally")), records=[0, 1, 2, 3, 4],
     counters={"tally": (10, 0, 4, 5)})
case("counter_of_a_failing_record_is_not_the_end",
     z.from_range(3, shards=1).map('zonda.counter("n") or r == 2 and error("no")'), fails="USER",
     words=["no"])

# --- failures

case("failure_names_file_line_and_operator", z.read("DIR/a.jsonl").map("r.a.b"), fails="USER",
     given={"a.jsonl": '{"a":{}}\n{"a":{}}\n{"b":1}\n'}, words=["a.jsonl:3", "operator map", "shard 0"])
case("failure_names_the_attempt", z.from_range(1).map("error('x')"), fails="USER",
     words=["attempt 3"])
case("failure_of_the_user_has_a_traceback",
     script="local function inner(r)\n  return r.x.y\nend\n"
            "return zonda.from_list{ {} }:map(function(r)\n  return (inner(r))\nend)",
     fails="USER", words=["case.lua:2", "inner", "case.lua:5"])
case("failure_in_a_later_shard_wins_nothing", z.from_range(100, shards=10).map("r == 55 and error('at 55') or r")
     .count(), fails="USER", words=["at 55", "shard 5"])
case("failure_in_c", z.from_range(3, shards=1).map(fn("refuse")), fails="USER",
     words=["the record 0 is not welcome", "operator map", "attempt 3"])
case("failure_in_c_that_is_permanent", z.from_range(3, shards=1).map(fn("refuse_permanently")),
     fails="USER", words=["the record 0 is never welcome", "attempt 1"])

# --- dry runs

case("explain_fuses_narrow_operators",
     z.from_range(10, shards=4).map("r").filter("r > 1").flat_map("emit(r)"),
     explains=["from_range→map→filter→flat_map", "4"])
case("explain_two_stages_of_a_fold", z.from_range(10, shards=4).filter("true").count().map("r"),
     explains=["from_range→filter→count", "4", "count", "map"])
case("explain_fuses_take", z.from_range(10, shards=4).map("r").take_per_shard(2).filter("true"),
     explains=["from_range→map→take_per_shard→filter", "4"])
case("explain_inputs", z.read("DIR/*.jsonl").write("DIR/out/{shard}.jsonl"),
     given={"a.jsonl": "1\n", "b.jsonl": "2\n"}, explains=["read→write", "a.jsonl", "b.jsonl"])
case("explain_runs_nothing", z.from_range(3).map("error('never')").write("DIR/out/{shard}.jsonl"),
     explains=["from_range→map→write"])
case("explain_empty_list", z.from_list([]).map("r"), explains=[""])

# --- scripts

case("script_arguments", script="return zonda.from_list{ arg[1], arg[2], #arg }", script_args=["x", "2"],
     records=["x", "2", 2])
case("script_with_several_datasets",
     script="return { zonda.from_range(2), zonda.from_list{ 'then' } }", records=[0, 1, "then"])
case("script_closure_over_local", script="local n = tonumber(arg[1])\n"
     "return zonda.from_range(3):map(function(r) return r * n end)", script_args=["7"],
     records=[0, 7, 14])
case("script_helper_function", script="local function twice(f) return function(r) return f(f(r)) end end\n"
     "return zonda.from_range(3):map(twice(function(x) return x + 1 end))", records=[2, 3, 4])
case("script_dataset_used_twice",
     script="local base = zonda.from_range(4)\nreturn { base:filter(function(r) return r > 1 end), base:count() }",
     records=[2, 3, 4])
case("script_is_lazy",
     script="local ds = zonda.from_range(3):map(function(r) error('never') end)\nreturn zonda.from_range(1)",
     records=[0])
case("script_that_returns_no_dataset", script="return 42", fails="USER", words=["case.lua", "dataset"])
case("script_that_returns_nothing", script="local x = 1", fails="USER", words=["case.lua", "dataset"])
case("script_that_fails", script="\nerror('on purpose')", fails="USER", words=["case.lua:2", "on purpose"])
case("script_put_in_a_function_is_an_error",
     script="return zonda.from_range(1):map(function(r) zonda.put('a', r) return r end)",
     fails="USER", words=["zonda.put"])
case("script_dataset_in_a_function_is_an_error",
     script="return zonda.from_range(1):map(function(r) return zonda.from_range(r) end)",
     fails="USER", words=["from_range"])
case("script_called_with_a_dot", script="local ds = zonda.from_range(1)\nreturn ds.map(function(r) return r end)",
     fails="USER", words=["colon", "case.lua:2"])
