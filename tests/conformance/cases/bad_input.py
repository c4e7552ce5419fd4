# SPDX-License-Identifier: MPL-2.0
"""What a user or a file can get wrong: one clear error that says what and where, and no file left."""
from case import case, gz, lua, z, zst

C_UNSIGNED = "the C type of the argument has no sign"
ONCE = dict.fromkeys(["c", "lua", "ipc", "tcp", "three"], "seconds of work, the same everywhere")
C_STRUCT = "the compiler refuses it in C"
read = z.read("DIR/a.jsonl")


def bad_line(line):
    return {"a.jsonl": b'{"ok":1}\n' + (line if isinstance(line, bytes) else line.encode()) + b"\n"}


# --- arguments

case("bad_range_negative", z.from_range(-1), fails="PLAN", words=["from_range", "n", "-1"],
     not_on={"c": C_UNSIGNED, "cli": "a word that begins with a dash is another case"})
case("bad_range_negative_word", cli=["from-range", "-1"], fails="PLAN", words=["-1"])
case("bad_range_of_two_to_63", z.from_range(2**63), fails="PLAN", words=["9223372036854775807"])
case("bad_range_of_two_to_64", cli=["from-range", "18446744073709551616"], fails="PLAN",
     words=["18446744073709551616"])
case("bad_range_of_a_fraction", z.from_range(1.5), fails="PLAN", words=["from"], not_on={"c": C_STRUCT})
case("bad_range_of_a_text", z.from_range("ten"), fails="PLAN", words=["from_range"],
     not_on={"c": C_STRUCT, "cli": "the words differ, see bad_range_of_a_word"})
case("bad_range_of_a_word", cli=["from-range", "ten"], fails="PLAN", words=["from-range", "ten"])
case("bad_range_with_too_many_shards", z.from_range(10, shards=10**9 + 1), fails="PLAN",
     words=["shards", "1000000000"])
case("range_with_zero_shards_takes_the_default", z.from_range(10, shards=0), records=list(range(10)))
case("bad_option_unknown", z.from_range(10, shard=2), fails="PLAN", words=["shard", "shards"],
     not_on={"c": C_STRUCT})
case("bad_option_unknown_of_read", z.read("DIR/a.jsonl", formt="text"), fails="PLAN",
     words=["formt", "format", "empty"], given={"a.jsonl": ""}, not_on={"c": C_STRUCT})
case("bad_option_unknown_of_write", z.from_range(1).write("DIR/{shard}.jsonl", levl=1), fails="PLAN",
     words=["levl", "level"], not_on={"c": C_STRUCT})
case("bad_option_unknown_of_reduce", z.from_range(1).reduce("a", identty=1), fails="PLAN",
     words=["identty", "identity"], not_on={"c": C_STRUCT})
case("bad_option_of_wrong_type", z.from_files("DIR/*", empty_ok="yes"), fails="PLAN",
     words=["empty_ok", "true or false"], not_on={"c": C_STRUCT, "cli": "a flag has no value"})
case("bad_flag_with_a_value", cli=["from-files", "x", "--empty-ok=yes"], fails="PLAN",
     words=["--empty-ok", "takes no value"])
case("bad_option_without_value", cli=["from-range", "5", "--shards"], fails="PLAN",
     words=["--shards", "value"])
case("bad_argument_missing", z.from_range(1).map(), fails="PLAN", words=["map", "function"],
     not_on={"c": C_STRUCT})
case("bad_select_without_fields", z.from_range(1).select(), fails="PLAN", words=["select", "fields"])
case("bad_argument_too_many", z.from_range(1, 2), fails="PLAN", words=["from"], not_on={"c": C_STRUCT})
case("bad_operator_unknown", z.from_range(1).frobnicate(), fails="PLAN",
     words=["frobnicate", "filter"], not_on={"c": C_STRUCT})
case("bad_source_unknown", z.from_nowhere(1), fails="PLAN", words=["from-nowhere", "from_range"],
     not_on={"c": C_STRUCT, "lua": "an unknown global function is an error of Lua"})
case("bad_source_in_the_middle", z.from_range(1).from_range(2), fails="PLAN", words=["begin"],
     not_on={"c": C_STRUCT})
case("bad_operator_without_source", cli=["filter", "x"], fails="PLAN", words=["begins with a source"])
case("bad_nul_in_a_path", z.read("DIR/a\0b.jsonl"), fails="PLAN", words=["glob", "NUL"])
case("bad_nul_in_a_field", z.from_range(1).select("a\0b"), fails="PLAN", words=["fields", "NUL"])
case("bad_empty_path", z.read(""), fails="PLAN", words=["glob"])
case("bad_select_empty_name", z.from_list([{"": 1}]).select(""), fails="PLAN", words=["fields"])

# --- functions

case("bad_lua_syntax", z.from_range(1).filter("r >"), fails="PLAN", words=["filter", "near"],
     not_on={"lua": "the whole script does not compile"})
case("bad_lua_syntax_in_a_script", script="return zonda.from_range(1):map(function(r) return r > end)",
     fails="USER", words=["case.lua:1", "near"])
case("bad_lua_arithmetic_on_null", z.from_list([1, None]).map("r + 1"), fails="USER",
     words=["attempt to perform arithmetic on", "operator map", "shard 1"])
case("bad_lua_arithmetic_on_nil", z.read("DIR/a.jsonl").map("r.b + 1"), given={"a.jsonl": '{"b":1}\n{}\n'},
     fails="USER", words=["attempt to perform arithmetic on a nil value", "a.jsonl:2", "operator map"])
case("bad_lua_compare_null", z.from_list([None]).filter("r > 1"), fails="USER",
     words=["attempt to compare", "operator filter"])
case("bad_lua_index_of_a_number", z.from_range(1).map("r.x"), fails="USER",
     words=["attempt to index a number"])
case("bad_lua_error_with_a_text", z.from_range(1).map('error("no zebras here")'), fails="USER",
     words=["no zebras here", "operator map", "shard 0"])
case("bad_lua_error_with_a_table", z.from_range(1).map("error({ code = 7 })"), fails="USER",
     words=["operator map"])
case("bad_lua_endless_loop", fails="USER", words=["instruction limit", "1000000"],
     cli=["--lua-instructions", "1000000", "from-range", "1", "then", "flat-map", "while true do end"],
     not_on=dict.fromkeys(["ipc", "tcp"], "the flag is for a cluster in this process"))
case("bad_lua_too_much_memory", z.from_range(1).map('#("x"):rep(1 << 30)'), fails="USER",
     words=["memory limit"])
case("bad_lua_endless_recursion",
     script="local function f(n) return 1 + f(n) end\nreturn zonda.from_range(1):map(function(r) return f(r) end)",
     fails="USER", words=["overflow", "operator map"])
case("bad_lua_no_io", z.from_range(1).map('io.open("/etc/passwd")'), fails="USER", words=["io"])
case("bad_lua_no_os", z.from_range(1).map("os.time()"), fails="USER", words=["os"])
case("bad_lua_no_load", z.from_range(1).map('load("return 1")()'), fails="USER", words=["load"])
case("bad_lua_no_require", z.from_range(1).map('require("x")'), fails="USER", words=["require"])
case("bad_lua_no_debug", z.from_range(1).map("debug.getinfo(1)"), fails="USER", words=["debug"])
case("bad_lua_value_a_function", z.from_range(1).map("math.floor"), fails="USER", words=["function", "operator map"])
case("bad_lua_value_a_deep_table",
     z.from_range(1).map(lua("function(r) local t = {} for i = 1, 200 do t = { t } end return t end")),
     fails="USER", words=["nested too deep"])
case("bad_lua_value_that_holds_itself",
     z.from_range(1).map(lua("function(r) local t = {} t.t = t return t end")), fails="USER",
     words=["operator map"])
case("bad_lua_mixed_keys", z.from_range(1).map("{ 1, 2, x = 3 }"), fails="USER", words=["operator map"])
case("bad_lua_text_that_is_not_utf8", z.from_range(1).map('"\\xff"'), fails="BAD_RECORD",
     words=["binary"])
case("lua_text_that_is_not_utf8_is_binary", z.from_range(1).map('"\\xff"').map("#r"), records=[1])

# --- records of the wrong type

case("bad_select_on_a_string", z.from_list(["text"]).select("a"), fails="USER",
     words=["select needs a map", "string", "operator select"])
case("bad_select_on_a_number", z.from_range(1).select("a"), fails="USER", words=["map", "integer"])
case("bad_select_on_null", z.from_list([None]).select("a"), fails="USER", words=["select needs a map"])
case("bad_select_on_a_list", z.from_list([[1]]).select("a"), fails="USER", words=["map", "array"])
case("bad_select_path_through_a_number", z.from_list([{"a": 1}]).select("a.b"), records=[{}])

# --- JSONL

for name, line, words in [
        ("comma_at_the_end", '{"a":3,}', ["a.jsonl:2:8"]),
        ("single_quotes", "{'a':1}", ["a.jsonl:2:2"]),
        ("two_values", "1 2", ["a.jsonl:2:3"]),
        ("cut_off", '{"a":', ["a.jsonl:2:"]),
        ("unclosed_text", '{"a":"x}', ["a.jsonl:2:"]),
        ("bare_word", "nonsense", ["a.jsonl:2:1"]),
        ("nan", '{"a":NaN}', ["a.jsonl:2:6"]),
        ("infinity", "-Infinity", ["a.jsonl:2:"]),
        ("number_beyond_double", "1e999", ["a.jsonl:2:1"]),
        ("integer_of_65_bits", '{"a":18446744073709551616}', ["a.jsonl:2:6", "64"]),
        ("integer_below_64_bits", "-9223372036854775809", ["a.jsonl:2:1", "64"]),
        ("leading_zero", "01", ["a.jsonl:2:"]),
        ("lone_surrogate", '"\\ud800"', ["a.jsonl:2:"]),
        ("control_character", '"a\x01b"', ["a.jsonl:2:"]),
        ("nul_byte", b'{"a":\0}', ["a.jsonl:2:"]),
        ("nul_in_a_text", b'"a\0b"', ["a.jsonl:2:"]),
        ("invalid_utf8", b'"\xff\xfe"', ["a.jsonl:2:2", "UTF-8"]),
        ("overlong_utf8", b'"\xc0\xaf"', ["a.jsonl:2:", "UTF-8"]),
        ("surrogate_as_utf8", b'"\xed\xa0\x80"', ["a.jsonl:2:", "UTF-8"]),
        ("cut_utf8", b'"\xe2\x82"', ["a.jsonl:2:", "UTF-8"]),
]:
    case(f"bad_json_{name}", read, given=bad_line(line), fails="BAD_RECORD", words=words + ["operator read"])

case("bad_json_depth_beyond_the_limit", read, given=bad_line("[" * 129 + "]" * 129), fails="LIMIT",
     words=["a.jsonl:2:", "128"])
case("json_depth_at_the_limit", read.count(), given=bad_line("[" * 128 + "]" * 128), records=[2])
case("bad_json_depth_of_a_million", read, given=bad_line("[" * 10**6), fails="LIMIT", words=["a.jsonl:2:"])
case("bad_json_line_of_100_megabytes", read,
     given={"a.jsonl": lambda: b'"' + b"x" * 100_000_000 + b'"\n'}, fails="BAD_RECORD",
     words=["a.jsonl:1", "67108864"], not_on={"three": "seconds of work, the same everywhere"})
case("bad_json_byte_order_mark", read, given={"a.jsonl": b'\xef\xbb\xbf{"a":1}\n'},
     fails="BAD_RECORD", words=["a.jsonl:1:1", "0xef"])

# --- what is allowed, though it looks odd

case("json_integers_at_the_edges", read,
     given={"a.jsonl": "9223372036854775807\n-9223372036854775808\n18446744073709551615\n9223372036854775808\n"},
     lines="9223372036854775807\n-9223372036854775808\n18446744073709551615\n9223372036854775808\n")
case("json_unsigned_is_no_number_in_lua", read.map("r + 1"),
     given={"a.jsonl": "18446744073709551615\n"}, fails="USER", words=["uint64", "operator map"])
case("json_doubles_keep_their_shortest_form", read,
     given={"a.jsonl": "0.1\n1e22\n-0.0\n1.7976931348623157e308\n5e-324\n0.30000000000000004\n100.0\n"},
     lines="0.1\n1e+22\n-0.0\n1.7976931348623157e+308\n5e-324\n0.30000000000000004\n100.0\n")
case("json_empty_key", read.map('r[""]'), given={"a.jsonl": '{"":7}\n'}, records=[7])
case("json_empty_key_stays", read, given={"a.jsonl": '{"":{"":[]}}\n'}, lines='{"":{"":[]}}\n')
case("json_nul_as_an_escape", read, given={"a.jsonl": '{"a\\u0000b":"\\u0000"}\n'},
     lines='{"a\\u0000b":"\\u0000"}\n')
case("json_nul_in_lua", read.map("#r"), given={"a.jsonl": '"a\\u0000b"\n'}, records=[3])
case("json_escapes", read, given={"a.jsonl": '"\\u0041\\n\\t\\"\\\\\\/\\ud83e\\udd93"\n'},
     lines='"A\\n\\t\\"\\\\/🦓"\n')
case("json_key_twice_keeps_the_bytes", read.select("a"), given={"a.jsonl": '{"a":1,"a":2}\n'},
     lines='{"a":2}\n')
case("json_scalars_are_records", read, given={"a.jsonl": 'null\ntrue\n""\n0\n[]\n{}\n'},
     lines='null\ntrue\n""\n0\n[]\n{}\n')

# --- doubles that JSON does not have

case("bad_nan_to_json", z.from_range(1).map("0/0"), fails="BAD_RECORD", words=["NaN"])
case("bad_infinity_to_json", z.from_range(1).map("1/0"), fails="BAD_RECORD", words=["infinity"])
case("bad_nan_into_a_file", z.from_range(1).map("{ x = -(0/0) }").write("DIR/{shard}.jsonl"),
     fails="BAD_RECORD", words=["NaN", "write"])
case("nan_between_operators_is_a_value", z.from_range(1).map("0/0").map("r ~= r"), records=[True])
case("infinity_between_operators_is_a_value", z.from_range(1).map("-1/0").map("r < -1e308"),
     records=[True])
case("reduce_over_infinity", z.from_list([1.0, 2.0]).map("1 / 0").reduce("a + r").map("r == 1/0"),
     records=[True])

# --- text

case("bad_text_invalid_utf8", z.read("DIR/a.txt"), given={"a.txt": b"ok\n\xff\n"}, fails="BAD_RECORD",
     words=["a.txt:2", "UTF-8"])
case("text_with_nul", z.read("DIR/a.txt").map("#r"), given={"a.txt": b"a\0b\n"}, records=[3])
case("bad_text_line_of_100_megabytes", z.read("DIR/a.txt"),
     given={"a.txt": lambda: b"short\n" + b"x" * 100_000_000}, fails="BAD_RECORD",
     words=["a.txt:2", "67108864"], not_on=ONCE)

# --- packed files

case("bad_gz_cut_off", z.read("DIR/a.jsonl.gz"), given={"a.jsonl.gz": gz('{"n":1}\n' * 1000).pack()[:-20]},
     fails="CORRUPT", words=["a.jsonl.gz", "operator read"])
case("bad_zst_cut_off", z.read("DIR/a.jsonl.zst"),
     given={"a.jsonl.zst": lambda: zst("".join(f"{i * i}\n" for i in range(5000))).pack()[:-20]},
     fails="CORRUPT", words=["a.jsonl.zst", "operator read"])
case("bad_gz_that_is_plain", z.read("DIR/a.jsonl.gz"), given={"a.jsonl.gz": "1\n"}, fails="CORRUPT",
     words=["a.jsonl.gz"])
case("bad_zst_that_is_plain", z.read("DIR/a.jsonl.zst"), given={"a.jsonl.zst": "1\n"}, fails="CORRUPT",
     words=["a.jsonl.zst"])
case("bad_gz_with_garbage_behind", z.read("DIR/a.jsonl.gz"),
     given={"a.jsonl.gz": gz("1\n").pack() + b"garbage"}, fails="CORRUPT", words=["a.jsonl.gz"])
case("bad_json_in_a_packed_file", z.read("DIR/a.jsonl.gz"), given={"a.jsonl.gz": gz("1\n2\n{\n")},
     fails="BAD_RECORD", words=["a.jsonl.gz:3"])
case("bad_file_among_many_is_named", z.read("DIR/in/*.jsonl").count(),
     given={f"in/{i:02}.jsonl": "1\n" * 50 + ("{\n" if i == 13 else "2\n") for i in range(20)},
     fails="BAD_RECORD", words=["in/13.jsonl:51", "shard 13"])
