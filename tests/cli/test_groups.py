#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Functions of groups from outside: groups and outputs that are larger than the memory of Lua, limits that
hold from one record to the next, who is blamed for what, and what a function may keep."""
import json
import unittest

from harness import DATA, TestCase, zonda

GROUP = ["from-range", "20000", "--shards", "4", "then", "map", "{ k = 1, v = r, text = ('x'):rep(1000) }",
         "then", "group-by", "k", "--shards", "1", "--reduce"]


class Groups(TestCase):
    def script(self, reduce, key="r % 2"):
        return self.write("script.lua", f"""
            local kept, calls = nil, 0
            return zonda.from_range(10, {{ shards = 2 }}):group_by {{ shards = 1,
              key = function(r) return {key} end,
              reduce = function(key, rows, emit) {reduce} end }}""")

    def test_a_group_of_any_size_goes_through(self):
        result = zonda("run", "--lua-memory", "1M", *GROUP,
                       "local n = 0 for r in rows do n = n + #r.text end return n")
        self.assertEqual(self.expect(result, 0).stdout, "20000000\n")

    def test_what_a_function_gives_goes_on_at_once(self):
        result = zonda("run", "--lua-memory", "1M", *GROUP, "for r in rows do emit(r) emit(r) end",
                       "then", "map", "#text", "then", "reduce", "a + r")
        self.assertEqual(self.expect(result, 0).stdout, "40000000\n")

    def test_a_function_that_gathers_too_much_is_told(self):
        result = zonda("run", "--lua-memory", "1M", *GROUP,
                       "local t = {} for r in rows do t[#t + 1] = r end return #t")
        self.expect(result, 1, "Lua exceeds the memory limit of 1 MiB", "operator group_by")

    def test_instructions_are_limited_from_record_to_record(self):
        words = ["run", "--lua-instructions", "50000", *GROUP]
        result = zonda(*words, "local n = 0 for r in rows do for i = 1, 100 do n = n + 1 end end return n")
        self.assertEqual(self.expect(result, 0).stdout, "2000000\n")
        self.expect(zonda(*words, "rows() while true do end"), 1, "instruction limit of 50000", "operator group_by")

    def test_an_operator_behind_is_blamed_for_its_own_failures(self):
        result = zonda("run", *GROUP, "for r in rows do pcall(emit, r) end", "then", "map",
                       "r.v == 7 and error('seven') or r.v", "then", "count")
        self.expect(result, 1, "seven", "operator map")

    def test_rows_and_emit_are_of_one_call(self):
        for name in ("rows", "emit"):
            script = self.script(f"if kept then return kept(1) end kept = {name}")
            self.expect(zonda("run", script), 1, f"'{name}' works only during the call that got it",
                        "operator group_by")

    def test_a_function_may_count_its_groups_in_a_shard(self):
        script = self.script("calls = calls + 1 return { key = key, calls = calls }", "r % 3")
        result = self.expect(zonda("run", script), 0)
        self.assertEqual([json.loads(line) for line in result.stdout.splitlines()],
                         [{"calls": i + 1, "key": i} for i in range(3)])

    def test_a_key_that_is_r_is_the_record(self):
        result = zonda("run", "from-list", "2", "b", "1", "2.0", "b", "then", "deduplicate", "r", "--shards", "1",
                       "then", "sort", "r", "--descending")
        self.assertEqual(self.expect(result, 0).stdout, '"b"\n2\n1\n')

    def test_limit_ends_a_group_early(self):
        result = zonda("run", *GROUP, "for r in rows do emit(r.v) end", "then", "limit", "2")
        self.assertEqual(self.expect(result, 0).stdout, "0\n1\n")

    def test_same_bytes_in_process_and_on_clusters(self):
        words = ["read", f"{DATA}/packages-*.jsonl.zst", "then", "group-by", "section", "--sort-by",
                 "installed_size,package", "--descending", "--shards", "3", "--reduce",
                 "local n = 0 for r in rows do n = n + 1 if n < 4 then emit(r.package) end end return n",
                 "then", "write", "{shard}.jsonl"]
        written = []
        for run in (zonda, self.cluster("ipc").run, self.cluster("tcp", workers=3, slots=1).run):
            folder = self.folder / str(len(written))
            words[-1] = f"{folder}/{{shard}}.jsonl"
            self.expect(run(*(["run"] if run is zonda else []), *words), 0)
            written.append([path.read_bytes() for path in sorted(folder.glob("*.jsonl"))])
        self.assertEqual(len(written[0]), 3)
        self.assertEqual(written[1], written[0])
        self.assertEqual(written[2], written[0])


if __name__ == "__main__":
    unittest.main()
