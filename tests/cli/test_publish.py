#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""One attempt of a task publishes its file, whoever is killed or frozen at the worst moments."""
import fcntl
import os
import pathlib
import signal
import unittest

from harness import MANIFEST, processes_below
from test_durable import DurableCluster
from waiting import Ending, wait_until


class Publishing(Ending):
    """A job of two shards: one is published, the attempt of the other can be held before and after it
    has the permission. At any time the file is whole or not there, and at the end nothing else is left."""

    RECORDS = 2000  # of a shard
    LAST = "".join(f"{i}\n" for i in range(RECORDS, 2 * RECORDS))

    def setUp(self):
        super().setUp()
        # The task of the first shard makes the manifest; the other one waits.
        self.script.write_text("#!/bin/sh\nread first\n"
                               f"if [ $first != 0 ]; then touch {self.begun}/$$; "
                               f"while [ ! -e {self.go} ]; do sleep 0.02; done; fi\n"
                               "echo $first\nexec cat\n")
        self.out = self.folder / "out"
        self.target = self.out / "1.jsonl"
        self.cluster_ = self.make_cluster()
        self.driver = self.start(self.cluster_, "from-range", 2 * self.RECORDS, "--shards", 2, "then", "exec",
                                 self.script, "then", "write", f"{self.out}/{{shard}}.jsonl")
        self.wait_for_tasks(1)
        wait_until((self.out / "0.jsonl").exists)
        self.worker = self.cluster_.workers[0]
        self.slot = processes_below(self.worker.pid)[0]

    def make_cluster(self):
        return self.cluster(workers=1, slots=1)

    def temporaries(self):
        return [p for p in self.out.iterdir() if p.name.endswith(".tmp")]

    def check_whole(self):
        """The file is not there, or it is all there."""
        try:
            self.assertTrue(self.target.read_text() == self.LAST, "a part of a file has its name")
        except FileNotFoundError:
            pass

    def sealed(self):
        self.check_whole()
        return [p for p in self.temporaries() if p.stat().st_size == len(self.LAST)]

    def hold_between(self):
        """Lets the task go on until it has the permission, and holds it there: it waits for the lock on
        the manifest, without which nothing gets its name."""
        manifest = next(p for p in self.out.iterdir() if p.name.endswith(MANIFEST))
        lock = open(manifest)
        self.addCleanup(lock.close)
        fcntl.flock(lock, fcntl.LOCK_EX)
        inode = f":{manifest.stat().st_ino} "
        self.go.touch()
        wait_until(lambda: any("->" in line and inode in line
                               for line in pathlib.Path("/proc/locks").read_text().splitlines()))
        self.assertEqual(len(self.sealed()), 1)
        return lock

    def kill_worker(self):
        self.worker.kill()
        self.worker.wait()
        wait_until(lambda: not pathlib.Path(f"/proc/{self.slot}").exists())

    def finish_job(self):
        while self.driver.poll() is None:
            self.check_whole()
        self.finish(self.driver, "".join(f'"{self.out}/{i}.jsonl"\n' for i in range(2)))
        self.expect_clean()

    def finish_elsewhere(self):
        self.cluster_.workers[0] = self.cluster_.add_worker()
        self.finish_job()
        self.assertEqual(self.cluster_.close(), [0, 0])

    def expect_clean(self):
        self.assertEqual(self.files(self.out), ["0.jsonl", "1.jsonl"])
        self.check_whole()


class Publish(Publishing):
    """Workers are killed before the permission, between the permission and the rename, and after the
    rename."""

    def test_killed_before_the_permission(self):
        coordinator = self.cluster_.coordinator
        coordinator.send_signal(signal.SIGSTOP)
        self.go.touch()
        wait_until(self.sealed)
        self.kill_worker()
        coordinator.send_signal(signal.SIGCONT)
        self.assertFalse(self.target.exists())
        self.finish_elsewhere()

    def test_killed_between_permission_and_rename(self):
        lock = self.hold_between()
        self.kill_worker()
        self.assertFalse(self.target.exists())
        lock.close()
        self.finish_elsewhere()

    def test_killed_after_the_rename(self):
        lock = self.hold_between()
        self.worker.send_signal(signal.SIGSTOP)  # it takes no outcome
        lock.close()
        wait_until(self.target.exists)
        self.kill_worker()
        self.check_whole()
        self.finish_elsewhere()

    def test_slot_killed_between_permission_and_rename(self):
        lock = self.hold_between()
        os.kill(self.slot, signal.SIGKILL)
        lock.close()
        self.finish_job()
        self.assertEqual(self.cluster_.close(), [0, 0])

    def test_frozen_between_and_awake_when_all_is_over(self):
        lock = self.hold_between()
        for pid in (self.slot, self.worker.pid):
            os.kill(pid, signal.SIGSTOP)
        lock.close()
        self.cluster_.workers.append(self.cluster_.add_worker())
        self.finish_job()
        published = self.target.stat().st_ino
        for pid in (self.slot, self.worker.pid):
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: len(self.workers(self.cluster_)) == 2)
        self.assertEqual(self.cluster_.close(), [0, 0, 0])
        self.expect_clean()
        self.assertEqual(self.target.stat().st_ino, published, "a stale attempt published")


class PublishDurable(Publishing):
    """The same with a coordinator that is killed at these moments, and started again."""

    def make_cluster(self):
        cluster = DurableCluster.make(self.folder / "state", workers=1, slots=1)
        self.addCleanup(cluster.kill)
        return cluster

    def expect_done(self):
        """The attempt went on, whatever became of the coordinator."""
        self.finish_job()
        self.assertEqual(len(list(self.begun.iterdir())), 1)
        self.assertEqual(self.cluster_.close(), [0, 0])

    def test_coordinator_killed_before_the_permission(self):
        self.cluster_.coordinator.send_signal(signal.SIGSTOP)
        self.go.touch()
        wait_until(self.sealed)
        self.cluster_.restart()
        self.expect_done()

    def test_coordinator_killed_between_permission_and_rename(self):
        lock = self.hold_between()
        self.cluster_.restart()
        wait_until(lambda: len(self.workers(self.cluster_)) == 1)
        self.assertFalse(self.target.exists())
        lock.close()
        self.expect_done()

    def test_coordinator_killed_after_the_rename(self):
        lock = self.hold_between()
        self.cluster_.coordinator.send_signal(signal.SIGSTOP)  # it takes no outcome
        lock.close()
        wait_until(self.target.exists)
        self.cluster_.restart()
        self.expect_done()

    def test_coordinator_and_worker_killed_between(self):
        lock = self.hold_between()
        self.kill_worker()
        self.cluster_.restart()
        lock.close()
        self.finish_elsewhere()

    def test_driver_and_coordinator_killed(self):
        """The next driver goes on by name, with the coordinator that has read its journal."""
        self.driver.kill()
        self.driver.communicate()
        words = ["from-range", 2 * self.RECORDS, "--shards", 2, "then", "exec", self.script, "then", "write",
                 f"{self.out}/{{shard}}.jsonl"]
        named = self.start(self.cluster_, *words, options=["--name", "nightly"])
        self.wait_for_tasks(2)  # another job, which writes the same files
        named.kill()
        named.communicate()
        self.cluster_.restart()
        self.driver = self.start(self.cluster_, *words, options=["--name", "nightly"])
        line = self.driver.stderr.readline()
        self.assertEqual(line, "zonda: job nightly goes on: stage 1 of 1\n")
        self.go.touch()
        self.finish(self.driver, "".join(f'"{self.out}/{i}.jsonl"\n' for i in range(2)))
        self.check_whole()


if __name__ == "__main__":
    unittest.main()
