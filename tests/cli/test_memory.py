#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""--memory bounds the slots, in this process and on a cluster: what is more goes to temporary files, is counted,
changes nothing in the results, and nothing of it stays."""
import re
import unittest

from harness import TestCase, zonda

RECORDS = 100000
PIPELINE = ["from-range", str(RECORDS), "--shards", "2", "then",
            "map", '{id = r * 7919 % 100003, group = r % 50, text = ("0123456789abcdef"):rep(20) .. r}', "then"]
SORT = [*PIPELINE, "sort", "group,id", "--shards", "3", "then", "select", "id,group"]
GROUP = [*PIPELINE, "group-by", "group", "--sort-by", "id", "--shards", "2", "--reduce",
         "local n, last = 0, nil for row in rows do n, last = n + 1, row.id end emit({group = key, n = n, last = last})"]


def spilled(result):
    found = re.search(r"^all +spilled_bytes +(\d+)", result.stderr, re.MULTILINE)
    return int(found.group(1)) if found else 0


class Memory(TestCase):
    def test_little_memory_spills_and_changes_nothing(self):
        rows = sorted(((r % 50, r * 7919 % 100003) for r in range(RECORDS)))
        sorted_lines = "".join(f'{{"id":{number},"group":{group}}}\n' for group, number in rows)
        few = self.cluster("ipc", workers=1, worker=["--memory", "8M"])
        runs = [("here, little", True, lambda *words: zonda("run", "--slots", "2", "--memory", "8M", *words)),
                ("here, much", False, lambda *words: zonda("run", "--slots", "2", "--memory", "1G", *words)),
                ("cluster, little", True, few.run)]
        for words, expected in ((SORT, sorted_lines), (GROUP, None)):
            for name, little, run in runs:
                with self.subTest(verb=words[len(PIPELINE)], where=name):
                    result = self.expect(run("--quiet", "--counters", *words), 0)
                    expected = expected or result.stdout
                    self.assertTrue(result.stdout == expected)
                    self.assertEqual(spilled(result) > 0, little)
        self.assertEqual(few.close(), [0, 0])

    def test_temporary_files_have_no_names(self):
        scratch = self.folder / "scratch"
        scratch.mkdir()
        result = zonda("run", "--slots", "1", "--memory", "8M", "--scratch", scratch, "--quiet", *SORT, "then", "count")
        self.assertEqual(self.expect(result, 0).stdout, f"{RECORDS}\n")
        self.assertEqual(list(scratch.rglob("*")), [])


if __name__ == "__main__":
    unittest.main()
