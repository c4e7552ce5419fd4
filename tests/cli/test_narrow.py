#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Narrow operators as verbs and in scripts: both give the same lines."""
import unittest

from harness import TestCase, zonda


class Narrow(TestCase):
    """Each case is a pipeline in words, the same as a Lua expression, and the lines of the result."""

    CASES = [
        ("from-list {\"a\":1,\"b\":{\"c\":2,\"d\":3}} then drop a,b.c",
         "zonda.from_list{{a = 1, b = {c = 2, d = 3}}}:drop('a', 'b.c')", ['{"b":{"d":3}}']),
        ("from-list {\"a\":1,\"b\":2} then rename b=a a=b",
         "zonda.from_list{{a = 1, b = 2}}:rename{b = 'a', a = 'b'}", ['{"b":1,"a":2}']),
        ("from-range 20 --shards 2 then take-per-shard 2",
         "zonda.from_range(20, {shards = 2}):take_per_shard(2)", ["0", "1", "10", "11"]),
        ("from-range 20 --shards 2 then take-per-shard 0",
         "zonda.from_range(20, {shards = 2}):take_per_shard(0)", []),
        ("from-range 5 --shards 1 then window 2",
         "zonda.from_range(5, {shards = 1}):window(2)", ["[0,1]", "[2,3]", "[4]"]),
        ("from-range 8 --shards 1 then window-by a+r<10,a+r 0",
         "zonda.from_range(8, {shards = 1}):window_by(function(s, r) return s + r < 10, s + r end, 0)",
         ["[0,1,2,3]", "[4,5]", "[6]", "[7]"]),
        ("from-range 4 --shards 1 then window-by (a==nil),r",
         "zonda.from_range(4, {shards = 1}):window_by(function(s, r) return s == nil, r end)",
         ["[0]", "[1]", "[2]", "[3]"]),
        ("from-range 6 --shards 2 then map-shard for\tr\tin\titems\tdo\temit(r)\tend\treturn\t{shard.index,shard.total}",
         "zonda.from_range(6, {shards = 2}):map_shard(function(items, shard, emit)\n"
         "  for r in items do emit(r) end return {shard.index, shard.total} end)",
         ["0", "1", "2", "[0,2]", "3", "4", "5", "[1,2]"]),
        ("from-range 20 --shards 1 then sample 0.25 7",
         "zonda.from_range(20, {shards = 1}):sample(0.25, 7)", ["4", "7", "12", "16"]),
        ("from-range 20 --shards 1 then sample 0.25 --seed 7",
         "zonda.from_range(20, {shards = 1}):sample(0.25, {seed = 7})", ["4", "7", "12", "16"]),
        ("from-range 3 --shards 1 then sample 1",
         "zonda.from_range(3, {shards = 1}):sample(1)", ["0", "1", "2"]),
    ]

    def test_verbs_and_scripts_give_the_same(self):
        for words, lua, lines in self.CASES:
            with self.subTest(words=words):
                result = zonda("run", *words.split(" "), cwd=self.folder)
                self.expect(result, 0)
                self.assertEqual(result.stdout.splitlines(), lines)
                (self.folder / "case.lua").write_text(f"return {lua}\n")
                result = zonda("run", "case.lua", cwd=self.folder)
                self.expect(result, 0)
                self.assertEqual(result.stdout.splitlines(), lines)

    MISTAKES = [
        ("window(0)", ["window", "at least 1"]),
        ("window(-1)", ["window", "negative"]),
        ("window(2.5)", ["window", "integer"]),
        ("window('2')", ["window", "integer"]),
        ("take_per_shard(-1)", ["take_per_shard", "negative"]),
        ("take_per_shard(2^63)", ["take_per_shard", "integer"]),
        ("take_per_shard()", ["take_per_shard", '"n"']),
        ("sample(2)", ["sample", "from 0 to 1"]),
        ("sample(0/0)", ["sample", "from 0 to 1"]),
        ("sample('x')", ["sample", "number"]),
        ("rename{}", ["rename", "at least one"]),
        ("rename{a = 1}", ["rename", "texts"]),
        ("rename('a', 'b')", ["rename", "too many"]),
        ("drop()", ["drop", "fields"]),
        ("drop(1)", ["drop", "texts"]),
    ]

    def test_mistakes_in_scripts_are_explained(self):
        for call, expected in self.MISTAKES:
            with self.subTest(call=call):
                (self.folder / "case.lua").write_text(f"return zonda.from_range(3):{call}\n")
                self.expect(zonda("run", "case.lua", cwd=self.folder), 2, *expected)

    def test_errors_in_map_shard(self):
        (self.folder / "s.lua").write_text(
            "local function fail(r)\n  return r.x.y\nend\n"
            "return zonda.from_range(4, {shards = 2}):map_shard(function(items, shard, emit)\n"
            "  for r in items do if shard.index == 1 then emit(fail(r)) end end\nend)\n")
        self.expect(zonda("run", "s.lua", cwd=self.folder), 1, "s.lua:2: attempt to index", "map_shard", "shard 1",
                    "s.lua:5: in")
        result = zonda("run", "from-range", "4", "then", "map-shard", "for r in items", cwd=self.folder)
        self.expect(result, 2, "map_shard", "'do' expected")
        result = zonda("run", "from-range", "4", "then", "map-shard", "coroutine.yield()", cwd=self.folder)
        self.expect(result, 1, "the function yields")

    def test_union_of_files_and_of_datasets(self):
        for name, text in (("a.txt", "1\n2\n"), ("b.txt", "3\n"), ("c.data", "4\n")):
            (self.folder / name).write_text(text)
        result = zonda("run", "read", "a.txt", "then", "union", "b.txt", "c.data", "--format", "text",
                       "then", "map", "r .. '!'", cwd=self.folder)
        self.expect(result, 0)
        self.assertEqual(result.stdout.split(), ['"1!"', '"2!"', '"3!"', '"4!"'])
        (self.folder / "u.lua").write_text(
            "local a, b = zonda.read('a.txt'), zonda.read('b.txt')\n"
            "return a:union(b, a:count()):write_jsonl('out-{shard}-of-{total}.jsonl')\n")
        result = zonda("run", "u.lua", cwd=self.folder)
        self.expect(result, 0)
        self.assertEqual(result.stdout.split(), [f'"out-{i}-of-3.jsonl"' for i in range(3)])
        self.assertEqual((self.folder / "out-2-of-3.jsonl").read_text(), "2\n")

    def test_mistakes_in_unions(self):
        (self.folder / "a.txt").write_text("1\n")
        for words, expected in ((["union"], ["union", "2 datasets or more"]),
                                (["union", "a.txt", "--fromat", "text"], ["--fromat", "--format"])):
            with self.subTest(words=words):
                result = zonda("run", "read", "a.txt", "then", *words, cwd=self.folder)
                self.expect(result, 2, *expected)
        (self.folder / "u.lua").write_text("return zonda.from_range(3):union(1)\n")
        self.expect(zonda("run", "u.lua", cwd=self.folder), 2, "union")

    def test_records_that_are_no_maps_fail_the_job(self):
        for verb in ("select a", "drop a", "rename b=a"):
            with self.subTest(verb=verb):
                result = zonda("run", "from-list", "text", "then", *verb.split(" "))
                self.expect(result, 1, "needs a map as record, not string")
        result = zonda("run", "from-list", '{"a":1,"b":2}', "then", "rename", "b=a")
        self.expect(result, 1, 'cannot rename "a": the record has a field "b"')


if __name__ == "__main__":
    unittest.main()
