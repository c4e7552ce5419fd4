#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Lua end to end, in this process and over tcp: limits that only the driver sets, scripts with several datasets,
arguments, shared data and counters, and values that come back as they were."""
import json
import unittest

from harness import TestCase, zonda


def lines(*values):
    return "".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values)


class Lua(TestCase):
    def everywhere(self):
        yield lambda *words: zonda("run", *words)
        yield self.cluster("tcp").run

    def test_instructions_of_a_call_are_limited(self):
        endless = ["from-list", "1", "then", "map", "(function() while true do end end)()"]
        script = self.write("endless.lua", "return zonda.from_list{1}:map(function() while true do end end)")
        for run in self.everywhere():
            for words in (endless, [script]):
                result = run("--lua-instructions", "100000", *words)
                self.expect(result, 1, "exceeds the instruction limit of 100000", "operator map")
            # Each call has its own budget.
            result = run("--lua-instructions", "100000", "from-range", "2000", "--shards", "2", "then", "map",
                         "(function() for i = 1, 500 do end return r end)()", "then", "count")
            self.assertEqual(self.expect(result, 0).stdout, "2000\n")

    def test_memory_is_limited(self):
        large = ["from-list", "1", "then", "map", '#("x"):rep(3000000)']
        script = self.write("large.lua", "return zonda.from_list{1}:map(function() return #('x'):rep(3000000) end)")
        for run in self.everywhere():
            for words in (large, [script]):
                self.assertEqual(self.expect(run(*words), 0).stdout, "3000000\n")
                self.assertEqual(self.expect(run("--lua-memory", "8M", *words), 0).stdout, "3000000\n")
                self.expect(run("--lua-memory", "2M", *words), 1, "Lua exceeds the memory limit of 2 MiB")

    def test_limits_hold_for_the_evaluation_of_a_script(self):
        script = self.write("endless.lua", "while true do end")
        self.expect(zonda("run", "--lua-instructions", "100000", script), 1, "instruction limit of 100000")
        script = self.write("large.lua", "local t = {} for i = 1, 1e6 do t[i] = i end return zonda.from_list(t)")
        self.expect(zonda("run", "--lua-memory", "1M", script), 1, "memory limit of 1 MiB")

    def test_limits_that_make_no_sense_are_refused(self):
        for option, value in [("--lua-memory", "1K"), ("--lua-memory", "lots"), ("--lua-memory", "99999999999G"),
                              ("--lua-memory", "5MB"), ("--lua-instructions", "0"), ("--lua-instructions", "-1")]:
            self.expect(zonda("run", option, value, "from-list", "1"), 2, option, value)

    def test_patterns_cannot_run_for_ever(self):
        result = zonda("run", "--lua-instructions", "1000000", "from-list", "1", "then", "map",
                       '("a"):rep(30000):find(".-.-.-.-b")')
        self.expect(result, 1, "exceeds the instruction limit of 1000000")

    def test_datasets_of_a_script_run_in_order(self):
        script = self.write("several.lua", f"""
          local out = "{self.folder}/out"
          local numbers = zonda.from_range(4, {{ shards = 2 }})
          return {{
            numbers:map(function(r) return {{ n = r }} end):write_jsonl(out .. "/{{shard}}.jsonl"),
            zonda.from_list{{ "between" }},
            numbers:count(),
            numbers:filter(function(r) return r > 1 end),
          }}""")
        expected = lines(f"{self.folder}/out/0.jsonl", f"{self.folder}/out/1.jsonl", "between", 4, 2, 3)
        for run in self.everywhere():
            self.assertEqual(self.expect(run(script), 0).stdout, expected)
            self.assertEqual((self.folder / "out/1.jsonl").read_text(), '{"n":2}\n{"n":3}\n')

    def test_a_dataset_that_fails_ends_the_script(self):
        script = self.write("fails.lua", """
          return { zonda.from_list{1}, zonda.from_list{2}:map(function() error("no") end), zonda.from_list{3} }""")
        for run in self.everywhere():
            self.assertEqual(self.expect(run(script), 1, "fails.lua:2", "no").stdout, "1\n")

    def test_arguments_shared_data_and_counters(self):
        script = self.write("context.lua", """
          zonda.put("table", { x = { 1, 2 }, ["ключ"] = "значение" })
          zonda.put("words", arg)
          return zonda.from_list{ "x", "ключ" }:map(function(r)
            zonda.counter("seen")
            zonda.counter("length", #r)
            local t = zonda.shared("table")
            return { #arg, arg[1], arg[2], zonda.shared("words")[2], t[r], pcall(zonda.shared, "tabel") }
          end)""")
        for run in self.everywhere():
            result = self.expect(run("--counters", script, "a b", ""), 0)
            first, second = map(json.loads, result.stdout.splitlines())
            self.assertEqual(first[:6], [2, "a b", "", "", [1, 2], False])
            self.assertEqual(second[4], "значение")
            for name in ("table", "words"):
                self.assertIn(name, first[6])
            self.assertIn("seen", result.stderr)
            self.assertIn("length", result.stderr)

    def test_values_come_back_as_they_were(self):
        records = ['{"z":1,"a":9223372036854775807,"m":-9223372036854775808,"u":18446744073709551615}',
                   '{"null":null,"list":[],"map":{},"nested":{"b":[1,[]],"a":0.1}}',
                   '{"big":1e308,"whole":3.0,"text":"\\u0000é","no":false}']
        data = self.write("data.jsonl", "\n".join(records) + "\n")
        read = ["read", data, "then", "map"]
        for run in self.everywhere():
            same = self.expect(run(*read, "r"), 0).stdout
            self.assertEqual(same, self.expect(run("read", data), 0).stdout)
            self.assertEqual(list(json.loads(same.splitlines()[0])), ["z", "a", "m", "u"])
            self.assertIn("18446744073709551615", same)
            self.assertIn("9223372036854775807", same)
            changed = self.write("change.lua", f"""return zonda.read("{data}"):map(function(r)
              r.new = math.type(r.a)
              if r.z then r.z = r.a - 1 end
              return r
            end)""")
            out = self.expect(run(changed), 0).stdout.splitlines()
            self.assertEqual(out[0], '{"z":9223372036854775806,"a":9223372036854775807,"m":-9223372036854775808,'
                             '"u":18446744073709551615,"new":"integer"}')
            self.assertTrue(out[1].startswith('{"null":null,"list":[],"map":{},"nested":{"b":[1,[]],"a":0.1}'), out[1])
            made = run(*read, '{ null == zonda.null, missing == nil, { z = 1, a = 2, m = {} }, zonda.array(), 2^53, 7 // 2 }')
            self.assertEqual(self.expect(made, 0).stdout.splitlines()[1],
                             '[true,true,{"a":2,"m":{},"z":1},[],9007199254740992.0,3]')


if __name__ == "__main__":
    unittest.main()
