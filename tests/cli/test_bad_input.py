#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Everything that a user can get wrong, and damaged input: one clear error, the right exit status,
nothing left behind."""
import gzip
import unittest

from harness import TestCase, closed_port, zonda


class Usage(TestCase):
    """Words that make no sense end with status 2 and say what would."""

    CASES = [
        ([], ["Usage", "coordinator"]),
        (["frobnicate"], ["unknown command 'frobnicate'", "--help"]),
        (["run"], ["missing"]),
        (["run", "--frobnicate"], ["--frobnicate"]),
        (["run", "--slots", "none", "from-range", "1"], ["--slots", "none"]),
        (["run", "--memory", "7M", "from-range", "1"], ["--memory", "7M", "at least 8M"]),
        (["run", "--memory", "much", "from-range", "1"], ["--memory", "much"]),
        (["worker", "--memory", "0"], ["--memory", "at least 8M"]),
        (["run", "frobnicate"], ["frobnicate", "from_range"]),
        (["run", "filter", "x"], ["begins with a source"]),
        (["run", "from-range", "1", "then", "from-range", "2"], ["source"]),
        (["run", "from-range", "1", "then"], ["then"]),
        (["run", "from-range", "ten"], ["ten"]),
        (["run", "from-range", "1", "2"], ["unexpected word '2'"]),
        (["run", "from-range", "10", "--shard", "2"], ["--shard", "--shards"]),
        (["run", "from-range", "10", "--shards"], ["needs a value"]),
        (["run", "from-range", "10", "then", "filter", "r >"], ["filter"]),
        (["run", "from-range", "10", "then", "select"], ["select", "fields"]),
        (["run", "from-range", "10", "then", "window", "0"], ["window", "at least 1"]),
        (["run", "from-range", "10", "then", "window", "-1"], ["window", "'-1'"]),
        (["run", "from-range", "10", "then", "take-per-shard", "9223372036854775808"],
         ["take-per-shard", "9223372036854775808"]),
        (["run", "from-range", "10", "then", "sample", "2"], ["sample", "from 0 to 1"]),
        (["run", "from-range", "10", "then", "sample", "nan"], ["sample", "from 0 to 1"]),
        (["run", "from-range", "10", "then", "sample", "half"], ["sample", "'half'"]),
        (["run", "from-range", "10", "then", "rename", "a"], ["rename", "'a' has no '='"]),
        (["run", "from-range", "10", "then", "rename", "a=b", "c=b"], ["rename", '"b" twice']),
        (["run", "from-range", "10", "then", "rename"], ["rename", "fields"]),
        (["run", "from-range", "10", "--shards", "2", "then", "write", "out.jsonl"], ["{shard}", "2"]),
        (["run", "from-range", "10", "then", "write", "out/{shard}.xyz"], [".xyz", "jsonl"]),
        (["run", "from-range", "10", "then", "write", "out/{shart}.jsonl"], ["shart"]),
        (["run", "read", "x.jsonl", "--format", "xml"], ["xml", "jsonl", "text"]),
        (["run", "read", "x.jsonl", "--on-bad-record", "ski"], ["fail, skip, keep", "ski"]),
        (["run", "read", "x.jsonl", "--split-bytes", "-1"], ["split_bytes", "'-1'"]),
        (["run", "read", "x.jsonl", "--record-bytes-max", "1000000000"], ["67108864"]),
        (["coordinator", "--bind", "tcp://127.0.0.1"], ["tcp://127.0.0.1"]),
        (["coordinator", "--bind", "carrier-pigeon://x"], ["tcp://"]),
        (["coordinator", "--bind", "tcp://0.0.0.0:*"], ["--insecure"]),
        (["worker", "--connect", "nonsense"], ["nonsense"]),
        (["worker", "--slots", "0"], ["--slots"]),
        (["run", "--connect", "nonsense", "from-range", "1"], ["nonsense"]),
    ]

    def test_usage(self):
        for words, expected in self.CASES:
            with self.subTest(words=words):
                result = zonda(*words, cwd=self.folder)
                self.expect(result, 2, *expected)
                self.assertEqual(result.stdout, "")
        self.assertEqual(self.files(), [])

    def test_help_and_version_everywhere(self):
        self.assertIn("Usage", zonda("--help").stdout)
        self.assertRegex(zonda("--version").stdout, r"^zonda \d+\.\d+")
        for command in ("run", "coordinator", "worker", "status", "jobs", "workers", "cancel"):
            with self.subTest(command=command):
                result = zonda(command, "--help")
                self.assertEqual(result.returncode, 0)
                self.assertIn("Usage", result.stdout)
                self.assertRegex(zonda(command, "--version").stdout, r"^zonda \d+\.\d+")
        self.assertIn("flat-map", zonda("run", "--help").stdout)


class Input(TestCase):
    """Damaged or missing input ends with status 1 and names file, line and cause."""

    def run_out(self, *words):
        """Runs a pipeline that writes to out/; whatever fails must leave no file there."""
        result = zonda("run", *words, "then", "write", "out/{shard:03d}.jsonl", cwd=self.folder)
        self.assertEqual([f for f in self.files() if "tmp" in f], [])
        return result

    def test_no_file_matches(self):
        self.expect(self.run_out("read", "nothing-*.jsonl"), 1, "nothing-*.jsonl")
        self.expect(self.run_out("read", "nothing.jsonl"), 1, "nothing.jsonl")

    def test_unknown_suffix(self):
        self.write("data.xyz", "{}\n")
        self.expect(self.run_out("read", "data.xyz"), 2, "data.xyz", "jsonl", "text")

    def test_malformed_json_names_file_line_column_and_cause(self):
        self.write("bad.jsonl", '{"a":1}\n{"a":2}\n{"a":3,}\n')
        self.expect(self.run_out("read", "bad.jsonl"), 1, "bad.jsonl:3:8", "operator read", "shard 0")
        self.assertEqual(self.files(), ["bad.jsonl"])

    def test_one_bad_shard_of_many_leaves_no_temporary(self):
        for i in range(20):
            self.write(f"in/{i:02}.jsonl", '{"a":1}\n' * 100)
        self.write("in/13.jsonl", '{"a":1}\n' * 50 + "nonsense\n")
        self.expect(self.run_out("read", "in/*.jsonl"), 1, "in/13.jsonl:51:", "shard 13")

    def test_integer_beyond_64_bits(self):
        self.write("bad.jsonl", '{"a":18446744073709551616}\n')
        self.expect(self.run_out("read", "bad.jsonl"), 1, "bad.jsonl:1:", "64")

    def test_truncated_gz(self):
        self.write("cut.jsonl.gz", gzip.compress(b'{"a":1}\n' * 1000)[:-20])
        self.expect(self.run_out("read", "cut.jsonl.gz"), 1, "cut.jsonl.gz")

    def test_truncated_zst(self):
        from harness import DATA
        whole = (DATA / "packages-00000-of-00004.jsonl.zst").read_bytes()
        self.write("cut.jsonl.zst", whole[:len(whole) // 2])
        self.expect(self.run_out("read", "cut.jsonl.zst"), 1, "cut.jsonl.zst")

    def test_not_compressed_at_all(self):
        self.write("plain.jsonl.zst", '{"a":1}\n')
        self.write("plain.jsonl.gz", '{"a":1}\n')
        self.expect(self.run_out("read", "plain.jsonl.zst"), 1, "plain.jsonl.zst")
        self.expect(self.run_out("read", "plain.jsonl.gz"), 1, "plain.jsonl.gz")

    def test_unreadable_file(self):
        self.write("data.jsonl", "{}\n").chmod(0)
        (self.folder / "folder.jsonl").mkdir()
        self.expect(self.run_out("read", "folder.jsonl"), 1, "folder.jsonl")

    def test_unwritable_output(self):
        self.write("file", "x")
        result = zonda("run", "from-range", "3", "--shards", "3", "then", "write",
                       "file/{shard}.jsonl", cwd=self.folder)
        self.expect(result, 1, "file/", "Not a directory")
        self.assertEqual(self.files(), ["file"])

    def test_lua_error_names_record_and_traceback(self):
        self.write("in.jsonl", '{"a":1}\n{"a":"x"}\n')
        self.expect(self.run_out("read", "in.jsonl", "then", "map", "{ b = a + 1 }"), 1,
                    "in.jsonl:2", "operator map", "shard 0", "attempt to add", "map:1")

    def test_script_errors(self):
        cases = [
            ("return 1 +", 1, ["script.lua:1"]),
            ("return 42", 1, ["script.lua", "dataset"]),
            ("return zonda.frobnicate()", 1, ["script.lua:1", "frobnicate"]),
            ("return zonda.from_range(3):frobnicate()", 2, ["script.lua:1", "frobnicate"]),
            ("return zonda.from_range(3, { shard = 2 })", 2, ["shard", "shards"]),
            ("return zonda.from_range(3):map(function(r)\n  return r.x.y\nend)", 1,
             ["script.lua:2", "operator map"]),
            ("os.execute('true')", 1, ["os"]),
            ("while true do end", 1, ["instruction"]),
            ("local s = ('x'):rep(1 << 30)", 1, ["memory limit"]),
        ]
        for text, status, words in cases:
            with self.subTest(script=text):
                script = self.write("script.lua", text)
                self.expect(zonda("run", script.name, cwd=self.folder), status, *words)
        self.expect(zonda("run", "missing.lua", cwd=self.folder), 1, "missing.lua")


class Unreachable(TestCase):
    """A coordinator that is not there ends with status 3 and names endpoint and time."""

    def test_nobody_there(self):
        endpoint = closed_port()
        for words in (["run", "--connect", endpoint, "--timeout", "1", "from-range", "1"],
                      ["status", "--connect", endpoint, "--timeout", "1"],
                      ["jobs", "--connect", endpoint, "--timeout", "1"],
                      ["workers", "--connect", endpoint, "--timeout", "1"],
                      ["cancel", "--connect", endpoint, "--timeout", "1", "1"]):
            with self.subTest(words=words):
                self.expect(zonda(*words), 3, endpoint, "HELLO")


if __name__ == "__main__":
    unittest.main()
