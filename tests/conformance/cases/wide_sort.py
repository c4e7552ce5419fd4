# SPDX-License-Identifier: MPL-2.0
"""sort and reshard: the order of the whole, and where it may be cut."""
from case import case, expr, z
from twins import CONSTANT, EVEN, FIELD_V, HALF, MODULO_3, NEGATE, NEVER, NOTHING, SELF, TWICE

rows = z.read("DIR/in/*.jsonl")
PEOPLE = {"in/a.jsonl": '{"n":"ann","a":31,"c":"x"}\n{"n":"bob","a":25,"c":"y"}\n',
          "in/b.jsonl": '{"n":"eve","a":31,"c":"y"}\n{"n":"dan","c":"x"}\n',
          "in/c.jsonl": '{"n":"cat","a":null,"c":"y"}\n{"n":"fay","a":25.0,"c":"x"}\n'}
names = 'r.n'
COUNT = "local n = 0 for r in items do n = n + 1 end emit(n)"
TOTAL = "for r in items do end emit(shard.total)"


def lines(*records):
    return "".join(f"{record}\n" for record in records)


# --- sort: order

case("sort_numbers", z.from_list([3, -1, 2.5, 0, -7, 10]).sort(expr(SELF)), records=[-7, -1, 0, 2.5, 3, 10])
case("sort_descending", z.from_list([3, -1, 2.5, 0, -7, 10]).sort(expr(SELF), descending=True),
     records=[10, 3, 2.5, 0, -1, -7])
case("sort_by_a_field", rows.sort("n", descending=True).map(names), given=PEOPLE,
     records=["fay", "eve", "dan", "cat", "bob", "ann"])
case("sort_is_stable", rows.sort("a").map(names), given=PEOPLE,
     records=["dan", "cat", "bob", "fay", "ann", "eve"])
case("sort_descending_is_stable", rows.sort("a", descending=True).map(names), given=PEOPLE,
     records=["ann", "eve", "bob", "fay", "dan", "cat"])
case("sort_by_several_fields", rows.sort(["c", "a", "n"]).map(names), given=PEOPLE,
     records=["dan", "fay", "ann", "cat", "bob", "eve"])
case("sort_by_several_fields_descending", rows.sort(["c", "a"], descending=True).map(names), given=PEOPLE,
     records=["eve", "bob", "cat", "ann", "fay", "dan"])
case("sort_by_a_function", rows.sort(expr("#r.n * 1000 - r.n:byte()")).map(names), given=PEOPLE,
     records=["fay", "eve", "dan", "cat", "bob", "ann"])
case("sort_of_all_types",
     z.from_list([{"a": 1}, [1], "x", 2, True, False, None, "", -1, [], 0.5, {}, [0, 5], "X"])
     .sort(expr(SELF)),
     lines=lines("null", "false", "true", "-1", "0.5", "2", '""', '"X"', '"x"', "[]", "[0,5]", "[1]", "{}",
                 '{"a":1}'))
case("sort_of_all_types_descending",
     z.from_list([[1], "x", 2, True, False, None, "", -1, [], 0.5, [0, 5]]).sort(expr(SELF), descending=True),
     lines=lines("[1]", "[0,5]", "[]", '"x"', '""', "2", "0.5", "-1", "true", "false", "null"))
case("sort_integers_and_doubles_exactly",
     z.from_list([2**53 + 1, float(2**53), 2**63 - 1, 2.0**63, -2**63, 2**53 + 2, 1e300, -1e300]).sort(expr(SELF)),
     lines=lines("-1e+300", -2**63, "9007199254740992.0", 2**53 + 1, 2**53 + 2, 2**63 - 1,
                 "9.223372036854776e+18", "1e+300"))
case("sort_equal_numbers_stay_as_they_came", z.from_list([1.0, 1, 0, -0.0, 0.0]).sort(expr(SELF)),
     lines=lines(0, "-0.0", "0.0", "1.0", 1))
case("sort_strings_by_bytes", z.from_list(["b", "ž", "", "a", "B", "aa", "a b"]).sort(expr(SELF)),
     records=["", "B", "a", "a b", "aa", "b", "ž"])
case("sort_strings_that_begin_alike",
     z.from_range(40, shards=4).map("('a'):rep(1000) .. ('b'):rep(39 - r)").sort(expr(SELF)).map("#r"),
     records=list(range(1000, 1040)))
case("sort_strings_that_begin_alike_descending",
     z.from_range(40, shards=4).map("('a'):rep(1000) .. ('b'):rep(r)").sort(expr(SELF), descending=True).map("#r"),
     records=list(range(1039, 999, -1)))
case("sort_nested_arrays", z.from_list([[1, [2]], [1], [1, []], [0, 9, 9], [[1]], [1, [2, 0]]]).sort(expr(SELF)),
     records=[[0, 9, 9], [1], [1, []], [1, [2]], [1, [2, 0]], [[1]]])
case("sort_by_nested_field", rows.sort("a.b").map(FIELD_V),
     given={"in/a.jsonl": '{"a":{"b":2},"v":1}\n{"a":{"b":1},"v":2}\n{"v":3}\n'}, records=[3, 2, 1])
case("sort_missing_and_null_are_first", rows.sort("a").take_per_shard(9).map("{ r.n, r.a == nil }").limit(2),
     given=PEOPLE, records=[["dan", True], ["cat", False]])
case("sort_by_nothing_keeps_the_order", z.from_range(100, shards=7).sort(expr(NOTHING)), records=list(range(100)))
case("sort_already_sorted", z.from_range(1000, shards=8).sort(expr(SELF)), records=list(range(1000)))
case("sort_reverse_sorted", z.from_range(1000, shards=8).map(NEGATE).sort(expr(SELF)),
     records=list(range(-999, 1)))
case("sort_backwards", z.from_range(1000, shards=8).sort(expr(NEGATE)), records=list(range(999, -1, -1)))
case("sort_equal_keys_keep_the_order_of_shards", z.from_range(300, shards=9).sort(expr(CONSTANT)),
     records=list(range(300)))
case("sort_few_different_keys", z.from_range(300, shards=5).sort(expr(MODULO_3)),
     records=[r for k in range(3) for r in range(k, 300, 3)])
case("sort_few_different_keys_descending", z.from_range(300, shards=5).sort(expr(MODULO_3), descending=True),
     records=[r for k in (2, 1, 0) for r in range(k, 300, 3)])
case("sort_after_flat_map", z.from_range(50, shards=3).flat_map(TWICE).sort(expr(NEGATE)),
     records=[r for r in range(49, -1, -1) for _ in range(2)])
case("sort_shuffled_numbers", z.from_range(2000, shards=6).map("r * 7919 % 2003").sort(expr(SELF)),
     records=sorted(r * 7919 % 2003 for r in range(2000)))
case("sort_long_records", z.from_range(30, shards=3).map("{ k = r * 7 % 30, t = ('x'):rep(20000) }")
     .sort("k").map("{ r.k, #r.t }"), records=[[k, 20000] for k in range(30)])

# --- sort: shards

case("sort_gives_as_many_shards_as_come", z.from_range(100, shards=6).sort(expr(NEGATE)).map_shard(TOTAL),
     records=[6] * 6)
case("sort_to_exact_shards", z.from_range(100, shards=6).sort(expr(NEGATE), shards=4).map_shard(TOTAL), records=[4] * 4)
case("sort_to_one_file", z.from_list([2, 3, 1]).sort(expr(SELF), shards=1).write("DIR/out.jsonl"),
     files={"out.jsonl": "1\n2\n3\n"})
case("sort_more_shards_than_rows", z.from_list([2, 3, 1]).sort(expr(SELF), shards=20), records=[1, 2, 3])
case("sort_more_shards_than_rows_loses_none",
     z.from_list([2, 3, 1]).sort(expr(SELF), shards=20).map_shard(COUNT).reduce("a + r"), records=[3])
case("sort_more_shards_for_one_key", z.from_range(10, shards=1).sort(expr(CONSTANT), shards=7), records=list(range(10)))
case("sort_shards_are_ranges",
     z.from_range(4000, shards=8).sort(expr(NEGATE), shards=4)
     .map_shard("local first, last for r in items do first, last = first or r, r end "
                "emit({ first = first, last = last })")
     .reduce("{ ok = (a.ok ~= false) and a.last > r.first, first = a.first, last = r.last }"),
     records=[{"first": 3999, "last": 0, "ok": True}])
case("sort_shards_are_about_equal",
     z.from_range(20000, shards=4).map("{ k = r * 7919 % 20011, t = ('x'):rep(50) }").sort("k", shards=4).map_shard(COUNT)
     .map("r > 2500 and r < 7500"), records=[True] * 4)
case("sort_shards_of_equal_keys_are_about_equal",
     z.from_range(20000, shards=4).sort(expr(CONSTANT), shards=4).map_shard(COUNT).map("r > 2500 and r < 7500"),
     records=[True] * 4)
case("sort_of_no_shards", z.from_list([]).sort(expr(SELF)), records=[])
case("sort_of_no_shards_to_several", z.from_list([]).sort(expr(SELF), shards=3).count(), records=[0])
case("sort_of_empty_shards", z.from_range(6, shards=3).filter(NEVER).sort(expr(SELF)), records=[])
case("sort_of_one_row", z.from_range(9, shards=3).filter("r == 4").sort(expr(SELF)), records=[4])
case("sort_some_shards_are_empty", z.from_range(90, shards=9).filter("r < 5 or r > 85").sort(expr(NEGATE)),
     records=[89, 88, 87, 86, 4, 3, 2, 1, 0])
case("sort_then_limit", z.from_range(1000, shards=7).sort(expr(NEGATE)).limit(3), records=[999, 998, 997])
case("sort_then_sort_is_stable",
     z.from_range(60, shards=4).sort(expr(NEGATE)).sort(expr(MODULO_3), shards=2).map("r // 1"),
     records=[r for k in range(3) for r in range(57 + k, -1, -3)])
case("sort_to_files_that_concatenate",
     z.from_range(10, shards=3).sort(expr(NEGATE), shards=1).write("DIR/{shard}-of-{total}.jsonl"),
     files={"0-of-1.jsonl": lines(*range(9, -1, -1))})

# --- sort: errors

case("bad_sort_of_nan_names_the_line", rows.sort(expr("r == 3 and 0/0 or r")), given={"in/a.jsonl": "1\n2\n3\n"},
     fails="BAD_RECORD", words=["operator sort", "a.jsonl:3"])
case("bad_sort_key_error", rows.sort(expr("r.x.y")), given={"in/a.jsonl": '{"x":{}}\n{}\n'}, fails="USER",
     words=["operator sort", "a.jsonl:2"])
case("bad_sort_without_key", z.from_range(1).sort(), fails="PLAN", words=["sort", "by"],
     not_on={"c": "the compiler refuses it in C"})
case("bad_sort_zero_shards", z.from_range(1).sort(expr(SELF), shards=0), fails="PLAN", words=["sort", "shards"],
     not_on={"c": "0 is the default there"})
case("bad_sort_in_lua_without_a_name", script="return zonda.from_range(1):sort{}", fails="PLAN", words=["sort", "by"])

# --- reshard

case("reshard_to_more", z.from_range(50, shards=2).reshard(5), records=list(range(50)))
case("reshard_to_more_gives_that_many", z.from_range(50, shards=2).reshard(5).map_shard(TOTAL), records=[5] * 5)
case("reshard_to_fewer", z.from_range(50, shards=9).reshard(3), records=list(range(50)))
case("reshard_to_fewer_gives_that_many", z.from_range(50, shards=9).reshard(3).map_shard(TOTAL), records=[3] * 3)
case("reshard_to_as_many", z.from_range(50, shards=5).reshard(5), records=list(range(50)))
case("reshard_to_one_file", z.from_range(5, shards=5).reshard(1).write("DIR/out.jsonl"),
     files={"out.jsonl": lines(*range(5))})
case("reshard_splits_one_large_shard",
     z.from_range(20000, shards=1).reshard(4).map_shard(COUNT).map("r > 2500 and r < 7500"), records=[True] * 4)
case("reshard_splits_one_large_shard_in_order", z.from_range(20000, shards=1).reshard(4).reduce(
     "{ last = r, ok = (type(a) == 'number' or a.ok) and (type(a) == 'number' and a or a.last) < r }",
     "{ last = r.last, ok = a.ok and r.ok and a.last < r.last }"), records=[{"last": 19999, "ok": True}])
case("reshard_balances_by_bytes",
     z.from_range(4000, shards=4).map("{ k = r, t = ('x'):rep(r < 1000 and 400 or 1) }").reshard(4)
     .map_shard("local b = 0 for r in items do b = b + #r.t + 10 end emit(b)")
     .map("r > 60000 and r < 200000"), records=[True] * 4)
case("reshard_to_more_than_there_are_records", z.from_range(3, shards=1).reshard(50), records=[0, 1, 2])
case("reshard_after_a_filter_that_leaves_one_shard",
     z.from_range(1000, shards=10).filter("r >= 900").reshard(4), records=list(range(900, 1000)))
case("reshard_of_no_shards", z.from_list([]).reshard(3), records=[])
case("reshard_of_empty_shards", z.from_range(6, shards=3).filter(NEVER).reshard(2), records=[])
case("reshard_of_empty_shards_writes_files",
     z.from_range(6, shards=3).filter(NEVER).reshard(2).write("DIR/{shard}.jsonl"), files={"0.jsonl": "", "1.jsonl": ""})
case("reshard_twice", z.from_range(100, shards=3).reshard(7).reshard(2), records=list(range(100)))
case("reshard_keeps_records_as_they_are",
     rows.reshard(2), given={"in/a.jsonl": '{"z":1,"a":[1.0,{"k":null}]}\n"žena"\n'},
     lines='{"z":1,"a":[1.0,{"k":null}]}\n"žena"\n')
case("reshard_then_map", z.from_range(10, shards=2).reshard(4).map(HALF).filter(EVEN),
     records=[r // 2 for r in range(10) if r // 2 % 2 == 0])
case("bad_reshard_to_zero", z.from_range(1).reshard(0), fails="PLAN", words=["reshard", "0"])
case("bad_reshard_negative", z.from_range(1).reshard(-5), fails="PLAN", words=["-5"],
     not_on={"c": "the C type of the argument has no sign"})
case("reshard_without_a_number_changes_nothing", z.from_range(50, shards=7).reshard().map_shard(TOTAL), records=[7] * 7,
     not_on={"c": "the compiler refuses it in C"})
case("bad_reshard_of_a_text", z.from_range(1).reshard("many"), fails="PLAN", words=["reshard"],
     not_on={"c": "the compiler refuses it in C"})
