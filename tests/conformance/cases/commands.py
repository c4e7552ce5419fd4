# SPDX-License-Identifier: MPL-2.0
"""exec and each: records through commands, job arrays."""
from case import case, plug, z

ROWS = {"a.jsonl": '{"id":1,"name":"ann"}\n{"id":2,"name":"bob; touch oops"}\n'}

# --- exec

case("exec_cat", z.from_list([{"b": 1, "a": 2}, "x", None]).exec(["cat"]), lines='{"b":1,"a":2}\n"x"\nnull\n')
case("exec_one_process_per_shard", z.from_range(6, shards=3).exec(["tail", "-n", "1"]), records=[1, 3, 5])
case("exec_command_as_a_text", z.from_range(3, shards=1).exec("tail -n 1"), records=[2])
case("exec_text_with_quotes", z.from_range(1).exec("printf '\"%s\"\\n' 'two words'"), records=["two words"])
case("exec_shell", z.from_range(5, shards=1).exec(["grep -v 3 | tail -n 2"], shell=True), records=[2, 4])
case("exec_gives_more_than_it_gets", z.from_range(1).exec(["seq", "20000"]).count(), records=[20000])
case("exec_gives_nothing", z.from_range(10, shards=2).exec(["true"]), records=[])
case("exec_reads_nothing", z.from_range(200000, shards=1).exec(["echo", "7"]), records=[7])
case("exec_writes_before_it_reads", z.from_range(3, shards=1).exec(["sh", "-c", "seq 50000; cat"]).count(),
     records=[50003])
case("exec_lines_of_another_program", z.from_list(["b", "a"]).exec(["sed", "s/\"/\"x/"]), records=["xb", "xa"])
case("exec_msgpack", z.from_list([{"b": 1, "a": [None, 2.5]}]).exec(["cat"], format="msgpack"),
     lines='{"b":1,"a":[null,2.5]}\n')
case("exec_no_shards", z.from_list([]).exec(["false"]), records=[])
case("exec_with_operators_around",
     z.from_range(4, shards=2).map("r * 2").exec(["cat"]).filter("r > 2").count(), records=[2])
case("bad_exec_exit_status", z.from_range(1).exec(["sh", "-c", "echo 'no luck today' >&2; exit 3"]),
     fails="USER", words=["3", "no luck today", "operator exec", "shard 0"])
case("bad_exec_signal", z.from_range(1).exec(["sh", "-c", "kill -9 $$"]), fails="USER",
     words=["SIGKILL", "operator exec"])
case("bad_exec_no_such_program", z.from_range(1).exec(["/no/such/program"]), fails="USER",
     words=["/no/such/program", "No such file"])
case("bad_exec_output_that_is_no_json", z.from_range(1).exec(["echo", "nonsense"]), fails="USER",
     words=["operator exec"])
case("bad_exec_unknown_format", z.from_range(1).exec(["cat"], format="xml"), fails="PLAN",
     words=["xml", "jsonl", "msgpack"])
case("bad_exec_without_command", z.from_range(1).exec([]), fails="PLAN", words=["exec"])
case("bad_exec_nan_to_json", z.from_range(1).map("0/0").exec(["cat"]), fails="BAD_RECORD", words=["NaN"])

# --- each

CLEAN = 'r.status .. ":" .. r.stdout'
case("each_is_a_job_array", z.from_list(["a", "b", "c"]).each(["echo", "{}", "{}.png"]).map(CLEAN),
     records=["0:a a.png\n", "0:b b.png\n", "0:c c.png\n"])
case("each_command_as_a_text", z.from_list(["a"]).each("echo {} 'and more'").map(CLEAN),
     records=["0:a and more\n"])
case("each_fields", z.from_list([{"id": 7, "in": {"x": "y"}}]).each(["echo", "{id}-{in.x}"]).map(CLEAN),
     records=["0:7-y\n"])
case("each_has_no_shell", z.read("DIR/a.jsonl").each(["echo", "{name}"]).map(CLEAN), given=ROWS,
     records=["0:ann\n", "0:bob; touch oops\n"])
case("each_shell_is_explicit", z.from_list(["x"]).each(["echo {} | tr x y"], shell=True).map(CLEAN),
     records=["0:y\n"])
case("each_shell_values_are_no_code", z.from_list(["$(echo no); `echo no`"])
     .each(["echo {}"], shell=True).map(CLEAN), records=["0:$(echo no); `echo no`\n"])
case("each_exit_status_is_a_value", z.from_list([0, 3]).each(["sh", "-c", "exit {}"]).map("r.status"),
     records=[0, 3])
case("each_stderr", z.from_list(["x"]).each(["sh", "-c", "echo {} >&2"]).map("{ r.stdout, r.stderr }"),
     records=[["", "x\n"]])
case("each_signal_is_a_value", z.from_list([1]).each(["sh", "-c", "kill -15 $$"]).map("r.signal"),
     records=["SIGTERM"])
case("each_gives_four_fields", z.from_list([1]).each(["true"])
     .map("math.type(r.seconds) == 'float' and r.seconds >= 0 and r.stdout == '' and r.stderr == ''"),
     records=[True])
case("each_ok_status", z.from_list([0]).each(["sh", "-c", "exit {}"], ok_status=0).map("r.status"),
     records=[0])
case("bad_each_other_status", z.from_list([4]).each(["sh", "-c", "exit {}"], ok_status=0), fails="USER",
     words=["4", "operator each"])
case("each_output_is_cut_at_the_limit", z.from_list([1]).each(["seq", "1000"], limit=4).map("r.stdout"),
     records=["1\n2\n"])
case("bad_each_missing_field", z.from_list([{"a": 1}]).each(["echo", "{b}"]), fails="USER",
     words=["b", "operator each"])
case("bad_each_no_such_program", z.from_list(["x"]).each(["/no/such/program"]), fails="USER",
     words=["/no/such/program"])

# --- plug-ins

case("plugin_map", z.from_range(4).map(plug("double")), records=[0, 2, 4, 6])
case("plugin_filter", z.from_range(5).filter(plug("even")), records=[0, 2, 4])
case("plugin_flat_map", z.from_list([2, 0, 1]).flat_map(plug("repeat")), records=[2, 2, 1])
case("plugin_reduce", z.from_range(10, shards=3).reduce(plug("sum")), records=[45])
case("plugin_reduce_with_identity", z.from_list([]).reduce(plug("sum"), plug("sum"), identity=5), records=[5])
case("plugin_state_of_the_shard", z.from_range(4, shards=2).map(plug("position")),
     records=[[0, 2, 0, 0], [0, 2, 1, 1], [1, 2, 0, 2], [1, 2, 1, 3]])
case("plugin_beside_lua", z.from_range(4).map("r + 1").map(plug("double")).filter("r > 2"), records=[4, 6, 8])
case("plugin_counter", z.from_range(5, shards=2).map(plug("tally")).count(), records=[5],
     counters={"tally": (10, 0, 4, 5)})
case("plugin_shared_data", z.from_range(2).map(plug("add_offset")), shared={"offset": 50}, records=[50, 51])
case("plugin_every_type", z.from_list([None, True, -1, 1.5, "s", [1], {"a": 2, "b": 1}]).map(plug("same")),
     lines='null\ntrue\n-1\n1.5\n"s"\n[1]\n{"a":2,"b":1}\n')
case("bad_plugin_failure", z.from_range(1).map(plug("refuse")), fails="USER",
     words=["the record 0 is not welcome", "operator map", "attempt 3"])
case("bad_plugin_permanent_failure", z.from_range(1).map(plug("refuse_permanently")), fails="USER",
     words=["never welcome", "attempt 1"])
case("bad_plugin_unknown_function", z.from_range(1).map(plug("nothing_of_that_name")), fails="NOT_FOUND",
     words=["nothing_of_that_name", "double"])
case("bad_plugin_no_value", z.from_range(1).map(plug("no_value")), fails="USER", words=["operator map"])
