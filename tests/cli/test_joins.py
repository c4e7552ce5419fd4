#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Joins as verbs and in scripts: how words are told apart, and what mistakes in them say."""
import unittest

from harness import TestCase, zonda


class Joins(TestCase):
    def setUp(self):
        super().setUp()
        for name, text in (("l.jsonl", '{"id":"1","x":1}\n{"id":"2","x":2}\n{"id":"3","x":3}\n'),
                           ("r.jsonl", '{"id":"2","y":5}\n{"id":"9","y":6}\n'),
                           ("r.data", "id,y\n3,7\n"), ("s.data", "id,y\n1,8\n")):
            (self.folder / name).write_text(text)

    def run_join(self, *words):
        return zonda("run", "read", "l.jsonl", "then", *words, cwd=self.folder)

    def expect_lines(self, result, *lines):
        self.expect(result, 0)
        self.assertEqual(result.stdout.splitlines(), list(lines))

    def test_options_of_the_join_and_of_read_may_be_mixed(self):
        self.expect_lines(self.run_join("join", "--format", "csv", "--on", "id", "*.data", "--how=inner"),
                          '{"id":"1","x":1,"y":"8"}', '{"id":"3","x":3,"y":"7"}')
        self.expect_lines(
            self.run_join("join", "r.data", "--include-paths=file", "--on", "id", "--format=csv"),
            '{"id":"3","x":3,"y":"7","file":"r.data"}')
        self.expect_lines(self.run_join("join", "--include-paths", "r.jsonl", "--on", "id", "then", "select",
                                        "__file_path"), '{"__file_path":"r.jsonl"}')

    def test_broadcast_is_a_switch(self):
        for word in ("--broadcast", "--broadcast=true", "--broadcast=false", "--broadcast=auto"):
            with self.subTest(word=word):
                self.expect_lines(self.run_join("join", word, "r.jsonl", "--on", "id"), '{"id":"2","x":2,"y":5}')
        self.expect(self.run_join("join", "r.jsonl", "--on", "id", "--broadcast=maybe"), 2, "true, false or auto")

    def test_keys_are_fields_or_expressions(self):
        self.expect_lines(self.run_join("join", "r.jsonl", "--left-on", "x", "--right-on", "id * 1",
                                        "--suffix", "_r", "then", "select", "id,id_r,y"),
                          '{"id":"2","id_r":"2","y":5}')
        self.expect_lines(self.run_join("join", "r.jsonl", "--on", "id", "--combine", "{ left.x, right.y }"),
                          "[2,5]")

    def test_mistakes(self):
        for words, expected in (
                (["join", "--on", "id"], ["join works on 2 datasets, not on 1"]),
                (["join", "r.jsonl", "r.jsonl", "--on", "id"], ["join works on 2 datasets, not on 3"]),
                (["join", "r.jsonl"], ["either \"on\""]),
                (["join", "r.jsonl", "--no", "id"], ["unknown option --no", "--on", "--format"]),
                (["join", "r.jsonl", "--on", "id", "--combine", "left."], ["join", "left."]),
                (["join", "r.jsonl", "--on", "id", "--how"], ["--how needs a value"]),
                (["sorted-merge-join", "{r,l}.jsonl", "--on", "id"], ["the left one has 1 and the right one 2"])):
            with self.subTest(words=words):
                self.expect(self.run_join(*words), 2, *expected)

    def test_unsorted_input_names_side_and_line(self):
        (self.folder / "u.jsonl").write_text('{"id":"1"}\n{"id":"3"}\n{"id":"2"}\n')
        self.expect(self.run_join("sorted-merge-join", "u.jsonl", "--on", "id"), 1, "u.jsonl:3", "right side",
                    "not sorted", "shard 0")
        (self.folder / "n.jsonl").write_text('{"id":"1"}\n{}\n')
        self.expect(self.run_join("sorted-merge-join", "n.jsonl", "--on", "id"), 1, "n.jsonl:2", "right side")

    def test_switches_of_union_take_no_word(self):
        self.expect_lines(zonda("run", "read", "r.jsonl", "then", "union", "--include-paths", "r.jsonl", "then",
                                "select", "__file_path", "then", "limit", "3", cwd=self.folder),
                          "{}", "{}", '{"__file_path":"r.jsonl"}')

    def test_lua_joins_any_datasets(self):
        (self.folder / "j.lua").write_text(
            "local l, r = zonda.read('l.jsonl'), zonda.read('r.jsonl')\n"
            "local pairs_of_x = l:join(l, {left_on = 'x', right_on = function(r) return r.x + 1 end, suffix = '_b'})\n"
            "return pairs_of_x:join(r, {on = 'id', how = 'left', broadcast = false, shards = 1})\n"
            "  :select('id', 'id_b', 'y')\n")
        self.expect_lines(zonda("run", "j.lua", cwd=self.folder),
                          '{"id":"2","id_b":"1","y":5}', '{"id":"3","id_b":"2"}')
        (self.folder / "m.lua").write_text("local l = zonda.read('l.jsonl')\nreturn l:join({on = 'id'})\n")
        self.expect(zonda("run", "m.lua", cwd=self.folder), 2, "join works on 2 datasets, not on 1")


if __name__ == "__main__":
    unittest.main()
