# SPDX-License-Identifier: MPL-2.0
"""Narrow operators that take functions or fields: map, flat_map, filter, select."""
from case import case, fn, lua, plug, z

CLI_LUA = "field names as variables are for expressions"
ROWS = '{"id":1,"name":"ann","score":5,"in":{"x":1,"y":{"z":2}}}\n' \
       '{"id":2,"name":"bob","score":0}\n' \
       '{"id":3,"name":null,"score":9,"in":{"x":3}}\n'
GIVEN = {"a.jsonl": ROWS}
rows = z.read("DIR/a.jsonl")

# --- map

case("map_squares", z.from_range(4).map("r * r"), records=[0, 1, 4, 9])
case("map_to_a_map_has_sorted_keys", z.from_range(2).map("{ b = r, a = -r, c = 'x' }"),
     lines='{"a":0,"b":0,"c":"x"}\n{"a":-1,"b":1,"c":"x"}\n')
case("map_field_names_are_variables", rows.map("name"), given=GIVEN, records=["ann", "bob", None],
     not_on={"lua": CLI_LUA})
case("map_missing_field_is_nil", rows.map("r.nothing == nil"), given=GIVEN, records=[True] * 3)
case("map_null_is_not_nil", rows.map("{ r.name == zonda.null, r.name == nil }"), given=GIVEN,
     records=[[False, False], [False, False], [True, False]])
case("map_to_nil_is_null", z.from_list([1]).map("nil"), records=[None])
case("map_to_null", z.from_list([1]).map("zonda.null"), records=[None])
case("map_several_fuse", z.from_range(3).map("r + 1").map("r * 10").map("r - 1"), records=[9, 19, 29])
case("map_changed_record_keeps_field_order",
     z.read("DIR/a.jsonl").map(lua("function(r) r.b = 20; r.new = 1; return r end")),
     given={"a.jsonl": '{"z":1,"b":2,"a":3}\n'}, lines='{"z":1,"b":20,"a":3,"new":1}\n')
case("map_removed_field", z.read("DIR/a.jsonl").map(lua("function(r) r.b = nil; return r end")),
     given={"a.jsonl": '{"z":1,"b":2,"a":3}\n'}, lines='{"z":1,"a":3}\n')
case("map_64_bit_integers_stay",
     z.from_list([9223372036854775807, -9223372036854775808, 9007199254740993]).map("r"),
     records=[9223372036854775807, -9223372036854775808, 9007199254740993])
case("map_integer_and_double_stay_apart", z.from_list([1, 1.0, 1e300]).map("r"),
     lines="1\n1.0\n1e+300\n")
case("map_integer_division", z.from_list([7, -7]).map("{ r // 2, r % 2, r / 2 }"),
     lines="[3,1,3.5]\n[-4,1,-3.5]\n")
case("map_empty_table_is_a_map", z.from_list([1]).map("{ a = {}, b = zonda.array() }"),
     lines='{"a":{},"b":[]}\n')
case("map_list_from_data_stays_a_list", z.read("DIR/a.jsonl").map("r"),
     given={"a.jsonl": '{"l":[],"m":{}}\n[]\n'}, lines='{"l":[],"m":{}}\n[]\n')
case("map_string_functions", z.from_list(["A-b"]).map('r:lower():gsub("-", "+")'), records=["a+b"])
case("map_record_that_is_a_list", z.from_list([[3, 4]]).map("{ #r, r[1], r[2] }"), records=[[2, 3, 4]])
case("map_deterministic_random", z.from_range(3, shards=3).map("math.random(1, 1000000) > 0"),
     records=[True] * 3)
case("map_c_function", z.from_range(4).map(fn("double")), records=[0, 2, 4, 6])
case("map_c_function_without_a_name", z.from_range(4).map(fn("nothing_of_that_name")), fails="NOT_FOUND",
     words=["nothing_of_that_name", "operator map"])
case("map_c_function_of_no_value_is_an_error", z.from_range(1).map(fn("no_value")), fails="USER",
     words=["operator map"])
case("map_c_function_of_two_values_is_an_error", z.from_range(1).map(fn("two_values")), fails="USER",
     words=["operator map"])
case("map_c_function_gets_every_type", z.from_list([None, True, -1, 2**64 - 1, 1.5, "s", [1], {"b": 1, "a": 2}])
     .map(fn("same")), lines='null\ntrue\n-1\n18446744073709551615\n1.5\n"s"\n[1]\n{"b":1,"a":2}\n')
case("map_c_function_with_state_of_the_shard", z.from_range(4, shards=2).map(fn("position")),
     records=[[0, 2, 0, 0], [0, 2, 1, 1], [1, 2, 0, 2], [1, 2, 1, 3]])

# --- flat_map

case("flat_map_none_one_many", z.from_list([0, 1, 3]).flat_map("for i = 1, r do emit(r * 10 + i) end"),
     records=[11, 31, 32, 33])
case("flat_map_words", z.read("DIR/a.txt").flat_map('for w in r:gmatch("%a+") do emit(w) end'),
     given={"a.txt": "the cat\n\nsat down\n"}, records=["the", "cat", "sat", "down"])
case("flat_map_never_emits", z.from_range(5).flat_map("local x = r"), records=[])
case("flat_map_returned_value_is_emitted_too",
     z.from_list([1]).flat_map(lua("function(r, emit) emit('first'); return 'last' end")),
     records=["first", "last"])
case("flat_map_many_of_one", z.from_list([1]).flat_map("for i = 1, 20000 do emit(i) end").count(),
     records=[20000])
case("flat_map_emits_parts_of_records", rows.flat_map("emit(r.id); emit(r['in'])"), given=GIVEN,
     lines='1\n{"x":1,"y":{"z":2}}\n2\nnull\n3\n{"x":3}\n')
case("flat_map_c_function", z.from_list([2, 0, 1]).flat_map(fn("repeat")), records=[2, 2, 1])

# --- filter

case("filter_keeps_what_is_true", z.from_range(10).filter("r % 3 == 0"), records=[0, 3, 6, 9])
case("filter_false_and_nil_drop", z.from_list([1, 2, 3]).filter("({ false, nil, true })[r]"), records=[3])
case("filter_zero_and_empty_text_keep", z.from_list([0, ""]).filter("r"), records=[0, ""])
case("filter_null_keeps_the_record", rows.filter("r.name == zonda.null").map("r.id"), given=GIVEN,
     records=[3])
case("filter_equality", rows.filter("r.name == 'bob'").map("r.id"), given=GIVEN, records=[2])
case("filter_and", rows.filter("r.score > 0 and r.id < 3").map("r.id"), given=GIVEN, records=[1])
case("filter_or", rows.filter("r.score == 0 or r.id == 3").map("r.id"), given=GIVEN, records=[2, 3])
case("filter_nested_field", rows.filter("r['in'] and r['in'].x == 3").map("r.id"), given=GIVEN,
     records=[3])
case("filter_keeps_the_bytes", rows.filter("true"), given=GIVEN, lines=ROWS)
case("filter_nothing_passes", z.from_range(5).filter("false"), records=[])
case("filter_error_is_no_drop", rows.filter("r.name:len() > 0"), given=GIVEN, fails="USER",
     words=["operator filter", "a.jsonl:3"])
case("filter_then_map_then_filter", z.from_range(10).filter("r > 4").map("r * 2").filter("r % 3 == 0"),
     records=[12, 18])
case("filter_c_function", z.from_range(5).filter(fn("even")), records=[0, 2, 4])

# --- select

case("select_in_the_given_order", rows.select("score", "id"), given=GIVEN,
     lines='{"score":5,"id":1}\n{"score":0,"id":2}\n{"score":9,"id":3}\n')
case("select_missing_field_is_left_out", rows.select("id", "nothing", "in"), given=GIVEN,
     lines='{"id":1,"in":{"x":1,"y":{"z":2}}}\n{"id":2}\n{"id":3,"in":{"x":3}}\n')
case("select_null_stays", rows.select("name"), given=GIVEN,
     lines='{"name":"ann"}\n{"name":"bob"}\n{"name":null}\n')
case("select_nested_path", rows.select("id", "in.y.z"), given=GIVEN,
     lines='{"id":1,"in.y.z":2}\n{"id":2}\n{"id":3}\n')
case("select_of_nothing_that_is_there", rows.select("nothing"), given=GIVEN, lines="{}\n{}\n{}\n")
case("select_field_twice_is_one", rows.select("id", "id"), given=GIVEN,
     lines='{"id":1}\n{"id":2}\n{"id":3}\n')
case("select_with_dots_in_the_name", z.read("DIR/a.jsonl").select("a.b"),
     given={"a.jsonl": '{"a.b":1,"a":{"b":2}}\n{"a":{"b":2}}\n'}, lines='{"a.b":1}\n{"a.b":2}\n')
case("select_then_filter_on_it", rows.select("id", "score").filter("r.score > 0"), given=GIVEN,
     records=[{"id": 1, "score": 5}, {"id": 3, "score": 9}])
case("select_filter_before", rows.filter("r.name == 'ann'").select("id"), given=GIVEN,
     records=[{"id": 1}])
case("select_with_commas", rows.select("id,score"), given=GIVEN,
     lines='{"id":1,"score":5}\n{"id":2,"score":0}\n{"id":3,"score":9}\n',
     not_on={"c": "only words are joined by commas", "lua": "only words are joined by commas"})

# --- drop and rename

case("drop_fields", rows.drop("in", "score"), given=GIVEN,
     lines='{"id":1,"name":"ann"}\n{"id":2,"name":"bob"}\n{"id":3,"name":null}\n')
case("drop_what_is_not_there", rows.drop("nothing"), given=GIVEN, lines=ROWS)
case("drop_nested_path", rows.drop("in.x").select("id", "in"), given=GIVEN,
     lines='{"id":1,"in":{"y":{"z":2}}}\n{"id":2}\n{"id":3,"in":{}}\n')
case("drop_everything", rows.drop("id", "name", "score", "in"), given=GIVEN, lines="{}\n{}\n{}\n")
case("bad_drop_on_a_string", z.from_list(["x"]).drop("a"), fails="USER",
     words=["drop needs a map", "string", "operator drop"])
case("bad_drop_without_fields", z.from_range(1).drop(), fails="PLAN", words=["drop", "fields"])
case("rename_keeps_the_place", rows.rename({"points": "score"}).select("id", "points"), given=GIVEN,
     lines='{"id":1,"points":5}\n{"id":2,"points":0}\n{"id":3,"points":9}\n')
case("rename_keeps_field_order", z.read("DIR/a.jsonl").rename({"q": "b"}),
     given={"a.jsonl": '{"z":1,"b":2,"a":3}\n{"a":1}\n'}, lines='{"z":1,"q":2,"a":3}\n{"a":1}\n')
case("rename_swaps", z.read("DIR/a.jsonl").rename({"a": "b", "b": "a"}),
     given={"a.jsonl": '{"a":1,"b":2}\n'}, lines='{"b":1,"a":2}\n')
case("bad_rename_onto_a_field_that_is_there", z.read("DIR/a.jsonl").rename({"a": "b"}),
     given={"a.jsonl": '{"a":1,"b":2}\n'}, fails="USER", words=["rename", '"a"', "a.jsonl:1"])
case("bad_rename_on_a_list", z.from_list([[1]]).rename({"a": "b"}), fails="USER",
     words=["rename needs a map", "array"])
case("bad_rename_of_one_field_to_two_names", z.from_range(1).rename({"a": "x", "b": "x"}), fails="PLAN",
     words=["rename", "x"])

# --- take_per_shard, window, sample

case("take_five", z.from_range(100, shards=1).take_per_shard(5), records=[0, 1, 2, 3, 4])
case("take_zero", z.from_range(10, shards=2).take_per_shard(0), records=[])
case("take_two_of_each_of_three_shards", z.from_range(9, shards=3).take_per_shard(2),
     records=[0, 1, 3, 4, 6, 7])
case("take_more_than_there_is", z.from_range(3, shards=1).take_per_shard(10), records=[0, 1, 2])
case("take_after_filter_and_map",
     z.from_range(20, shards=2).filter("r % 2 == 1").map("r * 10").take_per_shard(2),
     records=[10, 30, 110, 130])
case("take_before_filter", z.from_range(20, shards=2).take_per_shard(2).filter("r % 2 == 1"),
     records=[1, 11])
case("take_does_not_reach_what_would_fail",
     z.from_range(10, shards=1).map("r == 5 and error('too far') or r").take_per_shard(3),
     records=[0, 1, 2])
case("take_twice", z.from_range(10, shards=1).take_per_shard(5).take_per_shard(2), records=[0, 1])
case("take_then_count", z.from_range(100, shards=10).take_per_shard(3).count(), records=[30])
case("take_of_flat_map", z.from_list([5]).flat_map("for i = 1, 1000000 do emit(i) end").take_per_shard(2),
     records=[1, 2])
case("take_runs_an_empty_sink", z.from_range(4, shards=2).take_per_shard(0).write("DIR/{shard}.jsonl"),
     files={"0.jsonl": "", "1.jsonl": ""})
case("bad_take_negative", z.from_range(1).take_per_shard(-1), fails="PLAN", words=["-1"],
     not_on={"c": "the C type of the argument has no sign"})
case("bad_take_of_two_to_63", z.from_range(1).take_per_shard(2**63), fails="PLAN",
     words=["9223372036854775807"])
case("bad_take_of_a_text", z.from_range(1).take_per_shard("some"), fails="PLAN", words=["take"],
     not_on={"c": "the compiler refuses it in C"})
case("window_last_is_shorter", z.from_range(5, shards=1).map("r + 1").window(2),
     records=[[1, 2], [3, 4], [5]])
case("window_per_shard", z.from_range(6, shards=2).window(2), records=[[0, 1], [2], [3, 4], [5]])
case("window_of_one", z.from_range(2, shards=1).window(1), records=[[0], [1]])
case("window_larger_than_the_shard", z.from_range(3, shards=1).window(100), records=[[0, 1, 2]])
case("window_of_nothing", z.from_range(3, shards=1).filter("false").window(2), records=[])
case("window_then_map", z.from_range(4, shards=1).window(3).map("#r"), records=[3, 1])
case("window_of_windows", z.from_range(5, shards=1).window(2).window(2),
     records=[[[0, 1], [2, 3]], [[4]]])
case("bad_window_zero", z.from_range(1).window(0), fails="PLAN", words=["window", "0"])
case("bad_window_negative", z.from_range(1).window(-3), fails="PLAN", words=["-3"],
     not_on={"c": "the C type of the argument has no sign"})
case("bad_window_without_n", z.from_range(1).window(), fails="PLAN", words=["window", "n"],
     not_on={"c": "the compiler refuses it in C"})
case("sample_of_everything", z.from_range(10, shards=3).sample(1), records=list(range(10)))
case("sample_of_nothing", z.from_range(10, shards=3).sample(0), records=[])
case("sample_is_by_position", z.from_range(1000, shards=4).sample(0.5, 7).count(), records=[483])
case("sample_is_the_same_twice",
     script="local function s() return zonda.from_range(50, { shards = 5 }):sample(0.2, 3) end\n"
            "return { s():count():map(function(n) return n > 0 and n < 50 end), "
            "s():reduce(function(a, r) return a + r end):map(function(n) return n > 0 end) }",
     records=[True, True])
case("sample_is_the_same_whatever_the_values", z.from_range(200, shards=2).map("r * 2").sample(0.5, 9)
     .map("r // 2").reduce("a + r").map("r > 0"), records=[True])
case("bad_sample_above_one", z.from_range(1).sample(1.5), fails="PLAN", words=["sample", "1.5"])
case("bad_sample_negative", z.from_range(1).sample(-0.5), fails="PLAN", words=["-0.5"])
case("bad_sample_of_a_text", z.from_range(1).sample("half"), fails="PLAN", words=["half"],
     not_on={"c": "the compiler refuses it in C", "lua": "the types of values are named, not the values"})

# --- limit

case("limit_of_all_shards", z.from_range(20, shards=10).limit(5), records=[0, 1, 2, 3, 4])
case("limit_zero", z.from_range(10, shards=2).limit(0), records=[])
case("limit_more_than_there_is", z.from_range(3, shards=2).limit(10), records=[0, 1, 2])
case("limit_as_many_as_there_are", z.from_range(4, shards=4).limit(4), records=[0, 1, 2, 3])
case("limit_of_nothing", z.from_list([]).limit(3), records=[])
case("limit_after_filter", z.from_range(100, shards=10).filter("r % 20 == 19").limit(3), records=[19, 39, 59])
case("limit_then_map", z.from_range(100, shards=10).limit(12).map("r * 2").filter("r > 19"), records=[20, 22])
case("limit_then_count", z.from_range(100, shards=10).limit(37).count(), records=[37])
case("limit_zero_then_count", z.from_range(100, shards=10).limit(0).count(), records=[0])
case("limit_of_limit", z.from_range(100, shards=10).limit(30).limit(25).count(), records=[25])
case("limit_of_count", z.from_range(100, shards=10).count().limit(3), records=[100])
case("limit_makes_one_shard", z.from_range(9, shards=9).limit(4).write("DIR/{shard}-of-{total}.jsonl"),
     files={"0-of-1.jsonl": "0\n1\n2\n3\n"})
case("limit_zero_then_write", z.from_range(9, shards=9).limit(0).write("DIR/{shard}.jsonl"), files={"0.jsonl": ""})
case("limit_of_files_written", z.from_range(3, shards=3).write("DIR/{shard}.jsonl").limit(1).count(),
     records=[1], files={"0.jsonl": "0\n", "1.jsonl": "1\n", "2.jsonl": "2\n"})
case("limit_of_union", z.from_range(3, shards=2).union(z.from_list(["a", "b"])).limit(4), records=[0, 1, 2, "a"])
case("union_of_limits", z.from_range(9, shards=3).limit(2).union(z.from_range(9, shards=9).limit(1)),
     records=[0, 1, 0])
case("limit_stops_before_the_failure",
     z.from_range(1000, shards=100).map("r == 999 and error('too far') or r").limit(3), records=[0, 1, 2])
case("limit_of_2_to_63_less_1", z.from_range(2, shards=2).limit(2**63 - 1), records=[0, 1])
case("bad_limit_negative", z.from_range(1).limit(-1), fails="PLAN", words=["-1"],
     not_on={"c": "the C type of the argument has no sign"})

# --- union

FOUR = {f"in/{name}.jsonl": f'"{name}1"\n"{name}2"\n' for name in "abcd"}
case("union_of_two", z.read("DIR/in/b.jsonl").union(z.read("DIR/in/a.jsonl")), given=FOUR,
     records=["b1", "b2", "a1", "a2"])
case("union_of_three", z.read("DIR/in/d.jsonl").union(z.read("DIR/in/a.jsonl"), z.read("DIR/in/c.jsonl")),
     given=FOUR, records=["d1", "d2", "a1", "a2", "c1", "c2"])
case("union_shards_of_the_first_then_of_the_second",
     z.read("DIR/in/{c,d}.jsonl").union(z.read("DIR/in/[ab].jsonl")).write("DIR/out/{shard}-of-{total}.txt"),
     given=FOUR, files={"out/0-of-4.txt": "c1\nc2\n", "out/1-of-4.txt": "d1\nd2\n",
                        "out/2-of-4.txt": "a1\na2\n", "out/3-of-4.txt": "b1\nb2\n"})
case("union_with_itself", z.read("DIR/in/a.jsonl").union(z.read("DIR/in/a.jsonl")), given=FOUR,
     records=["a1", "a2", "a1", "a2"])
case("union_then_operators", z.read("DIR/in/a.jsonl").union(z.read("DIR/in/b.jsonl"))
     .filter("r:sub(2) == '2'").map("r .. '!'"), given=FOUR, records=["a2!", "b2!"])
case("union_then_count", z.read("DIR/in/*.jsonl").union(z.read("DIR/in/*.jsonl")).count(), given=FOUR,
     records=[16])
case("union_of_sources_of_all_kinds",
     z.from_range(2).union(z.from_list(["x"]), z.read("DIR/in/a.jsonl"), z.from_files("DIR/in/b*")),
     given=FOUR, records=[0, 1, "x", "a1", "a2", "DIR/in/b.jsonl"])
case("union_of_chains", z.from_range(3).map("r + 1").union(z.from_range(4).filter("r > 1").map("-r")),
     records=[1, 2, 3, -2, -3])
case("union_with_nothing", z.from_list([]).union(z.from_list([1]), z.from_list([])), records=[1])
case("union_of_nothing", z.from_list([]).union(z.from_list([])).count(), records=[0])
case("union_of_counts", z.from_range(3).count().union(z.from_range(4, shards=2).count()), records=[3, 4])
case("union_of_unions", z.from_list([1]).union(z.from_list([2]).union(z.from_list([3]))).union(z.from_list([4])),
     records=[1, 2, 3, 4])
case("union_with_options_of_read",
     cli=["read", "DIR/in/a.jsonl", "then", "union", "DIR/in/b.jsonl", "DIR/in/c.jsonl", "--format", "text"],
     given=FOUR, records=["a1", "a2", '"b1"', '"b2"', '"c1"', '"c2"'])
case("bad_union_no_match_in_the_second", z.read("DIR/in/a.jsonl").union(z.read("DIR/none")), given=FOUR,
     fails="NO_MATCH", words=["none"])
case("bad_union_failure_names_the_shard", z.read("DIR/in/a.jsonl").union(z.read("DIR/bad.jsonl")),
     given=FOUR | {"bad.jsonl": "{\n"}, fails="BAD_RECORD", words=["bad.jsonl:1", "operator read"])

# --- window_by

case("window_by_sizes", z.read("DIR/a.jsonl").window_by("a + r.gb <= 10, a + r.gb", 0).map("#r"),
     given={"a.jsonl": '{"gb":5}\n{"gb":6}\n{"gb":3}\n{"gb":8}\n'}, records=[1, 2, 1])
case("window_by_running_sum", z.from_range(8, shards=1).window_by("a + r < 10, a + r", 0),
     records=[[0, 1, 2, 3], [4, 5], [6], [7]])
case("window_by_without_init", z.from_range(4, shards=1).window_by("a == nil, r"), records=[[0], [1], [2], [3]])
case("window_by_never_closes", z.from_range(4, shards=2).window_by("true, r", 0), records=[[0, 1], [2, 3]])
case("window_by_of_nothing", z.from_range(4, shards=2).filter("false").window_by("true, r", 0), records=[])
case("bad_window_by_error", z.from_range(2, shards=1).window_by("a.x.y, r", 0), fails="USER",
     words=["operator window_by"])

# --- map_shard

case("map_shard_state_inside_a_shard", z.from_list([1, 1, 2, 1]).map_shard("for r in items do emit(r) end"),
     records=[1, 1, 2, 1])
case("map_shard_deduplicates_a_shard",
     z.from_range(12, shards=2).map_shard(
         "local seen = {} for r in items do local k = r % 3 if not seen[k] then seen[k] = true emit(k) end end"),
     records=[0, 1, 2, 0, 1, 2])
case("map_shard_may_give_nothing", z.from_range(9, shards=3).map_shard("for r in items do end"), records=[])
case("map_shard_knows_its_shard",
     z.from_range(4, shards=2).map_shard("for r in items do emit({shard.index, shard.total, r}) end"),
     records=[[0, 2, 0], [0, 2, 1], [1, 2, 2], [1, 2, 3]])
case("map_shard_returned_value_is_emitted_too",
     z.from_range(4, shards=2).map_shard("local n = 0 for r in items do emit(r) n = n + r end return {sum = n}"),
     records=[0, 1, {"sum": 1}, 2, 3, {"sum": 5}])
case("map_shard_runs_for_an_empty_shard",
     z.read("DIR/in/*.jsonl").map_shard("local n = 0 for r in items do n = n + 1 end emit(n)"),
     given={"in/a.jsonl": "1\n2\n", "in/b.jsonl": "", "in/c.jsonl": "3\n"}, records=[2, 0, 1])
case("map_shard_behind_a_filter_that_drops_all",
     z.from_range(4, shards=2).filter("false").map_shard("emit(items() == nil)"), records=[True, True])
case("map_shard_returns_early",
     z.from_range(2**62, shards=2).map_shard("for r in items do return r end"), records=[0, 2**61])
case("map_shard_then_take", z.from_range(2**62, shards=1).map_shard("for r in items do emit(r) end")
     .take_per_shard(2), records=[0, 1])
case("map_shard_keeps_records",
     z.from_list([{"n": 1}]).map_shard("local a = items() local b = items() emit(a) emit(b == nil)"),
     records=[{"n": 1}, True])
case("map_shard_variables_outside_start_again_for_a_shard",
     z.from_range(6, shards=3).map_shard(lua("(function() local seen = {} return function(items, shard, emit) "
                                             "for r in items do seen[#seen + 1] = r end emit(#seen) end end)()")),
     records=[2, 2, 2])
case("map_shard_c_function", z.from_range(5, shards=2).map_shard(fn("count")), records=[[0, 2, 2], [1, 2, 3]])
case("map_shard_c_function_of_an_empty_shard", z.read("DIR/a.jsonl").map_shard(fn("count")),
     given={"a.jsonl": ""}, records=[[0, 1, 0]])
case("map_shard_c_function_without_finish", z.from_list([2, 0, 1]).map_shard(fn("repeat")), records=[2, 2, 1])
case("map_shard_function_of_a_plugin", z.from_range(5, shards=2).map_shard(plug("count")),
     records=[[0, 2, 2], [1, 2, 3]])
case("bad_map_shard_error", z.read("DIR/in/*.jsonl").map_shard("for r in items do emit(r.x.y) end"),
     given={"in/a.jsonl": "{}\n", "in/b.jsonl": ""}, fails="USER", words=["operator map_shard", "in/a.jsonl:1"])
case("bad_map_shard_yield", z.from_range(2, shards=1).map_shard("coroutine.yield()"), fails="USER",
     words=["operator map_shard", "yields"])
