#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""How things end, with real processes: workers that are drained, jobs that are cancelled, and what they
leave behind."""
import json
import pathlib
import signal
import subprocess
import time
import unittest

from harness import PROGRAM, zonda
from waiting import Ending, wait_until


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

    def test_files_of_a_worker_that_was_killed_go_with_the_job(self):
        """Its tasks have not begun again anywhere when the job ends: others clear up."""
        cluster = self.cluster()
        driver = self.start_writing(cluster)
        cluster.workers[0].kill()
        cluster.workers[0].wait()
        wait_until(lambda: len(self.workers(cluster)) == 1)
        self.assertEqual(len(self.files(self.out)), 4)
        driver.send_signal(signal.SIGINT)
        driver.communicate(timeout=60)
        self.expect_nothing_left()
        self.assertEqual(cluster.close()[1:], [0, 0])

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


if __name__ == "__main__":
    unittest.main()
