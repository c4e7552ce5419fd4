# SPDX-License-Identifier: MPL-2.0
"""Wide operators with each other and with everything else: behind each other, in a union, before folds,
limits and sinks, with failures in later stages; and one key that has nearly all rows."""
from case import case, expr, gz, z
from twins import (ADD, ADD_UP_V, CONSTANT, COUNT_ROWS, EVEN, FIELD_V, KEY_ALONE, MODULO_3,
                   NEGATE, PAIR_OF_NUMBER, SELF, SUM_OF_V)

ABC = {"in/a.jsonl": '{"k":"x","v":1}\n{"k":"y","v":2}\n',
       "in/b.jsonl": '{"k":"x","v":3}\n',
       "in/c.jsonl": '{"k":"y","v":4}\n{"k":"x","v":5}\n{"k":"z","v":6}\n'}
abc = z.read("DIR/in/*.jsonl")
pairs = z.from_range(100, shards=4).map(PAIR_OF_NUMBER)
SUMS = [{"k": k, "s": sum(range(k, 100, 5))} for k in range(5)]

# --- wide after wide

case("wide_sort_of_groups_by_their_sums",
     pairs.group_by("k", reduce=SUM_OF_V, shards=3).sort("s", descending=True), records=SUMS[::-1])
case("wide_group_by_of_a_group_by",
     pairs.group_by("k", reduce=SUM_OF_V, shards=3).group_by(expr("r.k % 2"), shards=1,
                                                             reduce="local n = 0 for r in rows do n = n + r.s end emit(n)"),
     records=[SUMS[0]["s"] + SUMS[2]["s"] + SUMS[4]["s"], SUMS[1]["s"] + SUMS[3]["s"]])
case("wide_deduplicate_of_a_sort_keeps_the_smallest",
     pairs.sort("v", descending=True).deduplicate("k", shards=2).sort("k", shards=1),
     records=[{"k": k, "v": 95 + k} for k in range(5)])
case("wide_group_by_of_a_sort_is_in_its_order",
     z.from_range(20, shards=4).sort(expr(NEGATE)).group_by(expr(MODULO_3), shards=1,
                                                            reduce="emit(rows()) emit(rows())"),
     records=[18, 15, 19, 16, 17, 14])
case("wide_reshard_of_a_sort_keeps_its_order",
     z.from_range(100, shards=4).sort(expr(NEGATE)).reshard(7), records=list(range(99, -1, -1)))
case("wide_sort_of_a_reshard", z.from_range(100, shards=4).reshard(9).sort(expr(NEGATE), shards=2),
     records=list(range(99, -1, -1)))
case("wide_group_by_between_narrow_operators",
     z.from_range(40, shards=4).filter(EVEN).map("{ k = r % 3, v = r }").group_by("k", reduce=SUM_OF_V)
     .filter("r.k > 0").map("{ key = r.k, half = r.s // 2 }").sort("key", shards=1),
     records=[{"half": sum(v for v in range(0, 40, 2) if v % 3 == k) // 2, "key": k}
              for k in (1, 2)])
case("wide_reused_dataset_is_executed_twice",
     script="local s = zonda.from_range(9, { shards = 3 }):sort(function(r) return -r end)\nreturn { s, s:count() }",
     records=[*range(8, -1, -1), 9])
case("wide_map_shard_behind_sort_gets_runs_of_the_order",
     z.from_range(50, shards=5).sort(expr(NEGATE), shards=1).map_shard("local l = {} for r in items do l[#l + 1] = r end "
                                                                       "emit(l[1]) emit(l[#l]) emit(#l)"),
     records=[49, 0, 50])
case("wide_flat_map_behind_group_by", pairs.group_by("k", reduce=COUNT_ROWS, shards=1)
     .flat_map("for i = 1, 2 do emit(r.k * 10 + i) end"), records=[k * 10 + i for k in range(5) for i in (1, 2)])
case("wide_window_behind_sort", z.from_range(7, shards=3).sort(expr(SELF), shards=1).window(3),
     records=[[0, 1, 2], [3, 4, 5], [6]])
case("wide_take_per_shard_behind_group_by", pairs.group_by("k", reduce=KEY_ALONE, shards=1).take_per_shard(2),
     records=[0, 1])
case("wide_shared_data_in_a_reducer",
     pairs.group_by("k", reduce="for r in rows do end emit(key + zonda.shared('offset'))", shards=1),
     shared={"offset": 100}, records=[100, 101, 102, 103, 104])

# --- in a union

case("wide_union_of_two_sorts",
     z.from_range(5, shards=2).sort(expr(NEGATE)).union(z.from_range(3, shards=3).sort(expr(SELF))),
     records=[4, 3, 2, 1, 0, 0, 1, 2])
case("wide_union_of_a_wide_and_a_narrow_one", z.from_range(3, shards=2).union(z.from_range(5, shards=2).sort(expr(NEGATE))),
     records=[0, 1, 2, 4, 3, 2, 1, 0])
case("wide_sort_of_a_union",
     z.from_range(5, shards=2).union(z.from_list([2.5, -1]), z.from_range(3, shards=3).sort(expr(NEGATE))).sort(expr(SELF)),
     records=[-1, 0, 0, 1, 1, 2, 2, 2.5, 3, 4])
case("wide_group_by_of_a_union_comes_in_its_order",
     z.from_list(["b", "a"]).union(z.from_list(["c", "a"]), z.from_list(["b"]))
     .group_by(expr(CONSTANT), reduce="local t = {} for r in rows do t[#t + 1] = r end emit(table.concat(t))"),
     records=["bacab"])
case("wide_union_of_group_bys", abc.group_by("k", reduce=SUM_OF_V, shards=1).union(
    abc.group_by("k", reduce=COUNT_ROWS, shards=1)), given=ABC,
     records=[{"k": "x", "s": 9}, {"k": "y", "s": 6}, {"k": "z", "s": 6},
              {"k": "x", "n": 3}, {"k": "y", "n": 2}, {"k": "z", "n": 1}])
case("wide_union_then_reshard", z.from_range(30, shards=3).union(z.from_range(30, shards=2)).reshard(4),
     records=[*range(30), *range(30)])

# --- before folds and limits

case("wide_sort_then_count", z.from_range(100, shards=4).sort(expr(NEGATE)).count(), records=[100])
case("wide_group_by_then_count", pairs.group_by("k", reduce=KEY_ALONE).count(), records=[5])
case("wide_group_by_then_reduce", pairs.group_by("k", reduce=SUM_OF_V).map("r.s").reduce(ADD), records=[4950])
case("wide_sort_then_reduce_is_in_order",
     z.from_list(["c", "a", "d", "b"]).sort(expr(SELF)).reduce("a .. r"), records=["abcd"])
case("wide_group_by_then_limit", pairs.group_by("k", reduce=KEY_ALONE, shards=1).limit(2), records=[0, 1])
case("wide_limit_then_group_by", z.from_range(100, shards=10).limit(10).group_by(expr(MODULO_3), reduce=COUNT_ROWS),
     records=[{"k": 0, "n": 4}, {"k": 1, "n": 3}, {"k": 2, "n": 3}])
case("wide_limit_between_sorts", z.from_range(100, shards=5).sort(expr(NEGATE)).limit(4).sort(expr(SELF)),
     records=[96, 97, 98, 99])
case("wide_count_then_sort", z.from_range(100, shards=5).count().sort(expr(SELF)), records=[100])
case("wide_limit_zero_behind_a_sort", z.from_range(100, shards=5).sort(expr(SELF)).limit(0), records=[])

# --- before sinks, behind them

case("wide_group_by_written", abc.group_by("k", reduce=SUM_OF_V, shards=1).write("DIR/out/{shard}-of-{total}.jsonl"),
     given=ABC, files={"out/0-of-1.jsonl": '{"k":"x","s":9}\n{"k":"y","s":6}\n{"k":"z","s":6}\n'})
case("wide_sort_written_packed", z.from_range(4, shards=2).sort(expr(NEGATE), shards=1).write("DIR/out.jsonl.gz"),
     files={"out.jsonl.gz": gz("3\n2\n1\n0\n")})
case("wide_sort_written_as_csv", abc.sort(["k", "v"], descending=True, shards=1).write("DIR/out.csv"), given=ABC,
     files={"out.csv": "k,v\nz,6\ny,4\ny,2\nx,5\nx,3\nx,1\n"})
case("wide_write_then_group_by_of_the_paths",
     z.from_range(3, shards=3).write("DIR/{shard}.jsonl").group_by(expr("#r"), reduce=COUNT_ROWS, shards=1).map("r.n"),
     files={"0.jsonl": "0\n", "1.jsonl": "1\n", "2.jsonl": "2\n"}, records=[3])
case("wide_reshard_written_without_shard_in_the_name", z.from_range(9, shards=3).reshard(2).write("DIR/out.jsonl"),
     fails="PLAN", words=["{shard}", "2"])
case("wide_failure_behind_a_sort_leaves_nothing",
     z.from_range(40, shards=4).sort(expr(NEGATE), shards=1).map("r == 0 and r.x.y or r").write("DIR/out-{shard}.jsonl"),
     fails="USER", words=["operator map"])

# --- counters, dry runs, failures

case("wide_counter_in_a_reducer", pairs.group_by("k", reduce="for r in rows do zonda.counter('seen', r.v) end"),
     records=[], counters={"seen": (4950, 0, 99, 100)})
case("wide_counters_of_records", z.from_range(100, shards=4).sort(expr(SELF), shards=2).count(), records=[100],
     counters={"retries": 0})
case("explain_group_by", abc.map("r").group_by("k", reduce=KEY_ALONE, shards=3).filter("true"), given=ABC,
     explains=["read→map→group_by", "3", "group_by→filter", "3"])
case("explain_reshard", z.from_range(10, shards=4).reshard(6).map("r"), explains=["from_range→reshard", "4", "reshard→map", "6"])
case("bad_wide_failure_in_the_second_stage", pairs.group_by("k", reduce=COUNT_ROWS).map("r.k == 3 and r.x.y or r"),
     fails="USER", words=["operator map"])
case("bad_wide_failure_in_the_first_stage",
     z.from_range(10, shards=5).map("r == 7 and error('at seven') or r").sort(expr(SELF)).count(), fails="USER",
     words=["at seven", "operator map", "shard 3"])
case("bad_wide_bad_input_in_front_of_a_sort", abc.sort("k"), given={"in/a.jsonl": '{"k":1}\n{"k":\n'}, fails="BAD_RECORD",
     words=["a.jsonl:2", "operator read"])

# --- one key with nine tenths of the rows

SKEWED = "{ k = r % 10 == 0 and r % 70 or 'hot', v = r }"
skewed = z.from_range(20000, shards=6).map(SKEWED)
HOT = sum(r for r in range(20000) if r % 10)
case("skew_group_by", skewed.group_by("k", reduce=SUM_OF_V, shards=4).filter("r.k == 'hot'"),
     records=[{"k": "hot", "s": HOT}])
case("skew_group_by_streams_the_rows_in_order",
     skewed.group_by("k", shards=4, reduce="local last = -1 for r in rows do assert(r.v > last) last = r.v end "
                                           "emit(key)").sort(expr(SELF), shards=1),
     records=[0, 10, 20, 30, 40, 50, 60, "hot"])
case("skew_combine", skewed.group_by("k", combine=ADD_UP_V, reduce=SUM_OF_V, shards=4).filter("r.k == 'hot'"),
     records=[{"k": "hot", "s": HOT}])
case("skew_combine_moves_one_row_per_task",
     skewed.group_by("k", combine=ADD_UP_V, shards=4, reduce="local n = 0 for r in rows do n = n + 1 end emit(n)")
     .reduce("math.max(a, r)"), records=[6])
case("skew_sort", skewed.sort("k", shards=4).filter("r.k == 'hot'").map(FIELD_V).limit(3), records=[1, 2, 3])
case("skew_sort_spreads_the_key",
     skewed.map("{ k = r.k, t = ('x'):rep(50) }").sort("k", shards=4)
     .map_shard("local n = 0 for r in items do n = n + 1 end emit(n)").map("r > 1500 and r < 7500"), records=[True] * 4)
case("skew_deduplicate", skewed.deduplicate("k", shards=3).count(), records=[8])
