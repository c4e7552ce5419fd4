# SPDX-License-Identifier: MPL-2.0
"""aggregate: every function with and without values, keys of all kinds, what is an error."""
from case import case, expr, z
from twins import MODULO_3

ABC = {"in/a.jsonl": '{"k":"x","v":1,"o":{"p":true}}\n{"k":"y","v":2.5}\n{"k":"x","v":null}\n',
       "in/b.jsonl": "",
       "in/c.jsonl": '{"k":"x","v":7,"w":"a"}\n{"k":null,"v":3}\n{"v":4}\n{"k":"y","v":2,"w":"b","o":{"p":1}}\n'}
abc = z.read("DIR/in/*.jsonl")

case("aggregate_counts", abc.aggregate({"n": "count()", "v": "count(v)", "w": "count(w)"}, by="k", shards=1),
     given=ABC, records=[{"k": None, "n": 2, "v": 2, "w": 0}, {"k": "x", "n": 3, "v": 2, "w": 1},
                         {"k": "y", "n": 2, "v": 2, "w": 1}])
case("aggregate_numbers",
     abc.aggregate({"hi": "max(v)", "lo": "min(v)", "mean": "mean(v)", "sum": "sum(v)"}, by="k", shards=1), given=ABC,
     lines='{"k":null,"hi":4,"lo":3,"mean":3.5,"sum":7}\n{"k":"x","hi":7,"lo":1,"mean":4.0,"sum":8}\n'
           '{"k":"y","hi":2.5,"lo":2,"mean":2.25,"sum":4.5}\n')
case("aggregate_values",
     abc.aggregate({"a": "first(v)", "b": "last(v)", "c": "list(v)", "d": "distinct(w)"}, by="k", shards=1), given=ABC,
     records=[{"k": None, "a": 3, "b": 4, "c": [3, 4], "d": []}, {"k": "x", "a": 1, "b": 7, "c": [1, 7], "d": ["a"]},
              {"k": "y", "a": 2.5, "b": 2, "c": [2.5, 2], "d": ["b"]}])
case("aggregate_without_by", abc.aggregate({"n": "count()", "q": "quantile(v, 0.5)", "s": "sum(v)"}), given=ABC,
     records=[{"n": 7, "q": 2.5, "s": 19.5}])
case("aggregate_without_by_of_no_shards",
     z.from_list([]).aggregate({"a": "count()", "b": "sum(v)", "c": "list(v)", "d": "distinct(v)", "e": "min(v)",
                                "f": "mean(v)", "g": "first(v)", "h": "quantile(v, 1)"}),
     records=[{"a": 0, "b": None, "c": [], "d": [], "e": None, "f": None, "g": None, "h": None}])
case("aggregate_without_by_of_empty_shards", z.from_range(4, shards=4).filter("false").aggregate({"n": "count()"}),
     records=[{"n": 0}])
case("aggregate_by_of_no_shards", z.from_list([]).aggregate({"n": "count()"}, by="k"), records=[])
case("aggregate_by_of_empty_shards", z.from_range(4, shards=4).filter("false").aggregate({"n": "count()"}, by="k"),
     records=[])
case("aggregate_by_two_fields", abc.aggregate({"n": "count()"}, by=["k", "o.p"], shards=1), given=ABC,
     records=[{"k": None, "o.p": None, "n": 2}, {"k": "x", "o.p": None, "n": 2}, {"k": "x", "o.p": True, "n": 1},
              {"k": "y", "o.p": None, "n": 1}, {"k": "y", "o.p": 1, "n": 1}])
case("aggregate_by_a_function", z.from_range(10, shards=3).aggregate({"n": "count()"}, by=expr(MODULO_3), shards=1),
     records=[{"key": 0, "n": 4}, {"key": 1, "n": 3}, {"key": 2, "n": 3}])
case("aggregate_records_that_are_no_maps", z.from_range(10, shards=3).aggregate({"n": "count()", "s": "sum(v)"}),
     records=[{"n": 10, "s": None}])
case("aggregate_keeps_the_order_of_expressions",
     abc.aggregate({"z": "count()", "a": "sum(v)", "m": "max(v)"}), given=ABC, lines='{"z":7,"a":19.5,"m":7}\n')
case("aggregate_one_and_one_point_zero_are_one_key",
     z.from_list([{"k": 1}, {"k": 1.0}, {"k": 2}, {"k": "1"}]).aggregate({"n": "count()"}, by="k", shards=1),
     lines='{"k":1,"n":2}\n{"k":2,"n":1}\n{"k":"1","n":1}\n')
case("aggregate_distinct_is_in_the_order_of_keys",
     z.from_list([{"v": v} for v in ["b", 2, 1.0, [1], True, 1, {"a": 1}, 2.5, "b", False, ""]])
     .aggregate({"d": "distinct(v)"}), lines='{"d":[false,true,1.0,2,2.5,"","b",[1],{"a":1}]}\n')
case("aggregate_quantiles_are_values",
     z.from_range(1000, shards=7).map("{ v = 999 - r }").aggregate(
         {"a": "quantile(v, 0)", "b": "quantile(v, 0.5)", "c": "quantile(v, 0.999)", "d": "quantile(v, 1)"}),
     records=[{"a": 0, "b": 499, "c": 998, "d": 999}])
case("aggregate_doubles_are_summed_exactly",
     z.from_list([{"v": v} for v in [1e100, 1.0, -1e100, 1e-3]]).aggregate({"m": "mean(v)", "s": "sum(v)"}),
     lines='{"m":0.25025,"s":1.001}\n')
case("aggregate_parts_of_a_sum_may_overflow",
     z.from_list([{"v": v} for v in [2**63 - 1, 2**63 - 1, -(2**63 - 1), -5]]).aggregate({"s": "sum(v)"}),
     records=[{"s": 2**63 - 6}])
case("aggregate_sum_that_overflows_is_an_error",
     z.from_list([{"v": 2**63 - 1}, {"v": 1}]).aggregate({"s": "sum(v)"}), fails="LIMIT", words=["sum(v)", "64 bits"])
case("aggregate_sum_of_texts_is_an_error", abc.aggregate({"s": "sum(w)"}), given=ABC, fails="BAD_RECORD",
     words=["sum(w)", "string", "in/c.jsonl", "1"])
case("aggregate_unknown_function_is_an_error", abc.aggregate({"s": "total(v)"}), given=ABC, fails="PLAN",
     words=["total(v)", "sum"])
case("aggregate_bad_quantile_is_an_error", abc.aggregate({"s": "quantile(v, 1.5)"}), given=ABC, fails="PLAN",
     words=["quantile(v, 1.5)"])
case("aggregate_field_twice_is_an_error", abc.aggregate({"k": "count()"}, by="k"), given=ABC, fails="PLAN",
     words=['"k"', "by"])
case("aggregate_shards_without_by_is_an_error", abc.aggregate({"n": "count()"}, shards=3), given=ABC, fails="PLAN",
     words=["shards"])
case("aggregate_exact_shards",
     z.from_range(100, shards=3).map("{ k = r % 10 }").aggregate({"n": "count()"}, by="k", shards=5)
     .map_shard("local n = 0 for r in items do n = n + r.n end emit({ i = shard.index, t = shard.total }) emit(n)")
     .filter("type(r) == 'number'").reduce("a + r"), records=[100])
case("aggregate_behind_aggregate",
     z.from_range(1000, shards=5).map("{ k = r % 100, v = 1 }").aggregate({"s": "sum(v)"}, by="k")
     .aggregate({"groups": "count()", "sums": "distinct(s)"}), records=[{"groups": 100, "sums": [10]}])
case("aggregate_a_skewed_key",
     z.from_range(2000, shards=8).map("{ k = r % 10 == 0 and r or 'hot', v = r }")
     .aggregate({"n": "count()", "q": "quantile(v, 0.5)", "s": "sum(v)"}, by="k").filter("r.k == 'hot'"),
     records=[{"k": "hot", "n": 1800, "q": 999, "s": sum(r for r in range(2000) if r % 10)}])
