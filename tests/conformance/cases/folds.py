# SPDX-License-Identifier: MPL-2.0
"""Folds: count and reduce, also over nothing."""
from case import case, fn, z

case("count_basic", z.from_range(1000, shards=13).count(), records=[1000])
case("count_of_no_shards_is_zero", z.from_list([]).count(), records=[0])
case("count_of_empty_shards_is_zero", z.from_range(50, shards=5).filter("false").count(), records=[0])
case("count_after_filter", z.from_range(100, shards=3).filter("r % 2 == 0").count(), records=[50])
case("count_after_flat_map", z.from_range(4, shards=4).flat_map("for i = 1, r do emit(i) end").count(),
     records=[6])
case("count_then_map", z.from_range(10, shards=2).count().map("{ n = r }"), records=[{"n": 10}])
case("count_of_a_count", z.from_range(10, shards=2).count().count(), records=[1])
case("count_written_to_a_file", z.from_range(10, shards=4).count().write_jsonl("DIR/out/n.jsonl"),
     files={"out/n.jsonl": "10\n"})

case("reduce_sum", z.from_range(101, shards=7).reduce("a + r"), records=[5050])
case("reduce_of_one_record", z.from_list([42]).reduce("a + r"), records=[42])
case("reduce_count_with_global", z.from_range(100, shards=4).map("1").reduce("a + r", "a + r"),
     records=[100])
case("reduce_local_and_global_differ",
     z.from_range(12, shards=3).reduce("math.max(a, r)", "a + r"), records=[3 + 7 + 11])
case("reduce_of_nothing_without_identity_gives_nothing", z.from_list([]).reduce("a + r"), records=[])
case("reduce_of_nothing_gives_the_identity", z.from_list([]).reduce("a + r", identity=7), records=[7])
case("reduce_all_filtered_gives_the_identity",
     z.from_range(9, shards=3).filter("false").reduce("a + r", identity=0), records=[0])
case("reduce_all_filtered_without_identity_gives_nothing",
     z.from_range(9, shards=3).filter("false").reduce("a + r"), records=[])
case("reduce_shards_without_records_do_not_count",
     z.from_range(9, shards=9).filter("r == 4").reduce("a + r", identity=100), records=[104])
case("reduce_identity_starts_every_shard", z.from_range(4, shards=2).reduce("a + r", identity=10),
     records=[26])
case("reduce_identity_of_another_type",
     z.from_range(4, shards=2).reduce("a .. r", "a .. r", identity=""), records=["0123"])
case("reduce_to_a_map",
     z.from_list([3, 1, 2]).map("{ n = 1, sum = r, top = r }")
     .reduce("{ n = a.n + r.n, sum = a.sum + r.sum, top = math.max(a.top, r.top) }"),
     lines='{"n":3,"sum":6,"top":3}\n')
case("reduce_is_in_shard_order", z.from_list(["a", "b", "c", "d"]).reduce("a .. r"), records=["abcd"])
case("reduce_with_pipeline_around",
     z.from_range(20, shards=4).filter("r % 2 == 1").map("r * r").reduce("a + r").map("{ total = r }"),
     records=[{"total": 1330}])
case("reduce_c_function", z.from_range(5, shards=2).reduce(fn("sum")), records=[10])
case("reduce_c_functions_with_identity",
     z.from_range(5, shards=2).reduce(fn("sum"), fn("sum"), identity=100), records=[210])
case("reduce_error_names_the_operator", z.from_list(["x", {"y": 1}]).reduce("a + r"), fails="USER",
     words=["operator reduce,", "attempt to add"])
case("reduce_to_nil_is_null", z.from_range(3, shards=1).reduce("nil"), records=[None])
