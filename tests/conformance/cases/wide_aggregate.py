# SPDX-License-Identifier: MPL-2.0
"""aggregate: every function with and without values, keys of all kinds, what is an error."""
from case import case, expr, z
from twins import MODULO_3, NEVER, PAIR_OF_NUMBER

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

# --- each function over everything

rows = z.read("DIR/in/*.jsonl")
GIVEN = {"in/a.jsonl": '{"s":"x","n":3,"v":0.5}\n{"s":"y","n":1}\n', "in/b.jsonl": '{"s":"x","n":5,"v":0.25}\n{"s":"y","n":-2,"v":1}\n',
         "in/c.jsonl": '{"s":"x","n":null,"v":4}\n{"n":7}\n'}
ALL = {"c": "count()", "f": "first(n)", "l": "last(n)", "m": "mean(n)", "s1": "sum(n)", "t": "max(n)", "u": "min(n)"}


def numbers(*values):
    return {"in/a.jsonl": "".join(f'{{"v":{v}}}\n' for v in values)}


def one(text, **options):
    """One expression over everything."""
    return rows.aggregate({"r": text}, **options)


case("aggregate_count", one("count()"), given=GIVEN, records=[{"r": 6}])
case("aggregate_count_of_a_field", one("count(v)"), given=GIVEN, records=[{"r": 4}])
case("aggregate_sum", one("sum(n)"), given=GIVEN, records=[{"r": 14}])
case("aggregate_min_and_max", rows.aggregate({"a": "min(n)", "b": "max(n)"}), given=GIVEN, records=[{"a": -2, "b": 7}])
case("aggregate_mean", one("mean(n)"), given=GIVEN, records=[{"r": 2.8}])
case("aggregate_first_and_last", rows.aggregate({"a": "first(v)", "b": "last(v)"}), given=GIVEN, lines='{"a":0.5,"b":4}\n')
case("aggregate_list", one("list(n)"), given=GIVEN, records=[{"r": [3, 1, 5, -2, 7]}])
case("aggregate_distinct", rows.aggregate({"a": "distinct(s)", "b": "distinct(n)"}), given=GIVEN,
     records=[{"a": ["x", "y"], "b": [-2, 1, 3, 5, 7]}])
case("aggregate_quantiles", rows.aggregate({"a": "quantile(n, 0)", "b": "quantile(n, 0.5)", "c": "quantile(n, 0.9)",
                                            "d": "quantile(n, 1)"}), given=GIVEN,
     records=[{"a": -2, "b": 3, "c": 7, "d": 7}])
case("aggregate_quantile_on_the_command_line",
     cli=["read", "DIR/in/*.jsonl", "then", "aggregate", "a=quantile(n,0.5),b=count()"], given=GIVEN,
     records=[{"a": 3, "b": 6}])
case("aggregate_one_file", one("count()").write("DIR/out.jsonl"), given=GIVEN, files={"out.jsonl": '{"r":6}\n'})
case("aggregate_of_empty_shards",
     z.from_range(9, shards=3).filter(NEVER).map(PAIR_OF_NUMBER)
     .aggregate({"c": "count()", "d": "distinct(v)", "f": "first(v)", "l": "list(v)", "m": "mean(v)", "q": "max(v)"}),
     lines='{"c":0,"d":[],"f":null,"l":[],"m":null,"q":null}\n')
case("aggregate_of_a_nested_field", one("sum(a.b)"), given={"in/a.jsonl": '{"a":{"b":1}}\n{"a":{"b":2}}\n{"a":{}}\n'},
     records=[{"r": 3}])
case("aggregate_large", z.from_range(50000, shards=5).map(PAIR_OF_NUMBER).aggregate({"c": "count()", "s": "sum(v)"}),
     records=[{"c": 50000, "s": 1249975000}])

# --- by keys

case("aggregate_by", rows.aggregate(ALL, by="s", shards=1), given=GIVEN,
     lines='{"s":null,"c":1,"f":7,"l":7,"m":7.0,"s1":7,"t":7,"u":7}\n{"s":"x","c":3,"f":3,"l":5,"m":4.0,"s1":8,"t":5,"u":3}\n'
           '{"s":"y","c":2,"f":1,"l":-2,"m":-0.5,"s1":-1,"t":1,"u":-2}\n')
case("aggregate_by_to_several_shards", rows.aggregate({"c": "count()"}, by="s", shards=3).sort("s", shards=1), given=GIVEN,
     lines='{"s":null,"c":1}\n{"s":"x","c":3}\n{"s":"y","c":2}\n')
case("aggregate_by_mixed_keys", rows.aggregate({"c": "count()"}, by="k", shards=1),
     given={"in/a.jsonl": '{"k":1}\n{"k":"1"}\n{"k":-1}\n{"k":null}\n', "in/b.jsonl": '{"k":1.0}\n{"k":[1]}\n{"k":true}\n{}\n'},
     lines='{"k":null,"c":2}\n{"k":true,"c":1}\n{"k":-1,"c":1}\n{"k":1,"c":2}\n{"k":"1","c":1}\n{"k":[1],"c":1}\n')
case("aggregate_by_shards", z.from_range(9, shards=3).map(PAIR_OF_NUMBER).aggregate({"c": "count()"}, by="k", shards=4)
     .map_shard("for r in items do end emit(shard.total)"), records=[4] * 4)
case("aggregate_by_many_groups", z.from_range(20000, shards=4).map("{ k = r % 5000, v = r }")
     .aggregate({"c": "count()", "s": "sum(v)"}, by="k").aggregate({"c": "sum(c)", "g": "count()", "s": "sum(s)"}),
     records=[{"c": 20000, "g": 5000, "s": 199990000}])
case("aggregate_list_by_is_in_order", z.from_range(12, shards=4).map("{ k = r % 3, v = r }")
     .aggregate({"l": "list(v)"}, by="k", shards=1), records=[{"k": k, "l": list(range(k, 12, 3))} for k in range(3)])
case("aggregate_distinct_by", z.from_range(30, shards=4).map("{ k = r % 2, v = r % 6 }")
     .aggregate({"d": "distinct(v)", "q": "quantile(v, 0.5)"}, by="k", shards=1),
     records=[{"k": 0, "d": [0, 2, 4], "q": 2}, {"k": 1, "d": [1, 3, 5], "q": 3}])
case("aggregate_of_an_aggregate", z.from_range(100, shards=5).map("{ k = r % 10, v = r }")
     .aggregate({"s": "sum(v)"}, by="k").aggregate({"m": "max(s)", "n": "min(s)"}), records=[{"m": 540, "n": 450}])
case("aggregate_then_join", z.from_range(6, shards=2).map("{ k = r % 2, v = r }")
     .join(z.from_range(6, shards=3).map("{ k = r % 2, w = r }").aggregate({"n": "count()"}, by="k"), on="k", broadcast=False)
     .sort("v", shards=1), records=[{"k": v % 2, "v": v, "n": 3} for v in range(6)])
case("aggregate_then_filter", rows.aggregate({"c": "count()"}, by="s").filter("r.c > 2").map("r.s"), given=GIVEN, records=["x"])

# --- numbers

case("aggregate_sum_of_integers_up_to_the_limit", one("sum(v)"), given=numbers(2**63 - 1, -5, 5), records=[{"r": 2**63 - 1}])
case("aggregate_sum_passes_beyond_and_returns", one("sum(v)"), given=numbers(2**63 - 1, 10, -10, 2**63 - 1, -2**63 + 1),
     records=[{"r": 2**63 - 1}])
case("bad_aggregate_sum_overflows", one("sum(v)"), given=numbers(2**63 - 1, 1), fails="LIMIT",
     words=["operator aggregate", "sum(v)", "64"])
case("bad_aggregate_sum_underflows", one("sum(v)"), given=numbers(-2**63, -1), fails="LIMIT", words=["operator aggregate", "sum(v)"])
case("bad_aggregate_sum_overflows_in_different_shards",
     z.from_list([{"v": 2**62}] * 2).aggregate({"s": "sum(v)"}), fails="LIMIT", words=["sum(v)"])
case("aggregate_sum_of_doubles_is_exact", one("sum(v)"), given=numbers(*[0.1] * 10), records=[{"r": 1.0}])
case("aggregate_sum_of_doubles_does_not_depend_on_the_order",
     z.from_list([{"v": v} for v in (1e308, 1.0, -1e308, 1e-9, 3.5)]).aggregate({"s": "sum(v)"}), records=[{"s": 4.500000001}])
case("aggregate_sum_of_integers_and_doubles", one("sum(v)"), given=numbers(1, 0.5, 2), records=[{"r": 3.5}])
case("aggregate_sum_of_whole_doubles_stays_a_double", one("sum(v)"), given=numbers(1.0, 2.0), lines='{"r":3.0}\n')
case("aggregate_mean_of_doubles", one("mean(v)"), given=numbers(0.1, 0.2, 0.3), lines='{"r":0.19999999999999998}\n')
case("aggregate_min_of_mixed_types", rows.aggregate({"a": "min(v)", "b": "max(v)"}),
     given=numbers('"x"', 3, "true", "[1]", -1.5), lines='{"a":true,"b":[1]}\n')
case("aggregate_min_of_equal_ones_is_the_first", rows.aggregate({"a": "min(v)", "b": "max(v)"}), given=numbers(1.0, 1),
     lines='{"a":1.0,"b":1.0}\n')
case("bad_aggregate_mean_of_a_list", one("mean(v)"), given=numbers("[1]"), fails="BAD_RECORD", words=["mean(v)", "array"])

# --- errors

case("bad_aggregate_without_brackets", one("count"), given=GIVEN, fails="PLAN", words=["count"])
case("bad_aggregate_without_a_field", one("sum()"), given=GIVEN, fails="PLAN", words=["sum()"])
case("bad_aggregate_key_is_nan", z.from_list([{"v": 1}]).aggregate({"c": "count()"}, by=expr("0/0")), fails="BAD_RECORD",
     words=["operator aggregate"])
