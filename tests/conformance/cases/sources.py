# SPDX-License-Identifier: MPL-2.0
"""Sources: from_list, from_range, from_files, read of JSONL and text, globs, packed files."""
from case import case, gz, xz, z, zst

# --- from_list

case("list_items_in_order", z.from_list([3, 1, 2]), records=[3, 1, 2])
case("list_of_every_type",
     z.from_list([None, True, False, 0, -7, 1.5, "text", [1, [2]], {"a": {"b": None}}]),
     lines='null\ntrue\nfalse\n0\n-7\n1.5\n"text"\n[1,[2]]\n{"a":{"b":null}}\n')
case("list_empty_gives_nothing", z.from_list([]), records=[])
case("list_empty_through_every_narrow_operator_gives_nothing",
     z.from_list([]).map("r.x.y").filter("r.x.y").flat_map("emit(r.x.y)").select("a"), records=[])
case("list_of_one_item", z.from_list(["only"]), records=["only"])
case("list_each_item_is_a_shard",
     z.from_list(["a", "b", "c"]).write_text("DIR/out/{shard}-of-{total}.txt"),
     files={"out/0-of-3.txt": "a\n", "out/1-of-3.txt": "b\n", "out/2-of-3.txt": "c\n"})
case("list_of_a_thousand_items_keeps_order", z.from_list(list(range(1000))), records=list(range(1000)))
case("list_keeps_field_order", z.from_list([{"z": 1, "a": 2, "m": 3}]).map("r"),
     lines='{"z":1,"a":2,"m":3}\n')
case("list_of_utf8_texts", z.from_list(["žluťoučký", "日本語", "🦓"]), records=["žluťoučký", "日本語", "🦓"])
case("list_from_json", z.from_json('[1, "two", null, {"b": 1, "a": 2}]'),
     lines='1\n"two"\nnull\n{"b":1,"a":2}\n',
     not_on={"lua": "from_json is a convenience of C", "cli": "from_json is a convenience of C"})
case("list_from_json_that_is_no_list", z.from_json('{"a": 1}'), fails="INVALID", words=["array", "map"],
     not_on={"lua": "from_json is a convenience of C", "cli": "from_json is a convenience of C"})
case("list_from_text_that_is_no_json", z.from_json('[1, 2'), fails="BAD_RECORD",
     not_on={"lua": "from_json is a convenience of C", "cli": "from_json is a convenience of C"})

# --- from_range

case("range_counts_from_zero", z.from_range(5), records=[0, 1, 2, 3, 4])
case("range_of_zero_gives_nothing", z.from_range(0), records=[])
case("range_of_one", z.from_range(1), records=[0])
case("range_in_shards_keeps_order", z.from_range(100, shards=7), records=list(range(100)))
case("range_spreads_over_the_shards",
     z.from_range(5, shards=3).write_jsonl("DIR/out/{shard}.jsonl"),
     files={"out/0.jsonl": "0\n", "out/1.jsonl": "1\n2\n", "out/2.jsonl": "3\n4\n"})
case("range_with_more_shards_than_numbers", z.from_range(3, shards=10).count(), records=[3])
case("range_of_many_is_made_as_it_is_read", z.from_range(400_000, shards=4).filter("r == 399999"),
     records=[399999])
case("range_of_all_integers_costs_nothing", z.from_range(2**63 - 1, shards=2).take_per_shard(1),
     records=[0, 2**62 - 1])

# --- from_files

THREE = {"in/b.jsonl": '{"n":2}\n', "in/a.jsonl": '{"n":1}\n', "in/c.jsonl": '{"n":3}\n'}
case("files_are_sorted_paths", z.from_files("DIR/in/*.jsonl"), given=THREE,
     records=["DIR/in/a.jsonl", "DIR/in/b.jsonl", "DIR/in/c.jsonl"])
case("files_with_map", z.from_files("DIR/in/*.jsonl").map('r:match("[^/]+$")'), given=THREE,
     records=["a.jsonl", "b.jsonl", "c.jsonl"])
case("files_one_path_is_one_shard",
     z.from_files("DIR/in/*").map('r:match("[^/]+$")').write_text("DIR/out/{shard}.txt"), given=THREE,
     files={"out/0.txt": "a.jsonl\n", "out/1.txt": "b.jsonl\n", "out/2.txt": "c.jsonl\n"})
case("files_below_folders", z.from_files("DIR/in/**/*.txt"),
     given={"in/one.txt": "", "in/x/two.txt": "", "in/x/y/three.txt": "", "in/x/four.md": ""},
     records=["DIR/in/one.txt", "DIR/in/x/two.txt", "DIR/in/x/y/three.txt"])
case("files_of_braces", z.from_files("DIR/in/{a,c}.jsonl"), given=THREE,
     records=["DIR/in/a.jsonl", "DIR/in/c.jsonl"])
case("files_of_a_set_of_letters", z.from_files("DIR/in/[ab].jsonl"), given=THREE,
     records=["DIR/in/a.jsonl", "DIR/in/b.jsonl"])
case("files_of_one_letter", z.from_files("DIR/in/?.jsonl"), given=THREE | {"in/dd.jsonl": ""},
     records=["DIR/in/a.jsonl", "DIR/in/b.jsonl", "DIR/in/c.jsonl"])
case("files_without_match_is_an_error", z.from_files("DIR/none-*.txt"), fails="NO_MATCH",
     words=["DIR/none-*.txt"])
case("files_without_match_may_be_empty", z.from_files("DIR/none-*.txt", empty_ok=True), records=[])
case("files_hidden_ones_do_not_match_a_star", z.from_files("DIR/in/*"),
     given={"in/.hidden": "", "in/seen": ""}, records=["DIR/in/seen"])

# --- read

case("read_jsonl", z.read("DIR/in/*.jsonl"), given=THREE, records=[{"n": 1}, {"n": 2}, {"n": 3}])
case("read_text_lines_are_strings", z.read("DIR/a.txt"), given={"a.txt": "one\ntwo words\n"},
     records=["one", "two words"])
case("read_text_keeps_empty_lines", z.read("DIR/a.txt"), given={"a.txt": "one\n\n\nfour\n"},
     records=["one", "", "", "four"])
case("read_without_final_newline", z.read("DIR/a.{txt,jsonl}"),
     given={"a.jsonl": '{"n":1}\n{"n":2}', "a.txt": "x\ny"}, records=[{"n": 1}, {"n": 2}, "x", "y"])
case("read_crlf", z.read("DIR/a.{jsonl,txt}"), given={"a.jsonl": '{"n":1}\r\n{"n":2}\r\n', "a.txt": "x\r\ny\r\n"},
     records=[{"n": 1}, {"n": 2}, "x", "y"])
case("read_skips_blank_lines_of_jsonl", z.read("DIR/a.jsonl"),
     given={"a.jsonl": '\n{"n":1}\n\n  \t \n{"n":2}\n\n'}, records=[{"n": 1}, {"n": 2}])
case("read_empty_file", z.read("DIR/*.jsonl"), given={"a.jsonl": "", "b.jsonl": "1\n", "c.jsonl": "\n"},
     records=[1])
case("read_only_empty_files_counts_zero", z.read("DIR/*.jsonl").count(), given={"a.jsonl": ""},
     records=[0])
case("read_one_byte", z.read("DIR/a.*"), given={"a.jsonl": "7", "a.txt": "\n"}, records=[7, ""])
case("read_gz", z.read("DIR/a.jsonl.gz"), given={"a.jsonl.gz": gz('{"n":1}\n{"n":2}\n')},
     records=[{"n": 1}, {"n": 2}])
case("read_gz_of_several_members", z.read("DIR/a.jsonl.gz"),
     given={"a.jsonl.gz": gz('{"n":1}\n{"n"', ":2}\n", "", '{"n":3}\n')},
     records=[{"n": 1}, {"n": 2}, {"n": 3}])
case("read_zst", z.read("DIR/a.txt.zst"), given={"a.txt.zst": zst("x\ny\n")}, records=["x", "y"])
case("read_zst_of_several_frames", z.read("DIR/a.jsonl.zst"),
     given={"a.jsonl.zst": zst('{"n":1}\n', '{"n":', "2}\n", "")}, records=[{"n": 1}, {"n": 2}])
case("read_packed_empty_file", z.read("DIR/a.jsonl.{gz,zst}"),
     given={"a.jsonl.gz": gz(""), "a.jsonl.zst": zst("")}, records=[])
case("read_format_wins_over_suffix", z.read("DIR/a.jsonl", format="text"),
     given={"a.jsonl": '{"n":1}\n'}, lines='"{\\"n\\":1}"\n')
case("read_format_for_unknown_suffix", z.read("DIR/a.log", format="jsonl"), given={"a.log": "[1]\n"},
     records=[[1]])
case("read_format_with_packed_suffix", z.read("DIR/a.log.gz", format="text"),
     given={"a.log.gz": gz("x\n")}, records=["x"])
case("read_mixed_formats", z.read("DIR/in/*"),
     given={"in/1.jsonl": "1\n", "in/2.txt": "two\n", "in/3.jsonl.gz": gz("3\n"), "in/4.txt.zst": zst("four\n")},
     records=[1, "two", 3, "four"])
case("read_unknown_suffix_lists_the_known", z.read("DIR/a.xyz"), given={"a.xyz": "1\n"}, fails="PLAN",
     words=["a.xyz", "jsonl", "text"])
case("read_unknown_format_lists_the_known", z.read("DIR/a.jsonl", format="xml"),
     given={"a.jsonl": "1\n"}, fails="PLAN", words=["xml", "jsonl", "text"])
case("read_without_match_is_an_error", z.read("DIR/none.jsonl"), fails="NO_MATCH",
     words=["DIR/none.jsonl"])
case("read_without_match_may_be_empty", z.read("DIR/none.jsonl", empty_ok=True).count(), records=[0])
case("read_a_folder_is_an_error", z.read("DIR/in.jsonl"), given={"in.jsonl/x": ""}, fails="IO",
     words=["in.jsonl"])
case("read_paths_with_spaces_and_quotes", z.read("DIR/in/*.jsonl"),
     given={"in/a b.jsonl": "1\n", "in/it's.jsonl": "2\n", 'in/say "x".jsonl': "3\n", "in/žena 日本.jsonl": "4\n"},
     records=[1, 2, 3, 4])
case("read_hundred_files_in_order", z.read("DIR/in/*.jsonl"),
     given={f"in/{i:03}.jsonl": f"{i}\n" * 3 for i in range(100)},
     records=[i for i in range(100) for _ in range(3)])
case("read_line_of_two_mebibytes", z.read("DIR/a.jsonl").map("#r.text"),
     given={"a.jsonl": lambda: '{"text":"' + "x" * (2 << 20) + '"}\n{"text":"y"}\n'},
     records=[2 << 20, 1])
case("read_relative_to_the_folder_of_the_driver", z.read("in/*.jsonl"), given={"in/a.jsonl": "1\n"},
     records=[1], not_on={"c": "one process serves all cases and has one folder",
                          "ipc": "a worker looks up relative names in its own folder",
                          "tcp": "a worker looks up relative names in its own folder"})

# --- read: xz, MessagePack, tables, binary

case("read_xz", z.read("DIR/a.jsonl.xz"), given={"a.jsonl.xz": xz('{"n":1}\n{"n":2}\n')}, records=[{"n": 1}, {"n": 2}])
case("read_xz_of_several_streams", z.read("DIR/a.txt.xz"), given={"a.txt.xz": xz("x\ny", "z\n")}, records=["x", "yz"])
case("bad_xz_cut_off", z.read("DIR/a.jsonl.xz"), given={"a.jsonl.xz": xz("1\n" * 1000).pack()[:-20]},
     fails="CORRUPT", words=["a.jsonl.xz", "operator read"])
case("read_msgpack", z.read("DIR/a.msgpack"), given={"a.msgpack": b"\x81\xa1a\x92\x01\xc0\x07\xa1x"},
     lines='{"a":[1,null]}\n7\n"x"\n')
case("read_msgpack_packed", z.read("DIR/a.msgpack.gz"), given={"a.msgpack.gz": gz(b"\x01\x02")}, records=[1, 2])
case("read_msgpack_empty", z.read("DIR/a.msgpack"), given={"a.msgpack": b""}, records=[])
case("bad_msgpack_cut_off", z.read("DIR/a.msgpack"), given={"a.msgpack": b"\x01\x92\x01"}, fails="BAD_RECORD",
     words=["a.msgpack", "operator read"])
case("read_csv", z.read("DIR/a.csv"), given={"a.csv": 'n,s\n1,x\n2,"a, ""b""\nc"\n'},
     records=[{"n": "1", "s": "x"}, {"n": "2", "s": 'a, "b"\nc'}])
case("read_csv_crlf_and_no_final_newline", z.read("DIR/a.csv"), given={"a.csv": "n,s\r\n1,x\r\n2,"},
     records=[{"n": "1", "s": "x"}, {"n": "2", "s": ""}])
case("read_csv_only_header", z.read("DIR/a.csv").count(), given={"a.csv": "n,s\n"}, records=[0])
case("read_tsv", z.read("DIR/a.tsv"), given={"a.tsv": "n\ts\n1\ta,b\n"}, records=[{"n": "1", "s": "a,b"}])
case("bad_csv_duplicate_header", z.read("DIR/a.csv"), given={"a.csv": "n,s,n\n1,2,3\n"}, fails="BAD_RECORD",
     words=["a.csv:1", "n"])
case("bad_csv_row_too_short", z.read("DIR/a.csv"), given={"a.csv": "n,s\n1,2\n3\n"}, fails="BAD_RECORD",
     words=["a.csv:3", "operator read"])
case("bad_csv_row_too_long", z.read("DIR/a.csv"), given={"a.csv": "n,s\n1,2,3\n"}, fails="BAD_RECORD",
     words=["a.csv:2"])
case("bad_csv_quote_never_closed", z.read("DIR/a.csv"), given={"a.csv": 'n\n"abc\n'}, fails="BAD_RECORD",
     words=["a.csv:2"])
case("read_binary", z.read("DIR/in/*.bin").map("#r"), given={"in/a.bin": b"\x00\xff", "in/b.bin": b""},
     records=[2, 0])

# --- read: paths as fields, ranges, bad records

case("read_include_paths", z.read("DIR/in/*.jsonl", include_paths=True), given=THREE,
     records=[{"n": i + 1, "__file_path": f"DIR/in/{c}.jsonl"} for i, c in enumerate("abc")])
case("read_include_paths_under_a_name", z.read("DIR/in/a.jsonl", include_paths="from"), given=THREE,
     records=[{"n": 1, "from": "DIR/in/a.jsonl"}])
case("read_include_paths_selected", z.read("DIR/in/a.jsonl", include_paths=True).select("__file_path"),
     given=THREE, records=[{"__file_path": "DIR/in/a.jsonl"}])
case("read_include_paths_selected_away", z.read("DIR/in/a.jsonl", include_paths=True).select("n"),
     given=THREE, records=[{"n": 1}])
case("bad_include_paths_clash", z.read("DIR/in/a.jsonl", include_paths="n"), given=THREE, fails="BAD_RECORD",
     words=["in/a.jsonl:1", "n"])
LINES = "".join(f"line {i}\n" for i in range(100))
case("read_split_bytes_keeps_order", z.read("DIR/a.txt", split_bytes=64), given={"a.txt": LINES},
     records=[f"line {i}" for i in range(100)])
case("read_split_bytes_shards", z.read("DIR/a.txt", split_bytes=100).map("1").reduce("a + r"),
     given={"a.txt": LINES}, records=[100])
case("read_split_bytes_crlf_and_no_final_newline", z.read("DIR/a.jsonl", split_bytes=5),
     given={"a.jsonl": "1\r\n22\r\n333\r\n4444\r\n55555"}, records=[1, 22, 333, 4444, 55555])
case("read_split_bytes_one_huge_line", z.read("DIR/a.txt", split_bytes=10), given={"a.txt": "x" * 1000},
     records=["x" * 1000])
case("read_split_bytes_of_one", z.read("DIR/a.txt", split_bytes=1), given={"a.txt": "a\n\nb\n"},
     records=["a", "", "b"])
case("read_split_bytes_leaves_packed_files_whole", z.read("DIR/a.txt.gz", split_bytes=10),
     given={"a.txt.gz": gz(LINES)}, records=[f"line {i}" for i in range(100)])
BAD = {"a.jsonl": '1\nnonsense\n3\n{"a":}\n5\n'}
case("bad_record_skip", z.read("DIR/a.jsonl", on_bad_record="skip"), given=BAD, records=[1, 3, 5])
case("bad_record_skip_in_csv", z.read("DIR/a.csv", on_bad_record="skip"),
     given={"a.csv": "n,s\n1,2\n3\n4,5\n"}, records=[{"n": "1", "s": "2"}, {"n": "4", "s": "5"}])
case("bad_record_skip_in_text", z.read("DIR/a.txt", on_bad_record="skip"),
     given={"a.txt": b"a\n\xff\nb\n"}, records=["a", "b"])
case("bad_record_too_long", z.read("DIR/a.jsonl", on_bad_record="skip", record_bytes_max=5),
     given={"a.jsonl": '1\n"123456"\n3\n'}, records=[1, 3])
case("bad_record_unknown_policy", z.read("DIR/a.jsonl", on_bad_record="ignore"), given=BAD, fails="PLAN",
     words=["ignore", "skip", "keep"])
