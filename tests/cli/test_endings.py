#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""How things end, with real processes: workers that are drained, jobs that are cancelled, and what they
leave behind."""
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from harness import MANIFEST, PROGRAM, TestCase, processes_below, zonda
from test_durable import DurableCluster


def wait_until(condition, seconds=60):
    """Asks again and again; the time is only a bound for a test that hangs."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)


class Ending(TestCase):
    """Jobs whose tasks wait until they are let go."""

    def setUp(self):
        super().setUp()
        self.begun = self.folder / "begun"
        self.begun.mkdir()
        self.go = self.folder / "go"
        self.script = self.write("wait.sh", "#!/bin/sh\n"
                                 f"touch {self.begun}/$$\n"
                                 f"while [ ! -e {self.go} ]; do sleep 0.02; done\n"
                                 "exec cat\n")
        self.script.chmod(0o755)

    def words(self, tasks, *more):
        return ["from-range", tasks, "--shards", tasks, "then", "exec", self.script, *more]

    def start(self, cluster, *words, options=()):
        process = subprocess.Popen([PROGRAM, "run", "--connect", cluster.endpoint, *map(str, options),
                                    *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(process.kill)
        return process

    def finish(self, process, expected):
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        self.assertEqual(out, expected)
        return err

    def wait_for_tasks(self, count):
        wait_until(lambda: len(list(self.begun.iterdir())) >= count)

    def workers(self, cluster):
        return json.loads(zonda("workers", "--json", "--connect", cluster.endpoint).stdout or "[]")

    def worker_id(self, cluster, process):
        return next(w["worker"] for w in self.workers(cluster) if w["pid"] == process.pid)

    def log(self, cluster):
        return (cluster.folder / "log").read_text()


class Drain(Ending):
    EXPECTED = "".join(f"{i}\n" for i in range(12))

    def test_a_signal_lets_running_tasks_finish_and_others_run_elsewhere(self):
        cluster = self.cluster(workers=1)
        driver = self.start(cluster, *self.words(12))
        self.wait_for_tasks(2)
        first = cluster.workers[0]
        first.send_signal(signal.SIGTERM)
        wait_until(lambda: self.workers(cluster)[0]["state"] == "draining")
        cluster.workers.append(cluster.add_worker())
        self.wait_for_tasks(4)
        self.assertIsNone(first.poll())
        self.go.touch()
        self.finish(driver, self.EXPECTED)
        self.assertEqual(first.wait(timeout=30), 0)
        # Nothing that had begun was begun again.
        self.assertEqual(len(list(self.begun.iterdir())), 12)
        self.assertEqual(cluster.scratch_left()[1:], [])
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_the_second_signal_ends_it_at_once(self):
        cluster = self.cluster(workers=1)
        driver = self.start(cluster, *self.words(2))
        self.wait_for_tasks(2)
        first = cluster.workers[0]
        first.send_signal(signal.SIGTERM)
        wait_until(lambda: self.workers(cluster)[0]["state"] == "draining")
        first.send_signal(signal.SIGTERM)
        self.assertEqual(first.wait(timeout=30), 0)
        self.assertEqual(cluster.scratch_left(), [])
        self.go.touch()
        cluster.workers.append(cluster.add_worker())
        self.finish(driver, "0\n1\n")
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_the_command_names_the_worker_and_waits(self):
        cluster = self.cluster(workers=2)
        wait_until(lambda: len(self.workers(cluster)) == 2)
        driver = self.start(cluster, *self.words(4))
        self.wait_for_tasks(4)
        first = cluster.workers[0]
        drain = subprocess.Popen([PROGRAM, "drain", "--wait", "--connect", cluster.endpoint,
                                  str(self.worker_id(cluster, first))], stderr=subprocess.PIPE, text=True)
        self.assertIn("2 tasks", drain.stderr.readline())
        row = next(w for w in self.workers(cluster) if w["pid"] == first.pid)
        self.assertEqual((row["state"], row["reason"]), ("draining", "zonda drain"))
        self.go.touch()
        self.finish(driver, "0\n1\n2\n3\n")
        drain.communicate(timeout=60)
        self.assertEqual(drain.returncode, 0)
        self.assertEqual(first.wait(timeout=30), 0)
        self.assertEqual(len(self.workers(cluster)), 1)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_the_command_without_a_worker_or_with_an_unknown_one(self):
        cluster = self.cluster(workers=0)
        self.expect(zonda("drain", "--connect", cluster.endpoint), 2, "id of a worker")
        self.expect(zonda("drain", "--connect", cluster.endpoint, "x"), 2, "zonda workers")
        self.expect(zonda("drain", "--connect", cluster.endpoint, "7"), 1, "no worker 7")
        self.assertEqual(cluster.close(), [0])

    def test_results_that_are_needed_keep_it(self):
        """It has the rows of a shuffle: the second stage, which runs elsewhere, reads them from it."""
        cluster = self.cluster(workers=1)
        words = ["from-range", "100000", "--shards", "4", "then", "map", "{ k = r % 7, n = r }", "then",
                 "aggregate", "n = sum(n)", "--by", "k", "--shards", "2", "then", "exec", self.script,
                 "then", "count"]
        driver = self.start(cluster, *words)
        self.wait_for_tasks(2)
        first = cluster.workers[0]
        wait_until(lambda: self.workers(cluster)[0]["running"] > 0)
        first.send_signal(signal.SIGTERM)
        cluster.workers.append(cluster.add_worker())
        time.sleep(1)  # long enough for it to leave, if it would
        self.assertIsNone(first.poll())
        self.go.touch()
        self.finish(driver, "7\n")
        self.assertEqual(first.wait(timeout=30), 0)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_without_a_coordinator_it_does_not_wait_long(self):
        cluster = self.cluster(workers=1)
        wait_until(lambda: len(self.workers(cluster)) == 1)
        cluster.coordinator.kill()
        cluster.coordinator.wait()
        cluster.workers[0].send_signal(signal.SIGTERM)
        self.assertEqual(cluster.workers[0].wait(timeout=30), 0)
        self.assertEqual(cluster.scratch_left(), [])


class Resume(Ending):
    """Drivers that are killed and started again."""

    def setUp(self):
        super().setUp()
        self.ran = self.folder / "ran"
        self.ran.mkdir()
        count = self.write("count.sh", f"#!/bin/sh\ntouch {self.ran}/$$\nexec cat\n")
        count.chmod(0o755)
        # Eight tasks that are counted, then a shuffle, then four that wait, then one.
        self.job = ["from-range", "1000", "--shards", "8", "then", "exec", count, "then", "map",
                    "{ k = r % 5, n = r }", "then", "aggregate", "n = sum(n)", "--by", "k", "--shards", "4",
                    "then", "exec", self.script, "then", "count"]

    def jobs(self, cluster):
        return json.loads(zonda("jobs", "--json", "--connect", cluster.endpoint).stdout or "[]")

    def kill(self, driver, how=signal.SIGKILL):
        driver.send_signal(how)
        driver.communicate(timeout=30)

    def test_the_same_name_goes_on_where_it_was(self):
        cluster = self.cluster()
        driver = self.start(cluster, *self.job, options=["--name", "nightly"])
        self.wait_for_tasks(4)
        before = self.jobs(cluster)[0]
        self.kill(driver)
        driver = self.start(cluster, *self.job, options=["--name", "nightly"])
        self.assertEqual(driver.stderr.readline(), "zonda: job nightly goes on: stage 2 of 3\n")
        self.go.touch()
        err = self.finish(driver, "5\n")
        self.assertIn(f"job {before['job']} done", err)
        self.assertEqual(len(list(self.ran.iterdir())), 8)
        self.assertEqual(self.jobs(cluster), [])
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_another_plan_under_the_name_is_an_error(self):
        cluster = self.cluster()
        driver = self.start(cluster, *self.job, options=["--name", "nightly"])
        self.wait_for_tasks(4)
        again = cluster.run("--name", "nightly", "from-range", "3")
        self.expect(again, 2, "is being run by process", f"{driver.pid}", "nightly")
        self.kill(driver)
        self.expect(cluster.run("--name", "nightly", "from-range", "3"), 2, "has another plan",
                    "zonda cancel")
        self.assertEqual(self.jobs(cluster)[0]["state"], "running")
        job = self.jobs(cluster)[0]["job"]
        self.expect(zonda("cancel", "--connect", cluster.endpoint, job), 0)
        self.assertEqual(cluster.run("--name", "nightly", "from-range", "3").stdout, "0\n1\n2\n")
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_without_a_name_it_begins_anew(self):
        cluster = self.cluster(coordinator=["--driver-grace", "1"])
        driver = self.start(cluster, *self.job)
        self.wait_for_tasks(4)
        self.kill(driver)
        self.go.touch()
        err = self.finish(self.start(cluster, *self.job), "5\n")
        self.assertNotIn("goes on", err)
        wait_until(lambda: self.jobs(cluster) == [])
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_a_detached_job_waits_for_its_driver(self):
        cluster = self.cluster(coordinator=["--driver-grace", "1"])
        options = ["--name", "nightly", "--detach"]
        driver = self.start(cluster, *self.job, options=options)
        self.wait_for_tasks(4)
        self.kill(driver, signal.SIGTERM)
        self.assertEqual(driver.returncode, -signal.SIGTERM)
        time.sleep(2.5)  # more than the grace
        self.assertEqual(self.jobs(cluster)[0]["state"], "running")
        self.go.touch()
        wait_until(lambda: self.jobs(cluster)[0]["running"] == 0)
        err = self.finish(self.start(cluster, *self.job, options=options), "5\n")
        self.assertIn("job nightly goes on: stage 3 of 3", err)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_ctrl_c_cancels_a_detached_job(self):
        cluster = self.cluster()
        driver = self.start(cluster, *self.job, options=["--name", "nightly", "--detach"])
        self.wait_for_tasks(4)
        self.kill(driver, signal.SIGINT)
        self.assertEqual(driver.returncode, 130)
        self.assertEqual(self.jobs(cluster), [])
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_detach_needs_a_cluster_and_a_name(self):
        self.expect(zonda("run", "--detach", "--name", "x", "from-range", "3"), 2, "--connect")
        self.expect(zonda("run", "--detach", "--connect", "tcp://127.0.0.1:1", "from-range", "3"), 2,
                    "--name")

    def test_json_says_where_it_goes_on(self):
        cluster = self.cluster()
        driver = self.start(cluster, *self.job, options=["--name", "nightly"])
        self.wait_for_tasks(4)
        self.kill(driver)
        driver = self.start(cluster, *self.job, options=["--name", "nightly", "--json"])
        resumed = json.loads(driver.stderr.readline())
        self.assertEqual(resumed["event"], "resumed")
        self.go.touch()
        self.finish(driver, "5\n")
        self.assertEqual((resumed["stage"], resumed["stages"]), (1, 3))
        self.assertEqual(cluster.close(), [0, 0, 0])


class Cancel(Ending):
    """Jobs that end before they are complete: no process of theirs and no file stays."""

    def start_writing(self, cluster, tasks=4):
        """Tasks that have written a part of their files and wait."""
        # The shell keeps more than one buffer of the writer away from the end of the shard.
        self.script.write_text("#!/bin/sh\n"
                               f"seq 1 50000\ntouch {self.begun}/$$\n"
                               f"while [ ! -e {self.go} ]; do sleep 0.02; done\nexec cat\n")
        self.out = self.folder / "out"
        driver = self.start(cluster, *self.words(tasks), "then", "write", f"{self.out}/{{shard}}.jsonl")
        self.wait_for_tasks(tasks)
        wait_until(lambda: len(self.files(self.out)) == tasks)
        return driver

    def expect_nothing_left(self):
        self.assertEqual(self.files(self.out), [])
        for path in self.begun.iterdir():
            wait_until(lambda: not pathlib.Path(f"/proc/{path.name}").exists())

    def test_the_command_leaves_no_file_and_no_process(self):
        cluster = self.cluster()
        driver = self.start_writing(cluster)
        job = json.loads(zonda("jobs", "--json", "--connect", cluster.endpoint).stdout)[0]["job"]
        self.expect(zonda("cancel", "--connect", cluster.endpoint, job), 0)
        self.expect_nothing_left()
        _, err = driver.communicate(timeout=60)
        self.assertEqual(driver.returncode, 1)
        self.assertIn("zonda cancel", err)
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_ctrl_c_leaves_no_file_and_no_process(self):
        cluster = self.cluster()
        driver = self.start_writing(cluster)
        driver.send_signal(signal.SIGINT)
        driver.communicate(timeout=60)
        self.assertEqual(driver.returncode, 130)
        self.expect_nothing_left()
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_a_driver_that_is_killed_leaves_no_file_and_no_process(self):
        cluster = self.cluster(coordinator=["--driver-grace", "1"])
        driver = self.start_writing(cluster)
        driver.kill()
        driver.communicate(timeout=60)
        wait_until(lambda: zonda("jobs", "--json", "--connect", cluster.endpoint).stdout == "[]\n")
        self.expect_nothing_left()
        self.assertEqual(cluster.close(), [0, 0, 0])

    def test_the_end_of_the_coordinator_is_told_to_all(self):
        cluster = self.cluster()
        driver = self.start_writing(cluster)
        cluster.coordinator.send_signal(signal.SIGTERM)
        self.assertEqual(cluster.coordinator.wait(timeout=30), 0)
        _, err = driver.communicate(timeout=60)
        self.assertEqual(driver.returncode, 1)
        self.assertIn("the coordinator was stopped", err)
        for worker in cluster.workers:
            self.assertEqual(worker.wait(timeout=30), 0)
        self.expect_nothing_left()
        self.assertEqual(cluster.scratch_left(), [])

    def test_the_second_signal_of_a_worker_leaves_its_job_to_others(self):
        cluster = self.cluster(workers=1)
        driver = self.start_writing(cluster, 2)
        for _ in range(2):
            cluster.workers[0].send_signal(signal.SIGTERM)
            time.sleep(0.3)
        self.assertEqual(cluster.workers[0].wait(timeout=30), 0)
        cluster.workers[0] = cluster.add_worker()
        self.go.touch()
        driver.communicate(timeout=60)
        self.assertEqual(driver.returncode, 0)
        self.assertEqual(self.files(self.out), ["0.jsonl", "1.jsonl"])
        self.assertEqual(cluster.close(), [0, 0])


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
        self.finish_job()
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
