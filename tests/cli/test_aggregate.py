#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""aggregate with little memory and with much, and on a cluster: the same bytes, and the right ones."""
import collections
import json
import math
import random
import unittest

from harness import Cluster, TestCase, zonda

SEED = 4
FILES = 4
ROWS = 6000
EXPRS = ("n=count(),s=sum(size),m=mean(part),lo=min(text),hi=max(size),a=first(part),z=last(text),all=list(id),"
         "d=distinct(size),q=quantile(part, 0.4)")


def expected(rows):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row["k"]].append(row)
    for key in sorted(groups):
        group = groups[key]
        parts = [row["part"] for row in group if row["part"] is not None]
        yield {"k": key, "n": len(group), "s": sum(row["size"] for row in group),
               "m": math.fsum(parts) / len(parts) if parts else None, "lo": min(row["text"] for row in group),
               "hi": max(row["size"] for row in group), "a": parts[0] if parts else None, "z": group[-1]["text"],
               "all": [row["id"] for row in group], "d": sorted({row["size"] for row in group}),
               "q": sorted(parts)[max(math.ceil(0.4 * len(parts)), 1) - 1] if parts else None}


class Aggregate(TestCase):
    def setUp(self):
        super().setUp()
        numbers = random.Random(SEED)
        self.rows = [{"id": i, "k": numbers.randrange(600) if i % 3 else 7, "size": numbers.randrange(50),
                      "part": None if i % 7 == 0 else numbers.uniform(-1e9, 1e9), "text": "t" * (i % 40) + str(i)}
                     for i in range(FILES * ROWS)]
        for i in range(FILES):
            text = "".join(json.dumps(row) + "\n" for row in self.rows[i * ROWS:(i + 1) * ROWS])
            (self.folder / f"{i}.jsonl").write_text(text)
        self.words = ["read", f"{self.folder}/*.jsonl", "then", "aggregate", EXPRS, "--by", "k", "--shards", "1"]

    def run_with(self, *options):
        run = zonda("run", "--quiet", *options, *self.words)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def test_little_memory_gives_the_same_bytes(self):
        much = self.run_with("--memory", "1G")
        self.assertEqual([json.loads(line) for line in much.splitlines()], list(expected(self.rows)))
        for memory in ("8M", "32M"):
            self.assertEqual(self.run_with("--memory", memory), much)

    def test_a_cluster_gives_the_same_bytes(self):
        here = self.run_with()
        cluster = Cluster(workers=2)
        self.addCleanup(cluster.kill)
        self.assertEqual(self.run_with("--connect", cluster.endpoint), here)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_the_record_that_is_wrong_is_named(self):
        for key in ([], ["--by", "k"]):
            (self.folder / "1.jsonl").write_text('{"k":1,"size":1}\n\n{"k":2,"size":"x"}\n{"k":1,"size":2}\n')
            run = zonda("run", "--quiet", "read", f"{self.folder}/1.jsonl", "then", "aggregate", "s=sum(size)", *key)
            self.assertEqual(run.returncode, 1)
            self.assertIn("1.jsonl:3: sum(size) needs numbers, not string", run.stderr)


if __name__ == "__main__":
    unittest.main()
