# SPDX-License-Identifier: MPL-2.0
"""join and sorted_merge_join. Left rows of a key come in their order, each with the right rows of the
key in theirs; where a case has several shards, the result is put in order behind them."""
from case import case, expr, z
from twins import COUNT_ROWS, SELF, SUM_OF_V

GIVEN = {"l/a.jsonl": '{"id":1,"x":"a"}\n{"id":2,"x":"b"}\n', "l/b.jsonl": '{"id":2,"x":"c"}\n{"id":4,"x":"d"}\n',
         "r/a.jsonl": '{"id":2,"y":"p"}\n{"id":3,"y":"q"}\n', "r/b.jsonl": '{"id":1,"y":"r"}\n{"id":2,"y":"s"}\n'}
left = z.read("DIR/l/*.jsonl")
right = z.read("DIR/r/*.jsonl")
# Every way in which two datasets can be brought together must give the same records.
WAYS = {"shuffled": {"broadcast": False}, "broadcast": {"broadcast": True}, "as_planned": {}}


def given(left_lines, right_lines):
    return {"l/a.jsonl": left_lines, "r/a.jsonl": right_lines}


RESULTS = {
    "inner": '{"id":1,"x":"a","y":"r"}\n{"id":2,"x":"b","y":"p"}\n{"id":2,"x":"b","y":"s"}\n'
             '{"id":2,"x":"c","y":"p"}\n{"id":2,"x":"c","y":"s"}\n',
    "left": '{"id":1,"x":"a","y":"r"}\n{"id":2,"x":"b","y":"p"}\n{"id":2,"x":"b","y":"s"}\n'
            '{"id":2,"x":"c","y":"p"}\n{"id":2,"x":"c","y":"s"}\n{"id":4,"x":"d"}\n',
    "right": '{"id":1,"x":"a","y":"r"}\n{"id":2,"x":"b","y":"p"}\n{"id":2,"x":"b","y":"s"}\n'
             '{"id":2,"x":"c","y":"p"}\n{"id":2,"x":"c","y":"s"}\n{"id":3,"y":"q"}\n',
    "full": '{"id":1,"x":"a","y":"r"}\n{"id":2,"x":"b","y":"p"}\n{"id":2,"x":"b","y":"s"}\n'
            '{"id":2,"x":"c","y":"p"}\n{"id":2,"x":"c","y":"s"}\n{"id":3,"y":"q"}\n{"id":4,"x":"d"}\n',
    "semi": '{"id":1,"x":"a"}\n{"id":2,"x":"b"}\n{"id":2,"x":"c"}\n',
    "anti": '{"id":4,"x":"d"}\n',
}

for how, lines in RESULTS.items():
    for way, options in WAYS.items():
        if way != "broadcast" or how not in ("right", "full"):
            case(f"join_{how}_{way}", left.join(right, on="id", how=how, **options).sort(["id", "x", "y"]),
                 given=GIVEN, lines=lines)
    case(f"join_{how}_shuffled_to_one_file",
         left.join(right, on="id", how=how, broadcast=False, shards=1).write("DIR/out.jsonl"), given=GIVEN,
         files={"out.jsonl": lines})

# --- keys

case("join_string_keys", left.join(right, on="id").sort("id"),
     given=given('{"id":"b","x":1}\n{"id":"a","x":2}\n{"id":"","x":3}\n{"id":"ž","x":4}\n',
                 '{"id":"ž","y":1}\n{"id":"","y":2}\n{"id":"a","y":3}\n{"id":"aa","y":4}\n'),
     lines='{"id":"","x":3,"y":2}\n{"id":"a","x":2,"y":3}\n{"id":"ž","x":4,"y":1}\n')
case("join_negative_keys", left.join(right, on="id", broadcast=False).sort("id"),
     given=given('{"id":-1,"x":1}\n{"id":1,"x":2}\n{"id":-9000000000,"x":3}\n',
                 '{"id":-9000000000,"y":1}\n{"id":-1,"y":2}\n'),
     lines='{"id":-9000000000,"x":3,"y":1}\n{"id":-1,"x":1,"y":2}\n')
case("join_mixed_keys", left.join(right, on="id", broadcast=False).sort("id"),
     given=given('{"id":1,"x":1}\n{"id":"1","x":2}\n{"id":true,"x":3}\n{"id":[1],"x":4}\n{"id":{"a":1},"x":5}\n',
                 '{"id":"1","y":1}\n{"id":1.0,"y":2}\n{"id":{"a":1.0},"y":3}\n{"id":[1],"y":4}\n{"id":false,"y":5}\n'),
     lines='{"id":1,"x":1,"y":2}\n{"id":"1","x":2,"y":1}\n{"id":[1],"x":4,"y":4}\n{"id":{"a":1},"x":5,"y":3}\n')
case("join_several_keys", left.join(right, on=["a", "b"]).sort(["a", "b"]),
     given=given('{"a":1,"b":1,"x":1}\n{"a":1,"b":2,"x":2}\n{"a":2,"b":1,"x":3}\n',
                 '{"a":1,"b":2,"y":1}\n{"a":2,"b":2,"y":2}\n{"a":1,"b":1,"y":3}\n'),
     lines='{"a":1,"b":1,"x":1,"y":3}\n{"a":1,"b":2,"x":2,"y":1}\n')
case("join_keys_of_different_names", left.join(right, left_on="id", right_on="ref").sort("id"),
     given=given('{"id":1,"x":1}\n{"id":2,"x":2}\n', '{"ref":2,"y":1}\n{"ref":3,"y":2}\n'),
     lines='{"id":2,"x":2,"ref":2,"y":1}\n')
case("join_by_functions", left.join(right, left_on=expr("r.x // 10"), right_on=expr("r.y % 10")).sort("x"),
     given=given('{"x":10}\n{"x":25}\n{"x":31}\n', '{"y":42}\n{"y":13}\n{"y":9}\n'),
     lines='{"x":25,"y":42}\n{"x":31,"y":13}\n')
case("join_by_a_nested_field", left.join(right, left_on="a.id", right_on="id").select("x", "y"),
     given=given('{"a":{"id":1},"x":1}\n{"a":{"id":2},"x":2}\n', '{"id":2,"y":7}\n'), lines='{"x":2,"y":7}\n')

NULLS = given('{"id":null,"x":1}\n{"x":2}\n{"id":0,"x":3}\n', '{"id":null,"y":1}\n{"y":2}\n{"id":0,"y":3}\n')
for how, lines in {
        "inner": '{"id":0,"x":3,"y":3}\n',
        "left": '{"id":null,"x":1}\n{"x":2}\n{"id":0,"x":3,"y":3}\n',
        "right": '{"id":null,"y":1}\n{"y":2}\n{"id":0,"x":3,"y":3}\n',
        "full": '{"id":null,"y":1}\n{"y":2}\n{"id":null,"x":1}\n{"x":2}\n{"id":0,"x":3,"y":3}\n',
        "semi": '{"id":0,"x":3}\n',
        "anti": '{"id":null,"x":1}\n{"x":2}\n'}.items():
    case(f"join_{how}_null_keys_match_nothing",
         left.join(right, on="id", how=how, broadcast=False).sort(["id", "x", "y"]),
         given=NULLS, lines=lines)
for how in ("inner", "left", "semi", "anti"):
    case(f"join_{how}_null_keys_match_nothing_broadcast",
         left.join(right, on="id", how=how, broadcast=True).sort(["id", "x", "y"]), given=NULLS,
         lines={"inner": '{"id":0,"x":3,"y":3}\n', "left": '{"id":null,"x":1}\n{"x":2}\n{"id":0,"x":3,"y":3}\n',
                "semi": '{"id":0,"x":3}\n', "anti": '{"id":null,"x":1}\n{"x":2}\n'}[how])
case("join_null_in_one_of_several_keys_matches_nothing",
     left.join(right, on=["a", "b"], how="left", broadcast=False).sort("x"),
     given=given('{"a":1,"b":null,"x":1}\n{"a":1,"x":2}\n{"a":1,"b":1,"x":3}\n',
                 '{"a":1,"b":null,"y":1}\n{"a":1,"y":2}\n{"a":1,"b":1,"y":3}\n'),
     lines='{"a":1,"b":null,"x":1}\n{"a":1,"x":2}\n{"a":1,"b":1,"x":3,"y":3}\n')

# --- products

case("join_product_of_duplicates", left.join(right, on="id", broadcast=False, shards=1),
     given=given('{"id":1,"x":1}\n{"id":1,"x":2}\n', '{"id":1,"y":1}\n{"id":1,"y":2}\n'),
     lines='{"id":1,"x":1,"y":1}\n{"id":1,"x":1,"y":2}\n{"id":1,"x":2,"y":1}\n{"id":1,"x":2,"y":2}\n')
case("join_product_of_many",
     z.from_range(300, shards=3).map("{ k = 1, x = r }")
     .join(z.from_range(200, shards=2).map("{ k = 1, y = r }"), on="k", broadcast=False).count(),
     records=[60000])
case("join_with_itself", left.join(left, on="id", suffix="_again").sort(["id", "x", "x_again"]),
     given=given('{"id":1,"x":1}\n{"id":1,"x":2}\n{"id":2,"x":3}\n', ""),
     lines='{"id":1,"x":1,"x_again":1}\n{"id":1,"x":1,"x_again":2}\n{"id":1,"x":2,"x_again":1}\n'
           '{"id":1,"x":2,"x_again":2}\n{"id":2,"x":3,"x_again":3}\n')
case("join_semi_does_not_repeat", left.join(right, on="id", how="semi", broadcast=False),
     given=given('{"id":1}\n', '{"id":1}\n' * 5), lines='{"id":1}\n')

# --- fields of both sides

CLASH = given('{"id":1,"v":1,"w":2}\n', '{"id":1,"v":3,"u":4}\n')
case("join_suffix", left.join(right, on="id", suffix="_r"), given=CLASH,
     lines='{"id":1,"v":1,"w":2,"v_r":3,"u":4}\n')
case("join_suffix_is_for_clashes_only", left.join(right, on="id", suffix="_r", how="full", broadcast=False).sort("id"),
     given=given('{"id":1,"v":1}\n{"id":2,"v":5}\n', '{"id":1,"v":3}\n{"id":3,"u":4}\n'),
     lines='{"id":1,"v":1,"v_r":3}\n{"id":2,"v":5}\n{"id":3,"u":4}\n')
case("join_combine", left.join(right, on="id", combine="{ id = left.id, sum = left.v + right.v }"), given=CLASH,
     lines='{"id":1,"sum":4}\n')
case("join_combine_without_a_partner",
     left.join(right, on="id", how="full", broadcast=False, combine="{ l = left and left.x, r = right and right.y }", shards=1),
     given=GIVEN, lines='{"l":"a","r":"r"}\n{"l":"b","r":"p"}\n{"l":"b","r":"s"}\n{"l":"c","r":"p"}\n{"l":"c","r":"s"}\n'
     '{"r":"q"}\n{"l":"d"}\n')
case("join_combine_of_records_that_are_no_maps",
     z.from_list([1, 2, 3]).join(z.from_list([20, 30, 40]), left_on=expr(SELF), right_on=expr("r // 10"),
                                 combine="left + right").sort(expr(SELF)), records=[22, 33])
case("bad_join_clash", left.join(right, on="id"), given=CLASH, fails="USER",
     words=["operator join", "\"v\"", "suffix"])
case("bad_join_clash_broadcast", left.join(right, on="id", broadcast=True), given=CLASH, fails="USER",
     words=["operator join", "\"v\"", "suffix"])
case("bad_join_clash_behind_the_suffix", left.join(right, on="id", suffix="_r"),
     given=given('{"id":1,"v":1,"v_r":2}\n', '{"id":1,"v":3}\n'), fails="USER", words=["operator join", "v_r"])
case("bad_join_of_records_that_are_no_maps",
     z.from_list([1]).join(z.from_list([1]), left_on=expr(SELF), right_on=expr(SELF)), fails="USER",
     words=["operator join", "map"])
case("bad_join_combine_error", left.join(right, on="id", combine="error('no pair')"), given=CLASH, fails="USER",
     words=["operator join", "no pair"])

# --- sides without records

EMPTY = {"right": given('{"id":1,"x":1}\n{"id":2,"x":2}\n', ""), "left": given("", '{"id":1,"y":1}\n{"id":2,"y":2}\n')}
for how in RESULTS:
    for side, files in EMPTY.items():
        kept = how in ("left", "full", "anti") if side == "right" else how in ("right", "full")
        case(f"join_{how}_with_an_empty_{side}_side",
             left.join(right, on="id", how=how).sort("id"), given=files,
             lines=files["l/a.jsonl" if side == "right" else "r/a.jsonl"] if kept else "")
case("join_of_no_shards", z.from_list([]).join(z.from_list([]), on="id", how="full"), records=[])
case("join_broadcast_to_no_shards", z.from_list([]).join(z.from_list([{"id": 1}]), on="id", broadcast=True), records=[])
case("join_with_no_shards", z.from_list([{"id": 1}]).join(z.from_list([]), on="id"), records=[])
case("join_left_with_no_shards", z.from_list([{"id": 1}]).join(z.from_list([]), on="id", how="left"),
     records=[{"id": 1}])
case("join_anti_with_no_shards", z.from_list([{"id": 1}]).join(z.from_list([]), on="id", how="anti"),
     records=[{"id": 1}])
case("join_right_of_no_shards",
     z.from_list([]).join(z.from_list([{"id": 1}]), on="id", how="right"), records=[{"id": 1}])
case("join_full_of_no_shards_then_count", z.from_list([]).join(z.from_list([{"id": 1}]), on="id", how="full").count(),
     records=[1])
case("join_sides_with_different_shards",
     z.from_range(100, shards=9).map("{ id = r }").join(z.from_range(50, shards=2).map("{ id = r * 2, y = r }"),
                                                        on="id", broadcast=False).count(), records=[50])
case("join_more_shards_than_rows", left.join(right, on="id", broadcast=False, shards=40).sort("id", shards=1),
     given=GIVEN, lines=RESULTS["inner"])
case("join_to_exact_shards", left.join(right, on="id", broadcast=False, shards=5)
     .map_shard("for r in items do end emit(shard.total)"), given=GIVEN, records=[5] * 5)
case("join_all_keys_are_equal", z.from_range(30, shards=3).map("{ id = 'k', x = r }")
     .join(z.from_list([{"id": "k", "y": 1}]), on="id", broadcast=False).map("r.x"), records=list(range(30)))

# --- sides that are chains

case("join_strings_after_group_by",
     left.group_by("k", reduce=COUNT_ROWS).join(right.group_by("k", reduce=SUM_OF_V), on="k").sort("k"),
     given=given('{"k":"x"}\n{"k":"y"}\n{"k":"x"}\n{"k":""}\n', '{"k":"x","v":1}\n{"k":"","v":2}\n{"k":"z","v":3}\n'),
     lines='{"k":"","n":1,"s":2}\n{"k":"x","n":2,"s":1}\n')
case("join_negative_keys_after_group_by",
     z.from_range(20, shards=4).map("{ k = r % 7 - 3 }").group_by("k", reduce=COUNT_ROWS)
     .join(z.from_range(20, shards=3).map("{ k = -(r % 3), v = r }").group_by("k", reduce=SUM_OF_V), on="k").sort("k"),
     records=[{"k": -2, "n": 3, "s": 57}, {"k": -1, "n": 3, "s": 70}, {"k": 0, "n": 3, "s": 63}])
case("join_mixed_keys_after_group_by",
     left.group_by("k", reduce=COUNT_ROWS).join(right.group_by("k", reduce=SUM_OF_V), on="k", broadcast=False).sort("k"),
     given=given('{"k":1}\n{"k":"1"}\n{"k":1.0}\n{"k":null}\n{"k":[1,"a"]}\n',
                 '{"k":1,"v":1}\n{"k":null,"v":2}\n{"k":[1.0,"a"],"v":3}\n{"k":"1","v":4}\n'),
     lines='{"k":1,"n":2,"s":1}\n{"k":"1","n":1,"s":4}\n{"k":[1,"a"],"n":1,"s":3}\n')
case("join_of_filtered_sides", left.filter("r.x ~= 'b'").join(right.filter("r.y ~= 's'"), on="id").sort("id"),
     given=GIVEN, lines='{"id":1,"x":"a","y":"r"}\n{"id":2,"x":"c","y":"p"}\n')
case("join_of_a_join", left.join(right, on="id").join(z.read("DIR/third.jsonl"), on="y").sort(["id", "x", "y"]),
     given=GIVEN | {"third.jsonl": '{"y":"s","z":1}\n{"y":"r","z":2}\n'},
     lines='{"id":1,"x":"a","y":"r","z":2}\n{"id":2,"x":"b","y":"s","z":1}\n{"id":2,"x":"c","y":"s","z":1}\n')
case("join_with_a_count", z.from_list([3, 4]).join(z.from_range(3, shards=2).count(), left_on=expr(SELF),
                                                   right_on=expr(SELF), combine="left + right"), records=[6])
case("join_with_a_union", z.from_list([{"id": 1}, {"id": 2}])
     .join(z.from_list([{"id": 1, "y": 1}]).union(z.from_list([{"id": 2, "y": 2}])), on="id").sort("id"),
     records=[{"id": 1, "y": 1}, {"id": 2, "y": 2}])
case("join_then_narrow_operators", left.join(right, on="id").filter("r.y == 'p'").map("r.x").sort(expr(SELF)),
     given=GIVEN, records=["b", "c"])

# --- among other operators

case("wide_join_of_two_sorts",
     z.from_range(10, shards=2).map("{ id = r, x = -r }").sort("x").join(
         z.from_range(10, shards=3).map("{ id = r, y = r * r }").sort("y", descending=True), on="id", broadcast=False)
     .sort("id", shards=1).map("r.x + r.y"), records=[r * r - r for r in range(10)])
case("wide_with_the_same_input_twice",
     script="local base = zonda.from_range(20, { shards = 4 }):map(function(r) return { k = r % 3, v = r } end)\n"
            "local sums = base:group_by{ key = 'k', reduce = function(k, rows) local s = 0 for r in rows do s = s + r.v "
            "end return { k = k, s = s } end }\n"
            "return base:join(sums, { on = 'k' }):filter(function(r) return r.v < 3 end):sort('v')",
     records=[{"k": k, "v": k, "s": sum(range(k, 20, 3))} for k in range(3)])
case("wide_limit_of_a_join", z.from_range(50, shards=3).map("{ id = r }").join(
    z.from_list([{"id": 7, "y": 1}, {"id": 9, "y": 2}]), on="id", broadcast=False, shards=1).limit(1),
     records=[{"id": 7, "y": 1}])
case("explain_join", z.from_range(10, shards=4).join(z.from_range(10, shards=3), left_on=expr(SELF), right_on=expr(SELF),
                                                     combine="left", broadcast=False), explains=["join", "join"])
skewed = z.from_range(20000, shards=6).map("{ k = r % 10 == 0 and r % 70 or 'hot', v = r }")
case("skew_join", skewed.join(z.from_list([{"k": "hot", "y": 1}]), on="k", broadcast=False, shards=3).count(), records=[18000])
case("skew_join_right_side", z.from_list([{"k": "hot", "y": 1}, {"k": "cold", "y": 2}])
     .join(skewed, on="k", broadcast=False, shards=3).count(), records=[18000])

# --- errors

case("bad_join_how", left.join(right, on="id", how="outer"), given=GIVEN, fails="PLAN", words=["how", "inner", "outer"])
case("bad_join_without_keys", left.join(right), given=GIVEN, fails="PLAN", words=["join", "on"])
case("bad_join_with_one_key_of_two", left.join(right, left_on="id"), given=GIVEN, fails="PLAN",
     words=["join", "right_on"])
case("bad_join_with_on_and_left_on", left.join(right, on="id", left_on="id", right_on="id"), given=GIVEN, fails="PLAN",
     words=["join", "left_on"])
case("bad_join_suffix_and_combine", left.join(right, on="id", suffix="_r", combine="left"), given=GIVEN, fails="PLAN",
     words=["join", "suffix", "combine"])
case("bad_join_broadcast_of_right", left.join(right, on="id", how="right", broadcast=True), given=GIVEN, fails="PLAN",
     words=["join", "broadcast", "right"])
case("bad_join_key_error_on_the_right_names_the_file", left.join(right, left_on="id", right_on=expr("r.a.b")),
     given=given('{"id":1}\n', '{"a":{}}\n{}\n'), fails="USER", words=["operator join", "r/a.jsonl:2"])
case("bad_join_key_is_nan", left.join(right, left_on=expr("0/0"), right_on="id", broadcast=False),
     given=given('{"id":1}\n', '{"id":1}\n'), fails="BAD_RECORD", words=["operator join", "l/a.jsonl:1"])
case("bad_join_no_match_on_the_right", left.join(z.read("DIR/none/*.jsonl"), on="id"), given=GIVEN, fails="NO_MATCH",
     words=["none"])

# --- sorted_merge_join: shard i of one side with shard i of the other

SORTED = {"l/a.jsonl": '{"id":1,"x":1}\n{"id":2,"x":2}\n{"id":2,"x":3}\n', "l/b.jsonl": '{"id":7,"x":4}\n',
          "r/a.jsonl": '{"id":2,"y":1}\n{"id":2,"y":2}\n{"id":3,"y":3}\n', "r/b.jsonl": '{"id":7,"y":4}\n{"id":8,"y":5}\n'}
PAIRS = '{"id":2,"x":2,"y":1}\n{"id":2,"x":2,"y":2}\n{"id":2,"x":3,"y":1}\n{"id":2,"x":3,"y":2}\n'
for how, lines in {
        "inner": PAIRS + '{"id":7,"x":4,"y":4}\n',
        "left": '{"id":1,"x":1}\n' + PAIRS + '{"id":7,"x":4,"y":4}\n',
        "right": PAIRS + '{"id":3,"y":3}\n{"id":7,"x":4,"y":4}\n{"id":8,"y":5}\n',
        "full": '{"id":1,"x":1}\n' + PAIRS + '{"id":3,"y":3}\n{"id":7,"x":4,"y":4}\n{"id":8,"y":5}\n',
        "semi": '{"id":2,"x":2}\n{"id":2,"x":3}\n{"id":7,"x":4}\n',
        "anti": '{"id":1,"x":1}\n'}.items():
    case(f"sorted_merge_join_{how}", left.sorted_merge_join(right, on="id", how=how), given=SORTED, lines=lines)
case("sorted_merge_join_duplicate_keys", left.sorted_merge_join(right, on="id").count(),
     given=given('{"id":1,"x":1}\n{"id":1,"x":2}\n', '{"id":1,"y":1}\n{"id":1,"y":2}\n'), records=[4])
case("sorted_merge_join_keeps_shards", left.sorted_merge_join(right, on="id").write("DIR/{shard}.jsonl"), given=SORTED,
     files={"0.jsonl": PAIRS, "1.jsonl": '{"id":7,"x":4,"y":4}\n'})
case("sorted_merge_join_after_group_by",
     left.group_by("k", reduce=COUNT_ROWS, shards=3)
     .sorted_merge_join(right.group_by("k", reduce=SUM_OF_V, shards=3), on="k").sort("k"),
     given=given('{"k":"x"}\n{"k":"y"}\n{"k":"x"}\n{"k":""}\n', '{"k":"x","v":1}\n{"k":"","v":2}\n{"k":"z","v":3}\n'),
     lines='{"k":"","n":1,"s":2}\n{"k":"x","n":2,"s":1}\n')
case("sorted_merge_join_after_deduplicate",
     z.from_range(40, shards=4).map("{ k = r % 10, x = r }").deduplicate("k", shards=3)
     .sorted_merge_join(z.from_range(40, shards=2).map("{ k = r % 15, y = r }").deduplicate("k", shards=3), on="k")
     .sort("k", shards=1), records=[{"k": k, "x": k, "y": k} for k in range(10)])
case("sorted_merge_join_empty_left", left.sorted_merge_join(right, on="id"), given=given("", '{"id":1}\n'), lines="")
case("sorted_merge_join_empty_right", left.sorted_merge_join(right, on="id"), given=given('{"id":1}\n', ""), lines="")
case("sorted_merge_join_no_shards", z.from_list([]).sorted_merge_join(z.from_list([]), on="id"), records=[])
case("sorted_merge_join_of_a_side_without_shards",
     left.sorted_merge_join(z.from_list([]), on="id", how="left").write("DIR/{shard}-of-{total}.jsonl"), given=SORTED,
     files={"0-of-2.jsonl": SORTED["l/a.jsonl"], "1-of-2.jsonl": SORTED["l/b.jsonl"]})
case("sorted_merge_join_of_no_shards_with_some",
     z.from_list([]).sorted_merge_join(z.from_list([{"id": 1}, {"id": 2}]), on="id", how="full"),
     records=[{"id": 1}, {"id": 2}])
case("sorted_merge_join_after_group_by_of_nothing",
     z.from_range(9, shards=3).map("{ k = r }").group_by("k", reduce=COUNT_ROWS, shards=4)
     .sorted_merge_join(z.from_list([]).group_by("k", reduce=SUM_OF_V, shards=4), on="k"), records=[])
case("sorted_merge_join_suffix", left.sorted_merge_join(right, on="id", suffix="_r"), given=CLASH,
     lines='{"id":1,"v":1,"w":2,"v_r":3,"u":4}\n')
case("sorted_merge_join_combine", left.sorted_merge_join(right, on="id", combine="{ left.v, right.v }"), given=CLASH,
     records=[[1, 3]])
case("sorted_merge_join_null_keys", left.sorted_merge_join(right, on="id", how="left"), given=NULLS,
     lines='{"id":null,"x":1}\n{"x":2}\n{"id":0,"x":3,"y":3}\n')
case("bad_sorted_merge_join_shards_differ",
     left.sorted_merge_join(z.read("DIR/r/a.jsonl"), on="id"), given=SORTED, fails="PLAN",
     words=["sorted_merge_join", "2", "1"])
case("bad_sorted_merge_join_unsorted_left", left.sorted_merge_join(right, on="id"),
     given=given('{"id":2}\n{"id":1}\n', '{"id":1}\n'), fails="INVALID", words=["sorted_merge_join", "l/a.jsonl:2"])
case("bad_sorted_merge_join_unsorted_right", left.sorted_merge_join(right, on="id"),
     given=given('{"id":2}\n', '{"id":1}\n{"id":3}\n{"id":2}\n'), fails="INVALID",
     words=["sorted_merge_join", "r/a.jsonl:3"])
case("bad_sorted_merge_join_unsorted_behind_the_last_pair", left.sorted_merge_join(right, on="id"),
     given=given('{"id":1}\n{"id":2}\n{"id":1}\n', '{"id":0}\n'), fails="INVALID",
     words=["sorted_merge_join", "l/a.jsonl:3"])
case("bad_sorted_merge_join_clash", left.sorted_merge_join(right, on="id"), given=CLASH, fails="USER",
     words=["operator sorted_merge_join", "\"v\"", "suffix"])
