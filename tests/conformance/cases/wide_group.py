# SPDX-License-Identifier: MPL-2.0
"""group_by and deduplicate. Where there are several shards, which keys meet in one is not said by the
language, so results are put in order behind them, or there is one shard."""
from case import case, expr, fn, lua, plug, z
from twins import (ADD_UP, ADD_UP_V, ALL_ROWS, CONSTANT, COUNT_ROWS, FIRST_ROW, KEY_ALONE,
                   LAST_TWO, LIST_OF_ROWS, LIST_OF_V, MODULO_3, MODULO_7, NO_ROWS, NOTHING,
                   PAIR_OF_NUMBER, SELF, SUM_OF_V)

ABC = {"in/a.jsonl": '{"k":"x","v":1}\n{"k":"y","v":2}\n',
       "in/b.jsonl": '{"k":"x","v":3}\n',
       "in/c.jsonl": '{"k":"y","v":4}\n{"k":"x","v":5}\n{"k":"z","v":6}\n'}
abc = z.read("DIR/in/*.jsonl")


def one(text):
    """A file with these lines."""
    return {"in/a.jsonl": text}


# --- group_by: reducers

case("group_by_count", abc.group_by("k", reduce=COUNT_ROWS).sort("k"), given=ABC,
     records=[{"k": "x", "n": 3}, {"k": "y", "n": 2}, {"k": "z", "n": 1}])
case("group_by_sum", abc.group_by("k", reduce=SUM_OF_V).sort("k"), given=ABC,
     records=[{"k": "x", "s": 9}, {"k": "y", "s": 6}, {"k": "z", "s": 6}])
case("group_by_list", abc.group_by("k", reduce=LIST_OF_V).sort("k"), given=ABC,
     records=[{"k": "x", "l": [1, 3, 5]}, {"k": "y", "l": [2, 4]}, {"k": "z", "l": [6]}])
case("group_by_to_one_shard_is_in_key_order", abc.group_by("k", reduce=LIST_OF_V, shards=1), given=ABC,
     records=[{"k": "x", "l": [1, 3, 5]}, {"k": "y", "l": [2, 4]}, {"k": "z", "l": [6]}])
case("group_by_several_records_per_group", abc.group_by("k", reduce=LAST_TWO, shards=1), given=ABC,
     records=[{"k": "x", "v": 3}, {"k": "x", "v": 5}, {"k": "y", "v": 2}, {"k": "y", "v": 4},
              {"k": "z", "v": 6}])
case("group_by_emits_nothing", abc.group_by("k", reduce=NO_ROWS), given=ABC, records=[])
case("group_by_returned_value_is_emitted_too",
     abc.group_by("k", reduce="emit(key) local n = 0 for r in rows do n = n + 1 end return n", shards=1),
     given=ABC, records=["x", 3, "y", 2, "z", 1])
case("group_by_reducer_takes_no_row", abc.group_by("k", reduce=KEY_ALONE, shards=1), given=ABC,
     records=["x", "y", "z"])
case("group_by_reducer_takes_some_rows", abc.group_by("k", reduce=FIRST_ROW, shards=1), given=ABC,
     records=[{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "z", "v": 6}])
case("group_by_rows_ends_with_nil",
     abc.group_by("k", reduce="while rows() do end emit({ k = key, over = rows() == nil })", shards=1),
     given=ABC, records=[{"k": k, "over": True} for k in "xyz"])
case("group_by_null_as_a_result_then_filter",
     abc.group_by("k", reduce="local n = 0 for r in rows do n = n + 1 end "
                              "if n > 1 then emit(key) else emit(zonda.null) end", shards=1)
     .filter("r ~= zonda.null"), given=ABC, records=["x", "y"])
case("group_by_records_of_any_shape",
     z.from_list([1, "x", [1, [2]], {"a": {"b": None}}, None, 2.5])
     .group_by(expr(CONSTANT), reduce=LIST_OF_ROWS, shards=1),
     lines='{"k":"all","l":[1,"x",[1,[2]],{"a":{"b":null}},null,2.5]}\n')
case("group_by_field_of_several_types", z.read("DIR/in/*.jsonl").group_by("k", reduce=LIST_OF_V, shards=1),
     given={"in/a.jsonl": '{"k":1,"v":null}\n', "in/b.jsonl": '{"k":1,"v":7}\n{"k":1,"v":"x"}\n'},
     lines='{"k":1,"l":[null,7,"x"]}\n')
case("group_by_rows_keep_their_fields", abc.group_by("k", reduce=ALL_ROWS, shards=1).take_per_shard(2),
     given={"in/a.jsonl": '{"z":1,"k":"a","b":[{"y":1,"x":2}]}\n{"b":2,"k":"a"}\n'},
     lines='{"z":1,"k":"a","b":[{"y":1,"x":2}]}\n{"b":2,"k":"a"}\n')
case("group_by_keeps_every_row", z.from_range(1000, shards=7).group_by(expr(MODULO_7), reduce=ALL_ROWS)
     .reduce("a + r"), records=[499500])
case("group_by_a_hundred_groups_of_five",
     z.from_range(500, shards=5).group_by(expr("r % 100"), reduce="local n = 0 for r in rows do n = n + 1 end "
                                          "emit(n)").filter("r == 5").count(), records=[100])
case("group_by_one_group_of_many",
     z.from_range(30000, shards=3).group_by(expr(CONSTANT), reduce="local n, last = 0, -1 for r in rows do "
                                            "assert(r > last) n, last = n + 1, r end emit(n)"),
     records=[30000])
case("group_by_many_groups_of_one",
     z.from_range(5000, shards=4).group_by(expr(SELF), reduce=COUNT_ROWS).filter("r.n == 1").count(),
     records=[5000])
case("group_by_function_of_a_script",
     z.from_range(10, shards=3).group_by(lua("function(r) return r % 2 == 0 and 'even' or 'odd' end"),
                                         reduce=ADD_UP, shards=1), records=[20, 25])
case("group_by_as_positional_arguments",
     script="return zonda.read('DIR/in/*.jsonl'):group_by('k', function(key, rows) return key end, "
            "{ shards = 1 })", given=ABC, records=["x", "y", "z"])
case("group_by_rows_behind_the_group_is_an_error",
     z.from_range(4, shards=1).group_by(expr(MODULO_3), shards=1,
                                        reduce="kept = kept or rows for r in kept do end emit(key)"),
     fails="USER", words=["operator group_by"])

# --- group_by: keys

case("group_by_negative_keys",
     z.from_list([-3, 2, -10, 0, 2, -3]).group_by(expr(SELF), reduce=COUNT_ROWS, shards=1),
     records=[{"k": -10, "n": 1}, {"k": -3, "n": 2}, {"k": 0, "n": 1}, {"k": 2, "n": 2}])
case("group_by_strings_in_order_of_bytes",
     z.from_list(["b", "ž", "", "a", "B", "aa", "a"]).group_by(expr(SELF), reduce=COUNT_ROWS, shards=1),
     records=[{"k": "", "n": 1}, {"k": "B", "n": 1}, {"k": "a", "n": 2}, {"k": "aa", "n": 1},
              {"k": "b", "n": 1}, {"k": "ž", "n": 1}])
case("group_by_keys_of_all_types_in_their_order",
     z.from_list([{"a": 1}, [1], "x", 2, True, False, None, "", -1, [], 0.5])
     .group_by(expr(SELF), reduce=KEY_ALONE, shards=1),
     lines='null\nfalse\ntrue\n-1\n0.5\n2\n""\n"x"\n[]\n[1]\n{"a":1}\n')
case("group_by_one_and_one_point_zero_are_one_key",
     z.from_list([1, 1.0, 1.5, "1"]).group_by(expr(SELF), reduce=COUNT_ROWS, shards=1),
     lines='{"k":1,"n":2}\n{"k":1.5,"n":1}\n{"k":"1","n":1}\n')
case("group_by_minus_zero_is_zero",
     z.from_list([0.0, -0.0, 0]).group_by(expr(SELF), reduce=COUNT_ROWS, shards=1), lines='{"k":0,"n":3}\n')
case("group_by_integers_beyond_2_to_53_stay_apart",
     z.from_list([2**53, 2**53 + 1, float(2**53), 2**63 - 1, -2**63])
     .group_by(expr(SELF), reduce=COUNT_ROWS, shards=1),
     records=[{"k": -2**63, "n": 1}, {"k": 2**53, "n": 2}, {"k": 2**53 + 1, "n": 1},
              {"k": 2**63 - 1, "n": 1}])
case("group_by_null_keys_are_a_group",
     abc.group_by("k", reduce=LIST_OF_V, shards=1),
     given=one('{"k":null,"v":1}\n{"k":"x","v":2}\n{"v":3}\n{"k":null,"v":4}\n'),
     lines='{"k":null,"l":[1,3,4]}\n{"k":"x","l":[2]}\n')
case("group_by_nil_of_a_function_is_null",
     z.from_range(3, shards=3).group_by(expr(NOTHING), reduce=COUNT_ROWS), lines='{"k":null,"n":3}\n')
case("group_by_missing_nested_field_is_null",
     abc.group_by("a.b", reduce=COUNT_ROWS, shards=1),
     given=one('{"a":{"b":1}}\n{"a":{}}\n{"a":2}\n{"b":1}\n{"a":{"b":1}}\n'),
     lines='{"k":null,"n":3}\n{"k":1,"n":2}\n')
case("group_by_several_fields",
     abc.group_by(["k", "w"], reduce=COUNT_ROWS, shards=1),
     given=one('{"k":"x","w":2}\n{"k":"x","w":1}\n{"k":"x","w":2}\n{"k":"w"}\n{"w":"x"}\n'),
     lines='{"k":[null,"x"],"n":1}\n{"k":["w",null],"n":1}\n{"k":["x",1],"n":1}\n{"k":["x",2],"n":2}\n')
case("group_by_parts_of_keys_do_not_run_together",
     abc.group_by(["a", "b"], reduce=COUNT_ROWS, shards=1),
     given=one('{"a":"x","b":"yz"}\n{"a":"xy","b":"z"}\n{"a":"xyz","b":""}\n{"a":"","b":"xyz"}\n'),
     records=[{"k": ["", "xyz"], "n": 1}, {"k": ["x", "yz"], "n": 1}, {"k": ["xy", "z"], "n": 1},
              {"k": ["xyz", ""], "n": 1}])
case("group_by_key_with_nul_and_high_bytes",
     abc.group_by("k", reduce=COUNT_ROWS, shards=1),
     given=one('{"k":"a\\u0000"}\n{"k":"a"}\n{"k":"a\\u0000b"}\n{"k":"a\\u0000"}\n{"k":"\U0010ffff"}\n'),
     lines='{"k":"a","n":1}\n{"k":"a\\u0000","n":2}\n{"k":"a\\u0000b","n":1}\n{"k":"\U0010ffff","n":1}\n')
case("group_by_maps_are_equal_whatever_the_order_of_fields",
     abc.group_by("k", reduce=COUNT_ROWS, shards=1), given=one('{"k":{"b":1,"a":2}}\n{"k":{"a":2.0,"b":1}}\n'),
     lines='{"k":{"a":2,"b":1},"n":2}\n')
case("group_by_long_keys",
     z.from_range(6, shards=2).group_by(expr("('x'):rep(100000) .. r % 2"),
                                        reduce="local n = 0 for r in rows do n = n + 1 end emit({ #key, n })",
                                        shards=1), records=[[100001, 3], [100001, 3]])
case("group_by_mixed_keys_in_many_shards",
     z.from_list([None, True, -5, 2.5, "x", "", [1, "a"], {"a": 1}, -5, "x"])
     .group_by(expr(SELF), reduce=COUNT_ROWS, shards=9).sort("k"),
     lines='{"k":null,"n":1}\n{"k":true,"n":1}\n{"k":-5,"n":2}\n{"k":2.5,"n":1}\n{"k":"","n":1}\n'
           '{"k":"x","n":2}\n{"k":[1,"a"],"n":1}\n{"k":{"a":1},"n":1}\n')

# --- group_by: functions in C

case("group_by_c_function", z.from_range(10, shards=3).group_by(expr(MODULO_3), reduce=fn("group_count"), shards=1),
     records=[[0, 4], [1, 3], [2, 3]])
case("group_by_c_key", z.from_range(4, shards=2).group_by(fn("even"), reduce=fn("group_sum"), shards=1), records=[4, 2])
case("group_by_c_function_that_leaves_rows", z.from_range(10, shards=3).group_by(expr(MODULO_3), reduce=fn("group_first"),
                                                                                shards=1), records=[0, 0, 1, 1, 2, 2])
case("group_by_c_combine", z.from_range(100, shards=4).group_by(expr(CONSTANT), combine=fn("group_sum"),
                                                                reduce=fn("group_sum")), records=[4950])
case("group_by_plugin_function", z.from_range(10, shards=3).group_by(expr(MODULO_3), reduce=plug("group_count"),
                                                                    shards=1), records=[[0, 4], [1, 3], [2, 3]])
case("group_by_plugin_combine_and_key", z.from_range(100, shards=4).group_by(
    plug("even"), combine=plug("group_sum"), reduce=plug("group_sum"), shards=1), records=[2500, 2450])
case("bad_group_by_c_function_fails", z.from_range(10, shards=3).group_by(expr(MODULO_3), reduce=fn("group_refuse"), shards=1),
     fails="USER", words=["the group 0 is not welcome", "operator group_by", "attempt 1"])
case("bad_group_by_c_function_of_another_form",
     z.from_range(10, shards=3).group_by(expr(MODULO_3), reduce=fn("double")), fails="PLAN", words=["double", "group"])

# --- group_by: order, sort_by

case("group_by_rows_come_in_order_of_shard_and_position",
     z.from_range(12, shards=4).group_by(expr(MODULO_3), reduce=LIST_OF_ROWS, shards=1),
     records=[{"k": 0, "l": [0, 3, 6, 9]}, {"k": 1, "l": [1, 4, 7, 10]}, {"k": 2, "l": [2, 5, 8, 11]}])
SCORES = {"in/a.jsonl": '{"k":"x","v":3,"t":"a"}\n{"k":"y","v":1,"t":"b"}\n',
          "in/b.jsonl": '{"k":"x","v":1,"t":"c"}\n{"k":"x","v":3,"t":"d"}\n{"k":"x","v":null,"t":"e"}\n'
                        '{"k":"x","t":"f"}\n'}
TAGS = "local t = {} for r in rows do t[#t + 1] = r.t end emit(key .. '=' .. table.concat(t))"
case("group_by_sort_by", abc.group_by("k", reduce=TAGS, sort_by="v", shards=1), given=SCORES,
     records=["x=efcad", "y=b"])
case("group_by_sort_by_descending", abc.group_by("k", reduce=TAGS, sort_by="v", descending=True, shards=1),
     given=SCORES, records=["x=adcef", "y=b"])
case("group_by_sort_by_several_fields",
     abc.group_by("k", reduce=TAGS, sort_by=["v", "t"], descending=True, shards=1), given=SCORES,
     records=["x=dacfe", "y=b"])
case("group_by_sort_by_a_function", abc.group_by("k", reduce=TAGS, sort_by=expr("-r.t:byte()"), shards=1),
     given=SCORES, records=["x=fedca", "y=b"])
case("group_by_sort_by_with_several_records_per_group",
     abc.group_by("k", reduce=ALL_ROWS, sort_by="t", descending=True, shards=1).map("r.t"), given=SCORES,
     records=["f", "e", "d", "c", "a", "b"])
case("group_by_sort_by_nulls_and_numbers_in_different_shards",
     z.read("DIR/in/*.jsonl").group_by("k", reduce=LIST_OF_V, sort_by="v", shards=1),
     given={"in/a.jsonl": '{"k":1,"v":null}\n{"k":1,"v":null}\n', "in/b.jsonl": '{"k":1,"v":3}\n',
            "in/c.jsonl": '{"k":1,"v":2}\n{"k":1,"v":"s"}\n'},
     lines='{"k":1,"l":[null,null,2,3,"s"]}\n')
case("group_by_same_value_is_ordered_across_shards",
     z.from_list([1, 3, 2, 4]).group_by(expr(CONSTANT), reduce=LIST_OF_ROWS, sort_by=expr("r // 10")),
     records=[{"k": "all", "l": [1, 3, 2, 4]}])

# --- group_by: combine

case("group_by_combine", z.from_range(100, shards=4).map(PAIR_OF_NUMBER)
     .group_by("k", reduce=SUM_OF_V, combine=ADD_UP_V, shards=1),
     records=[{"k": k, "s": sum(range(k, 100, 5))} for k in range(5)])
case("group_by_combine_gives_what_it_gives_without",
     z.from_range(1000, shards=6).group_by(expr("r % 10"), reduce=ADD_UP, shards=1),
     records=[49500 + 100 * k for k in range(10)])
case("group_by_combine_numbers",
     z.from_range(1000, shards=6).map("r % 10").group_by(expr("r % 10"), shards=1, reduce=COUNT_ROWS),
     records=[{"k": k, "n": 100} for k in range(10)])
case("group_by_combine_counts",
     z.from_range(1000, shards=6).map("{ k = r % 10, v = 1 }")
     .group_by("k", combine=ADD_UP_V, reduce=SUM_OF_V, shards=3).sort("k"),
     records=[{"k": k, "s": 100} for k in range(10)])
case("group_by_combine_runs_on_the_map_side",
     z.from_range(1000, shards=4).map(PAIR_OF_NUMBER)
     .group_by("k", combine=ADD_UP_V, shards=1,
               reduce="local n = 0 for r in rows do n = n + 1 end emit(n)"), records=[4] * 5)
case("group_by_combine_may_drop_a_group",
     z.from_range(100, shards=4).map(PAIR_OF_NUMBER)
     .group_by("k", combine="if key % 2 == 0 then for r in rows do emit(r) end end", reduce=KEY_ALONE,
               shards=1), records=[0, 2, 4])
case("group_by_combine_may_give_several",
     z.from_range(40, shards=2).map(PAIR_OF_NUMBER)
     .group_by("k", combine=LAST_TWO, reduce=LIST_OF_V, shards=1),
     records=[{"k": k, "l": [k + 10, k + 15, k + 30, k + 35]} for k in range(5)])
case("group_by_combine_with_sort_by",
     z.from_range(40, shards=2).map(PAIR_OF_NUMBER)
     .group_by("k", combine=LAST_TWO, reduce=LIST_OF_V, sort_by="v", descending=True, shards=1),
     records=[{"k": k, "l": [k + 25, k + 20, k + 5, k]} for k in range(5)])

# --- group_by: shards

case("group_by_shards_are_those_of_the_input_by_default",
     z.from_range(10, shards=4).group_by(expr(SELF), reduce=KEY_ALONE)
     .map_shard("for r in items do end emit(shard.total)"), records=[4] * 4)
case("group_by_exact_shards", z.from_range(100, shards=10).group_by(expr(MODULO_7), reduce=KEY_ALONE, shards=3)
     .map_shard("for r in items do end emit(shard.total)"), records=[3, 3, 3])
case("group_by_written_to_exact_files",
     z.from_range(100, shards=10).group_by(expr(MODULO_7), reduce=NO_ROWS, shards=3)
     .write("DIR/{shard:05d}-of-{total:05d}.jsonl"), files={f"0000{i}-of-00003.jsonl": "" for i in range(3)})
case("group_by_one_key_to_one_file",
     z.from_range(10, shards=10).group_by(expr(CONSTANT), reduce=ADD_UP, shards=1)
     .write("DIR/part-{shard:05d}-of-{total:05d}.jsonl"), files={"part-00000-of-00001.jsonl": "45\n"})
case("group_by_more_shards_than_rows",
     z.from_range(3, shards=1).group_by(expr(SELF), reduce=KEY_ALONE, shards=50).sort(expr(SELF), shards=1),
     records=[0, 1, 2])
case("group_by_empty_shards_are_written",
     z.from_range(1, shards=1).filter("false").group_by(expr(SELF), reduce=KEY_ALONE, shards=3)
     .write("DIR/{shard}.jsonl"), files={"0.jsonl": "", "1.jsonl": "", "2.jsonl": ""})
case("group_by_of_no_shards", z.from_list([]).group_by(expr(SELF), reduce=KEY_ALONE), records=[])
case("group_by_of_no_shards_then_count", z.from_list([]).group_by(expr(SELF), reduce=KEY_ALONE, shards=4).count(),
     records=[0])
case("group_by_of_empty_shards", z.from_range(5, shards=5).filter("false").group_by(expr(SELF), reduce=KEY_ALONE),
     records=[])
case("group_by_of_one_row", z.from_list([7]).group_by(expr(SELF), reduce=COUNT_ROWS), records=[{"k": 7, "n": 1}])
case("group_by_some_shards_are_empty",
     z.read("DIR/in/*.jsonl").group_by("k", reduce=SUM_OF_V, shards=2).sort("k"),
     given={"in/a.jsonl": "", "in/b.jsonl": '{"k":2,"v":5}\n', "in/c.jsonl": "", "in/d.jsonl": '{"k":2,"v":6}\n'},
     records=[{"k": 2, "s": 11}])
case("group_by_all_keys_are_equal", z.from_range(100, shards=5).group_by(expr(CONSTANT), reduce=ADD_UP, shards=4),
     records=[4950])

# --- group_by: errors

case("bad_group_by_reducer_error", abc.group_by("k", reduce="error('in ' .. key)", shards=1), given=ABC,
     fails="USER", words=["operator group_by", "in x"])
case("bad_group_by_error_in_the_middle_of_a_group",
     z.from_range(10, shards=2).group_by(expr(CONSTANT), reduce="for r in rows do emit(r.x.y) end"),
     fails="USER", words=["operator group_by"])
case("bad_group_by_key_error_names_the_line", abc.group_by(expr("r.v.w.x"), reduce=KEY_ALONE),
     given=one('{"v":{"w":{}}}\n{"v":1}\n'), fails="USER", words=["operator group_by", "a.jsonl:2"])
case("bad_group_by_combine_error",
     z.from_range(10, shards=2).group_by(expr(MODULO_3), reduce=KEY_ALONE, combine="error('too hard')"),
     fails="USER", words=["operator group_by", "too hard"])
case("bad_group_by_key_is_nan", z.from_list([1, 0]).group_by(expr("r / r"), reduce=KEY_ALONE),
     fails="BAD_RECORD", words=["operator group_by", "shard 1"])
case("bad_group_by_nan_names_the_line",
     z.read("DIR/in/*.jsonl").group_by(expr("r == 2 and 0/0 or r"), reduce=KEY_ALONE), given=one("1\n2\n"),
     fails="BAD_RECORD", words=["operator group_by", "a.jsonl:2"])
case("bad_group_by_sort_by_nan", z.from_list([1]).group_by(expr(SELF), reduce=KEY_ALONE, sort_by=expr("0/0")),
     fails="BAD_RECORD", words=["operator group_by"])
case("bad_group_by_zero_shards", z.from_list([1]).group_by(expr(SELF), reduce=KEY_ALONE, shards=0), fails="PLAN",
     words=["group_by", "shards", "0"], not_on={"c": "0 is the default there"})
case("bad_group_by_without_reduce", z.from_list([1]).group_by(expr(SELF)), fails="PLAN",
     words=["group_by", "reduce"], not_on={"c": "the compiler refuses it in C"})
case("bad_group_by_without_key", script="return zonda.from_list{1}:group_by{ reduce = function() end }",
     fails="PLAN", words=["group_by", "key"])
case("bad_group_by_key_is_a_number", script="return zonda.from_list{1}:group_by{ key = 7, reduce = print }",
     fails="PLAN", words=["group_by", "key"])
case("bad_group_by_unknown_option", z.from_list([1]).group_by(expr(SELF), reduce=KEY_ALONE, partitions=3),
     fails="PLAN", words=["partitions"], not_on={"c": "the compiler refuses it in C"})

# --- deduplicate

case("deduplicate_keeps_the_first", abc.deduplicate("k", shards=1), given=ABC,
     records=[{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "z", "v": 6}])
case("deduplicate_to_several_shards", abc.deduplicate("k", shards=2).sort("k"), given=ABC,
     records=[{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "z", "v": 6}])
case("deduplicate_first_of_a_later_shard",
     z.read("DIR/in/*.jsonl").deduplicate("k", shards=1),
     given={"in/a.jsonl": "", "in/b.jsonl": '{"k":1,"v":2}\n{"k":1,"v":1}\n', "in/c.jsonl": '{"k":1,"v":0}\n'},
     records=[{"k": 1, "v": 2}])
case("deduplicate_whole_records", z.from_list([3, 1, 3, 2, 1]).deduplicate(expr(SELF), shards=1), records=[1, 2, 3])
case("deduplicate_all_are_different", z.from_range(100, shards=3).deduplicate(expr(SELF)).count(), records=[100])
case("deduplicate_all_are_the_same", z.from_range(100, shards=3).deduplicate(expr(CONSTANT)), records=[0])
case("deduplicate_of_no_shards", z.from_list([]).deduplicate(expr(SELF)), records=[])
case("deduplicate_of_empty_shards", z.from_range(9, shards=3).filter("false").deduplicate(expr(SELF)), records=[])
case("deduplicate_by_several_fields", abc.deduplicate(["k", "v"], shards=1),
     given=one('{"k":1,"v":1,"n":1}\n{"k":1,"v":2,"n":2}\n{"k":1.0,"v":1,"n":3}\n{"v":1,"n":4}\n'),
     lines='{"v":1,"n":4}\n{"k":1,"v":1,"n":1}\n{"k":1,"v":2,"n":2}\n')
case("deduplicate_null_is_a_key_too", abc.deduplicate("k", shards=1),
     given=one('{"v":1}\n{"k":null,"v":2}\n{"k":0,"v":3}\n'), lines='{"v":1}\n{"k":0,"v":3}\n')
case("deduplicate_shards", z.from_range(9, shards=3).deduplicate(expr(MODULO_3), shards=5)
     .map_shard("for r in items do end emit(shard.total)"), records=[5] * 5)
case("deduplicate_is_the_same_whatever_the_shards",
     z.from_range(60, shards=12).map("{ k = r % 7, v = r }").deduplicate("k", shards=7).sort("v", shards=1).map("r.v"),
     records=list(range(7)))
case("bad_deduplicate_of_nan", z.from_list([0]).deduplicate(expr("r / r")), fails="BAD_RECORD",
     words=["operator deduplicate"])
case("bad_deduplicate_without_key", z.from_list([0]).deduplicate(), fails="PLAN", words=["deduplicate", "key"],
     not_on={"c": "the compiler refuses it in C"})
