#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""A coordinator with a state directory that is killed: jobs go on, and nobody notices but the log."""
import collections
import json
import os
import random
import signal
import subprocess
import time
import unittest

from harness import PROGRAM, Cluster, zonda

TASKS = 30


class DurableCluster(Cluster):
    """A cluster whose coordinator can be killed and started again."""

    def __init__(self, **options):
        super().__init__(**options)
        self.state = None

    @classmethod
    def make(cls, folder, **options):
        cluster = cls(coordinator=("--state", folder), **options)
        cluster.state = folder
        return cluster

    def restart(self, sign=signal.SIGKILL):
        self.coordinator.send_signal(sign)
        self.coordinator.wait()
        self.coordinator.stdout.close()
        bind = "tcp://127.0.0.1:*" if self.endpoint.startswith("tcp") else self.endpoint
        self.coordinator = subprocess.Popen(
            [PROGRAM, "coordinator", "--bind", bind, "--state", self.state],
            text=True, stdout=subprocess.PIPE, stderr=self.log)
        return self.coordinator.stdout.readline().split()[1]

    def log_text(self):
        return (self.folder / "log").read_text()


class Durable(unittest.TestCase):
    def setUp(self):
        import tempfile
        self.folder = tempfile.TemporaryDirectory(prefix="zonda-durable-")
        self.addCleanup(self.folder.cleanup)
        self.state = os.path.join(self.folder.name, "state")

    def cluster(self, **options):
        cluster = DurableCluster.make(self.state, **options)
        self.addCleanup(cluster.kill)
        return cluster

    def start_job(self, cluster):
        """A job whose tasks say on a common file that they end; each has one record."""
        self.runs = os.path.join(self.folder.name, "runs")
        for i in range(TASKS):
            with open(os.path.join(self.folder.name, f"in-{i:02}.jsonl"), "w") as file:
                file.write(json.dumps({"i": i}) + "\n")
        command = f"sh -c 'read line; sleep 0.1; echo \"$line\" >> {self.runs}; echo \"$line\"'"
        return subprocess.Popen(
            [PROGRAM, "run", "--connect", cluster.endpoint, "read", self.folder.name + "/in-*.jsonl",
             "then", "exec", command], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def check_job(self, job):
        out, err = job.communicate(timeout=100)
        self.assertEqual(job.returncode, 0, err)
        self.assertEqual([json.loads(line)["i"] for line in out.splitlines()], list(range(TASKS)))
        with open(self.runs) as file:
            return collections.Counter(json.loads(line)["i"] for line in file)

    def test_job_goes_on_when_its_coordinator_is_killed(self):
        cluster = self.cluster()
        job = self.start_job(cluster)
        rng = random.Random(5)
        for _ in range(4):
            time.sleep(rng.uniform(0.1, 0.8))
            endpoint = cluster.restart()
            self.assertEqual(endpoint, cluster.endpoint)
        runs = self.check_job(job)
        self.assertEqual(runs, collections.Counter(range(TASKS)))  # each task ran once

    def test_sigterm_is_a_pause(self):
        cluster = self.cluster(transport="ipc")
        job = self.start_job(cluster)
        time.sleep(0.5)
        cluster.restart(signal.SIGTERM)
        self.check_job(job)
        self.assertIn("state-restored", cluster.log_text())

    def mount_small_disk(self):
        """A file system of 16 megabytes for the state directory."""
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a small file system")
        os.mkdir(self.state)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", self.state], capture_output=True)
        if mount.returncode != 0:
            self.skipTest("cannot mount a small file system: " + mount.stderr.decode())
        self.addCleanup(subprocess.run, ["umount", "-l", self.state])

    def test_full_disk_holds_everything_back_and_loses_nobody(self):
        self.mount_small_disk()
        cluster = self.cluster()
        job = self.start_job(cluster)
        time.sleep(0.3)
        filler = os.path.join(self.state, "filler")
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass  # full
        deadline = time.monotonic() + 20
        while "journal-write-failed" not in cluster.log_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertIn("journal-write-failed", cluster.log_text())
        time.sleep(4)  # longer than a silent worker or coordinator is waited for
        self.assertIsNone(job.poll())
        os.unlink(filler)
        self.check_job(job)
        log = cluster.log_text()
        self.assertIn("journal-write-succeeded", log)
        self.assertNotIn("worker-lost", log, log)
        # At the start a slow disk may have made them ask twice.
        self.assertNotIn("worker-joined", log.split("journal-write-failed", 1)[1], log)

    def test_directory_in_use_is_refused(self):
        self.cluster(workers=0)
        refused = zonda("coordinator", "--bind", "tcp://127.0.0.1:*", "--state", self.state)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("is in use by process", refused.stderr)

    def test_directory_of_another_version_is_refused(self):
        cluster = self.cluster(workers=0)
        cluster.coordinator.terminate()
        cluster.coordinator.wait()
        try:
            import sqlite3
        except ImportError:
            self.skipTest("needs the sqlite3 module of Python")
        with sqlite3.connect(os.path.join(self.state, "journal.sqlite")) as db:
            db.execute("UPDATE meta SET value = '9' WHERE name = 'format'")
        db.close()
        refused = zonda("coordinator", "--bind", "tcp://127.0.0.1:*", "--state", self.state)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("format 9", refused.stderr)

    def test_history_lists_jobs_that_have_ended(self):
        cluster = self.cluster()
        self.assertEqual(cluster.run("from_range", "40", "then", "count").returncode, 0)
        failed = cluster.run("from_range", "3", "then", "map", "error('it broke')")
        self.assertEqual(failed.returncode, 1)

        def history(*words):
            result = zonda("history", "--json", *words)
            self.assertEqual(result.returncode, 0, result.stderr)
            return json.loads(result.stdout)

        before = history("--connect", cluster.endpoint)
        self.assertEqual([row["state"] for row in before], ["failed", "complete"])
        self.assertIn("it broke", before[0]["error"])
        self.assertEqual(before[1]["records_in"], 40)
        cluster.restart()
        self.assertEqual(history("--connect", cluster.endpoint), before)
        self.assertEqual(history("--state", self.state), before[::-1])
        stages = history("--connect", cluster.endpoint, str(before[1]["job"]))
        self.assertEqual([stage["state"] for stage in stages], ["complete"] * before[1]["stages"])
        unknown = zonda("history", "--connect", cluster.endpoint, "12")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("job 12 is not in the history", unknown.stderr)

    def test_history_keeps_what_it_is_told_to(self):
        cluster = DurableCluster(coordinator=("--state", self.state, "--history-jobs", "2"))
        self.addCleanup(cluster.kill)
        for _ in range(4):
            self.assertEqual(cluster.run("from_range", "2", "then", "count").returncode, 0)
        for words in (("--connect", cluster.endpoint), ("--state", self.state)):
            rows = json.loads(zonda("history", "--json", *words).stdout)
            self.assertEqual(len(rows), 2)

    def test_job_ids_go_on(self):
        cluster = self.cluster()
        first = cluster.run("from_range", "3", "then", "count")
        cluster.restart()
        second = cluster.run("from_range", "3", "then", "count")
        self.assertEqual((first.returncode, second.returncode), (0, 0), first.stderr + second.stderr)
        number = [int(text.split("job ")[1].split()[0]) for text in (first.stderr, second.stderr)]
        self.assertEqual(number[1], number[0] + 1)


if __name__ == "__main__":
    unittest.main()
