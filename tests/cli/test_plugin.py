#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Plug-ins end to end: the same functions from the command line, from Lua and from a C program, in this process
and on a cluster; one that crashes takes no worker with it; wrong ones are refused with words that help."""
import os
import pathlib
import unittest

from harness import TestCase, processes_below, zonda

FOLDER = pathlib.Path(os.environ["PLUGIN_FOLDER"])
GOOD = FOLDER / "plugin_good.so"
CRASHING = FOLDER / "plugin_crashing.so"
CHAIN = ["--plugin", GOOD, "from-list", "1", "2", "3", "then", "map", "@twice", "then", "flat-map", "@repeat"]
SCRIPT = """
local p = zonda.plugin(arg[1])
local twice = p.twice
return zonda.from_list{1, 2, 3}:map(twice):flat_map(p["repeat"])
  :map(function(r) return r + (tostring(twice):find("twice") and 0 or 100) end)
"""


def lines(*values):
    return "".join(f"{value}\n" for value in values)


EXPECTED = lines(2, 2, *[4] * 4, *[6] * 6)


class Plugins(TestCase):
    def everywhere(self):
        """Ways to run: in this process, over ipc, over tcp."""
        yield lambda *words: zonda("run", *words)
        for transport in ("ipc", "tcp"):
            yield self.cluster(transport).run

    def test_command_line_and_lua_give_the_same_on_every_transport(self):
        script = self.write("twice.lua", SCRIPT)
        for run in self.everywhere():
            self.assertEqual(self.expect(run(*CHAIN), 0).stdout, EXPECTED)
            self.assertEqual(self.expect(run(script, GOOD), 0).stdout, EXPECTED)

    def test_all_forms_of_functions_have_state_shared_data_and_counters(self):
        script = self.write("all.lua", """
          local p = zonda.plugin(arg[1])
          zonda.put("offset", 1000)
          local all = zonda.from_range(8, {shards = 2}):filter(p.is_odd)
          return { all:map(p.sum), all:reduce(p.add), all:map(p.plus_shared) }""")
        cluster = self.cluster("tcp")
        result = self.expect(cluster.run(script, GOOD), 0)
        self.assertEqual(result.stdout, lines(1, 4, 5, 12, 16, 1001, 1003, 1005, 1007))

    def test_a_plugin_is_kept_once_by_each_worker_and_goes_with_it(self):
        cluster = self.cluster("tcp", workers=2, slots=2)
        for _ in range(3):
            self.expect(cluster.run(*CHAIN), 0)
        kept = sorted((cluster.folder / "tmp").glob("*/plugin-*"))
        self.assertTrue(1 <= len(kept) <= 2, kept)
        for path in kept:
            self.assertEqual(path.read_bytes(), GOOD.read_bytes())
            self.assertEqual(path.stat().st_mode & 0o777, 0o700)
        for process in cluster.workers:
            process.terminate()
            process.wait(timeout=30)
        self.assertEqual(cluster.scratch_left(), [])
        cluster.close()

    def test_a_library_is_loaded_once_by_a_slot_process(self):
        cluster = self.cluster("tcp", workers=1, slots=1)
        counts = [self.expect(cluster.run("--plugin", GOOD, "from-list", "0", "then", "map", "@calls"), 0).stdout
                  for _ in range(3)]
        self.assertEqual(counts, ["1\n", "2\n", "3\n"])

    def test_a_crash_is_named_and_the_worker_lives_on(self):
        cluster = self.cluster("tcp", workers=1, slots=2)
        for name in ("crash", "crash_at_open"):
            result = cluster.run("--plugin", CRASHING, "from-list", "1", "then", "map", f"@{name}")
            self.expect(result, 1, "killed by signal 9", f'in function "{name}" of plug-in plugin_crashing.so',
                        "operator map")
        result = cluster.run("--plugin", CRASHING, "from-range", "4", "--shards", "1", "then", "reduce", "@crash")
        self.expect(result, 1, "killed by signal 9", "operator reduce,")
        self.assertEqual(self.expect(cluster.run(*CHAIN), 0).stdout, EXPECTED)
        self.assertIsNone(cluster.workers[0].poll())

    def test_a_refusal_of_the_function_comes_out_with_its_words(self):
        result = zonda("run", "--plugin", GOOD, "from-list", "1", "then", "map", "@refuse")
        self.expect(result, 1, "this one never likes anything", "operator map")

    def test_wrong_plugins_are_refused(self):
        job = ["from-list", "1", "then", "map", "@x"]
        text = self.write("text.so", "#!/bin/sh\n" * 10)
        far = bytearray(GOOD.read_bytes())
        far[18:20] = bytes([243, 0])  # e_machine: RISC-V
        far = self.write("far.so", bytes(far))
        for path, status, words in [
                (self.folder / "none.so", 1, ["none.so: No such file"]),
                (self.folder, 1, ["directory"]),
                (text, 2, ["text.so is not a shared library"]),
                (far, 1, ["far.so is for RISC-V", "this worker runs on"]),
                (FOLDER / "plugin_no_table.so", 2, ["has no symbol zonda_plugin_v1"]),
                (FOLDER / "plugin_other_abi.so", 1, ["version 77", "this worker has version 1"]),
                (FOLDER / "plugin_missing_symbol.so", 2, ["cannot be loaded", "nobody_has_this"]),
                (GOOD, 1, ['has no function "x"', "twice, is_odd, repeat, add"])]:
            self.expect(zonda("run", "--plugin", path, *job), status, *words)
        script = self.write("none.lua", "return zonda.from_list{1}:map(zonda.plugin('./none.so').x)")
        self.expect(zonda("run", script), 1, "none.lua:1: plug-in ./none.so: No such file")

    def test_names_on_the_command_line(self):
        both = ["--plugin", GOOD, "--plugin", CRASHING]
        chain = ["from-list", "2", "then", "map"]
        for name in ("@plugin_good:twice", "@plugin_good.so:twice"):
            self.assertEqual(self.expect(zonda("run", *both, *chain, name), 0).stdout, "4\n")
        self.expect(zonda("run", *both, *chain, "@twice"), 2, "write @FILE:NAME", "plugin_good.so, plugin_crashing.so")
        self.expect(zonda("run", *both, *chain, "@bad:twice"), 2, "names no plug-in that is given")
        self.expect(zonda("run", *chain, "@twice"), 2, "--plugin FILE")
        self.expect(zonda("run", *both, *chain, "@"), 2, "'@'")

    def test_lua_cannot_call_or_forge_functions_of_plugins(self):
        for body, words in [
                ("return zonda.from_list{1}:map(p)", "write p.NAME"),
                ("p.twice(1)", "Lua cannot call it"),
                ("return zonda.from_list{p.twice}", "no record can hold"),
                ("return p[1]", "has a name"),
                ("p.twice = 1", "index"),
                ("return zonda.from_list{1}:map(function(r) return zonda.plugin(arg[1]) end)",
                 "cannot be used in functions on records")]:
            script = self.write("bad.lua", f"local p = zonda.plugin(arg[1])\n{body}\n")
            self.assertIn(words, zonda("run", script, GOOD).stderr)


if __name__ == "__main__":
    unittest.main()
