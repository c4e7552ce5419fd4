#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""--trace writes what every slot did when, and --stats shows where the time of slots went; without them nothing is
measured."""
import json
import re
import unittest

from harness import TestCase, zonda

# Runs whose attempts are counted go without backups, which a busy machine gives to slow tasks.
ROWS = ["from-range", "60000", "--shards", "4", "then", "map", '{ k = r % 100, text = ("0123456789abcdef"):rep(40) .. r }',
        "then", "group-by", "k", "--shards", "3", "--reduce",
        "local n = 0 for row in rows do n = n + #row.text end emit(n)", "then", "count"]
SECTIONS = ["other", "reading", "decoding", "user", "encoding", "compressing", "writing", "shuffling", "waiting"]


class Trace(TestCase):
    def trace(self, name="trace.json"):
        """The trace, after the checks that hold for every one: it is whole, complete events nest on each thread,
        and processes and threads that have events have names."""
        trace = json.loads((self.folder / name).read_text())
        named, threads = set(), {}
        for event in trace["traceEvents"]:
            place = (event["pid"], event["tid"])
            if event["ph"] == "M":
                named.add((event["name"], *place))
            else:
                self.assertEqual(event["ph"], "X")
                self.assertGreaterEqual(event["ts"], 0)
                threads.setdefault(place, []).append((event["ts"], -event["dur"], event["name"]))
        for place, slices in threads.items():
            self.assertIn(("thread_name", *place), named)
            open_ends = []
            for start, negative, name in sorted(slices):
                end = start - negative
                while open_ends and open_ends[-1] <= start + 0.0005:
                    open_ends.pop()
                self.assertTrue(not open_ends or end <= open_ends[-1] + 0.0015, f"{name} on {place}")
                open_ends.append(end)
        return trace

    def events(self, trace, kind):
        return [event for event in trace["traceEvents"] if event.get("cat") == kind]

    def tasks(self, trace):
        """(stage, task, attempt) of all attempts."""
        return sorted((args["stage"], task, args["attempt"]) for args in (e["args"] for e in self.events(trace, "task"))
                      for task in range(args["task"], args["task"] + args["count"]))

    def sums(self, result):
        """Seconds by section of the row of all stages, what they add up to, and what the slots had."""
        head = re.search(r"^stage +(other.*) seconds$", result.stderr, re.MULTILINE)
        self.assertEqual(head.group(1).split(), SECTIONS)
        row = [float(word) for word in re.search(r"^all +(.*)$", result.stderr, re.MULTILINE).group(1).split()]
        had = float(re.search(r"slots, ([0-9.]+) s of slots", result.stderr).group(1))
        return dict(zip(SECTIONS, row)), row[-1], had

    def test_every_task_and_stage_appears(self):
        path = self.folder / "trace.json"
        self.expect(zonda("run", "--quiet", "--slots", "2", "--no-backups", "--trace", path, *ROWS), 0)
        trace = self.trace()
        self.assertEqual(self.tasks(trace), [(0, i, 1) for i in range(4)] + [(1, i, 1) for i in range(3)] + [(2, 0, 1)])
        self.assertEqual([e["args"]["tasks"] for e in self.events(trace, "stage")], [4, 3, 1])
        self.assertEqual(len(self.events(trace, "job")), 1)
        self.assertTrue(trace["otherData"]["complete"])
        self.assertEqual(trace["otherData"]["dropped_events"], 0)

    def test_short_tasks_appear_alone_or_in_slices_of_several(self):
        path = self.folder / "trace.json"
        self.expect(zonda("run", "--quiet", "--no-backups", "--trace", path, "from-range", "20000", "--shards",
                          "20000", "then", "count"), 0)
        trace = self.trace()
        self.assertEqual(self.tasks(trace), [(0, i, 1) for i in range(20000)] + [(1, 0, 1)])
        self.assertLessEqual(len(self.events(trace, "task")), 20001)

    def test_a_retry_is_an_attempt_and_a_job_that_fails_has_a_trace(self):
        path = self.folder / "trace.json"
        self.expect(zonda("run", "--quiet", "--retries", "1", "--no-backups", "--trace", path, "from-list", "1",
                          "then", "map", 'error("it broke")'), 1, "it broke")
        trace = self.trace()
        self.assertEqual(self.tasks(trace), [(0, 0, 1), (0, 0, 2)])
        self.assertEqual({e["args"]["outcome"] for e in self.events(trace, "task")}, {"USER"})

    def test_little_memory_shows_spills(self):
        path = self.folder / "trace.json"
        self.expect(zonda("run", "--quiet", "--slots", "1", "--memory", "8M", "--no-backups", "--trace", path, *ROWS), 0)
        spills = self.events(self.trace(), "spill")
        self.assertGreater(len(spills), 0)
        self.assertTrue(all(e["args"]["bytes"] > 0 and e["args"]["stage"] == 0 for e in spills))

    def test_workers_without_common_files_show_fetches(self):
        cluster = self.hosts_that_share_no_files()
        path = self.folder / "trace.json"
        result = self.expect(cluster.run("--quiet", "--stats", "--no-backups", "--trace", path, *ROWS), 0)
        trace = self.trace()
        self.assertEqual(len(self.tasks(trace)), 8)
        self.assertGreater(sum(e["args"]["bytes"] for e in self.events(trace, "fetch")), 0)
        names = [e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"]
        self.assertEqual(len(names), 3)
        self.assertRegex(" ".join(names), r"driver worker \d+ \(process \d+ on ")
        sections, total, had = self.sums(result)
        self.assertLessEqual(total, had + 0.002)  # both are rounded
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_stats_are_within_what_slots_had(self):
        source = self.write("in.jsonl", "".join(f'{{"id": {i}, "text": "{"x" * 50}"}}\n' for i in range(50000)))
        result = self.expect(zonda("run", "--quiet", "--slots", "2", "--stats", "read", source, "--split-bytes",
                                   "1000000", "then", "filter", "id % 2 == 0", "then", "write",
                                   self.folder / "out-{shard}.jsonl.zst", "then", "count"), 0)
        sections, total, had = self.sums(result)
        self.assertLessEqual(total, had + 0.002)  # both are rounded
        self.assertAlmostEqual(sum(sections.values()), total, delta=0.01)
        for name in ("decoding", "user", "encoding", "compressing"):
            self.assertGreater(sections[name], 0, name)

    def test_nothing_is_measured_unless_asked_for(self):
        plain = self.expect(zonda("run", "--quiet", *ROWS), 0)
        self.assertEqual(plain.stderr, "")
        measured = self.expect(zonda("run", "--quiet", "--stats", "--trace", self.folder / "t.json", *ROWS), 0)
        self.assertEqual(measured.stdout, plain.stdout)

    def test_a_trace_that_cannot_be_written_is_said_before_anything_runs(self):
        path = self.folder / "missing" / "trace.json"
        output = self.folder / "out.jsonl"
        self.expect(zonda("run", "--no-backups", "--trace", path, "from-list", "1", "then", "write", output), 1,
                    "cannot write the trace", str(path))
        self.assertFalse(output.exists())

    def test_each_dataset_has_a_trace(self):
        script = self.write("two.lua", "return { zonda.from_list{1}, zonda.from_list{1, 2} }")
        self.expect(zonda("run", "--quiet", "--no-backups", "--trace", self.folder / "t.json", script), 0)
        self.assertEqual([len(self.tasks(self.trace(name))) for name in ("t.json", "t.json.2")], [1, 2])


if __name__ == "__main__":
    unittest.main()
