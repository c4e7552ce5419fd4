#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""What happens to wide operators when segments rot, disks fill up and one key has nearly all rows."""
import json
import os
import shlex
import subprocess
import unittest

from harness import PROGRAM, zonda
from test_jobs import Jobs, wait_until

# The second shard of the first stage waits for a file, so that what the first one wrote can be harmed
# while no task of the second stage runs yet.
WAIT = 'read -r line; case "$line" in *late*) until [ -e %s ]; do sleep 0.05; done ;; esac; echo "$line"; exec cat'
TWO_SHARDS = ["from-range", "2", "--shards", "2", "then", "flat-map",
              "for i = 1, 3000 do emit({ k = i * 7919 % 3001, v = r == 1 and 'late' or 'early', "
              "t = ('%d'):rep(20):format(table.unpack({ i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i })) }) end"]


class Corruption(Jobs):
    def segments(self, cluster):
        return [p for p in (cluster.folder / "tmp").rglob("*.seg") if p.stat().st_size > 0 and "exchange" not in p.name]

    def flip(self, segment, where):
        with open(segment, "r+b") as file:
            place = int(segment.stat().st_size * where)
            file.seek(place)
            byte = file.read(1)
            file.seek(place)
            file.write(bytes([byte[0] ^ 0x10]))

    def started(self, verbs, name, options=(), rows=TWO_SHARDS):
        """Starts the plan on one worker and waits until its first shard has been written."""
        cluster = self.cluster(workers=1, slots=2)
        go = self.folder / "go"
        go.unlink(missing_ok=True)
        process = self.start(cluster, "--name", name, *options, *rows, "then", "exec", "--shell",
                             WAIT % shlex.quote(str(go)), "then", *verbs)
        job = wait_until(lambda: self.job_named(cluster, name))["job"]

        def first_is_complete():
            stages = self.ask(cluster, "explain", job)["stages"]
            return stages and stages[0]["completed"] == 1
        wait_until(first_is_complete)
        segments = self.segments(cluster)
        self.assertEqual(len(segments), 1, segments)
        return cluster, process, segments[0], go

    def harmed(self, verbs, where):
        """Flips a bit of the first segment at a share of its length: its result is made again, once."""
        quiet = zonda("run", *TWO_SHARDS, "then", *verbs)
        self.expect(quiet, 0)
        cluster, process, segment, go = self.started(verbs, "harmed", ["--json"])
        self.flip(segment, where)
        go.touch()
        err = self.finish(process, quiet.stdout)
        self.assertGreater(json.loads(err.splitlines()[-1])["counters"]["retries"]["sum"], 0)
        cluster.log.flush()
        log = (cluster.folder / "log").read_text()
        unreadable = [line for line in log.splitlines() if "result-unreadable" in line]
        self.assertEqual(len(unreadable), 1, log)
        self.assertIn(segment.name, unreadable[0])
        self.assertRegex(unreadable[0], "corrupt|checksum|does not fit")
        self.assertIn("results-made-again", log)
        self.assertEqual(cluster.close(), [0, 0])

    def test_flipped_bit_in_a_segment_is_found_and_mended(self):
        for where in (0.02, 0.5, 0.9, 0.999):
            with self.subTest(where):
                self.harmed(["sort", "k", "--shards", "2", "then", "count"], where)

    def test_flipped_bit_is_mended_for_every_operator(self):
        for verbs in (["group-by", "k", "--reduce", "for r in rows do end emit(key)"], ["deduplicate", "k"],
                      ["reshard", "3"], ["aggregate", "n=count(),l=list(t)", "--by", "k"]):
            with self.subTest(verbs[0]):
                self.harmed([*verbs, "then", "count"], 0.4)

    def test_driver_that_cannot_read_a_result_gets_it_made_again(self):
        """The driver has read a part of it; no record comes twice."""
        rows = ["from-range", "2", "--shards", "2", "then", "flat-map",
                "for i = 1, 20000 do emit({ k = i, v = r == 0 and 'late' or 'early', t = ('x'):rep(100) .. i }) end"]
        quiet = zonda("run", *rows)
        self.expect(quiet, 0)
        for where in (0.01, 0.9):
            cluster, process, segment, go = self.started(["filter", "true"], "read", ["--json"], rows)
            self.flip(segment, where)
            go.touch()
            err = self.finish(process, quiet.stdout)
            cluster.log.flush()
            log = (cluster.folder / "log").read_text()
            self.assertIn("results-made-again", log)
            self.assertEqual(cluster.close(), [0, 0])

    def test_rot_beyond_the_limit_ends_the_job(self):
        options = ["--quiet", "--infra-retries", "0"]
        verbs = ["sort", "k", "--shards", "2", "then", "count"]
        cluster, process, segment, go = self.started(verbs, "rotten", options)
        self.flip(segment, 0.4)
        go.touch()
        err = self.finish(process, "", status=1)
        self.assertIn("infrastructure: ", err)
        self.assertIn(segment.name, err)
        self.assertEqual(cluster.close(), [0, 0])


def random_text(numbers):
    """Lua that makes a text that cannot be compressed to less than half."""
    return (f"local t = {{}} for i = 1, {numbers} do t[i] = ('%08x'):format(math.random(0, 0xffffffff)) end "
            "t = table.concat(t) ")


# A pipeline whose rows take some megabytes.
ROWS = ["from-range", "40000", "--shards", "8", "then", "flat-map",
        random_text(24) + "emit({ k = r * 7919 % 40009, t = t })"]
NO_ROOM = "no worker has room on its disk"


def in_small_folder(folder, megabytes, words, **options):
    """Starts a process that sees a file system of this size at the folder; nobody else sees it."""
    inner = f"mount -t tmpfs -o size={megabytes}m none {shlex.quote(str(folder))} && exec " + shlex.join(map(str, words))
    flags = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    return subprocess.Popen(["unshare", *flags, "sh", "-c", inner], **options)


def why_no_mounts(folder):
    """None if file systems can be mounted here for a process alone."""
    try:
        process = in_small_folder(folder, 1, ["true"], stderr=subprocess.PIPE, text=True)
        _, err = process.communicate()
    except OSError as error:
        return str(error)
    return err if process.returncode != 0 else None


class FullDisk(Jobs):
    def setUp(self):
        super().setUp()
        self.small = self.folder / "small"
        self.small.mkdir()
        reason = why_no_mounts(self.small)
        if reason is not None:
            self.skipTest(f"a small file system cannot be mounted: {reason}")

    def add_small_worker(self, cluster, name):
        folder = self.folder / name
        folder.mkdir()
        words = [PROGRAM, "worker", "--connect", cluster.endpoint, "--slots", "1", "--scratch", folder]
        cluster.workers.append(in_small_folder(folder, 1, words, stderr=cluster.log))

    def workers_of(self, cluster):
        return len([w for w in self.ask(cluster, "workers") if w.get("state", "up") != "gone"])

    def test_task_moves_to_a_worker_with_room(self):
        cluster = self.cluster(workers=0)
        self.add_small_worker(cluster, "full")
        wait_until(lambda: self.workers_of(cluster) == 1)
        process = self.start(cluster, "--json", *ROWS, "then", "sort", "k", "then", "count")
        wait_until(lambda: (self.ask(cluster, "jobs") or [{}])[0].get("running"))
        cluster.slots = 1
        cluster.workers.append(cluster.add_worker())
        err = self.finish(process, "40000\n")
        done = [json.loads(line) for line in err.splitlines()][-1]
        self.assertGreater(done["counters"]["retries"]["sum"], 0)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_full_everywhere_is_one_clear_error(self):
        cluster = self.cluster(workers=0)
        for name in ("first", "second"):
            self.add_small_worker(cluster, name)
        wait_until(lambda: self.workers_of(cluster) == 2)
        out = self.folder / "out"
        process = self.start(cluster, "--quiet", *ROWS, "then", "sort", "k", "then", "write", f"{out}/{{shard}}.jsonl")
        err = self.finish(process, "", status=1)
        self.assertIn(NO_ROOM, err)
        self.assertEqual(err.count(NO_ROOM), 1, err)
        self.assertIn("infrastructure: ", err.splitlines()[1])
        self.assertEqual(self.files(out) if out.exists() else [], [])
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_full_in_process_is_one_clear_error_and_leaves_nothing(self):
        words = [PROGRAM, "run", "--quiet", "--slots", "2", "--scratch", self.small, *ROWS, "then", "sort", "k", "then",
                 "count"]
        inner = shlex.join(map(str, words)) + f"; status=$?; ls -A {shlex.quote(str(self.small))}; exit $status"
        process = in_small_folder(self.small, 1, ["sh", "-c", inner], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 1, err)
        self.assertEqual(out, "", "temporary files are left")
        self.assertIn(NO_ROOM, err)

    def test_sink_on_a_full_disk_leaves_nothing(self):
        words = [PROGRAM, "run", "--quiet", "--scratch", self.folder, *ROWS, "then", "sort", "k", "--shards", "1", "then",
                 "write", self.small / "out.jsonl"]
        inner = shlex.join(map(str, words)) + f"; status=$?; ls -A {shlex.quote(str(self.small))}; exit $status"
        process = in_small_folder(self.small, 1, ["sh", "-c", inner], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True)
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 1, err)
        self.assertEqual(out, "", "temporary files are left")
        self.assertIn(NO_ROOM, err)


# Nine of ten rows have one key; they are many times what a slot may hold.
SKEWED = ["from-range", "30000", "--shards", "2", "then", "flat-map",
          random_text(60) + "emit({ k = r % 10 == 0 and r or -1, n = r, t = t })", "then"]
HOT = sum(n for n in range(30000) if n % 10)


class Skew(Jobs):
    def run_in_little_memory(self, *verbs):
        result = zonda("run", "--json", "--slots", "2", "--memory", "8M", *SKEWED, *verbs)
        self.expect(result, 0)
        counters = json.loads(result.stderr.splitlines()[-1])["counters"]
        return [json.loads(line) for line in result.stdout.splitlines()], counters

    def test_group_by_streams_a_group_that_does_not_fit_into_memory(self):
        rows, counters = self.run_in_little_memory(
            "group-by", "k", "--shards", "4", "--reduce",
            "local n, s, last = 0, 0, -1 for r in rows do assert(r.n > last) n, s, last = n + 1, s + r.n, r.n end "
            "emit({ k = key, n = n, s = s })", "then", "filter", "r.n > 1")
        self.assertEqual(rows, [{"k": -1, "n": 27000, "s": HOT}])
        self.assertGreater(counters["spilled_bytes"]["sum"], 2 << 20)

    def test_combine_and_aggregate_move_one_row_of_the_key_per_task(self):
        rows, counters = self.run_in_little_memory(
            "map", "{ k = math.min(r.k, 0), n = r.n }", "then", "group-by", "k", "--shards", "4", "--combine",
            "local s = 0 for r in rows do s = s + r.n end emit({ k = key, n = s })", "--reduce",
            "local parts, s = 0, 0 for r in rows do parts, s = parts + 1, s + r.n end emit({ k = key, p = parts, s = s })",
            "then", "filter", "r.k < 0")
        self.assertEqual(rows, [{"k": -1, "p": 2, "s": HOT}])
        rows, counters = self.run_in_little_memory("aggregate", "c=count(),s=sum(n)", "--by", "k", "--shards", "4", "then",
                                                   "filter", "r.c > 1")
        self.assertEqual(rows, [{"k": -1, "c": 27000, "s": HOT}])

    def test_combine_with_an_order_of_its_own_spills_and_loses_nothing(self):
        add = "local n, s = 0, 0 for r in rows do n, s = n + r.c, s + r.n end emit({ k = key, n = s, c = n })"
        rows, counters = self.run_in_little_memory(
            "map", "{ k = r.n % 5000, n = r.n, c = 1, t = r.t }", "then", "group-by", "k", "--sort-by", "(r.n % 7)",
            "--shards", "3", "--combine", add, "--reduce", add, "then", "sort", "k", "--shards", "1")
        self.assertEqual(rows, [{"c": 6, "k": k, "n": sum(range(k, 30000, 5000))} for k in range(5000)])
        self.assertGreater(counters["spilled_bytes"]["sum"], 0)

    def test_sort_cuts_the_key_between_shards(self):
        rows, _ = self.run_in_little_memory("sort", "k", "--shards", "4", "then", "map-shard",
                                            "local n = 0 for r in items do n = n + 1 end emit(n)")
        self.assertEqual(sum(rows), 30000)
        for count in rows:
            self.assertLess(count, 20000)


if __name__ == "__main__":
    unittest.main()
