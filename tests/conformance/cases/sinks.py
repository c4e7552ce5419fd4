# SPDX-License-Identifier: MPL-2.0
"""Sinks: formats, patterns, packed files, empty shards, what is left after a failure."""
from case import case, gz, z, zst

case("write_jsonl", z.from_list([{"a": 1}, [2], None]).write_jsonl("DIR/out/{shard}.jsonl"),
     files={"out/0.jsonl": '{"a":1}\n', "out/1.jsonl": "[2]\n", "out/2.jsonl": "null\n"})
case("write_by_suffix", z.from_range(2, shards=1).map("'line ' .. r").write("DIR/out.txt"),
     files={"out.txt": "line 0\nline 1\n"})
case("write_yields_the_paths", z.from_range(3, shards=3).write("DIR/out/{shard}.jsonl"),
     files={"out/0.jsonl": "0\n", "out/1.jsonl": "1\n", "out/2.jsonl": "2\n"},
     records=["DIR/out/0.jsonl", "DIR/out/1.jsonl", "DIR/out/2.jsonl"])
case("write_then_count_the_paths", z.from_range(3, shards=3).write("DIR/{shard}.jsonl").count(),
     files={"0.jsonl": "0\n", "1.jsonl": "1\n", "2.jsonl": "2\n"}, records=[3])
case("write_single_shard_without_placeholder", z.from_range(3, shards=1).write("DIR/out.jsonl"),
     files={"out.jsonl": "0\n1\n2\n"})
case("write_several_shards_without_placeholder_is_an_error",
     z.from_range(3, shards=2).write("DIR/out.jsonl"), fails="PLAN", words=["{shard}", "2"])
case("write_pattern_with_widths",
     z.from_range(2, shards=2).write("DIR/out/part-{shard:05d}-of-{total:05d}.jsonl"),
     files={"out/part-00000-of-00002.jsonl": "0\n", "out/part-00001-of-00002.jsonl": "1\n"})
case("write_pattern_with_basename", z.from_range(1, shards=1).write("DIR/out/{basename}-{shard:05d}.jsonl"),
     files={"out/shard_0-00000.jsonl": "0\n"})
case("write_pattern_collapses_slashes", z.from_range(1, shards=1).write("DIR//out///deep//{shard}.jsonl"),
     files={"out/deep/0.jsonl": "0\n"})
case("write_makes_parents", z.from_range(1).write("DIR/a/b/c/d/{shard}.jsonl"),
     files={"a/b/c/d/0.jsonl": "0\n"})
case("write_unknown_placeholder_is_an_error", z.from_range(1).write("DIR/{shart}.jsonl"), fails="PLAN",
     words=["shart"])
case("write_unclosed_placeholder_is_an_error", z.from_range(1).write("DIR/{shard.jsonl"), fails="PLAN")
case("write_unknown_suffix_lists_the_known", z.from_range(1).write("DIR/{shard}.xyz"), fails="PLAN",
     words=[".xyz", "jsonl"])
case("write_gz_by_suffix", z.from_range(2, shards=1).write("DIR/a.jsonl.gz"),
     files={"a.jsonl.gz": gz("0\n1\n")})
case("write_zst_by_suffix", z.from_range(2, shards=1).write("DIR/a.jsonl.zst"),
     files={"a.jsonl.zst": zst("0\n1\n")})
case("write_zst_with_level", z.from_range(2, shards=1).write_jsonl("DIR/a.jsonl.zst", level=19),
     files={"a.jsonl.zst": zst("0\n1\n")})
case("write_text_of_numbers_is_an_error", z.from_range(2, shards=1).write_text("DIR/a.txt.gz", level=1), fails="BAD_RECORD", words=["write_text", "string"])
case("write_level_beyond_the_limit", z.from_range(1).write("DIR/{shard}.jsonl.zst", level=23),
     fails="PLAN", words=["level", "22"])
case("write_text_of_strings", z.from_list(["a", "žena", ""]).write_text("DIR/out/{shard}.txt"),
     files={"out/0.txt": "a\n", "out/1.txt": "žena\n", "out/2.txt": "\n"})
case("write_text_of_a_map_is_an_error", z.from_list([{"a": 1}]).write_text("DIR/{shard}.txt"),
     fails="BAD_RECORD", words=["write_text", "map"])
case("write_gz_with_level", z.from_list(["x"]).write_text("DIR/{shard}.txt.gz", level=1),
     files={"0.txt.gz": gz("x\n")})
case("write_empty_shards_still_write_files",
     z.from_range(3, shards=3).filter("r == 1").write("DIR/out/{shard}.jsonl"),
     files={"out/0.jsonl": "", "out/1.jsonl": "1\n", "out/2.jsonl": ""})
case("write_empty_shard_packed", z.from_range(1).filter("false").write("DIR/{shard}.jsonl.{total}.zst"),
     fails="PLAN")
case("write_empty_packed_files_are_valid",
     z.from_range(2, shards=2).filter("false").write("DIR/{shard}.jsonl.zst"),
     files={"0.jsonl.zst": zst(""), "1.jsonl.zst": zst("")})
case("write_of_no_shards_writes_nothing", z.from_list([]).write("DIR/out/{shard}.jsonl"), records=[])
case("write_replaces_what_is_there", z.from_range(1, shards=1).write("DIR/out.jsonl"),
     given={"out.jsonl": "old\n"}, files={"out.jsonl": "0\n"})
case("write_failure_leaves_nothing",
     z.from_range(40, shards=1).map("r == 39 and r.x.y or r").write("DIR/out-{shard}.jsonl"),
     fails="USER", words=["operator map", "shard 0"])
case("write_failure_leaves_only_whole_files",
     z.from_range(40, shards=4).map("r == 39 and r.x.y or r").write("DIR/out-{shard}.jsonl"),
     fails="USER", words=["operator map", "shard 3"],
     may_leave={f"out-{i}.jsonl": "".join(f"{10 * i + j}\n" for j in range(10)) for i in range(3)})
case("write_into_a_file_as_folder", z.from_range(1).write("DIR/file/{shard}.jsonl"),
     given={"file": "x"}, fails="IO", words=["DIR/file/"])
case("write_and_read_back", z.read("DIR/in.jsonl").write_jsonl("DIR/out.jsonl"),
     given={"in.jsonl": '{"z":[1,2.5,{"k":null}],"a":"ž\\n\\u0000"}\n'},
     files={"out.jsonl": '{"z":[1,2.5,{"k":null}],"a":"ž\\n\\u0000"}\n'})
case("write_one_file_per_input_file", z.read("DIR/in/*.jsonl").write("DIR/out/{basename}.txt"),
     given={"in/a.jsonl": '"x"\n', "in/b.jsonl": '"y"\n'},
     files={"out/shard_0.txt": "x\n", "out/shard_1.txt": "y\n"})

# --- tables, MessagePack, binary

PEOPLE = z.from_list([{"a": 1, "b": "x"}, {"a": 2.5, "b": "y"}])
case("write_csv", z.read("DIR/in.jsonl").write_csv("DIR/out.csv"),
     given={"in.jsonl": '{"n":1,"s":"x"}\n{"n":2.5,"s":"two words"}\n'},
     files={"out.csv": "n,s\n1,x\n2.5,two words\n"})
case("write_csv_quotes_what_needs_it", z.read("DIR/in.jsonl").write("DIR/out.csv"),
     given={"in.jsonl": '{"s":"a,b"}\n{"s":"say \\"x\\""}\n{"s":"two\\nlines"}\n'},
     files={"out.csv": 's\n"a,b"\n"say ""x"""\n"two\nlines"\n'})
case("write_csv_header_per_file", PEOPLE.write("DIR/out-{shard}.csv"),
     files={"out-0.csv": "a,b\n1,x\n", "out-1.csv": "a,b\n2.5,y\n"})
case("write_csv_later_records_may_lack_fields", z.read("DIR/in.jsonl").write("DIR/out.csv"),
     given={"in.jsonl": '{"a":1,"b":2}\n{"b":3}\n'}, files={"out.csv": "a,b\n1,2\n,3\n"})
case("bad_write_csv_field_that_the_header_lacks", z.read("DIR/in.jsonl").write("DIR/out.csv"),
     given={"in.jsonl": '{"a":1}\n{"a":2,"b":3}\n'}, fails="BAD_RECORD", words=["b", "header", "write_csv"])
case("bad_write_csv_of_a_nested_value", z.read("DIR/in.jsonl").write_csv("DIR/out.csv"),
     given={"in.jsonl": '{"a":[1]}\n'}, fails="BAD_RECORD", words=["array", "write_csv"])
case("bad_write_csv_of_a_number", z.from_range(1).write_csv("DIR/{shard}.csv"), fails="BAD_RECORD",
     words=["write_csv", "map"])
case("write_csv_empty_shard", z.from_range(1).filter("false").write("DIR/{shard}.csv"), files={"0.csv": ""})
case("write_tsv", z.read("DIR/in.jsonl").write_tsv("DIR/out.tsv"),
     given={"in.jsonl": '{"n":1,"s":"x,y"}\n'}, files={"out.tsv": "n\ts\n1\tx,y\n"})
case("write_msgpack", z.from_list([{"a": [1, None]}]).write_msgpack("DIR/{shard}.msgpack"),
     files={"0.msgpack": b"\x81\xa1a\x92\x01\xc0"})
case("write_msgpack_by_suffix_packed", z.from_range(3, shards=1).write("DIR/a.msgpack.gz"),
     files={"a.msgpack.gz": gz(b"\x00\x01\x02")})
case("write_msgpack_nan_is_fine", z.from_range(1).map("1/0").write("DIR/{shard}.msgpack"),
     files={"0.msgpack": b"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"})
case("write_binary", z.from_list(["bytes "]).map('r .. "\\xff"').write_binary("DIR/{shard}.bin"),
     files={"0.bin": b"bytes \xff"})
case("bad_write_binary_of_a_map", z.from_list([{"a": 1}]).write_binary("DIR/{shard}.bin"),
     fails="BAD_RECORD", words=["write_binary", "map"])

# --- skip_existing

WRITTEN = {"out/0.jsonl": "0\n1\n", "out/1.jsonl": "2\n3\n"}
case("skip_existing_clean_run",
     z.from_range(4, shards=2).write("DIR/out/{shard}.jsonl", skip_existing=True), files=WRITTEN,
     records=["DIR/out/0.jsonl", "DIR/out/1.jsonl"])
case("skip_existing_in_one_run_after_another",
     script="local ds = zonda.from_range(4, { shards = 2 }):map(function(r) zonda.counter('calls') return r end)\n"
            "ds = ds:write('DIR/out/{shard}.jsonl', { skip_existing = true })\nreturn { ds, ds }",
     files=WRITTEN, records=["DIR/out/0.jsonl", "DIR/out/1.jsonl"] * 2, counters={"partitions_skipped": 2})
